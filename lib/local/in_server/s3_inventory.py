"""What MiniStack's S3 lacks: inventory configurations (`corrections/s3.py`).

Here they are kept, and that is all: no report is ever written, which is said to whoever puts one.
"""

import re
from xml.sax.saxutils import escape

from ministack.core.responses import AccountScopedDict
from ministack.services import s3

from lib.local.in_server.announcements import NO_REPORTS
from lib.local.in_server.announcing import announcing
from lib.local.in_server.corrections.s3 import INVENTORY

# Each bucket's configurations, by their ids: XML as it was sent. MiniStack saves it with the others.
configurations = INVENTORY.adding(
    "ministack.services.s3:_PERSISTED_BUCKET_DICTS[bucket_inventory_configurations]", AccountScopedDict()
)

PAGE = 100  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketInventoryConfigurations.html
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@INVENTORY.replacing("ministack.services.s3:handle_request")
async def handle(method: str, path: str, headers: dict, body: bytes, query: dict, *others, **named) -> tuple:
    """Answer a request to S3."""
    bucket, key = s3._parse_bucket_key(path, headers)
    if "inventory" not in query or key:
        return await handle.original(method, path, headers, body, query, *others, **named)
    if s3._ensure_bucket(bucket) is None:
        return s3._no_such_bucket(bucket)
    kept, name = configurations.setdefault(bucket, {}), s3._qp(query, "id")
    if method == "GET" and not name:
        return _listed(kept, s3._qp(query, "continuation-token"))
    if method == "PUT":
        kept[name] = re.sub(r"^\s*<\?xml[^>]*\?>\s*", "", body.decode())
        return announcing((200, {}, b""), NO_REPORTS)
    if name not in kept:
        return s3._error("NoSuchConfiguration", "The specified configuration does not exist.", 404, path)
    if method == "DELETE":
        del kept[name]
        return 204, {}, b""
    return _xml(kept[name])


def _listed(kept: dict[str, str], after: str) -> tuple:
    """Return a page of a bucket's configurations: those after one, whose id is the token."""
    left = sorted(name for name in kept if name > after)
    page, more = left[:PAGE], left[PAGE:]
    inner = "".join(kept[name] for name in page) + f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
    if more:
        inner += f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
    name = "ListInventoryConfigurationsResult"
    return _xml(f'<{name} xmlns="{NAMESPACE}">{inner}</{name}>')


def _xml(text: str) -> tuple:
    # Headers of its own: MiniStack adds to them.
    return 200, {"Content-Type": "application/xml"}, text.encode()


@INVENTORY.replacing("ministack.services.s3:_delete_bucket")
def delete_bucket(name: str) -> tuple:
    """Delete a bucket, and its configurations with it."""
    answer = delete_bucket.original(name)
    if answer[0] == 204:
        configurations.pop(name, None)
    return answer
