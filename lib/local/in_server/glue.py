"""Corrections of MiniStack's Glue: `corrections/glue.py` says what of it, and why."""

import time
import uuid

from botocore.exceptions import ClientError
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, get_region, json_response
from ministack.services import glue

from lib.local.in_server.announcements import CRAWLED
from lib.local.in_server.announcing import announcing, refused
from lib.local.in_server.corrections import glue as corrections
from lib.local.in_server.crawler_role import CrawlerRoleError
from lib.local.in_server.not_here import not_here

# The crawls that run: a crawler that was stopped has none.
_running: dict[str, str] = {}
_left_out: dict[str, list[str]] = {}  # of the last crawl of each


@corrections.CRAWLER_TAGS.replacing("ministack.services.glue:_create_crawler")
def create_crawler(asked: dict):
    """Create a crawler, and give it its tags."""
    answer = create_crawler.original(asked)
    if answer[0] == 200:
        glue._tags[glue._arn("crawler", asked["Name"])] = dict(asked.get("Tags", {}))
    return answer


@corrections.CRAWLS.replacing("ministack.services.glue:_start_crawler")
def start_crawler(asked: dict):
    """Start a crawl; how it ended, GetCrawler tells."""
    name, region = asked.get("Name"), get_region()
    crawler = glue._crawlers.get(name)
    if not crawler:
        return error_response_json("EntityNotFoundException", f"Crawler {name} not found", 400)
    if crawler["State"] != "READY":
        return error_response_json("CrawlerRunningException", f"Crawler {name} is already running", 400)
    if others := [kind for kind, targets in crawler["Targets"].items() if targets and kind != "S3Targets"]:
        return refused(not_here(f"crawl {', '.join(others)}", "it crawls S3 only", "give it S3Targets"))
    crawler |= {"State": "RUNNING", "CrawlElapsedTime": 0}
    crawl = _running[glue._arn("crawler", name)] = str(uuid.uuid4())
    spawn_background(run, crawler, crawl, region, thread_name="crawl")
    return announcing(json_response({}), CRAWLED)


def run(crawler: dict, crawl: str, region: str) -> None:
    """Crawl, and tell of the end in the crawler, as AWS words it.

    Args:
        crawler: As MiniStack keeps it.
        crawl: Which of its crawls this is.
        region: The crawler's.
    """
    from lib.local.in_server import crawls  # here, since a server starts sooner without it

    began = time.time()
    left_out: list = []
    last = {"Status": "SUCCEEDED"}
    try:
        crawls.crawl(dict(crawler), region, left_out.append)
    except (ClientError, CrawlerRoleError) as error:
        last = {"Status": "FAILED", "ErrorMessage": str(error)}
    except Exception as error:
        glue.logger.exception("crawler %s failed", crawler["Name"])
        last = {"Status": "FAILED", "ErrorMessage": f"Internal Service Exception: {error!r}"}
    arn = glue._arn("crawler", crawler["Name"])
    if _running.get(arn) == crawl:
        del _running[arn]
        _left_out[arn] = left_out
        end(crawler, began, last)


def end(crawler: dict, began: float, last: dict) -> None:
    """Let a crawler tell how its crawl ended."""
    crawler["LastCrawl"] = last | {
        "LogGroup": "/aws-glue/crawlers",
        "LogStream": crawler["Name"],
        "MessagePrefix": str(uuid.uuid4()),
        "StartTime": began,
    }
    crawler |= {"State": "READY", "CrawlElapsedTime": int((time.time() - began) * 1000)}


@corrections.CRAWLS.replacing("ministack.services.glue:_stop_crawler")
def stop_crawler(asked: dict):
    """Stop a crawl; what it has written stays."""
    crawler, arn = glue._crawlers.get(asked.get("Name")), glue._arn("crawler", asked.get("Name"))
    answer = stop_crawler.original(asked)
    if answer[0] == 200:
        _running.pop(arn, None)
        end(crawler, time.time(), {"Status": "CANCELLED"})
    return answer


@corrections.CRAWLS.replacing("ministack.services.glue:_get_crawler")
def get_crawler(asked: dict):
    """Describe a crawler, and announce what its last crawl has left out."""
    left_out = _left_out.get(glue._arn("crawler", asked.get("Name")), ())
    return announcing(get_crawler.original(asked), *left_out)


@corrections.TABLE_OWNER.replacing("ministack.services.glue:_create_table")
def create_table(asked: dict):
    """Create a table, without an owner if none is named."""
    answer = create_table.original(asked)
    name = asked.get("TableInput", {}).get("Name")
    table = glue._tables.get(f"{asked.get('DatabaseName')}/{name}")
    if answer[0] == 200 and not table["Owner"]:
        del table["Owner"]
    return answer
