"""Which versions of a key expire under which lifecycle rules, and when: no more than arithmetic.

Rules are as S3 answers them (`GetBucketLifecycleConfiguration`), times seconds since 1970.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import floor
from typing import Any

DAY_S = 86400
Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Version:
    """One version of a key.

    Attributes:
        version_id: Its id.
        modified: When it was made, in seconds since 1970.
        size: Bytes.
        tags: Its tags.
        is_marker: Whether it is a delete marker, which has neither.
    """

    version_id: str
    modified: float
    size: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    is_marker: bool = False


@dataclass(frozen=True)
class Due:
    """What of a key is to go.

    Attributes:
        current: Whether its current version expires: it is deleted, or gets a delete marker on top.
        versions: The ids of versions that are deleted for good: noncurrent ones, or a marker that is alone.
    """

    current: bool = False
    versions: tuple[str, ...] = ()


def due(rules: Sequence[Rule], key: str, versions: Sequence[Version], now: float) -> Due:
    """Return what of a key is to go.

    Args:
        rules: Of its bucket.
        key: Which one.
        versions: All its versions, the oldest first; the last is the current one.
        now: When that is asked.
    """
    *noncurrent, current = versions
    rules = [rule for rule in rules if rule["Status"] == "Enabled"]
    if current.is_marker and not noncurrent:
        return Due(versions=(current.version_id,) if _marker_is_due(rules, key, current, now) else ())
    gone = tuple(
        version.version_id
        for place, version in enumerate(noncurrent)
        if any(
            _noncurrent_is_due(rule, versions[place + 1].modified, len(noncurrent) - 1 - place, now)
            for rule in rules
            if _is_for_version(rule, key, version)
        )
    )
    end = None if current.is_marker else expires(rules, key, current)
    return Due(bool(end and end[0] <= now), gone)


def expires(rules: Sequence[Rule], key: str, version: Version) -> tuple[float, Rule] | None:
    """Return when a current version expires, and by which rule: of several, by that which is first.

    Args:
        rules: Of its bucket.
        key: Which one.
        version: The current one; no delete marker.
    """
    ends = [
        (end, rule)
        for rule in rules
        if rule["Status"] == "Enabled" and _is_for_version(rule, key, version)
        for end in _ends(rule, version.modified)
    ]
    return min(ends, key=lambda each: each[0], default=None)


def upload_is_due(rules: Sequence[Rule], key: str, begun: float, now: float) -> bool:
    """Return whether an upload in parts is to be given up.

    Args:
        rules: Of its bucket.
        key: Of what is uploaded.
        begun: When it was begun.
        now: When that is asked.
    """
    return any(
        days_after(begun, rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]) <= now
        for rule in rules
        if rule["Status"] == "Enabled"
        and "AbortIncompleteMultipartUpload" in rule
        and is_for(rule, key, {}, None)
    )


def days_after(moment: float, days: int) -> float:
    """Return the midnight, UTC, that follows so many days after a moment."""
    return (floor(moment / DAY_S) + days + 1) * DAY_S


def seconds(moment: str) -> float:
    """Return a time as S3 writes it, such as `2026-11-30T18:00:00.000Z`; in UTC unless it says otherwise."""
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def is_for(rule: Rule, key: str, tags: Mapping[str, str], size: int | None) -> bool:
    """Return whether a rule is for a key.

    Args:
        rule: Which one.
        key: Which one.
        tags: Its tags.
        size: Its bytes; None for what is no object, to which no rule applies that asks for sizes.
    """
    asked: Rule = rule.get("Filter") or {}
    asked = asked.get("And", asked)
    if not key.startswith(rule.get("Prefix") or asked.get("Prefix") or ""):
        return False
    wanted = asked.get("Tags") or ([asked["Tag"]] if "Tag" in asked else [])
    if any(tags.get(tag["Key"]) != tag["Value"] for tag in wanted):
        return False
    # S3 answers 0 where none was asked for, so 0 is none.
    above, below = asked.get("ObjectSizeGreaterThan"), asked.get("ObjectSizeLessThan")
    if size is None:
        return not above and not below
    return (not above or size > above) and (not below or size < below)


def _is_for_version(rule: Rule, key: str, version: Version) -> bool:
    return is_for(rule, key, version.tags, None if version.is_marker else version.size)


def _ends(rule: Rule, begun: float) -> Iterator[float]:
    """Yield when a rule ends what was begun at a time; nothing if it never does."""
    expiration = rule.get("Expiration", {})
    if "Days" in expiration:
        yield days_after(begun, expiration["Days"])
    if "Date" in expiration:
        yield seconds(str(expiration["Date"]))


def _marker_is_due(rules: Sequence[Rule], key: str, marker: Version, now: float) -> bool:
    """Return whether a delete marker goes that nothing is under."""
    return any(
        rule.get("Expiration", {}).get("ExpiredObjectDeleteMarker")
        or any(end <= now for end in _ends(rule, marker.modified))
        for rule in rules
        if _is_for_version(rule, key, marker)
    )


def _noncurrent_is_due(rule: Rule, since: float, newer: int, now: float) -> bool:
    """Return whether a rule ends a version that is noncurrent since a time, and than which some are newer."""
    expiration = rule.get("NoncurrentVersionExpiration", {})
    if "NoncurrentDays" not in expiration or newer < expiration.get("NewerNoncurrentVersions", 0):
        return False
    return days_after(since, expiration["NoncurrentDays"]) <= now
