"""JSON in what others have written: in messages, and in lines of logs."""

import json


def json_object(text: str) -> dict:
    """Return the JSON object that a text is, or an empty one if it is something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # the latter if it is nested a thousand deep
        return {}
    return value if isinstance(value, dict) else {}
