"""What a soak test uploads: drawn from a seed, so that what must come of it is known beforehand."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

POISON = 0.02
OVERWRITTEN, DELETED = 0.1, 0.05
# The role may not read what is below the one, and not write what is below the other.
UNREADABLE, UNWRITABLE = "poison/unreadable/", "poison/unwritable/"
# What no S3 ever sent.
MALFORMED = ("not JSON", "[]", '{"Records": [{"eventSource": "aws:s3"}]}', '{"Records": [{"odd": 1}]}')
FOLDERS = ("in/", "in/day=2026-01-31/", "Zürich ü+%20/", "a/./b/")


@dataclass(frozen=True)
class Work:
    """One object's life.

    Attributes:
        key: Its key.
        bodies: What is put, one after the other.
        is_deleted: Whether it is deleted in the end.
        metadata: User metadata of each put.
        tags: Tags of each put, as PutObject takes them.
    """

    key: str
    bodies: tuple[bytes, ...]
    is_deleted: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    tags: str = ""

    @property
    def is_poison(self) -> bool:
        """Whether it can never be copied."""
        return self.key.startswith((UNREADABLE, UNWRITABLE))


def workload(objects: int, deletes: bool, seed: int = 1) -> tuple[list[Work], list[str]]:
    """Draw objects, and messages that are no events.

    Args:
        objects: How many, poison included.
        deletes: Whether some are deleted again.
        seed: Of the drawing.

    Returns:
        The objects, and the malformed messages; both poisons together are POISON of `objects`.
    """
    draw = random.Random(seed)
    malformed = [draw.choice(MALFORMED) for _ in range(max(1, round(objects * POISON / 3)))]
    return list(_works(draw, objects - len(malformed), deletes, len(malformed))), malformed


def _works(draw: random.Random, objects: int, deletes: bool, of_each_poison: int) -> Iterator[Work]:
    places = [UNREADABLE, UNWRITABLE] * of_each_poison
    places += [draw.choice(FOLDERS) for _ in range(objects - len(places))]
    draw.shuffle(places)
    for number, folder in enumerate(places):
        is_poison = folder in (UNREADABLE, UNWRITABLE)
        puts = 2 if not is_poison and draw.random() < OVERWRITTEN else 1
        yield Work(
            f"{folder}object {number:06}.txt",
            tuple(draw.randbytes(draw.randrange(1, 4096)) for _ in range(puts)),
            is_deleted=deletes and not is_poison and draw.random() < DELETED,
            metadata=(("number", str(number)),) if number % 3 == 0 else (),
            tags=f"number={number}" if number % 5 == 0 else "",
        )
