"""S3: buckets that are somebody else's, and that a pipeline works on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from botocore.exceptions import ClientError

from lib.base.errors import RunbookError
from lib.resources.base import Adopted, Found, Scope, Settings
from lib.resources.checks import Finding
from lib.resources.s3 import Bucket, bucket_names


@dataclass(repr=False)
class AdoptedBucket(Bucket):
    """A bucket that is there already: looked at, never made, changed, tagged or deleted.

    What a pipeline attaches to it, such as a notification, is a resource of its own
    (docs/decisions/0023-a-bucket-that-is-adopted.md).

    Attributes:
        adopted: Which it is.
        default_key: ARN of the KMS key that it encrypts with by default; empty for one of AWS's.
    """

    adopted: Adopted = field(kw_only=True)
    default_key: str = field(default="", kw_only=True)

    taggable: ClassVar[bool] = False
    is_made: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return self.adopted.name

    @property
    def kms_key_arn(self) -> str:
        return self.default_key

    @property
    def other_key_arns(self) -> tuple[str, ...]:
        """ARNs of the KMS keys besides its own under which there are objects that a pipeline reads."""
        return self.adopted.key_arns

    @property
    def note(self) -> str:
        return "is adopted: read, and written by the pipeline, but never changed or deleted"

    def desired(self) -> Settings:
        return {}

    def checks(self) -> Iterable[Finding]:
        return ()

    def read(self, client) -> Settings | None:
        try:
            client.head_bucket(Bucket=self.name, ExpectedBucketOwner=self.scope.account_id)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            # Deleted, and perhaps made anew by another account.
            if status == 404 or self.name not in bucket_names(client, self.name):
                return None
            raise
        return {}

    def create(self, client, *_: object) -> None:
        raise RunbookError(f"{self} is not there any more; it is not ours to make")

    def update(self, client, settings: Settings) -> None:
        """Change nothing: there is nothing that it shall be."""

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        yield from ()

    @classmethod
    def delete(cls, client, identifier: str, *_: object, **__: object) -> None:
        raise RunbookError(f"bucket {identifier} is not ours to delete")
