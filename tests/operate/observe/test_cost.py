"""What things cost: prices that say where they come from, and sums that a person can follow."""

import datetime
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib.operate import facts
from lib.operate.observe import cost, usage
from lib.parameters import Parameters
from lib.resources import prices

DEFAULTS = Parameters()
GB = 1024**3
LOGS = 1500 * 1e6 / GB * 0.50  # of a million objects


def parameters(**sections) -> Parameters:
    return Parameters.check(sections)


def approximately(expected: dict[str, float]) -> dict:
    return {name: pytest.approx(usd, rel=1e-6) for name, usd in expected.items()}


def column(table, name: str) -> dict[str, float]:
    """The items of a pipeline that cost something, and the total."""
    return {item: usd for item, usd in table[name].items() if usd}


@pytest.mark.parametrize("name", prices.prices())
def test_every_price_is_whole(name: str):
    price = prices.prices()[name]
    assert price.usd > 0 or name == "eventbridge_schedule"
    assert price.per >= 1
    assert urlsplit(price.source).netloc == "aws.amazon.com"
    assert not price.seen or urlsplit(price.seen).scheme == "https"


def test_the_prices_are_dated_and_told_apart_by_name():
    assert datetime.date.fromisoformat(prices.looked_up()) <= datetime.date.today()
    assert prices.table()["name"].is_unique
    content = yaml.safe_load(prices.FILE.read_text())
    assert list(prices.prices()) == list(content["prices"])


def test_what_was_read_nowhere_says_so():
    table = prices.table().set_index("name")["seen"]
    assert table["S3 batch jobs"] == "unverified"
    assert table["KMS keys"] == "aws.amazon.com"


def test_a_price_is_written_as_a_person_writes_it():
    table = prices.table().set_index("name")["price"]
    assert table["S3 batch jobs"] == "$0.25 per job of S3 Batch Operations"
    assert table["S3 batch objects"] == "$1.00 per 1,000,000 × object of such a job"
    assert table["Lambda disk"] == "$0.0000000309 per GB of disk above 512 MB and second"


def test_a_million_objects_of_10_kb_through_migrate():
    """1 copy and 1 look an object, 1 message, 1.2 requests of SQS, its share of a batch of ten."""
    seconds = (0.05 + 0.05) / 10 + 0.005 * 1769 / 512
    lambda_usd = seconds / 2 * 1e6 * 0.0000166667
    logs = (430 + 80) * 1e6 / GB * 0.50
    assert column(cost.per_million(DEFAULTS, 10 * 1024), "migrate") == approximately(
        {
            "S3 writes": 5.00,
            "S3 reads": 0.40,
            "transfer": 10 * 1024 * 1e6 / GB * 0.02,
            "Lambda invocations": 0.02,
            "Lambda time": lambda_usd,
            "SQS requests": 0.48,
            "SNS messages": 0.50,
            "logs": logs,
            "total": 5 + 0.4 + 0.1907349 + 0.02 + lambda_usd + 0.48 + 0.5 + logs,
        }
    )


def test_beside_others_it_is_the_same_without_transfer():
    table = cost.beside_others(DEFAULTS, "migrate", 10_000)
    alone = cost.per_million(DEFAULTS, 10_000)["migrate"]
    assert table.loc["total", "migrate"] == pytest.approx(alone["total"] - alone["transfer"])
    assert table.loc["total", "S3 alone"] == pytest.approx(5.00)
    assert table.loc["total", "S3 alone"] < table.loc["total", "migrate"]
    assert table.loc["total", "migrate"] < table.loc["total", "data-transfer-hub"]


def test_a_million_rows_of_the_index():
    assert column(cost.per_million(DEFAULTS, 10 * 1024), "index") == approximately(
        {
            "S3 reads": 0.40,
            "Lambda invocations": 0.20,
            "Lambda time": 0.1 * 0.25 * 1e6 * 0.0000166667,
            "DynamoDB writes": 0.625,
            "logs": LOGS,
            "total": 0.4 + 0.2 + 0.1 * 0.25 * 16.6667 + 0.625 + LOGS,
        }
    )


def test_a_million_files_of_ingest_are_20_million_rows():
    found = column(cost.per_million(DEFAULTS, 5), "ingest")
    assert found["DynamoDB writes"] == pytest.approx(12.50)
    assert found["S3 writes"] == pytest.approx(10.00)
    assert found["Lambda invocations"] == pytest.approx((1 / 50 + 1 / 10) * 0.20)


def test_what_crosses_regions_costs_by_how_far():
    def sent(**migrate) -> dict:
        found = column(cost.per_million(parameters(migrate=migrate), GB), "migrate")
        return {name: usd for name, usd in found.items() if name.startswith("transfer")}

    assert sent(source_region="us-east-1", target_region="us-east-1") == {}
    near = sent(source_region="us-east-1", target_region="us-east-2")
    assert near == approximately({"transfer, near": 10_000})
    far = sent(source_region="us-west-2", target_region="us-east-2")
    assert far == approximately({"transfer": 20_000})


KEYS = [f"arn:aws:kms:us-east-1:{DEFAULTS.account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"]


def test_keys_and_erased_versions_cost_more():
    more = parameters(kms_key_arns=KEYS, backup={"erase_versions": True})
    before, after = (column(cost.per_million(each, 0), "backup") for each in (DEFAULTS, more))
    assert after["KMS requests"] == pytest.approx(3.00)
    assert after["Lambda invocations"] == 2 * before["Lambda invocations"]
    assert after["S3 writes"] == pytest.approx(before["S3 writes"] + 5)  # the target's versions are listed
    assert before["logs"] < after["logs"] < 2 * before["logs"]


def test_a_large_csv_is_scanned_by_athena_and_takes_no_time_of_ours():
    limit = DEFAULTS.summarize.athena_above_mb * 1024**2
    small, large = (column(cost.per_million(DEFAULTS, size), "summarize") for size in (limit, limit + 1))
    assert "Athena" not in small
    assert large["Athena"] == pytest.approx(1e6 * 2 * 4096 / 1024**2 * 5, rel=1e-6)  # two queries
    assert large["Lambda time"] < small["Lambda time"] / 100
    tiny = parameters(summarize={"athena_above_mb": 0})
    assert column(cost.per_million(tiny, 1), "summarize")["Athena"] == pytest.approx(
        1e6 * 2 * 10 / 1024**2 * 5
    )


def test_a_month_in_which_nothing_comes():
    table = cost.per_month(DEFAULTS, 0, 10 * 1024)
    polls = 5 * 3 * 60 * 24 * 30.4 * 0.40 / 1e6
    idle = {"SQS requests": polls, "alarms": 0.30, "metrics": 1.20, "total": polls + 1.50}
    assert column(table, "migrate") == approximately(idle)
    assert column(table, "index") == approximately({"alarms": 0.20, "metrics": 0.60, "total": 0.80})
    assert column(table, "observe") == approximately({"dashboard": 3.00, "total": 3.00})


def test_a_key_is_asked_for_each_object_and_for_the_queue_s_data_key_every_five_minutes():
    keyed = parameters(kms_key_arns=KEYS)
    objects = {name: column(cost.per_million(keyed, 0), name) for name in ("migrate", "index", "ingest")}
    assert {name: costs["KMS requests"] for name, costs in objects.items()} == approximately(
        {"migrate": 3.00, "index": 3.00, "ingest": 6.00}
    )
    idle = cost.per_month(keyed, 0, 0)
    assert column(idle, "migrate")["KMS requests"] == pytest.approx(3 * 12 * 24 * 30.4 * 0.03 / 10_000)
    assert "KMS requests" not in column(idle, "index")


def test_a_month_of_objects_is_use_and_keeping():
    table = cost.per_month(DEFAULTS, 100_000, 1024**2)
    objects = 100_000 * 30.4
    found = column(table, "backup")
    assert found["S3 writes"] == pytest.approx(objects * 0.000005)
    assert found["S3 storage"] == pytest.approx(objects * 1024**2 / GB * 0.023)
    assert found["transfer, near"] == pytest.approx(objects * 1024**2 / GB * 0.01)
    assert table.loc["total", "backup"] == pytest.approx(sum(found.values()) / 2)


def test_what_watches_costs_by_its_alarms_and_metrics():
    def monthly(**observe) -> float:
        return cost.per_month(Parameters.check({"observe": observe}), 0, 0).loc["total", "observe"]

    assert monthly(watch=True) - monthly() == pytest.approx(10 * 0.10 + 9 * 0.30)
    assert monthly(watch=True, audit_overdue_h=0) - monthly() == pytest.approx(9 * 0.10 + 9 * 0.30)


def test_a_trail_costs_by_the_calls_that_it_records():
    def trail(objects: int, **observe) -> float:
        table = cost.per_month(parameters(observe=observe), objects, 0)
        return table["observe"].get("CloudTrail", 0)

    def of_objects(**observe) -> float:
        return trail(100_000, **observe) - trail(0, **observe)

    assert trail(100_000) == 0
    # Each upload, and what follows: migrate 2 calls, backup 3, index 1, summarize 5.
    assert of_objects(trail=True) == pytest.approx(30.4 * (4 + 2 + 3 + 1 + 5) * 0.10)
    assert of_objects(trail=True, trail_events="writes") == pytest.approx(30.4 * (4 + 1 + 1 + 0 + 2) * 0.10)
    # Ingest makes its own files: 2 writes and 2 reads each.
    assert trail(0, trail=True) == pytest.approx(30.4 * 24 * 60 * 50 * 4 * 0.10 / 100_000)


def test_ingest_costs_by_its_schedule():
    def writes(**ingest) -> float:
        return cost.per_month(parameters(ingest=ingest), 1000, 0).loc["DynamoDB writes", "ingest"]

    a_month = 30.4 * 24 * 60 * 50 * 20 * 0.625 / 1e6
    assert writes() == pytest.approx(a_month)
    assert writes(schedule="rate(5 minutes)") == pytest.approx(a_month / 5)
    assert writes(schedule="rate(2 hours)", files=1) == pytest.approx(a_month / 120 / 50)
    assert writes(schedule="cron(0 8 * * ? *)") == pytest.approx(30.4 * 1000 * 20 * 0.625 / 1e6)


def test_a_crawl_a_day_costs_ten_minutes_of_two_units():
    daily = parameters(migrate={"crawler_schedule": "cron(15 3 * * ? *)"})
    assert column(cost.per_month(daily, 0, 0), "migrate")["Glue crawlers"] == pytest.approx(
        30.4 * 2 * 10 / 60 * 0.44
    )


@given(st.integers(0, 10**7), st.integers(0, 5 * 1024**3), st.integers(2, 9))
def test_so_many_times_the_objects_cost_so_many_times_as_much(objects: int, size: int, factor: int):
    nothing, once, often = (
        cost.per_month(DEFAULTS, n, size).loc["total"] for n in (0, objects, factor * objects)
    )
    others = [name for name in facts.pipelines() if name != "ingest"]
    assert (often - nothing)[others].tolist() == pytest.approx((factor * (once - nothing))[others].tolist())
    assert often["ingest"] == pytest.approx(once["ingest"])


@pytest.mark.parametrize("name", facts.pipelines())
def test_everything_that_is_used_has_a_price(name: str):
    used = [
        usage.per_object(DEFAULTS, name, 1),
        usage.stored(DEFAULTS, name, 1),
        usage.per_month(DEFAULTS, name),
    ]
    assert {item for each in used for item in each} <= prices.prices().keys()
    assert "cloudtrail_data_event" in prices.prices()
