"""Random stock rows through *ingest*: what is plain must be stored as it is, the rest so or rejected."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

from support.fuzz.drawing import Case, Draw, Fault, disagreements
from support.running import Running, settled

HEADER = ["ticker", "timestamp", "price", "volume", "note"]
MOST_DIGITS = 38  # of DynamoDB's numbers
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StockRow:
    """A row.

    Attributes:
        fields: As written.
        time: What its timestamp says, in UTC; None if that is for nobody to know.
        is_plain: Whether it must be stored.
    """

    fields: list[str]
    time: datetime | None
    is_plain: bool

    @property
    def item(self) -> dict[str, object] | None:
        """What may be stored of it and nothing else; None if nothing may."""
        ticker, _, price, volume, note = self.fields
        numbers = [_number(price), _number(volume)]
        if self.time is None or None in numbers or not ticker.strip():
            return None
        milliseconds = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "PK": ticker.strip(),
            "SK": milliseconds,
            "price": numbers[0],
            "volume": numbers[1],
            "note": note,
        }


@dataclass(frozen=True)
class StockFile:
    """A file to ingest."""

    case: Case
    rows: list[StockRow]
    body: bytes
    is_odd: bool

    @property
    def key(self) -> str:
        return f"stocks/fuzz/{self.case.name}.csv"


def draw(case: Case) -> StockFile:
    """Draw a file; no two files have a row of one key."""
    draw = case.draw()
    rows = [
        _row(draw, f"{draw.text(6, controls=0).strip()}{case.name}-{n}") for n in range(draw.randint(1, 25))
    ]
    if (first := rows[0]).is_plain and draw.chance(
        0.3
    ):  # its key again, and other values: not for us to choose
        rows.append(
            StockRow([*first.fields[:2], first.fields[2] + "1", *first.fields[3:]], None, is_plain=False)
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=draw.choice(("\n", "\r\n")))
    writer.writerows([HEADER, *(row.fields for row in rows)])
    encoding = draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-8", "utf-16", "latin-1"))
    body = text.getvalue().encode(encoding, "replace")
    if encoding == "latin-1":
        body += "café\n".encode(encoding)  # so that it is not UTF-8, whatever else is in it
    return StockFile(case, rows, body, is_odd=not encoding.startswith("utf-8"))


def _row(draw: Draw, ticker: str) -> StockRow:
    time_text, time, plain_time = _time(draw)
    price, plain_price = _price(draw)
    volume, plain_volume = draw.choice(
        (
            ("0", True),
            (str(draw.randrange(10**12)), True),
            ("1.5", False),
            ("-1", False),
            ("1_000", False),
            ("٣", False),
        )
        if draw.chance(0.2)
        else ((str(draw.randrange(10**9)), True),)
    )
    note = draw.text(8, controls=0)
    fields = [ticker, time_text, price, volume, note]
    # A ticker with a character that cannot be seen is two tickers that look like one.
    return StockRow(fields, time, plain_time and plain_price and plain_volume and ticker.isprintable())


def _time(draw: Draw) -> tuple[str, datetime | None, bool]:
    moment = datetime(1970, 1, 2, tzinfo=UTC) + timedelta(milliseconds=draw.randrange(10**12 * 3))
    if draw.chance(0.6):
        zone = timezone(timedelta(minutes=draw.choice((0, 0, 330, -480, 765))))
        local = moment.astimezone(zone)
        text = local.isoformat(sep=draw.choice("TT "), timespec=draw.choice(("milliseconds", "seconds")))
        return (
            text.replace("+00:00", draw.choice(("Z", "+00:00"))),
            datetime.fromisoformat(text).astimezone(UTC),
            True,
        )
    seconds = int((moment - EPOCH).total_seconds())
    moment = EPOCH + timedelta(seconds=seconds)
    plain = moment.strftime("%Y-%m-%dT%H:%M:%S")
    odd = {
        str(seconds): moment,
        str(seconds * 1000): moment,
        plain.replace("T", "x"): None,
        plain.replace("T", "  "): None,
        plain.replace("-", "/"): None,
        plain + ".1234567": None,
        plain[:10]: datetime(moment.year, moment.month, moment.day, tzinfo=UTC),
        moment.strftime("%Y%m%dT%H%M%SZ"): moment,
        moment.strftime("%G-W%V-%uT%H:%M:%SZ"): moment,
        moment.strftime("%Y-%jT%H:%M:%SZ"): moment,
        moment.strftime("%d.%m.%Y %H:%M:%S"): moment,
        plain[:13]: moment.replace(minute=0, second=0),
        "9999-12-31T23:59:59.999Z": datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
        "2026-02-30T00:00:00Z": None,
        "": None,
        "now": None,
    }
    text = draw.choice(sorted(odd))
    return text, odd[text], False


def _price(draw: Draw) -> tuple[str, bool]:
    if draw.chance(0.8):
        return str(Decimal(draw.randrange(10 ** draw.randint(1, 20))).scaleb(-draw.randint(0, 8))), True
    return (
        draw.choice(
            (
                "1e5",
                "1E-130",
                "NaN",
                "Infinity",
                "1,5",
                "1_0",
                "-0",
                "-1.5",
                "0x10",
                "",
                "1.",
                ".5",
                "1" * 39,
                "١٢",
            )
        ),
        False,
    )


def check(running: Running, files: list[StockFile]) -> list[Fault]:
    """Put all, and find each row stored as it is, or rejected; never anything else."""
    end = running.source("ingest")
    for file in files:
        end.put(file.key, file.body)
    found: dict[Case, str] = {}

    def look() -> dict[Case, str]:
        stored: dict[str, list[dict]] = {}
        for item in running.items("ingest"):
            stored.setdefault(item["source_key"], []).append(item)
        dead = {letter.key for letter in running.stuck("ingest")}
        for file in files:
            rejected = end.read(f"rejected/{file.key}")
            found[file.case] = _wrong(file, stored.get(file.key, []), rejected, file.key in dead)
        return {case: what for case, what in found.items() if what}

    settled(look, lambda: running.waiting("ingest"))
    faults = [Fault(case, f"ingest: {what}"[:400]) for case, what in found.items() if what]
    dead = {letter.key for letter in running.stuck("ingest")}
    wrong = {file.case: found[file.case] or ("dead" if file.key in dead else "") for file in files}
    faults += disagreements(running, "ingest", wrong, {file.case: file.key for file in files})
    return faults


def _wrong(file: StockFile, stored: list[dict], rejected: bytes | None, is_dead: bool) -> str:
    if is_dead:
        return "" if file.is_odd else "in the dead-letter queue, though it is UTF-8 with a header"
    lines = {
        int(row["line"]): row["reason"] for row in csv.DictReader(io.StringIO((rejected or b"").decode()))
    }
    items = {(item["PK"], item["SK"]): item for item in stored}
    wrong, expected, line = [], set(), 2
    for row in file.rows:
        item, reason = row.item, lines.get(line)
        line += 1
        place = item and (item["PK"], item["SK"])
        there = items.get(place) if place else None
        if there is not None:
            expected.add(place)
            if differing := [name for name in item if not _same(item[name], there.get(name))]:
                wrong.append(f"{row.fields} differs in {differing}: {there}")
        if (there is None) == (reason is None):
            wrong.append(
                f"{row.fields} is {'neither stored as it is nor rejected' if there is None else 'both'}"
            )
        elif there is None and row.is_plain:
            wrong.append(f"{row.fields} is rejected: {reason}")
    wrong += [f"{items[place]} is of no row" for place in items.keys() - expected]
    return "; ".join(wrong)


def _same(expected: object, there: str | None) -> bool:
    if isinstance(expected, Decimal):
        return there is not None and Decimal(there) == expected
    return expected == (there or "")


def _number(text: str) -> Decimal | None:
    """A number as one may write it, of a size and sign that can be stored; None if it is none."""
    try:
        number = Decimal(text.strip()) if "_" not in text and text.isascii() else None
    except InvalidOperation:
        return None
    if (
        number is None
        or not number.is_finite()
        or number.is_signed()
        or len(number.as_tuple().digits) > MOST_DIGITS
    ):
        return None
    return number
