"""Correction of MiniStack's CloudTrail.

MiniStack 1.5.33 passes over the tags of CreateTrail.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html (TagsList)
"""

import json

from ministack.services import cloudtrail

_create_trail = cloudtrail._create_trail


def create_trail(asked: dict):
    """Create a trail, and give it its tags."""
    answer = _create_trail(asked)
    if answer[0] == 200:
        tags = {tag["Key"]: tag.get("Value", "") for tag in asked.get("TagsList", [])}
        cloudtrail._trail_tags[json.loads(answer[2])["TrailARN"]] = tags
    return answer


cloudtrail._DISPATCH["CreateTrail"] = create_trail
