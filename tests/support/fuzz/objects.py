"""Random objects through *migrate*, *backup* and *index*: keys, headers, metadata, tags, sizes, parts."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, urlencode

from botocore.exceptions import ClientError
from support.fuzz.drawing import CONTROLS, Case, Draw, Fault, disagreements
from support.running import End, Running, eventually, settled

PIPELINES = ("migrate", "backup", "index")
THREADS = 3  # S3 invokes functions at once here: more uploads would be more processes
FOLLOWED_WITHIN_S = 15
PART_BYTES = 5 * 2**20
CACHE_CONTROL = ("no-cache", "max-age=0, must-revalidate", "public,max-age=31536000", 'x="y"')
TYPES = (
    *("text/plain", "text/plain; charset=utf-8", "TEXT/HTML;charset=ISO-8859-1", "application/json", "x"),
    *("text/csv;header=present", "application/x-directory", "image/png", "application/octet-stream"),
)
LANGUAGES = ("de", "en-US, de;q=0.5", "x-klingon")
ENCODINGS = ("gzip", "identity", "br", "none")
# Since boto3 takes a date only, the header is put in beneath it. S3 keeps what it gets.
EXPIRES = ("Thu, 01 Dec 1994 16:00:00 GMT", "0", "-1", "never", "Tuesday", "2030-01-01T00:00:00Z", "31536000")
REDIRECTS = ("/other", "https://example.com/a%20b?c=d", "/ümlaut")
CLASSES = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY")
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
CHECKSUMS = ("CRC32", "SHA1", "SHA256")  # those that need no further package
NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
PREVIEW_CHARACTERS = 500


@dataclass(frozen=True)
class Upload:
    """An object to upload.

    Attributes:
        case: What it was drawn for.
        key: Its key.
        parts: Its bytes; uploaded in one call if there is one part and not `in_parts`.
        in_parts: Whether it is a multipart upload.
        described: Arguments of PutObject or CreateMultipartUpload.
        expires: The header as it is sent; None for none.
    """

    case: Case
    key: str
    parts: list[bytes]
    in_parts: bool
    described: dict = field(default_factory=dict)
    expires: str | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def cannot_be_read(self) -> bool:
        """Whether no function can: its key is the customer's, or it is archived."""
        return "SSECustomerKey" in self.described or self.described.get("StorageClass") in ARCHIVED

    def to(self, end: End) -> None:
        """Upload it."""
        operation = "CreateMultipartUpload" if self.in_parts else "PutObject"
        event, sent = f"before-call.s3.{operation}", {"Expires": self.expires} if self.expires else {}
        customer = {name: value for name, value in self.described.items() if name.startswith("SSECustomer")}
        client = end.client

        def add(params: dict, **_: object) -> None:
            if params["context"].get("client_region") and self._is_mine(params):
                params["headers"].update(sent)

        client.meta.events.register(event, add, unique_id=str(self.case))
        try:
            if self.in_parts:
                end.put_in_parts(self.key, self.parts, **self.described)
            else:
                end.put(self.key, self.body, **self.described)
        finally:
            client.meta.events.unregister(event, add, unique_id=str(self.case))
        assert not customer or not self.in_parts

    def _is_mine(self, params: dict) -> bool:
        return quote(self.key, safe="/~") in params["url_path"] or self.key in params["url_path"]


def draw(case: Case) -> Upload:
    """Draw an object."""
    draw = case.draw()
    parts, in_parts = _parts(draw)
    described: dict = {}
    optional = {
        "CacheControl": CACHE_CONTROL,
        "ContentDisposition": (f'attachment; filename="{draw.ascii(10)}"'.replace("\\", ""), "inline"),
        "ContentEncoding": ENCODINGS,
        "ContentLanguage": LANGUAGES,
        "ContentType": TYPES,
    }
    described |= {name: draw.choice(values) for name, values in optional.items() if draw.chance(0.3)}
    if draw.chance(0.1):
        described["WebsiteRedirectLocation"] = draw.choice(REDIRECTS[:2])
    if draw.chance(0.4):
        described["Metadata"] = dict(_metadata(draw))
    if draw.chance(0.4):
        described["Tagging"] = urlencode(dict(_tags(draw)), quote_via=quote)
    if draw.chance(0.2):
        described["StorageClass"] = draw.choice(ARCHIVED if draw.chance(0.1) else CLASSES)
    if not in_parts and draw.chance(0.2):
        described["ChecksumAlgorithm"] = draw.choice(CHECKSUMS)
    if not in_parts and draw.chance(0.03):
        described |= {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    expires = draw.choice(EXPIRES) if draw.chance(0.25) else None
    return Upload(case, _key(draw, case), parts, in_parts, described, expires)


def _key(draw: Draw, case: Case) -> str:
    """A key that no other case has; odd at its beginning, within, or at its end."""
    kind = draw.randrange(8)
    if kind == 0:
        return f"/{case.name}/{draw.text()}"
    if kind == 1:
        return f"{draw.text()}//{case.name}/"
    if kind == 2:
        return f"fuzz/{case.name}/../{draw.text()}"
    if kind == 3:
        rest = draw.some(("long-", "ü", "中"), 400, 200).encode()[: 1024 - len(case.name) - 6]
        return f"fuzz/{case.name}" + rest.decode(errors="ignore")
    if kind == 4:
        return f"{draw.text(20, controls=1)}{case.name}{draw.choice(CONTROLS)}"
    return f"fuzz/{draw.text(20)}{case.name}{draw.text(6)}"


def _parts(draw: Draw) -> tuple[list[bytes], bool]:
    kind = draw.randrange(20)
    if kind == 0:
        return [b""], True  # as PyArrow writes an empty file
    if kind == 1:
        return [draw.randbytes(PART_BYTES), draw.randbytes(draw.randrange(100))], True
    if kind == 2:
        return [draw.randbytes(draw.randrange(1, 3000))], True
    if kind < 6:
        return [b""], False
    if kind < 10:
        return [draw.randbytes(draw.randrange(1, 3000))], False
    encoding = draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    return [(draw.text(200, controls=0.1) * draw.randint(1, 8)).encode(encoding, "replace")], False


def _metadata(draw: Draw) -> Iterator[tuple[str, str]]:
    for _ in range(draw.randint(1, 5)):
        name = draw.some("abcdefghijkxyz0123456789-_.", 12, 1)
        yield (
            name.strip("-_.") or "x",
            draw.choice((draw.ascii(), "", "=?UTF-8?B?w7xtbA==?=", "%C3%BC", "a, b")),
        )


def _tags(draw: Draw) -> Iterator[tuple[str, str]]:
    alphabet = [*"abcABC019 +-=._:/@", "ü", "中", "я"]
    for number in range(draw.randint(1, 10)):
        yield f"k{number}{draw.some(alphabet, 10)}".strip(), draw.some(alphabet, 12).strip()


def check(running: Running, uploads: list[Upload]) -> list[Fault]:
    """Upload all to the three pipelines, and compare what came of each with what was uploaded."""
    with ThreadPoolExecutor(THREADS) as threads:
        refused = list(threads.map(partial(_live, running), uploads))
    sent = [upload for upload, why in zip(uploads, refused, strict=True) if not why]
    faults = [
        Fault(u.case, f"refused at the upload: {why}") for u, why in zip(uploads, refused, strict=True) if why
    ]
    for name, judge in (("migrate", _copied), ("backup", _copied), ("index", _indexed)):
        verdicts = judge(running, name, sent)
        faults += [Fault(case, f"{name}: {what}") for case, what in verdicts.items() if what]
        keys = {upload.case: upload.key for upload in sent if not upload.cannot_be_read}
        faults += disagreements(running, name, verdicts, keys)
    return faults


def _live(running: Running, upload: Upload) -> str:
    """Upload an object, and wait until *backup* has followed: so functions do not pile up; or say why not."""
    try:
        for name in PIPELINES:
            upload.to(running.source(name))
    except ClientError as error:
        return error.response["Error"]["Code"]
    if not upload.cannot_be_read:
        there = running.destination("backup")
        eventually(lambda: there.read(upload.key) is not None, FOLLOWED_WITHIN_S)
    return ""


def _copied(running: Running, name: str, uploads: list[Upload]) -> dict[Case, str]:
    """Say of each object what is wrong with its copy; empty if nothing is."""
    here, there = running.source(name), running.destination(name)
    wrong: dict[Case, str] = {}

    def look() -> dict[Case, str]:
        dead = {letter.key: letter.reason for letter in running.stuck(name)}
        for upload in uploads:
            if wrong.get(upload.case, "?"):
                wrong[upload.case] = _wrong_copy(upload, here, there, dead)
        return {case: what for case, what in wrong.items() if what}

    settled(look, partial(running.waiting, name))
    return wrong


def _wrong_copy(upload: Upload, here: End, there: End, dead: dict[str, str]) -> str:
    found = there.state(upload.key)
    if upload.cannot_be_read:
        if found is not None and found["body"] != upload.body:
            return "cannot be read, and something else was copied"
        return "" if found or dead.get(upload.key) else "cannot be read, and is named in no queue"
    if found is None:
        why = dead.get(upload.key)
        return f"not copied: {why}" if why else "lost"
    original = here.state(upload.key)
    differing = sorted(
        part for part in original.keys() | found.keys() if original.get(part) != found.get(part)
    )
    if upload.expires and original.get("ExpiresString") != upload.expires:
        differing.append("Expires at the source")
    return f"differs in {', '.join(differing)}" if differing else ""


def _indexed(running: Running, name: str, uploads: list[Upload]) -> dict[Case, str]:
    """Say of each object what is wrong with its row; empty if nothing is."""
    wrong: dict[Case, str] = {}

    def look() -> dict[Case, str]:
        rows = {item["file_key"]: item for item in running.items(name)}
        dead = {letter.key: letter.reason for letter in running.stuck(name)}
        for upload in uploads:
            wrong[upload.case] = _wrong_row(upload, rows.get(upload.key), dead.get(upload.key))
        return {case: what for case, what in wrong.items() if what}

    settled(look, partial(running.waiting, name))
    return wrong


def _wrong_row(upload: Upload, row: dict | None, dead: str | None) -> str:
    if row is None:
        if dead and "SSECustomerKey" in upload.described:
            return ""
        return f"no row: {dead}" if dead else "no row, and named in no queue"
    expected = {"file_key": upload.key, "file_size": str(len(upload.body))}
    if content_type := upload.described.get("ContentType"):
        expected["content_type"] = content_type
    wrong = [name for name, value in expected.items() if row.get(name) != value]
    if not _is_preview(row.get("content_preview"), upload):
        wrong.append(f"content_preview {row.get('content_preview')!r:.80}")
    return f"row differs in {', '.join(wrong)}" if wrong else ""


def _is_preview(preview: str | None, upload: Upload) -> bool:
    """Whether a preview is the object's beginning; of an ordinary text there must be one."""
    if preview is None:
        is_plain = not {"ContentEncoding", "StorageClass", "ContentType"} & upload.described.keys()
        return not (is_plain and _is_ordinary_text(upload.body))
    found = (_decoded(upload.body, encoding) for encoding in ("utf-8-sig", "utf-16", "latin-1"))
    return preview in [text[:PREVIEW_CHARACTERS] for text in found if text is not None]


def _is_ordinary_text(body: bytes) -> bool:
    text = _decoded(body, "utf-8-sig")
    return text is not None and not NOT_TEXT.search(text)


def _decoded(body: bytes, encoding: str) -> str | None:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        return None
