"""Trino's patterns of dates, regular expressions and JSON paths, in DuckDB's words. No AWS calls here."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from lib.local.in_server.not_here import NotOnLocalAwsError, not_here


@dataclass(frozen=True)
class DatePattern:
    """How DuckDB writes and reads a date in a pattern.

    Attributes:
        format: For strftime and strptime.
        read: A regular expression of the texts that Trino and DuckDB read alike; None if they do not.
        loose: One of all texts that Trino may read.
        fields: What the pattern has, such as `year`.
    """

    format: str
    read: str | None
    loose: str
    fields: frozenset[str]


_ONE_OR_TWO, _NAME, _YEAR, _FRACTION = "[0-9]{1,2}", "[A-Za-z]+", "[0-9]{4}", "[0-9]{1,6}"
# What Trino may read in their place.
_LOOSE = {_YEAR: "[+-]?[0-9]{1,9}", _FRACTION: "[0-9]{1,9}", "[0-9]{3}": "[0-9]{1,9}"}
# Letter → DuckDB's, what is read, which field. https://trino.io/docs/current/functions/datetime.html#mysql-date-functions
_MYSQL = {
    "Y": ("%Y", _YEAR, "year"),
    "y": ("%y", None, "year"),
    "m": ("%m", _ONE_OR_TWO, "month"),
    "c": ("%-m", _ONE_OR_TWO, "month"),
    "b": ("%b", "[A-Za-z]{3}", "month"),
    "M": ("%B", _NAME, "month"),
    "d": ("%d", _ONE_OR_TWO, "day"),
    "e": ("%-d", _ONE_OR_TWO, "day"),
    "j": ("%j", None, "day"),
    "a": ("%a", None, "weekday"),
    "W": ("%A", None, "weekday"),
    "H": ("%H", _ONE_OR_TWO, "hour"),
    "k": ("%-H", _ONE_OR_TWO, "hour"),
    "h": ("%I", _ONE_OR_TWO, "hour of half"),
    "I": ("%I", _ONE_OR_TWO, "hour of half"),
    "l": ("%-I", _ONE_OR_TWO, "hour of half"),
    "p": ("%p", "[AaPp][Mm]", "half"),
    "i": ("%M", _ONE_OR_TWO, "minute"),
    "s": ("%S", _ONE_OR_TWO, "second"),
    "S": ("%S", _ONE_OR_TWO, "second"),
    "f": ("%f", _FRACTION, "fraction"),
    "T": ("%H:%M:%S", "[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}", "hour"),
    "r": ("%I:%M:%S %p", None, "hour"),
    "v": ("%V", None, "week"),
    "x": ("%G", None, "weekyear"),
    "%": ("%%", "%", ""),
}
# https://www.joda.org/joda-time/apidocs/org/joda/time/format/DateTimeFormat.html
_JODA = {
    "yyyy": ("%Y", _YEAR, "year"),
    "YYYY": ("%Y", _YEAR, "year"),
    "yy": ("%y", None, "year"),
    "xxxx": ("%G", None, "weekyear"),
    "M": ("%-m", _ONE_OR_TWO, "month"),
    "MM": ("%m", _ONE_OR_TWO, "month"),
    "MMM": ("%b", "[A-Za-z]{3}", "month"),
    "MMMM": ("%B", _NAME, "month"),
    "d": ("%-d", _ONE_OR_TWO, "day"),
    "dd": ("%d", _ONE_OR_TWO, "day"),
    "DDD": ("%j", None, "day"),
    "E": ("%a", None, "weekday"),
    "EE": ("%a", None, "weekday"),
    "EEE": ("%a", None, "weekday"),
    "EEEE": ("%A", None, "weekday"),
    "ww": ("%V", None, "week"),
    "H": ("%-H", _ONE_OR_TWO, "hour"),
    "HH": ("%H", _ONE_OR_TWO, "hour"),
    "h": ("%-I", _ONE_OR_TWO, "hour of half"),
    "hh": ("%I", _ONE_OR_TWO, "hour of half"),
    "a": ("%p", "[AaPp][Mm]", "half"),
    "m": ("%-M", _ONE_OR_TWO, "minute"),
    "mm": ("%M", _ONE_OR_TWO, "minute"),
    "s": ("%-S", _ONE_OR_TWO, "second"),
    "ss": ("%S", _ONE_OR_TWO, "second"),
    "SSS": ("%g", "[0-9]{3}", "fraction"),
}
_JODA_TOKENS = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", re.DOTALL)
_PATH_STEPS = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[([0-9]+)\]|\[\"([^\"\\*]+)\"\]")
# What tells which groups are part of a match; a set of characters and an escaped one are passed over.
_REGEXP_TOKENS = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P<|\(\?[^:)]*[:)]?|\(|\||\)(?P<optional>[?*]|\{0)?", re.DOTALL
)
_ODD_IN_REGEXP = re.compile(r"\\[GZkR]|\(\?(?:[=!>#]|<[=!])|[*+?}]\+|\[[^\]]*(?:&&|\[(?!:))")


def mysql(pattern: str, function: str) -> DatePattern:
    """Return what a pattern of date_format and date_parse is.

    Args:
        pattern: Such as `%Y-%m-%d`.
        function: Whose pattern it is, for the error.

    Raises:
        NotOnLocalAwsError: A letter of it means something else here, or nothing.
    """
    parts = []
    for found in re.finditer(r"%(.)|([^%]+)|%$", pattern, re.DOTALL):
        letter, text = found.groups()
        if letter is None and text is None:
            raise _no_pattern(function, pattern, "%")
        if text is None and letter not in _MYSQL:
            raise _no_pattern(function, pattern, f"%{letter}")
        parts.append(_MYSQL[letter] if text is None else _text(text))
    return _joined(parts)


def joda(pattern: str, function: str) -> DatePattern:
    """Return what a pattern of format_datetime and parse_datetime is.

    Args:
        pattern: Such as `yyyy-MM-dd`.
        function: Whose pattern it is, for the error.

    Raises:
        NotOnLocalAwsError: A letter of it means something else here, or nothing.
    """
    parts = []
    for found in _JODA_TOKENS.finditer(pattern):
        token = found[0]
        if found[1] is not None:
            parts.append(_text(found[1].replace("''", "'") or "'"))
        elif found[2] is None:
            parts.append(_text(token))
        elif token in _JODA:
            parts.append(_JODA[token])
        else:
            raise _no_pattern(function, pattern, token)
    return _joined(parts)


def _text(text: str) -> tuple[str, str | None, str]:
    return text.replace("%", "%%"), re.escape(text), ""


def _joined(parts: list[tuple[str, str | None, str]]) -> DatePattern:
    reads = [read for _, read, _ in parts]
    fields = frozenset(field for *_, field in parts)
    # What a text does not say is another day in each of them; a half of the day needs its hour, and back.
    whole = "year" in fields and ("half" in fields) == ("hour of half" in fields)
    known = [read for read in reads if read is not None]
    read = "".join(known) if whole and len(known) == len(reads) else None
    loose = "".join(_LOOSE.get(part or "", part or ".*") for part in reads)
    return DatePattern("".join(format_ for format_, *_ in parts), read, loose, fields)


def _no_pattern(function: str, pattern: str, letter: str) -> NotOnLocalAwsError:
    return not_here(
        f"{function}() with {letter!r} in {pattern!r}",
        "its engine has nothing like it",
        "use another pattern",
    )


def json_path(path: str) -> str:
    """Return a JSON path for DuckDB.

    Args:
        path: Trino's, such as `$.a[0]["b c"]`.

    Raises:
        NotOnLocalAwsError: It has more than names and numbers.
    """
    steps, at = ["$"], 1
    while path.startswith("$") and at < len(path) and (step := _PATH_STEPS.match(path, at)):
        name, index, quoted = step.groups()
        steps.append(f"[{index}]" if index is not None else f'."{name or quoted}"')
        at = step.end()
    if not path.startswith("$") or at != len(path):
        raise not_here(
            f"the JSON path {path!r}", 'it reads $, .name, [0] and ["name"] only', "take such a path"
        )
    return "".join(steps)


def regexp(pattern: str) -> str:
    """Return a regular expression that both engines read alike.

    Trino's is Java's, DuckDB's is RE2. https://github.com/google/re2/wiki/Syntax

    Raises:
        NotOnLocalAwsError: RE2 has nothing like it, or something else.
    """
    if odd := _ODD_IN_REGEXP.search(pattern):
        raise not_here(
            f"{odd[0]!r} in the regular expression {pattern!r}", "its engine's are RE2's", "write it without"
        )
    # Groups with a name are written (?<name>…) in Java, (?P<name>…) in RE2.
    return re.sub(r"\(\?<([A-Za-z])", r"(?P<\1", pattern)


def may_be_empty(pattern: str) -> bool:
    """Say whether a regular expression may match an empty text, or is one that is not understood."""
    try:
        return re.search(pattern, "") is not None
    except re.error:
        return True


def odd_subjects(pattern: str) -> str:
    r"""Return a regular expression of texts in which a pattern may find something else in Java's than in RE2.

    Args:
        pattern: With \w or \b, letters beyond ASCII; with ^ or $, line ends; "" if there are none.
    """
    bare = re.sub(r"\\\\", "", pattern)
    odd = []
    if re.search(r"\\[wWbB]|\[:", bare):
        odd.append(r"[^\x00-\x7F]")
    elif re.search(r"\\[dD]", bare):
        odd.append(_digits_beyond_ascii())
    elif re.search(r"\\[sS]", bare):
        odd.append(r"[\x0B\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]")
    anchors = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", bare)
    if "^" in anchors or "$" in anchors:
        odd.append(r"[\r\n\x{85}\x{2028}\x{2029}]")
    return "|".join(odd)


@cache
def _digits_beyond_ascii() -> str:
    digits = [code for code in range(0x80, 0x20000) if unicodedata.category(chr(code)) == "Nd"]
    return "[{}]".format("".join(f"\\x{{{code:X}}}" for code in digits))


def group_is_certain(pattern: str, group: int) -> bool:
    """Say whether a group is part of every match: Trino gives NULL for one that is not, DuckDB ''."""
    number, certain, opened = 0, {0}, [[0]]
    alternatives = [False]  # of the whole, and of each group that is open
    for found in _REGEXP_TOKENS.finditer(pattern):
        token = found[0]
        if token.startswith("(") and not token.endswith(")"):
            number += token == "(" or token.startswith("(?P<")
            opened.append([number] if token == "(" or token.startswith("(?P<") else [])
            alternatives.append(False)
        elif token == "|":
            alternatives[-1] = True
        elif token.startswith(")") and len(opened) > 1:
            inside, either = opened.pop(), alternatives.pop()
            if found["optional"]:
                inside = []
            opened[-1] += inside[:1] if either else inside
    certain |= set() if alternatives[0] else set(opened[0])
    return group in certain


def replacement(text: str) -> str:
    r"""Return a replacement for RE2, whose groups are \1, of one for Java, whose groups are $1.

    Raises:
        NotOnLocalAwsError: It names a group.
    """
    parts, at = [], 0
    for found in re.finditer(r"\\(.)|\$([0-9])|([\\$])", text, re.DOTALL):
        escaped, group, odd = found.groups()
        if odd:
            raise not_here(f"the replacement {text!r}", "its groups are $0 to $9 only", "number the groups")
        parts += [text[at : found.start()], f"\\{group}" if group else escaped.replace("\\", "\\\\")]
        at = found.end()
    return "".join([*parts, text[at:]])
