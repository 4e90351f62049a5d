"""Bucket against bucket, object by object: of a pipeline that copies."""

from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from lib.operate.audits.findings import METADATA, MISSING, SAME, STALE, TAGS, Finding, fingerprint, not_due
from lib.operate.audits.history import Extras, Grace
from lib.s3.listing import Pair, key_of, same_listed
from lib.s3.objects import Place
from lib.s3.same_object import ATTRIBUTES, differing_attributes, differing_tags, same_bytes

LOOKS = 3  # at an object that changes while it is looked at
# No such version any more, or another one by now.
CHANGED = (404, 405, 412)


@dataclass(frozen=True)
class BucketPair:
    """Judges the objects of one bucket by those of another.

    Attributes:
        source: What shall be.
        destination: What is.
        grace: How old a change must be.
        extras: Judges what only the destination has.
        looks_closer: Whether metadata and tags are compared too, which takes four calls an object; if not,
            the listing decides wherever it proves that the bytes are the same.
    """

    source: Place
    destination: Place
    grace: Grace
    extras: Extras
    looks_closer: bool = True

    def listed(self, pair: Pair) -> Finding | str:
        """Judge what two listings have of a key; return the key if they do not prove that it is the same."""
        key = key_of(pair)
        return Finding(key, SAME) if not self.looks_closer and same_listed(*pair) else key

    def look(self, key: str) -> Finding:
        """Judge a key by what both buckets have of it now."""
        for _ in range(LOOKS):
            try:
                return self._look(key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] not in CHANGED:
                    raise
        return not_due(key, f"another one at each of {LOOKS} looks")

    def _look(self, key: str) -> Finding:
        here, (there, marker) = self.source.head(key), self.destination.head_or_marker(key)
        if here is None:
            return Finding(key, SAME) if there is None else replace(self.extras.judge(key), held=_held(there))
        if there is None:
            finding = Finding(key, MISSING, held=_held(here, *[marker] * bool(marker)))
        else:
            finding = self._compare(key, here, there)
        return finding if finding.state == SAME else self.grace.or_in_flight(finding, here["LastModified"])

    def _compare(self, key: str, here: dict, there: dict) -> Finding:
        """Compare an object and its copy: first the bytes, then the rest."""
        if detail := self._differing_bytes(key, here, there):
            return Finding(key, STALE, detail, held=_held(here, there))
        if not self.looks_closer:
            return Finding(key, SAME)
        if names := differing_attributes(here, there):
            about = [[head.get(name) for name in ATTRIBUTES] for head in (here, there)]
            return Finding(key, METADATA, ", ".join(names), held=_held(here, there, about))
        here_tags = self.source.tags(key, here.get("VersionId"))
        there_tags = self.destination.tags(key, there.get("VersionId"))
        if names := differing_tags(here_tags, there_tags):
            return Finding(key, TAGS, ", ".join(names), held=_held(here, there, [here_tags, there_tags]))
        return Finding(key, SAME)

    def _differing_bytes(self, key: str, here: dict, there: dict) -> str:
        """Say how the bytes differ; empty if they are the same. Where HEAD cannot tell, they are read."""
        if here["ContentLength"] != there["ContentLength"]:
            return f"{there['ContentLength']:,} bytes instead of {here['ContentLength']:,}"
        same = same_bytes(here, there)
        if same is None:
            digest = self.source.digest(key, here.get("VersionId"), here["ETag"])
            same = digest == self.destination.digest(key, there.get("VersionId"), there["ETag"])
        return "" if same else "other bytes"


def _held(*parts: dict | str | list) -> str:
    """Return what is held: objects by their ETags, markers by their versions, the rest by a fingerprint."""
    said = (part["ETag"].strip('"') if isinstance(part, dict) else part for part in parts)
    return ", ".join(part if isinstance(part, str) else fingerprint(part) for part in said)
