"""What a handler makes of an object, as its `facts.yaml` says it: by that its pipelines are audited.

Names in capitals are variables of the function's environment, as it is deployed.
"""

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lib.base.errors import RunbookError
from lib.s3.selection import KeyFilter

# The parts of an object's key that a derived one's may have, and what each may be: keys take any character.
PARTS = {"key": ".*", "path": ".*", "folder": "(?:.*/)?", "name": "[^/]*", "stem": "[^/]*"}
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
# What a row may tell of an object besides its key.
TOLD = ("version_id", "size", "etag", "content_type")


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Copy(_Result):
    """An object with the same key, the same bytes and the same attributes in the destination."""

    kind: Literal["copy"]


class Item(_Result):
    """An item in the destination's table for each event, the latest one last; the names are its attributes'.

    Attributes:
        key: The table's partition key: the object's key.
        event: What happened, such as `ObjectCreated:Put`; empty if there are items of created objects only.
        version_id: Of the object; empty if that is not told, like the next three.
        size: Of the object, in bytes.
        etag: Of the object.
        content_type: Of the object.
        expires: When it expires, in seconds since the epoch; empty if it does not.
        expires_days: The variable that says after how many days, 0 for never; empty if it does not.
    """

    kind: Literal["item"]
    key: str
    event: str = ""
    version_id: str = ""
    size: str = ""
    etag: str = ""
    content_type: str = ""
    expires: str = ""
    expires_days: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """What is told, by what it is called here: the attribute's name."""
        named = {name: getattr(self, name) for name in ("key", "event", "expires", *TOLD)}
        return {name: attribute for name, attribute in named.items() if attribute}


class Rows(_Result):
    """Each row of a file as an item in the destination's table, or among the rejected rows.

    Attributes:
        expires_days: The variable that says after how many days items expire, 0 for never.
        described_by: The variable that says what the table is, as `Ingest.table_description` writes it.
    """

    kind: Literal["rows"]
    expires_days: str
    described_by: str


def _pattern(text: str) -> str:
    named = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    if unknown := [name for name in named if name not in PARTS and not VARIABLE.fullmatch(name)]:
        raise ValueError(f"{text!r}: {{{unknown[0]}}} is neither a variable nor one of {', '.join(PARTS)}")
    if not set(named) & PARTS.keys():
        raise ValueError(f"{text!r}: has nothing of the object's key, so that all would have the same one")
    return text


Patterns = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], Field(min_length=1)]


class Derived(_Result):
    """An object in the destination bucket that is made of this one, and says of which version.

    Attributes:
        keys: Where it is, such as `{OUTPUT_PREFIX}{folder}summary_{stem}.json`; if there are several, it is
            in one of them. `{key}` is the object's; `{path}` what follows the prefix of the notification;
            `{folder}` and `{name}` the path's folder, with its slash, and its name, and `{stem}` that without
            the suffix of the notification.
        keys_by_suffix: Where it is instead, by the suffix of the notification, for those that differ.
        told_in: Where it says so: `body`, JSON with the names `version_id`, `etag`, `size_bytes`; or
            `metadata`, of the names `source-version-id`, `source-etag`, `source-size-bytes`.
    """

    kind: Literal["derived"]
    keys: Patterns
    keys_by_suffix: dict[str, Patterns] = Field(default_factory=dict)
    told_in: Literal["body", "metadata"]


class Nothing(_Result):
    """Nothing that is kept, so that no audit can tell whether it was made.

    Attributes:
        why: In words, such as `what is sent to a topic is kept nowhere`.
    """

    kind: Literal["nothing"]
    why: str


Result = Annotated[Copy | Item | Rows | Derived | Nothing, Field(discriminator="kind")]


class DerivedKey:
    """Where a derived object is, and of which object one is."""

    def __init__(self, pattern: str, variables: Mapping[str, str]):
        """Fill the variables in.

        Args:
            pattern: One of `Derived.keys`.
            variables: Of the function.

        Raises:
            RunbookError: If one is missing.
        """
        self._parts: list[tuple[str, str]] = []
        for literal, name, _, _ in Formatter().parse(pattern):
            self._parts.append((literal, name if name in PARTS else ""))
            if name and name not in PARTS:
                if name not in variables:
                    raise RunbookError(
                        f"no function has the variable {name}, by which {pattern!r} in its handler's "
                        "facts.yaml says where the outcome is"
                    )
                self._parts.append((variables[name], ""))
        parts = (f"({PARTS[name]})" if name else "" for _, name in self._parts)
        texts = (re.escape(text) for text, _ in self._parts)
        written = (f"{text}{part}" for text, part in zip(texts, parts, strict=True))
        self._written = re.compile("".join(written), re.DOTALL)

    @property
    def prefix(self) -> str:
        """What all of these keys begin with."""
        texts = []
        for text, name in self._parts:
            texts.append(text)
            if name:
                break
        return "".join(texts)

    def of(self, key: str, keys: KeyFilter) -> str:
        """Return where the object is that is derived of one.

        Args:
            key: The source's.
            keys: Of which keys the pipeline is told; this is one of them.
        """
        path = key.removeprefix(keys.prefix)
        folder, slash, name = path.rpartition("/")  # as text, not as a path: to S3, an empty folder counts
        stem = name.removesuffix(keys.suffix)
        of_key = {"key": key, "path": path, "folder": f"{folder}{slash}", "name": name, "stem": stem, "": ""}
        return "".join(f"{text}{of_key[name]}" for text, name in self._parts)

    def source(self, written: str, keys: KeyFilter) -> Iterator[str]:
        """Yield the key of the object that a derived one is of; none if it is derived of none.

        Args:
            written: The derived one's key.
            keys: As for `of`.
        """
        found = self._written.fullmatch(written)
        if not found:
            return
        values = dict(zip((name for _, name in self._parts if name), found.groups(), strict=True))
        name = values.get("name", f"{values.get('stem', '')}{keys.suffix}")
        path = values.get("path", f"{values.get('folder', '')}{name}")
        key = values.get("key", f"{keys.prefix}{path}")
        if keys.takes(key) and self.of(key, keys) == written:
            yield key
