"""A sample of what is too much for every run of the tests."""

import os
import random
from datetime import date

from support.described import PIPELINES
from support.interruptions import Point

# Another sample each day, the same all day; RUNBOOK_SEED takes that of another.
SEED = int(os.environ.get("RUNBOOK_SEED", date.today().toordinal()))
TODAY = [PIPELINES[(2 * SEED + number) % len(PIPELINES)] for number in range(2)]


def sample(points: list[Point], salt: str) -> Point:
    return random.Random(f"{SEED} {salt}").choice(points)
