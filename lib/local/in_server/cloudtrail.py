"""Correction of MiniStack's CloudTrail.

MiniStack 1.5.33 passes over the tags of CreateTrail.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html (TagsList)
And it keeps a trail's settings and no more, which is said to whoever starts its log or asks whether it is on.
"""

import json

from ministack.services import cloudtrail

from lib.local.in_server.announcements import NO_LOG_FILES
from lib.local.in_server.announcing import announcing

_create_trail = cloudtrail._create_trail
_start_logging = cloudtrail._DISPATCH["StartLogging"]
_get_trail_status = cloudtrail._DISPATCH["GetTrailStatus"]


def create_trail(asked: dict):
    """Create a trail, and give it its tags."""
    answer = _create_trail(asked)
    if answer[0] == 200:
        tags = {tag["Key"]: tag.get("Value", "") for tag in asked.get("TagsList", [])}
        cloudtrail._trail_tags[json.loads(answer[2])["TrailARN"]] = tags
    return answer


def start_logging(asked: dict):
    """Note that a trail logs, and say that it does not."""
    answer = _start_logging(asked)
    return announcing(answer, NO_LOG_FILES) if answer[0] == 200 else answer


def get_trail_status(asked: dict):
    """Tell whether a trail logs, and say that it does not."""
    answer = _get_trail_status(asked)
    logs = answer[0] == 200 and json.loads(answer[2])["IsLogging"]
    return announcing(answer, NO_LOG_FILES) if logs else answer


cloudtrail._DISPATCH["CreateTrail"] = create_trail
cloudtrail._DISPATCH["StartLogging"] = start_logging
cloudtrail._DISPATCH["GetTrailStatus"] = get_trail_status
