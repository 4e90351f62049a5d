"""How far large files of *ingest* are: those that are cut into pieces, by what the function logs of them."""

from dataclasses import dataclass, field

import pandas as pd
from botocore.client import BaseClient

from lib.operate import log_events

GIVEN_UP, UNDER_WAY = ("superseded", "gone"), "under way"
COLUMNS = ["key", "pieces", "stored", "rows", "rows_stored", "rows_rejected", "state", "seconds"]


@dataclass
class _File:
    """What was logged of one version of a file. A message that came twice says the same twice.

    Attributes:
        begun: When the first line was written.
        ended: When the last one was.
        cuts: Of each place where cutting began: how many pieces and rows.
        is_cut: Whether it is cut to its end.
        parts: Of each piece and step: how many rows were stored.
        rejected: Of each piece that is stored: how many of its rows were rejected.
        given_up: Why its other pieces were not stored, if that is so.
    """

    begun: pd.Timestamp
    ended: pd.Timestamp
    cuts: dict[int, tuple[int, int]] = field(default_factory=dict)
    is_cut: bool = False
    parts: dict[tuple[int, int], int] = field(default_factory=dict)
    rejected: dict[int, int] = field(default_factory=dict)
    given_up: str = ""

    def take(self, line: dict, when: pd.Timestamp) -> None:
        """Take a line of the log."""
        self.begun, self.ended = min(self.begun, when), max(self.ended, when)
        place = line["byte"]
        if "rows_cut" in line:
            self.cuts[place] = line["pieces"], line["rows_cut"]
            self.is_cut |= line["done"]
        elif line["message"] in GIVEN_UP:
            self.given_up = line["message"]
        else:
            self.parts[place, line["step"]] = line["rows_stored"]
            if line["done"]:
                self.rejected[place] = line["rows_rejected"]

    def row(self) -> tuple:
        """Return its row of the table, but for the key."""
        pieces, rows = (sum(each) for each in zip(*self.cuts.values(), strict=True))
        stored, rejected = sum(self.parts.values()), sum(self.rejected.values())
        # What was delivered twice may have stored some rows twice.
        is_whole = self.is_cut and len(self.rejected) == pieces and stored + rejected >= rows
        seconds = round((self.ended - self.begun).total_seconds(), 1)
        state = "stored" if is_whole else self.given_up or UNDER_WAY
        return pieces, len(self.rejected), rows, stored, rejected, state, seconds


def progress(client: BaseClient, log_group: str, *, since: pd.Timestamp) -> pd.DataFrame:
    """Tell how far large files are.

    Args:
        client: A CloudWatch Logs client of the function's region.
        log_group: That of the function which stores them.
        since: From when on to read.

    Returns:
        One row a version of a file, the newest last: key; how many `pieces` it was cut into up to now, and
        how many of them are `stored`; how many `rows` are in these pieces, `rows_stored` and `rows_rejected`;
        its `state`, `stored` if that is all of its rows, `superseded` by another version, `gone`, or `under
        way`; and the `seconds` from the first to the last that was logged. What has failed waits in the queue
        of dead letters, see 72_redrive.
    """
    files: dict[tuple[str, str | None], _File] = {}
    for when, line in log_events.timed_lines(client, log_group, since):
        if "step" in line:
            name = line["key"], line.get("version")
            files.setdefault(name, _File(when, when)).take(line, when)
    found = [(key, *file.row()) for (key, _), file in files.items() if file.cuts]
    return pd.DataFrame(found, columns=COLUMNS)
