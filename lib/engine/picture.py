"""The picture of a pipeline: what really exists in the account, drawn with Mermaid."""

import re
from collections import defaultdict

from lib.engine.stack import Stack
from lib.resources.base import Link

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
ARN = re.compile(r"arn:aws:(?P<service>[^:]*):(?P<region>[^:]*):[^:]*:(?P<rest>.*)")


class Picture:
    """A Mermaid flowchart; JupyterLab draws it, everybody else can read it."""

    def __init__(self, mermaid: str):
        """Take the chart.

        Args:
            mermaid: Its source, see https://mermaid.js.org/syntax/flowchart.html.
        """
        self.mermaid = mermaid

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/vnd.mermaid": self.mermaid, "text/plain": self.mermaid}


def draw(stack: Stack) -> Picture:
    """Draw what exists of a pipeline: an arrow only where the account has the link.

    Args:
        stack: The pipeline; the account is read anew.

    Returns:
        The picture.
    """
    beginning = stack.scope.beginning
    regions = {resource.arn: resource.region for resource in stack.resources.values()}
    return Picture(mermaid(stack.links(), regions, beginning))


def mermaid(links: list[Link], regions: dict[str, str], beginning: str) -> str:
    """Return a flowchart, a box for each region.

    Args:
        links: The arrows.
        regions: ARNs to regions, for ARNs that do not say (buckets').
        beginning: What all names begin with; left out, to keep the picture small.

    Returns:
        Mermaid source.
    """
    arns = sorted({arn for link in links for arn in (link.source, link.target)})
    nodes = {arn: f"n{number}" for number, arn in enumerate(arns)}
    groups = defaultdict(list)
    for arn in arns:
        groups[regions.get(arn) or _region(arn)].append(f'    {nodes[arn]}["{_label(arn, beginning)}"]')
    lines = ["flowchart TB"]  # to the right it would be shrunk to the width of the page
    for region, members in sorted(groups.items()):
        lines += [f"  subgraph {region or 'elsewhere'}", *members, "  end"]
    lines += [f'  {nodes[link.source]} -->|"{link.label}"| {nodes[link.target]}' for link in links]
    return "\n".join(lines)


def _region(arn: str) -> str:
    match = ARN.fullmatch(arn)
    return match["region"] if match else ""


def _label(arn: str, beginning: str) -> str:
    match = ARN.fullmatch(arn)
    if not match:
        return arn
    name = re.split(r"[:/]", match["rest"])[-1]
    short = name.replace(beginning, "").replace(beginning.replace("-", "_"), "")
    return f"{match['service']}<br/>{short}"
