"""How a notebook tells `runbook run` what it did, beside what it shows a person: MIME types, and names."""

COUNTS = "application/vnd.runbook.counts+json"  # summary, counts, table, notes
LEFT_OUT = "application/x-runbook-left-out+json"  # what was not looked at, and the reason
ADOPTING = "application/vnd.runbook.adopting+json"  # what adopting a bucket means
FOUND = "application/x-runbook-found+json"  # what was found, in a few words
POINTS = "application/x-runbook-points+json"  # all points of a checklist


def named(noun: str, name: str, region: str) -> str:
    """Return what something is called in a line: resources of several types may have one name.

    Args:
        noun: The type, as `Resource.noun`.
        name: Its name.
        region: Where it is.
    """
    return f"{noun} {name} in {region}"
