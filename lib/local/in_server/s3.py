"""Corrections of MiniStack's S3: `corrections/s3.py` says what of it, and why."""

import dataclasses
import re
from collections.abc import Callable
from contextvars import ContextVar
from mmap import ACCESS_READ, mmap
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, unquote

from ministack.core import iam_evaluator
from ministack.services import s3

from lib.local.in_server.announcements import MADE_WITH_OLD_NAME
from lib.local.in_server.announcing import announcing
from lib.local.in_server.corrections import s3 as corrections

# Of the upload that is being completed.
tags_of_upload: ContextVar[dict[str, str]] = ContextVar("tags_of_upload")
# Whether the keys of the listing that is being answered are to be encoded.
encoded: ContextVar[bool] = ContextVar("encoded", default=False)
# Of the copy that is being made: the bucket of its source and its owner, if that is not the target's.
source_of_copy: ContextVar[tuple[str, str]] = ContextVar("source_of_copy", default=("", ""))
# The ARN of whoever asks for a bucket of another account.
guest: ContextVar[str] = ContextVar("guest", default="")

# Whether only some of an object's bytes are asked for.
some_bytes: ContextVar[bool] = ContextVar("some_bytes", default=False)

OLD_NAME = re.compile(r"[A-Za-z0-9._-]{3,255}")
OLD_NAMES_REGION = "us-east-1"
HOLD_KEYS = {"Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"}


@corrections.MULTIPART_TAGS.replacing("ministack.services.s3:_create_multipart_upload")
def create(bucket: str, key: str, headers: dict):
    """Begin an upload, and remember its tags."""
    answer = create.original(bucket, key, headers)
    upload_id = re.search(rb"<UploadId>(.+?)</UploadId>", answer[2])
    if answer[0] == 200 and upload_id:
        tags = dict(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True))
        s3._multipart_uploads[upload_id[1].decode()]["tags"] = tags
    return answer


@corrections.MULTIPART_TAGS.replacing("ministack.services.s3:_complete_multipart_upload")
def complete(bucket: str, key: str, body: bytes, query_params: dict, headers: dict):
    """Complete an upload, knowing its tags."""
    upload = s3._multipart_uploads.get(s3._qp(query_params, "uploadId")) or {}
    token = tags_of_upload.set(upload.get("tags", {}))
    try:
        return complete.original(bucket, key, body, query_params, headers)
    finally:
        tags_of_upload.reset(token)


@corrections.OLD_NAMES.replacing("ministack.services.s3:_validate_bucket_name")
def is_bucket_name(name: str) -> bool:
    """Return whether a bucket may have a name: one of today, or one of before March 2018 in us-east-1."""
    return is_bucket_name.original(name) or bool(OLD_NAME.fullmatch(name or ""))


@corrections.OLD_NAMES.replacing("ministack.services.s3:_create_bucket")
def create_bucket(name: str, body: bytes, headers: dict | None = None, endpoint_region: str | None = None):
    """Make a bucket; one with a name of old in us-east-1 only, and it is said that AWS would not."""
    if is_bucket_name.original(name):
        return create_bucket.original(name, body, headers, endpoint_region)
    region = endpoint_region or s3.get_region()
    if region != OLD_NAMES_REGION or b"LocationConstraint" in (body or b""):
        return s3._error("InvalidBucketName", "The specified bucket is not valid.", 400, f"/{name}")
    return announcing(create_bucket.original(name, body, headers, endpoint_region), MADE_WITH_OLD_NAME)


@corrections.COPIED_PARTS.replacing("ministack.services.s3:_upload_part_copy")
def copy_part(bucket: str, key: str, query_params: dict, headers: dict):
    """Copy a part, and compute the checksum that its upload was begun with."""
    answer = copy_part.original(bucket, key, query_params, headers)
    if answer[0] == 200:
        upload = s3._multipart_uploads[s3._qp(query_params, "uploadId")]
        part = upload["parts"][int(s3._qp(query_params, "partNumber", "1"))]
        part["checksums"], _ = s3._resolve_part_checksums(part["body"], {}, upload)
    return answer


@corrections.ARCHIVED_COPIES.replacing("ministack.services.s3:_upload_part_copy")
def copy_readable_part(bucket: str, key: str, query_params: dict, headers: dict):
    """Copy a part of an object that can be read."""
    return archived(headers) or copy_readable_part.original(bucket, key, query_params, headers)


@corrections.ARCHIVED_COPIES.replacing("ministack.services.s3:_copy_object")
def copy(bucket: str, key: str, headers: dict):
    """Copy an object that can be read."""
    return archived(headers) or copy.original(bucket, key, headers)


@corrections.CONDITIONAL_COPIES.replacing("ministack.services.s3:_copy_object")
def copy_on_condition(bucket: str, key: str, headers: dict):
    """Copy an object, if the target is what the request expects it to be."""
    found = s3._ensure_bucket(bucket)
    refusal = found and s3._check_put_preconditions(headers, found["objects"].get(key))
    return refusal or copy_on_condition.original(bucket, key, headers)


@corrections.COPIES_BETWEEN_ACCOUNTS.replacing("ministack.services.s3:_copy_object")
def copy_from_any_account(bucket: str, key: str, headers: dict):
    """Copy an object, whoever owns the bucket that it is in."""
    token = source_of_copy.set(source_and_owner(headers))
    try:
        return copy_from_any_account.original(bucket, key, headers)
    finally:
        source_of_copy.reset(token)


@corrections.COPIES_BETWEEN_ACCOUNTS.replacing("ministack.services.s3:_upload_part_copy")
def copy_part_from_any_account(bucket: str, key: str, query_params: dict, headers: dict):
    """Copy a part of an object, whoever owns the bucket that it is in."""
    token = source_of_copy.set(source_and_owner(headers))
    try:
        return copy_part_from_any_account.original(bucket, key, query_params, headers)
    finally:
        source_of_copy.reset(token)


def source_and_owner(headers: dict) -> tuple[str, str]:
    """Return the bucket that a copy is made from, and its owner; nothing if that is the target's, too."""
    bucket = unquote(headers.get("x-amz-copy-source", "").lstrip("/")).partition("/")[0]
    owner = s3._bucket_owner_account(bucket)
    return ("", "") if owner in (None, s3.get_account_id()) else (bucket, owner)


@corrections.COPIES_BETWEEN_ACCOUNTS.replacing("ministack.core.responses:AccountScopedDict._scoped")
def scoped(self, key) -> tuple:
    """Return under what something is kept: what is of a copy's source, of its owner's account."""
    bucket, owner = source_of_copy.get()
    if owner and bucket == (key[0] if isinstance(key, tuple) and key else key):
        return owner, key
    return scoped.original(self, key)


@corrections.COPIES_BETWEEN_ACCOUNTS.replacing("ministack.services.s3:_read_body")
def read_body(bucket: str, *arguments):
    """Read an object's bytes, which lie in its owner's folder."""
    source, owner = source_of_copy.get()
    with s3._in_account(owner if bucket == source and owner else s3.get_account_id()):
        return read_body.original(bucket, *arguments)


@corrections.COPIES_BETWEEN_ACCOUNTS.replacing("ministack.services.s3:_version_body")
def version_body(record: dict, bucket: str, *arguments):
    """Read a version's bytes, which lie in its owner's folder."""
    source, owner = source_of_copy.get()
    with s3._in_account(owner if bucket == source and owner else s3.get_account_id()):
        return version_body.original(record, bucket, *arguments)


def archived(headers: dict) -> tuple | None:
    """Return S3's refusal of a copy whose source is archived; None if it can be read, or is not there."""
    path, _, query = headers.get("x-amz-copy-source", "").lstrip("/").partition("?")
    bucket, _, key = unquote(path).partition("/")
    current = (s3._ensure_bucket(bucket) or {"objects": {}})["objects"].get(key)
    version = version_asked_for(bucket, key, parse_qs(query))
    source = version or current
    if not source or source.get("storage_class") not in s3._ARCHIVE_STORAGE_CLASSES:
        return None
    # Whether it was restored is known of the current object.
    is_current = current and (not version or version["version_id"] == current.get("version_id"))
    if is_current and s3._sync_restore(bucket, key, current) == "restored":
        return None
    message = "Operation is not valid for the source object's storage class"
    return s3._error("InvalidObjectState", message, 403, f"/{bucket}/{key}")


@corrections.ENCODED_KEYS.replacing("ministack.services.s3:_list_object_versions")
def list_versions(bucket: str, query_params: dict):
    """List versions, keys encoded if that is asked for."""
    return encoding(list_versions.original, bucket, query_params)


@corrections.ENCODED_KEYS.replacing("ministack.services.s3:_list_multipart_uploads")
def list_uploads(bucket: str, query_params: dict):
    """List uploads, keys encoded if that is asked for."""
    return encoding(list_uploads.original, bucket, query_params)


def encoding(call: Callable, bucket: str, query_params: dict):
    """List; what writes the answer knows whether keys are to be encoded."""
    token = encoded.set(s3._qp(query_params, "encoding-type") == "url")
    try:
        return call(bucket, query_params)
    finally:
        encoded.reset(token)


@corrections.CARRIAGE_RETURNS.replacing("ministack.services.s3:_xml_body")
def xml_body(root) -> bytes:
    """Write an answer; who reads it takes a carriage return for a line feed, unless it is escaped."""
    return xml_body.original(root).replace(b"\r", b"&#13;")


@corrections.ENCODED_KEYS.replacing("ministack.services.s3:_xml_body")
def encoded_xml_body(root) -> bytes:
    """Write an answer, with its keys encoded if it is such a listing."""
    if encoded.get():
        for element in root.iter():
            if element.tag.rpartition("}")[2] in HOLD_KEYS and element.text:
                element.text = quote(element.text, safe="/")
        s3.SubElement(root, "EncodingType").text = "url"
    return encoded_xml_body.original(root)


@corrections.MULTIPART_TAGS.replacing("ministack.services.s3:_record_object_version")
def record(bucket: str, key: str, *arguments) -> str | None:
    """Record a version, with the tags of the upload that it comes of."""
    version_id = record.original(bucket, key, *arguments)
    if tags := tags_of_upload.get({}):
        s3._object_tags[(bucket, key, version_id)] = tags
    return version_id


@corrections.LOCKED_UPLOADS.replacing("ministack.services.s3:_complete_multipart_upload")
def complete_and_lock(bucket: str, key: str, body: bytes, query_params: dict, headers: dict):
    """Complete an upload, and lock what came of it if the bucket says so."""
    is_new = s3._qp(query_params, "uploadId") in s3._multipart_uploads
    answer = complete_and_lock.original(bucket, key, body, query_params, headers)
    return locked(answer, bucket, key, {}) if is_new else answer


@corrections.LOCKED_UPLOADS.replacing("ministack.services.s3:_copy_object")
def copy_and_lock(bucket: str, key: str, headers: dict):
    """Copy an object, and lock the copy if its bucket says so."""
    return locked(copy_and_lock.original(bucket, key, headers), bucket, key, headers)


def locked(answer: tuple, bucket: str, key: str, headers: dict) -> tuple:
    """Return the answer to what has made a version, which is now locked if it is to be."""
    if answer[0] == 200:
        described = {name.lower(): value for name, value in answer[1].items()}
        s3._apply_object_lock_from_headers(bucket, key, headers, described.get("x-amz-version-id"))
    return answer


@corrections.GUESTS.replacing("ministack.services.s3:_foreign_bucket_allows")
def foreign_bucket_allows(
    owner: str,
    bucket: str,
    key: str,
    method: str,
    query_params: dict,
    caller: str,
    headers: dict | None = None,
) -> bool:
    """Tell whether a bucket lets in who comes from another account, whose ARN its policy is asked about."""
    token = guest.set(iam_evaluator.caller_arn() if caller else "")
    try:
        return foreign_bucket_allows.original(owner, bucket, key, method, query_params, caller, headers)
    finally:
        guest.reset(token)


@corrections.GUESTS.replacing("ministack.core.iam_evaluator:evaluate_resource_policy")
def evaluate_resource_policy(doc, context, *arguments, **options):
    """Evaluate a resource's policy; for a guest by its own ARN."""
    if arn := guest.get():
        context = dataclasses.replace(context, principal_arn=arn)
    return evaluate_resource_policy.original(doc, context, *arguments, **options)


@corrections.EXPECTED_OWNERS.replacing("ministack.services.s3:_apply_bucket_scope")
def apply_bucket_scope(method: str, bucket: str, key: str, headers: dict, *arguments, **options):
    """Refuse a call whose buckets are another account's than it says; else find the bucket."""
    source = unquote(headers.get("x-amz-copy-source", "").lstrip("/")).partition("/")[0]
    expected = [(bucket, "x-amz-expected-bucket-owner"), (source, "x-amz-source-expected-bucket-owner")]
    for name, header in expected:
        owner = s3._bucket_owner_account(name) if name and header in headers else None
        if owner not in (None, headers.get(header)):
            return s3._error("AccessDenied", "Access Denied", 403, f"/{name}")
    return apply_bucket_scope.original(method, bucket, key, headers, *arguments, **options)


@corrections.TAGS_UNDER_A_MARKER.replacing("ministack.services.s3:_get_object_tagging")
def get_tags(bucket: str, key: str, query_params: dict | None = None):
    """Return the tags of an object; those of a version, too, if a delete marker is the current one."""
    version = version_asked_for(bucket, key, query_params)
    if version is None or version.get("is_delete_marker") or key in s3._ensure_bucket(bucket)["objects"]:
        return get_tags.original(bucket, key, query_params)
    version_id = version["version_id"]
    root = s3.Element("Tagging", xmlns=s3.S3_NS)
    tag_set = s3.SubElement(root, "TagSet")
    for name, value in s3._object_tags.get(
        (bucket, key, None if version_id == "null" else version_id), {}
    ).items():
        tag = s3.SubElement(tag_set, "Tag")
        s3.SubElement(tag, "Key").text, s3.SubElement(tag, "Value").text = name, value
    return 200, {"Content-Type": "application/xml", "x-amz-version-id": version_id}, s3._xml_body(root)


@corrections.RANGES_OF_VERSIONS.replacing("ministack.services.s3:_get_object")
def get(bucket: str, key: str, headers: dict, query_params: dict | None = None):
    """Return an object; of a version, too, only the part or the range that is asked for."""
    status, described, body = answer = get.original(bucket, key, headers, query_params)
    version = version_asked_for(bucket, key, query_params)
    if status != 200 or version is None:
        return answer
    if found := part_asked_for(version, query_params):
        first, last, described = *found[:2], described | {"x-amz-mp-parts-count": found[2]}
    elif "range" not in headers:
        return answer
    elif found := s3._parse_range(headers["range"], len(body)):
        first, last = found
    else:
        error = s3._xml_body(s3._range_error_xml(bucket, key))
        return 416, {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}, error
    return 206, partial(described, first, last, len(body)), body[first : last + 1]


@corrections.HEAD_OF_PARTS.replacing("ministack.services.s3:_head_object")
def head(bucket: str, key: str, headers: dict | None = None, query_params: dict | None = None):
    """Describe an object, or the part of it that is asked for."""
    status, described, body = answer = head.original(bucket, key, headers, query_params)
    if status != 200:
        return answer
    there = version_asked_for(bucket, key, query_params) or s3._ensure_bucket(bucket)["objects"].get(key)
    # A server that was started anew knows the parts of versions only.
    there = version_asked_for(bucket, key, {"versionId": [there and there.get("version_id")]}) or there
    if not there or not (found := part_asked_for(there, query_params)):
        return answer
    first, last, count = found
    return 206, partial(described, first, last, there["size"]) | {"x-amz-mp-parts-count": count}, body


def version_asked_for(bucket: str, key: str, query_params: dict | None) -> dict | None:
    """Return the version that a request names, if there is one."""
    asked = s3._qp(query_params or {}, "versionId", "")
    return next((v for v in s3._object_versions.get((bucket, key), []) if v["version_id"] == asked), None)


def part_asked_for(there: dict, query_params: dict | None) -> tuple[int, int, str] | None:
    """Return the first and the last byte of the part that a request names, and how many parts there are."""
    asked, first, parts = s3._qp(query_params or {}, "partNumber", ""), 0, there.get("parts") or []
    for part in parts:
        if str(part["PartNumber"]) == asked:
            return first, first + part["Size"] - 1, str(len(parts))
        first += part["Size"]
    return None


def partial(described: dict, first: int, last: int, size: int) -> dict:
    """Return the headers of some of an object's bytes, of which its checksums say nothing."""
    kept = {name: value for name, value in described.items() if "x-amz-checksum" not in name.lower()}
    length = last - first + 1
    # Of nothing there is no range.
    which = {"Content-Range": f"bytes {first}-{last}/{size}"} if length else {}
    return kept | {"Content-Length": str(length)} | which


@corrections.ENCODED_FILTERS.replacing("ministack.services.s3:_key_matches_filter")
def matches(key: str, prefix: str | None, suffix: str | None) -> bool:
    """Compare the filter of a notification with the key as events have it."""
    return matches.original(s3._event_object_key(key), prefix, suffix)


@corrections.BYTES_IN_MEMORY.replacing("ministack.services.s3:_version_entry_from_record")
def version_entry(there: dict, version_id: str, data) -> dict:
    """Describe a version whose bytes are read from where they are stored."""
    return version_entry.original(there, version_id, None if s3.S3_PERSIST else data)


@corrections.FILES_OF_THE_DELETED.replacing("ministack.services.s3:_delete_version_file")
def delete_version_file(bucket: str, key: str, version_id: str) -> None:
    """Delete the bytes of a version, and the folders that held nothing else."""
    path = s3.S3_PERSIST and s3._version_disk_path(bucket, key, version_id)
    delete_version_file.original(bucket, key, version_id)
    delete_empty(path, s3.DATA_DIR, s3._VERSIONS_DIR, s3.get_account_id(), bucket)


@corrections.FILES_OF_THE_DELETED.replacing("ministack.services.s3:_delete_persisted_object")
def delete_persisted_object(bucket: str, key: str) -> None:
    """Delete what is stored of an object, and the folders that held nothing else."""
    path = s3.S3_PERSIST and s3._object_disk_path(bucket, key)
    delete_persisted_object.original(bucket, key)
    delete_empty(path, s3.DATA_DIR, s3.get_account_id(), bucket)


@corrections.FILES_OF_THE_DELETED.replacing("ministack.services.s3:_persist_delete_marker")
def persist_delete_marker(bucket: str, key: str, marker: dict) -> None:
    """Store a delete marker; what is under it is stored with the versions."""
    persist_delete_marker.original(bucket, key, marker)
    kept = [each for each in s3._object_versions.get((bucket, key), []) if not each.get("is_delete_marker")]
    if s3.S3_PERSIST and all(s3._version_file_exists(bucket, key, each["version_id"]) for each in kept):
        Path(s3._object_disk_path(bucket, key)).unlink(missing_ok=True)


def delete_empty(path: str | None, *top: str) -> None:
    """Delete the folders in which a file was, as far as they are empty, but not that of its bucket."""
    kept = Path(*top).resolve()
    for folder in Path(path).parents if path else ():
        if kept not in folder.parents:
            return
        try:
            folder.rmdir()
        except OSError:  # something else is there
            return


@corrections.SIDECARS.replacing("ministack.services.s3:_key_disk_path")
def key_disk_path(base: str, key: str) -> str:
    """Return where a key lies: by its encoded name where a folder is in its place."""
    path = key_disk_path.original(base, key)
    return (
        str(Path(base).resolve() / s3._ENCODED_KEYS_DIR / s3._encoded_key_name(key))
        if Path(path).is_dir()
        else path
    )


@corrections.WHOLE_READ.replacing("ministack.services.s3:_get_object")
def get_some(bucket: str, key: str, headers: dict, query_params: dict | None = None):
    """Return an object; if only a range or a part is asked for, nothing else is read."""
    token = some_bytes.set("range" in headers or bool(s3._qp(query_params or {}, "partNumber", "")))
    try:
        status, described, body = get_some.original(bucket, key, headers, query_params)
    finally:
        some_bytes.reset(token)
    return status, described, body[:] if isinstance(body, mmap) else body


@corrections.WHOLE_READ.replacing("ministack.services.s3:_read_body")
def read_some(bucket: str, key: str, there: dict) -> bytes | mmap:
    """Return an object's bytes, or what reads some of them."""
    found = there.get("body") is None and mapped(s3._object_disk_path(bucket, key))
    return found or read_some.original(bucket, key, there)


@corrections.WHOLE_READ.replacing("ministack.services.s3:_version_body")
def version_some(record: dict, bucket: str, key: str, version: dict) -> bytes | mmap | None:
    """Return a version's bytes, or what reads some of them."""
    found = version.get("data") is None and mapped(s3._version_disk_path(bucket, key, version["version_id"]))
    return found or version_some.original(record, bucket, key, version)


def mapped(path: str | None) -> mmap | None:
    """Return a file as bytes that are read where they are asked for, if only some are, and there are any."""
    if not (path and some_bytes.get() and s3.S3_PERSIST):
        return None
    try:
        with Path(path).open("rb") as file:
            return mmap(file.fileno(), 0, access=ACCESS_READ)
    except (OSError, ValueError):  # none there, or empty
        return None
