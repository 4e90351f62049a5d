"""The first notebook: the estimate is for the rates that the parameters give."""

from support.headless import execute

from lib.base import frames
from lib.operate.observe import cost
from lib.parameters import Parameters


def test_it_estimates_for_given_rates_and_makes_nothing(local_aws, tmp_path):
    values = {"env": "tstart", "start": {"objects_per_day": 5_000_000, "mean_bytes": 1024**2}}
    executed = execute("00_start", tmp_path, **values)
    shown = [o.data["text/plain"] for c in executed.cells for o in c.get("outputs", []) if "data" in o]
    parameters = Parameters.check(values)
    for table in (
        cost.per_million(parameters, 1024**2),
        cost.per_month(parameters, 5_000_000, 1024**2),
    ):
        assert any(frames.text(table.round(2)) == text for text in shown)
    assert any("RestrictPublicBuckets" in text and "not known" in text for text in shown)
    assert "(none; columns: pipeline, type, name, region, made by)" in shown
