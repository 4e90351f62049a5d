"""Corrections of MiniStack's CloudTrail: `corrections/cloudtrail.py` says what of it, and why."""

import json

from ministack.services import cloudtrail

from lib.local.in_server.announcements import NO_LOG_FILES
from lib.local.in_server.announcing import announcing
from lib.local.in_server.corrections import cloudtrail as corrections


@corrections.TAGS.replacing("ministack.services.cloudtrail:_DISPATCH[CreateTrail]")
def create_trail(asked: dict):
    """Create a trail, and give it its tags."""
    answer = create_trail.original(asked)
    if answer[0] == 200:
        tags = {tag["Key"]: tag.get("Value", "") for tag in asked.get("TagsList", [])}
        cloudtrail._trail_tags[json.loads(answer[2])["TrailARN"]] = tags
    return answer


@corrections.NO_LOG_FILES.replacing("ministack.services.cloudtrail:_DISPATCH[StartLogging]")
def start_logging(asked: dict):
    """Note that a trail logs, and say that it does not."""
    answer = start_logging.original(asked)
    return announcing(answer, NO_LOG_FILES) if answer[0] == 200 else answer


@corrections.NO_LOG_FILES.replacing("ministack.services.cloudtrail:_DISPATCH[GetTrailStatus]")
def get_trail_status(asked: dict):
    """Tell whether a trail logs, and say that it does not."""
    answer = get_trail_status.original(asked)
    logs = answer[0] == 200 and json.loads(answer[2])["IsLogging"]
    return announcing(answer, NO_LOG_FILES) if logs else answer
