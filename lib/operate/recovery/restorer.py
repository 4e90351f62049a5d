"""The role that copies back from another account: one identity that may read there and write here.

S3 copies within itself, and asks one caller for both buckets. The role of the other account may not write
here, and the deployer not read there: so a role of the pipeline may do both, and nothing else.
"""

from lib.engine.stack import Stack
from lib.operate.pipelines import Pipeline
from lib.resources.base import GLOBAL_REGION
from lib.resources.iam import Role, role_arn
from lib.resources.policies import from_template
from lib.resources.s3 import Bucket
from lib.s3.objects import Place
from lib.target import Target

POLICY, NAME = "lib/policies/restore-policy.json", "restore"


def describe(stack: Stack, source: Bucket, copies: Bucket) -> Role:
    """Describe the role in a pipeline's stack; it is only wanted if the copies live in another account.

    Args:
        stack: The pipeline's.
        source: The bucket that is copied back into; or into another one of the environment.
        copies: The bucket that is copied from.
    """
    scope = stack.scope
    policy = from_template(
        POLICY,
        source_bucket=source,
        copies_bucket=copies,
        own_buckets_arn=f"arn:aws:s3:::{scope.prefix}-{scope.env}-*",
    )
    role = Role(NAME, GLOBAL_REGION, trusts=scope.account_id, policy=policy)
    return stack.add(role, wanted=copies.is_elsewhere)


def of(target: Target, pipeline: Pipeline, into: Place) -> Place:
    """Return a place as whoever copies back sees it: the deployer, or across accounts the role.

    Args:
        target: The AWS to work on.
        pipeline: Whose destination is copied from.
        into: Where to, with the deployer's client.

    Raises:
        ParameterError: If the role cannot be taken on.
    """
    copies = pipeline.destination_bucket
    if not copies.is_elsewhere:
        return into
    client = target.as_role(role_arn(copies.scope, NAME))
    return Place(client("s3", into.region), into.bucket)
