"""Parts of a document that a program writes, each between two marks that a reader does not see."""


def part(text: str, name: str) -> str:
    """Return what stands between the two marks of a name.

    Args:
        text: The document, in Markdown.
        name: What the marks name: `<!-- name: begin -->` and `<!-- name: end -->`, each a line of its own.

    Raises:
        ValueError: If a mark is not there, or not once.
    """
    begin, end = (f"<!-- {name}: {which} -->\n" for which in ("begin", "end"))
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the document must have {begin.strip()} and then {end.strip()}, once each")
    return text.split(begin)[1].split(end)[0]


def with_part(text: str, name: str, new: str) -> str:
    """Return the document with something else between the two marks of a name.

    Args:
        text: The document, in Markdown.
        name: As for `part`.
        new: What shall stand there.

    Raises:
        ValueError: If a mark is not there, or not once.
    """
    begin, end = (f"<!-- {name}: {which} -->\n" for which in ("begin", "end"))
    return text.replace(f"{begin}{part(text, name)}{end}", f"{begin}{new}{end}")
