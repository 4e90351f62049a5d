"""A file of one's own: chosen in the notebook, uploaded, and followed to its end."""

import contextlib
import io
import mimetypes
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

import pandas as pd

from lib.base import frames
from lib.base.errors import ParameterError
from lib.base.explained import explained
from lib.base.shown import printable, shown_bytes
from lib.base.waits import shown_on
from lib.base.widgets import Clickable, widget
from lib.operate import samples
from lib.s3.objects import Place

SCRIPT = Path(__file__).with_name("own_file.js")
# What a browser sends at once: JupyterLab's server takes no message of more than 10 MiB.
# https://jupyter-server.readthedocs.io/en/latest/other/full-config.html (ServerApp.tornado_settings)
CHUNK_BYTES = 1024 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
KEY_BYTES = 1024

Follow = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class OwnFile(samples.Sample):
    """A file to upload that lies on the disk.

    Attributes:
        file: It, open.
    """

    file: IO[bytes] = field(default_factory=io.BytesIO, repr=False, kw_only=True)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.file.seek(0, io.SEEK_END)

    def open(self) -> BinaryIO:
        """Return its bytes as a file; whoever reads may close it."""
        self.file.seek(0)
        return cast(BinaryIO, _Lent(self.file))


class _Lent(io.RawIOBase):
    """A file that stays open when whoever reads it closes it."""

    def __init__(self, file: IO[bytes]):
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class Chooser:
    """Takes files, one after the other, and follows each; where nobody looks, it says how else to do it."""

    def __init__(
        self, follow: Follow, place: Place, *, key_prefix: str, suffixes: Sequence[str], also: str = ""
    ):
        """Take no file yet.

        Args:
            follow: Waits until the uploads are at their end, and returns what became of them.
            place: Where files are uploaded.
            key_prefix: What their keys begin with.
            suffixes: What their names end with, one of them; empty for any.
            also: What else to know of the file.
        """
        self._follow, self._place = follow, place
        self._key_prefix, self._suffixes = key_prefix, tuple(each for each in suffixes if each)
        self.told = " ".join(filter(None, (f"It is put into s3://{place.bucket}/{key_prefix}.", also)))
        self._said = 0
        self._receiving: _Receiving | None = None

    @property
    def text(self) -> str:
        """What is said where nobody can click."""
        return (
            'In JupyterLab a file of your own is chosen here. In a terminal: eval "$(runbook env)", then '
            f"aws s3 cp FILE s3://{self._place.bucket}/{self._key_prefix}"
        )

    def key_of(self, name: str) -> str:
        """Return the key for a file.

        Args:
            name: Its name, which may say a folder of the person's disk.

        Raises:
            ParameterError: If the pipeline would not follow it, or it is none that S3 takes.
        """
        base = PurePosixPath(name.replace("\\", "/")).name
        key = f"{self._key_prefix}{base}"
        if not base or printable(base, keep="") != base or len(key.encode()) > KEY_BYTES:
            raise ParameterError(f"{base!r} is no name for an object: give the file a plain, shorter one")
        if self._suffixes and not base.endswith(self._suffixes):
            ends = ", ".join(self._suffixes)
            raise ParameterError(
                f"{base}: this pipeline follows names that end with {ends}, spelt so; nothing was uploaded"
            )
        return key

    def send(self, name: str, file: IO[bytes]) -> pd.DataFrame:
        """Upload a file, and follow it to its end.

        Args:
            name: Its name.
            file: Its bytes.

        Returns:
            What became of it.

        Raises:
            RunbookError: If it cannot be uploaded; says what to do.
        """
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        own = OwnFile(self.key_of(name), b"", content_type=kind, file=file)
        return self._follow(samples.upload(self._place.client, self._place.bucket, samples=[own]))

    def receive(self, shown: Any, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Take a part of a file from the browser; of the last one, send the whole on.

        Args:
            shown: The widget, which shows how far it is.
            content: `id` of a file that was chosen, which every state about it has, too, as one chooser may
                have two views; and its `name` and `size` in bytes, or `at`, from where on these bytes are.
            buffers: The bytes.
        """
        try:
            self._take(shown, content, buffers)
        except (Exception, KeyboardInterrupt) as error:  # nobody else would say it: a widget has no cell
            if self._is_receiving(content["id"]):
                self._forget()
            said = str(explained(error) or error) or type(error).__name__
            self._say(shown, content["id"], wrong=said)

    def _take(self, shown: Any, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        if "name" in content:
            self.key_of(content["name"])  # before anything is sent
            self._forget()
            self._receiving = _Receiving(content["id"], content["name"], content["size"])
            self._say(shown, content["id"], next=0)
        receiving = self._receiving
        if receiving is None or not self._is_receiving(content["id"]):
            raise ParameterError(
                "another file was chosen meanwhile, and this one was not uploaded; choose it again"
            )
        if "at" in content:
            receiving.file.seek(content["at"])
            for buffer in buffers:
                receiving.file.write(buffer)
            self._say(shown, receiving.id, next=receiving.file.tell())
        if receiving.file.seek(0, io.SEEK_END) < receiving.size:
            return
        printed = io.StringIO()
        with shown_on(_Status(shown, receiving)), contextlib.redirect_stdout(printed):
            table = self.send(receiving.name, receiving.file)
        self._forget()
        notes = "".join(f"<p>{escape(printable(line))}</p>" for line in printed.getvalue().splitlines())
        self._say(shown, receiving.id, end=f"<p>{escape(str(receiving))}:</p>{frames.html(table)}{notes}")

    def _say(self, shown: Any, of: str, **state: Any) -> None:
        # The same said twice is said twice: an unchanged value would not reach the browser.
        self._said += 1
        shown.state = {**state, "id": of, "number": self._said}

    def _is_receiving(self, of: str) -> bool:
        return self._receiving is not None and self._receiving.id == of

    def _forget(self) -> None:
        if self._receiving:
            self._receiving.file.close()
        self._receiving = None


@dataclass
class _Receiving:
    """A file of which parts have come."""

    id: str
    name: str
    size: int
    file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def __str__(self) -> str:
        return f"{self.name}, {shown_bytes(self.size)}"


class _Status:
    """Shows in the widget what is awaited."""

    def __init__(self, shown: Any, file: _Receiving):
        self._shown, self._id = shown, file.id
        self.show([f"{file}: on its way"], None)

    def show(self, lines: list[str], fraction: float | None) -> None:
        self._shown.state = {"status": " | ".join(lines), "done": fraction, "id": self._id}

    def clear(self) -> None:
        """What became of it is shown next."""


def chooser(
    follow: Callable[..., pd.DataFrame],
    place: Place,
    /,
    *,
    key_prefix: str = "",
    suffixes: Sequence[str] = (),
    also: str = "",
    **told: Any,
) -> Clickable:
    """Return what a file of one's own is chosen with, which is then uploaded and followed to its end.

    Args:
        follow: Called with the uploads, as `samples.upload` returns them, and with `told`; waits, and returns
            what became of them.
        place: Where files are uploaded.
        key_prefix: What their keys begin with.
        suffixes: What their names end with, one of them; empty for any.
        also: What else to know of the file.
        told: What `follow` is told by name.
    """
    own = Chooser(
        lambda uploads: follow(uploads, **told), place, key_prefix=key_prefix, suffixes=suffixes, also=also
    )

    def begin() -> Any:
        accept = ",".join(sorted({f".{each.rsplit('.', 1)[-1]}" for each in suffixes if "." in each}))
        state = {"told": own.told, "accept": accept, "chunk": CHUNK_BYTES, "state": {}}
        return widget(SCRIPT, state, own.receive)

    return Clickable(own.text, begin)
