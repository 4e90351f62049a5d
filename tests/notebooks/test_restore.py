"""The disaster-recovery drill and the real thing, by the notebook, on a *backup* of its own."""

import json
from datetime import UTC, datetime

import pytest
from support.headless import Deployed, eventually, execute

from lib.base.errors import ParameterError, RunbookError
from lib.base.paths import home
from lib.operate.recovery import drill
from lib.parameters import Parameters
from lib.resources.s3 import empty_bucket
from lib.s3.objects import Place, side_by_side
from lib.s3.versions import histories

pytestmark = pytest.mark.long

BRAKE_DELETES = 24
KEYS = [f"data/{number:02}" for number in range(16)]
SINCE = "data/since"


@pytest.fixture(scope="module")
def backup(deploy) -> Deployed:
    return deploy("20_backup", env="trestore", backup={"brake_deletes": BRAKE_DELETES, "brake_minutes": 60})


@pytest.fixture(scope="module")
def primary(backup) -> Place:
    """The primary bucket, with objects that are not the drill's."""
    place = Place(backup.aws.client("s3", "us-east-1"), backup.outputs["primary_bucket"])
    for key in KEYS:
        place.client.put_object(Bucket=place.bucket, Key=key, Body=key.encode(), Tagging="kind=data")
    return place


@pytest.fixture(scope="module")
def dr(backup, primary) -> Place:
    place = Place(backup.aws.client("s3", "us-east-2"), backup.outputs["dr_bucket"])
    assert eventually(lambda: side_by_side(primary, place)["same"].all())
    return place


def restore(backup: Deployed, **values):
    return execute("73_restore", backup.folder, **{**backup.values, **values})


def written(place: Place) -> dict:
    return dict(histories(place))


def texts(notebook) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/plain", "") for output in outputs)


def said(notebook) -> str:
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


def test_a_plan_writes_nothing(backup, primary, dr):
    before = written(primary), written(dr)
    real = {"at": datetime.now(UTC).isoformat(), "into": primary.bucket}
    shown = texts(restore(backup, restore=real, mode="plan", exercise=True))
    assert f"in place {len(KEYS):>8}" in shown
    assert (written(primary), written(dr)) == before


def test_the_drill_passes_touches_only_its_own_and_leaves_a_report(backup, primary, dr):
    before = written(primary)
    restore(backup, exercise=True)
    assert written(primary) == before
    current = [key for key, history in written(dr).items() if not history[0].is_marker]
    assert current == KEYS
    assert any(key.startswith(drill.FOLDER) for key in written(dr)), "the DR bucket has lost its history"
    (page,) = (home() / "runs" / "drills").glob("*-trestore-*.html")
    told = json.loads(page.with_suffix(".json").read_text())
    assert told["passed"] == "yes"
    assert 0 < told["rpo_seconds"] < 60
    assert 0 < told["rto_seconds"] < 300
    assert all(each["sha256 before"] == each["sha256 after"] for each in told["objects"])
    assert told["objects"][0]["sha256 after"] in page.read_text()


def test_a_drill_that_cannot_pass_is_refused_before_anything_is_written(backup, primary):
    before = written(primary)
    values = backup.values["backup"]
    for settings, message in (
        ({"erase_versions": True}, "erase_versions is on"),
        ({"delete_sync": False}, "delete_sync is off"),
        ({}, r"the drill would pull it: \d+ deletes? in the last 60 minutes and 20 more, of 24"),
    ):
        parameters = Parameters.check({**backup.values, "backup": {**values, **settings}})
        with pytest.raises(RunbookError, match=message):
            drill.begin(backup.aws, parameters, deletes=20)
    for folder in ("", "data/", drill.FOLDER, f"{drill.FOLDER}x"):
        with pytest.raises(ParameterError, match="in a folder below runbook-drill/"):
            drill.Drill(backup.aws, None, folder)
    assert written(primary) == before


def test_all_of_a_lost_bucket_comes_back_while_the_brake_holds(backup, primary, dr):
    at = max(history[0].time for key, history in written(dr).items() if key in KEYS).isoformat()
    for key in KEYS:
        primary.client.delete_object(Bucket=primary.bucket, Key=key)
    brake = drill.brake(backup.aws, backup.parameters)
    assert eventually(lambda: brake.state()["pulled"][0] == "yes")
    empty_bucket(primary.client, primary.bucket)
    primary.client.put_object(Bucket=primary.bucket, Key=SINCE)
    assert eventually(lambda: SINCE in written(dr))
    shown = restore(backup, restore={"at": at, "into": primary.bucket})
    assert sorted(written(primary)) == [*KEYS, SINCE]
    assert f"{len(KEYS)} the same in checksum, headers and tags, 0 not" in texts(shown)
    assert "keys that are there now and were not then: 1;" in said(shown)
    assert primary.tags(KEYS[3]) == {"kind": "data"}
    assert primary.client.get_object(Bucket=primary.bucket, Key=KEYS[5])["Body"].read() == KEYS[5].encode()
    assert eventually(lambda: side_by_side(primary, dr)["same"].all())
    brake.discard("the loss's own deletes")
    assert eventually(lambda: brake.state()["held"][0] == 0)
    assert side_by_side(primary, dr)["same"].all()
