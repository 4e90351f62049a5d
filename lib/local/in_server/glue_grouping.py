"""Which objects make which table, as a Glue crawler decides it: exclusions, folders, likeness of schemas.

https://docs.aws.amazon.com/glue/latest/dg/define-crawler.html (exclude patterns)
https://docs.aws.amazon.com/glue/latest/dg/crawler-s3-folder-table-partition.html (folders, partitions)
https://docs.aws.amazon.com/glue/latest/dg/crawler-grouping-policy.html (one schema for each include path)
https://docs.aws.amazon.com/glue/latest/dg/crawler-table-level.html (which folder level is a table)

Simpler than AWS in one case: with neither a table level nor a grouping policy, each first folder below the
include path is a table here; AWS makes one table of them all when most of their schemas are alike. Set
`TableLevelConfiguration` in the crawler's configuration, and both do the same.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

from lib.local.in_server.glue_classify import Columns, Schema, merge_columns

# AWS: schemas that share 70 % of their fields are alike.
ALIKE = 0.7
# Neither Glue nor Athena reads objects of these:
# https://docs.aws.amazon.com/athena/latest/ug/querying-glacier.html
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})


@dataclass(frozen=True)
class S3Object:
    """An object as `list_objects_v2` returns it: key, size in bytes, storage class."""

    key: str
    size: int
    storage_class: str = "STANDARD"


@dataclass(frozen=True)
class Table:
    """A table to be.

    Attributes:
        name: Without the crawler's prefix.
        prefix: Where it lies in the bucket: a folder ending with `/`, "" for the bucket, or one object's key.
        objects: All that lie there.
        schemas: What the classifiers made of those that were sampled.
    """

    name: str
    prefix: str
    objects: list[S3Object]
    schemas: list[Schema]

    @cached_property
    def columns(self) -> Columns:
        """Name → type, over all sampled objects."""
        return reduce(merge_columns, (schema.columns for schema in self.schemas))

    def folders(self, key: str) -> list[str]:
        """The folders between the table's prefix and an object: its partition."""
        return key.removeprefix(self.prefix).split("/")[:-1]

    @cached_property
    def partition_keys(self) -> list[str]:
        """`name=value` folders give name, others partition_0, partition_1 …; none if the depths differ."""
        paths = [self.folders(item.key) for item in self.objects]
        if len({len(path) for path in paths}) != 1:
            return []
        levels = enumerate(zip(*paths, strict=True))
        return [_partition_key(f"partition_{i}", folders) for i, folders in levels]


def split(path: str) -> tuple[str, str]:
    """Split `s3://bucket/some/prefix` into bucket and prefix, the prefix ending with `/` unless empty."""
    bucket, _, prefix = path.removeprefix("s3://").partition("/")
    return bucket, prefix.rstrip("/") + "/" if prefix else ""


def is_excluded(relative_key: str, pattern: str) -> bool:
    """Tell whether one of Glue's exclude patterns matches a key.

    Args:
        relative_key: The key below the include path.
        pattern: `*` and `?` stay within a folder, `**` does not; `[a-c]`, `[!a]`, `{one,two}`.

    Returns:
        Whether it matches as a whole.
    """
    tokens = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
    regex = ""
    for part in re.findall(r"\*\*|\[[^]]+\]|.", pattern, re.DOTALL):
        is_set = len(part) > 1 and part[0] == "["
        regex += part.replace("[!", "[^") if is_set else tokens.get(part, re.escape(part))
    return re.fullmatch(regex, relative_key, re.DOTALL) is not None


def group(
    target: str,
    objects: Iterable[S3Object],
    grouping: dict,
    classify: Callable[[list[S3Object]], Iterable[tuple[S3Object, Schema]]],
) -> Iterator[Table]:
    """Group a target's objects into tables.

    Args:
        target: The include path, `s3://bucket/prefix`.
        objects: Those below it that count.
        grouping: `TableGroupingPolicy` and `TableLevelConfiguration`, as in the crawler's configuration.
        classify: Samples objects and returns those whose format is known.

    Yields:
        Each table: a folder whose objects are alike, else each of its objects.
    """
    bucket, prefix = split(target)
    combine = grouping.get("TableGroupingPolicy") == "CombineCompatibleSchemas"
    roots: dict[str, list[S3Object]] = {}
    for item in objects:
        roots.setdefault(_root(prefix, item.key, combine, grouping), []).append(item)
    for root, members in roots.items():
        known = list(classify(members))
        if known and _are_one_table([schema for _, schema in known], combine):
            folder = root.rstrip("/").rpartition("/")[2] or bucket
            yield Table(_name(folder), root, members, [schema for _, schema in known])
        else:
            yield from (Table(_name(_base(item.key)), item.key, [item], [schema]) for item, schema in known)


def _root(prefix: str, key: str, combine: bool, grouping: dict) -> str:
    """The prefix of the table that a key belongs to."""
    if level := grouping.get("TableLevelConfiguration"):  # level 1 is the bucket
        return "".join(f"{folder}/" for folder in key.split("/")[:-1][: level - 1])
    below = key.removeprefix(prefix).split("/")[:-1]
    is_one = combine or not below or "=" in below[0]
    return prefix if is_one else f"{prefix}{below[0]}/"


def _are_one_table(schemas: list[Schema], combine: bool) -> bool:
    """Of one format and, unless they are to be combined, alike: 70 % of each is found in the widest."""
    if len({schema.classification for schema in schemas}) > 1:
        return False
    widest = max((schema.columns.keys() for schema in schemas), key=len)
    return combine or all(len(s.columns.keys() & widest) >= ALIKE * len(s.columns) for s in schemas)


def _partition_key(default: str, folders: tuple[str, ...]) -> str:
    names = {folder.partition("=")[0] if "=" in folder else default for folder in folders}
    return names.pop().lower() if len(names) == 1 else default


def _base(key: str) -> str:
    return key.rpartition("/")[2]


def _name(folder_or_file: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", folder_or_file.lower())
