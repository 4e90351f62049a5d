"""Which keys are summarized, and where the outcome goes."""

import os
from dataclasses import dataclass

CSV = ".csv"
# As S3's notification filters have them; none ends with another, so that no file is told of twice.
SUFFIXES = (CSV, ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024


@dataclass(frozen=True)
class Prefixes:
    """The parts of the bucket, each ending with a slash; parameters make sure that none is within another.

    Attributes:
        input: Where files are uploaded.
        output: Where summaries go.
        rejected: Where the reasons go why there is no summary.
    """

    input: str
    output: str
    rejected: str

    @classmethod
    def from_environment(cls) -> "Prefixes":
        """Return those that the function was deployed with."""
        return cls(*(os.environ[name] for name in ("INPUT_PREFIX", "OUTPUT_PREFIX", "REJECTED_PREFIX")))

    def why_ignored(self, key: str) -> str | None:
        """Return why a key is not summarized, or None if it is.

        Only SUFFIXES as S3's notification filters have them.
        """
        if key.startswith((self.output, self.rejected)):
            return "the function's own output"
        if not key.startswith(self.input):
            return f"not under {self.input}"
        if not key.endswith(SUFFIXES):
            return f"does not end with {' or '.join(SUFFIXES)}"
        return None

    def summary(self, key: str) -> str:
        """Return the key of the summary of a file: `…/a/x.csv` → `summaries/a/summary_x.json`.

        Of others than CSV it is `summary_x.parquet.jsonl`, so that no two keys have one summary.
        """
        folder, _, name = key.removeprefix(self.input).rpartition("/")
        folder += "/" if _ else ""
        written = f"{name.removesuffix(CSV)}.json" if name.endswith(CSV) else f"{name}.jsonl"
        return f"{self.output}{folder}summary_{written}"

    def rejection(self, key: str) -> str:
        """Return the key of the reason why there is no summary: `…/a/x.csv` → `rejected/a/x.csv.json`."""
        return f"{self.rejected}{key.removeprefix(self.input)}.json"


def fits(key: str) -> bool:
    """Return whether S3 takes a key of this length."""
    return len(key.encode()) <= MAX_KEY_BYTES
