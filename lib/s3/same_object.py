"""Whether two objects are the same, as far as HEAD tells: pure. The rules are those of *replicate*.

Handlers import nothing of `lib`, and `lib` nothing of theirs: handlers/common/objects.py has the same rules,
and a test sees to it that both say the same.
"""

import re

# What describes an object besides its bytes, named as in HeadObject and CreateMultipartUpload of a client
# that keeps Expires as text.
ATTRIBUTES = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "ExpiresString",
    "Metadata",
    "StorageClass",
    "WebsiteRedirectLocation",
)
# HeadObject omits these: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
OMITTED = {"StorageClass": "STANDARD", "Metadata": {}}
CHECKSUM = re.compile(r"Checksum(?!Type$)(\w+)")
# Computed over parts, an ETag or a checksum ends with their number, and is equal only for equal parts.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
OF_PARTS = re.compile(r"-(\d+)\"?$")


def same_bytes(one: dict, other: dict) -> bool | None:
    """Say whether two objects hold the same bytes.

    Args:
        one: An answer of HeadObject, with checksums.
        other: Another one.

    Returns:
        True or False where proven; None where nothing is comparable: no common checksum, other parts, KMS.
    """
    if one["ContentLength"] != other["ContentLength"]:
        return False
    if one["ContentLength"] == 0:
        return True
    names = [name for name in one.keys() & other if CHECKSUM.fullmatch(name)]
    if _etag_is_digest(one) and _etag_is_digest(other):
        names.append("ETag")
    pairs = [(one[name], other[name]) for name in names]
    # Computed over parts, a difference may only mean that the parts were cut elsewhere.
    whole = [pair for pair in pairs if not any(OF_PARTS.search(digest) for digest in pair)]
    if any(first != second for first, second in whole):
        return False
    return True if any(first == second for first, second in pairs) else None


def differing_attributes(one: dict, other: dict) -> list[str]:
    """Return the names of the attributes in which two answers of HeadObject differ."""
    ones, others = OMITTED | one, OMITTED | other
    return [name for name in ATTRIBUTES if ones.get(name) != others.get(name)]


def differing_tags(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Return the keys of the tags in which two objects differ, sorted."""
    return sorted(key for key in one.keys() | other if one.get(key) != other.get(key))


def parts(head: dict) -> int:
    """Return in how many parts an object was uploaded, by an answer of HeadObject; 0 if it was whole."""
    found = OF_PARTS.search(head["ETag"])
    return int(found[1]) if found else 0


def _etag_is_digest(head: dict) -> bool:
    """Say whether the ETag is computed from the bytes, which KMS and customer keys prevent."""
    is_plain = head.get("ServerSideEncryption", "AES256") == "AES256"
    return is_plain and "SSECustomerAlgorithm" not in head
