"""Random CSV files through *summarize*: types, nulls, encodings, dialects; read exactly here."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial

from support.fuzz.drawing import Case, Draw, Fault, disagreements
from support.running import End, Running, eventually

THREADS = 3
WITHIN_S = 60
INPUT, OUTPUT, REJECTED = "synthetic-data/", "summaries/", "rejected/"
NULLS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")  # as docs and summaries say
NUMBERS = ("bigint", "double", "decimal")
CUT = 200  # so many characters of a value are shown
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "windows-1252")
DELIMITERS, LINE_ENDS = (",", ",", ";", "\t", "|"), ("\n", "\n", "\r\n", "\r")


@dataclass(frozen=True)
class CsvFile:
    """A file to summarize.

    Attributes:
        case: What it was drawn for.
        names: Of its columns.
        rows: The texts of its values.
        body: Its bytes.
        encoding: What they are encoded in.
        damage: What was done to them then; empty for nothing.
    """

    case: Case
    names: list[str]
    rows: list[list[str]]
    body: bytes
    encoding: str
    damage: str = ""

    @property
    def key(self) -> str:
        return f"{INPUT}fuzz/{self.case.name}.csv"


def draw(case: Case) -> CsvFile:
    """Draw a file."""
    draw = case.draw()
    makers = [draw.choice(COLUMNS) for _ in range(draw.randint(2, 6))]
    names = [f"{draw.some('abcdefgh_ üñ', 8)}{number}".strip() for number in range(len(makers))]
    count = draw.choice((1, 2, draw.randint(3, 40), draw.randint(3, 40), 300))
    columns = [_column(draw, maker, count) for maker in makers]
    encoding = draw.choice(ENCODINGS)
    if encoding == "windows-1252":
        names = [_latin(name) for name in names]
        columns = [[_latin(text) for text in column] for column in columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    text = _written(draw, [names, *rows])
    body, damage = _damaged(draw, text, encoding)
    return CsvFile(case, names, rows, body, encoding, damage)


def _latin(text: str) -> str:
    return text.encode("windows-1252", "replace").decode("windows-1252")


def _column(draw: Draw, maker, count: int) -> list[str]:
    nulls, null = draw.choice((0, 0, 0.1, 0.5)), draw.choice(NULLS)
    few = [maker(draw) for _ in range(draw.choice((1, 3, 10_000)) if count > 3 else 3)][: count + 1]
    return [null if draw.chance(nulls) else draw.choice(few) for _ in range(count)]


def _integer(draw: Draw) -> str:
    return str(draw.randint(-(10 ** draw.randint(1, 17)), 10 ** draw.randint(1, 17)))


def _snowflake(draw: Draw) -> str:
    return str(1764843812345600000 + draw.randrange(1000))


def _barcode(draw: Draw) -> str:
    return str(10**19 + draw.randrange(10**6))


def _amount(draw: Draw) -> str:
    return f"{10**22 + draw.randrange(10**6)}.{draw.randrange(100):02}"


def _zip_code(draw: Draw) -> str:
    return f"{draw.randrange(99999):05}"


def _fraction(draw: Draw) -> str:
    return str(Decimal(draw.randint(-(10**9), 10**9)).scaleb(-draw.randint(1, 6)))


def _exponent(draw: Draw) -> str:
    return f"{draw.uniform(-9, 9):.3f}e{draw.randint(-40, 40)}"


def _part_number(draw: Draw) -> str:
    return f"{draw.randrange(1000):03}E{draw.randrange(100):02}"


def _date(draw: Draw) -> str:
    return (date(1, 1, 1) + timedelta(draw.randrange(3652058))).isoformat()


def _timestamp(draw: Draw) -> str:
    moment = datetime(1900, 1, 1) + timedelta(microseconds=draw.randrange(2**53))
    return moment.isoformat(sep=draw.choice(" T"), timespec="seconds")


def _boolean(draw: Draw) -> str:
    return draw.choice(("true", "false"))


def _words(draw: Draw) -> str:
    return draw.text(10, controls=0) or "x"


def _lines(draw: Draw) -> str:
    return draw.choice(("one\ntwo", 'she said "no"', "a,b;c|d\te", "'quoted'", " spaces ", "=1+1", "x" * 300))


def _mixed(draw: Draw) -> str:
    return draw.choice((_integer, _fraction, _words, _zip_code))(draw)


COLUMNS = (
    *(_integer, _snowflake, _barcode, _amount, _zip_code, _fraction, _exponent, _part_number),
    *(_date, _timestamp, _boolean, _words, _words, _lines, _mixed),
)


def _written(draw: Draw, records: list[list[str]]) -> str:
    """The records as CSV: RFC 4180 but for delimiter and line end."""
    delimiter, end, always = draw.choice(DELIMITERS), draw.choice(LINE_ENDS), draw.chance(0.2)
    lines = [delimiter.join(_quoted(text, always) for text in record) for record in records]
    return end.join(lines) + (end if draw.chance(0.8) else "")


def _quoted(text: str, always: bool) -> str:
    needed = any(character in text for character in "\",;\t|\r\n'") or text != text.strip()
    return '"' + text.replace('"', '""') + '"' if always or needed else text


def _damaged(draw: Draw, text: str, encoding: str) -> tuple[bytes, str]:
    body = text.encode(encoding)
    kind = draw.randrange(25)
    if kind == 0 and encoding == "utf-8":
        place = draw.randrange(len(body) // 2, len(body))
        return body[:place] + b"\xff" + body[place:], "a byte that is not UTF-8"
    if kind == 1 and len(body) > 1:
        return body[: draw.randrange(1, len(body))], "cut"
    if kind == 2 and encoding == "utf-8":
        return body + b'1,2,3,4,5,6,7,8,9\n"', "a ragged line and an open quote"
    if kind == 3 and encoding == "utf-8":
        return body + b"\x1a", "the end mark of DOS"
    return body, ""


def check(running: Running, files: list[CsvFile]) -> list[Fault]:
    """Put all, and compare what is said of each with what is in it."""
    end = running.source("summarize")
    with ThreadPoolExecutor(THREADS) as threads:
        outcomes = list(threads.map(partial(_outcome, end), files))
    found = {file.case: _wrong(file, *outcome) for file, outcome in zip(files, outcomes, strict=True)}
    faults = [Fault(case, f"summarize: {what}") for case, what in found.items() if what]
    pairs = zip(files, outcomes, strict=True)
    without = {file.case: "" if any(outcome) else "neither" for file, outcome in pairs}
    faults += disagreements(running, "summarize", without, {file.case: file.key for file in files})
    return faults


def _outcome(end: End, file: CsvFile) -> tuple[dict | None, dict | None]:
    """Put a file, and return its summary, or its rejection."""
    end.put(file.key, file.body)
    summary, rejection = (
        f"{OUTPUT}fuzz/summary_{file.case.name}.json",
        f"{REJECTED}fuzz/{file.case.name}.csv.json",
    )
    eventually(lambda: end.read(summary) or end.read(rejection), WITHIN_S)
    return end.text(summary), end.text(rejection)


def _wrong(file: CsvFile, summary: dict | None, rejection: dict | None) -> str:
    if summary and rejection:
        return "summarized and rejected"
    if rejection:
        if not rejection.get("reason"):
            return "rejected without a reason"
        return "" if file.damage or file.encoding == "utf-32" else f"rejected: {rejection['reason']}"
    if not summary:
        return "neither summarized nor rejected"
    if file.damage:
        is_mojibake = file.encoding == "utf-8" and "1252" in summary["encoding"]
        return f"{file.damage}, and read as Windows-1252" if is_mojibake and _has_letters(file) else ""
    return "; ".join(_differences(file, summary))[:600]


def _has_letters(file: CsvFile) -> bool:
    """Whether some character proves that it is UTF-8."""
    return any(ord(character) > 127 for character in "".join(file.names))


def _differences(file: CsvFile, summary: dict) -> list[str]:
    profiles = summary["column_profiles"]
    names = [profile["name"] for profile in profiles]
    if names != file.names:
        return [f"names {names} instead of {file.names}"]
    if summary["rows"] != len(file.rows):
        return [f"{summary['rows']} rows instead of {len(file.rows)}"]
    columns = zip(*file.rows, strict=True)
    return [
        f"{profile['name']} ({profile['type']}): {wrong}"
        for profile, texts in zip(profiles, columns, strict=True)
        if (wrong := _wrong_profile(profile, list(texts)))
    ]


def _wrong_profile(profile: dict, texts: list[str]) -> str:
    """Say what a column's profile says that is not so."""
    there = [text for text in texts if text not in NULLS]
    if profile["nulls"] != len(texts) - len(there):
        return f"{profile['nulls']} nulls instead of {len(texts) - len(there)}"
    if not there:
        return ""
    is_number = profile["type"].startswith(NUMBERS)
    values = [_number(text) for text in there] if is_number else there
    if None in values:
        return "not all of its values are numbers"
    if is_number and any(_changes(text, profile["type"]) for text in there):
        lost = next(text for text in there if _changes(text, profile["type"]))
        return f"a value does not survive as that type: {lost}"
    key = _key(profile["type"])
    distinct = {key(value) for value in values}
    if profile["distinct"] != len(distinct) and not profile["distinct_is_approximate"]:
        return f"{profile['distinct']} distinct values instead of {len(distinct)}"
    for name, extreme in (("min", min(values, key=key)), ("max", max(values, key=key))):
        shown = profile[name]
        if not _same(shown, extreme, profile["type"]):
            return f"{name} is {shown!r} instead of {extreme!r:.60}"
    counts = Counter(text[:CUT] for text in there)
    for top in profile["top_values"]:
        if counts[top["value"]] != top["count"] and not profile["top_values_are_approximate"]:
            return f"{top['value']!r:.60} counted {top['count']} times instead of {counts[top['value']]}"
    return ""


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


def _changes(text: str, type_name: str) -> bool:
    """Whether a number loses digits or zeros as this type."""
    value, plain = Decimal(text.strip()), text.strip().lstrip("+-")
    if len(plain) > 1 and plain[0] == "0" and plain[1].isdigit():
        return True
    if type_name == "bigint":
        return not -(2**63) <= value < 2**63
    return type_name == "double" and len(value.as_tuple().digits) > 15 and Decimal(repr(float(text))) != value


def _key(type_name: str):
    if type_name == "double":
        return float
    if type_name == "timestamp":
        return lambda text: text.replace("T", " ")
    return lambda value: value


def _same(shown: str, value: object, type_name: str) -> bool:
    if type_name == "double":
        return float(shown) == float(value)
    if isinstance(value, Decimal):
        return Decimal(shown) == value
    if type_name == "timestamp":
        return datetime.fromisoformat(shown) == datetime.fromisoformat(value)
    return shown == value[:CUT]
