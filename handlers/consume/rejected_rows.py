"""The bad rows of a file, kept beside its good ones: one CSV object a source key."""

import csv
from tempfile import TemporaryFile

from common.objects import Place, is_listed
from csv_rows import Row

COLUMNS = ("line", "reason", "row")


class RejectedRows:
    """Collects the bad rows of one file, on disk, since they may be all of a large file.

    Attributes:
        count: How many there are.
    """

    def __init__(self):
        self.count = 0
        # Text with a binary buffer below it, which is what S3 gets. Closed and gone with this object.
        self._file = TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def __enter__(self) -> "RejectedRows":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def add(self, row: Row, reason: str) -> None:
        """Add a row and say why it is bad."""
        self._writer.writerow([row.line, reason, row.text])
        self.count += 1

    def publish(self, place: Place) -> None:
        """Make the object what was collected: the same bytes for the same file, or no object for no bad rows.

        Args:
            place: Where to.

        Raises:
            ClientError: S3 refused a call.
        """
        if not self.count:
            withdraw(place)
            return
        self._file.seek(0)  # which flushes
        content_type = {"ContentType": "text/csv"}
        place.client.upload_fileobj(self._file.buffer, place.bucket, place.key, ExtraArgs=content_type)


def withdraw(place: Place) -> None:
    """Delete the object if there is one: in a versioned bucket, a delete of nothing would leave a marker.

    It is listed, not asked for with HEAD, for which the role would need to read what was rejected.
    """
    if is_listed(place):
        place.client.delete_object(**place.name)
