"""What handlers say of themselves: how it is read, and that the notebooks deploy what it says."""

import pytest
import yaml
from support.notebook_stacks import stack_of

from lib.base.errors import RunbookError
from lib.base.paths import ROOT
from lib.operate import facts
from lib.parameters import Parameters
from lib.resources.cloudwatch import Alarm
from lib.resources.eventbridge import Rule
from lib.resources.glue import Crawler
from lib.resources.lambda_ import EventSourceMapping, Function
from lib.resources.s3 import Bucket
from lib.resources.sns import Subscription

NOTEBOOKS = {path.stem.split("_", 1)[1]: path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
# Other than the defaults, and each another, so that no parameter is taken for a second one.
OTHERS = {
    "migrate": {"source_region": "eu-west-1", "target_region": "eu-central-1", "batch_size": 3}
    | {"function_memory_mb": 301, "crawler_schedule": "cron(15 3 * * ? *)"},
    "backup": {"primary_region": "eu-west-1", "dr_region": "eu-central-1", "function_memory_mb": 301},
    "index": {"region": "eu-west-1", "function_memory_mb": 301},
    "summarize": {"region": "eu-west-1", "function_memory_mb": 1301, "function_disk_mb": 9999},
    "ingest": {"region": "eu-west-1", "function_memory_mb": 301, "batch_size": 3, "files": 7}
    | {"schedule": "rate(7 minutes)"},
}


@pytest.fixture(params=[*facts.pipelines()])
def pipeline(request) -> str:
    return request.param


def others(pipeline: str) -> dict:
    """Other parameters than the defaults, also of a pipeline that nobody here knows."""
    section = Parameters().of_pipeline(pipeline)
    usual = {"region": "eu-west-1", "function_memory_mb": 301, "batch_size": 3}
    return OTHERS.get(pipeline) or {name: value for name, value in usual.items() if name in section}


@pytest.fixture
def stack(pipeline):
    return stack_of(NOTEBOOKS[pipeline], section=(pipeline, tuple(others(pipeline).items())))


@pytest.fixture
def names(pipeline) -> dict:
    return {**Parameters.check({pipeline: others(pipeline)}).of_pipeline(pipeline), "bytes": 1}


def of_kind(stack, kind) -> list:
    return [resource for resource in stack.resources.values() if isinstance(resource, kind)]


def test_the_notebook_deploys_the_handlers_that_say_so_under_their_names(pipeline, stack):
    functions = of_kind(stack, Function)
    assert {facts.handler_of(each.name): each.code.decode() for each in functions} == {
        said.name: said.name for said, _ in facts.parts(pipeline)
    }


def test_their_functions_are_made_as_they_say(pipeline, stack, names):
    functions = {facts.handler_of(each.name): each for each in of_kind(stack, Function)}
    for said, part in facts.parts(pipeline):
        function = functions[said.name]
        expected = [facts.value(amount, names) for amount in (part.region, part.memory_mb, part.disk_mb)]
        assert [function.region, function.memory_mb, function.disk_mb] == expected


def test_their_events_come_the_way_that_they_say(pipeline, stack, names):
    # A queue to which nobody else may send has what the function hands on to itself.
    told = [each for each in of_kind(stack, EventSourceMapping) if each.queue.senders]
    mappings = {each.function.name: each for each in told}
    queues = [each for each in of_kind(stack, Subscription) if each.protocol == "sqs"]
    rules = {each.function.name: each for each in of_kind(stack, Rule)}
    functions = {facts.handler_of(each.name): each.name for each in of_kind(stack, Function)}
    for said, part in facts.parts(pipeline):
        name = functions[said.name]
        assert part.queue == (name in mappings)
        assert part.topic == bool(queues and part.queue)
        assert bool(part.makes) == (name in rules)
        if part.queue:
            assert facts.value(part.batch_size, names) == mappings[name].batch_size
        if part.makes:
            assert facts.value(part.makes.schedule, names) == rules[name].schedule
            assert facts.value(part.makes.objects, names) == int(
                next(each for each in of_kind(stack, Function) if each.name == name).environment["FILES"]
            )


def test_the_bytes_go_where_the_buckets_are(pipeline, stack, names):
    regions = {each.region for each in of_kind(stack, Bucket)}
    parts = [part for _, part in facts.parts(pipeline)]
    said = {facts.value(each, names) for part in parts for each in (part.reads_in, part.writes_in)} - {""}
    assert said == regions


def test_the_alarms_are_those_that_they_name(pipeline, stack):
    named = [alarm for _, part in facts.parts(pipeline) for alarm in part.alarms]
    assert sorted(named) == sorted(each.what for each in of_kind(stack, Alarm))


def test_a_crawl_costs_where_a_crawler_has_a_schedule(pipeline, stack, names):
    crawled = any(each.schedule for each in of_kind(stack, Crawler))
    amounts = [part.per_month.get("glue_dpu_hour", 0) for _, part in facts.parts(pipeline)]
    assert any(facts.value(amount, names) for amount in amounts) == crawled


def test_one_handler_counts_the_objects_of_a_pipeline(pipeline):
    assert [part.counts_objects for _, part in facts.parts(pipeline)].count(True) == 1
    assert pipeline in Parameters.sections()
    assert facts.counting(pipeline).work


def test_every_amount_can_be_computed_from_the_parameters_of_its_pipeline(pipeline, names):
    for said, part in facts.parts(pipeline):
        amounts = [said.seconds, said.log_bytes, part.events, *part.stored.values()]
        amounts += [amount for calls in said.calls.values() for amount in calls.values()]
        amounts += [metric.published for metric in said.metrics.values()]
        assert all(float(facts.value(amount, names)) >= 0 for amount in amounts)


def test_handlers_are_in_a_pipeline_or_say_who_invokes_them():
    for said in facts.every().values():
        assert bool(said.pipelines) != bool(said.invoked_by), said.name


# --- how it is read


WHOLE = {
    "outcomes": {"done": "Things", "gone": None},
    "metrics": {"Things": {"unit": "Count", "counts": "things"}},
    "work": "Things",
    "seconds": 1,
    "log_bytes": "2 * KB",
    "calls": {"s3_read": {"s3:GetObject": 1}},
}


def of(tmp_path, text: str):
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / facts.FILE).write_text(text)
    return facts.load(tmp_path / "strange")


def test_the_least_that_a_handler_has_to_say(tmp_path):
    said = of(tmp_path, yaml.safe_dump(WHOLE))
    assert (said.name, said.done, said.counts, said.lag) == ("strange", ("done",), ("Things",), "")


MILLISECONDS = {"Things": {"unit": "Milliseconds", "counts": "x"}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"outcomes": {"done": "Other"}}, "metrics does not have Other"),
        ({"outcomes": {"done": None}}, "no outcome counts as the work Things"),
        ({"work": "Other"}, "metrics does not have Other"),
        ({"lag": "Things"}, "Things has the unit Count, not Milliseconds"),
        ({"bytes": "Things"}, "Things has the unit Count, not Bytes"),
        ({"metrics": MILLISECONDS}, "Things has the unit Milliseconds, not Count"),
        ({"metrics": {"Things": {"unit": "Pieces", "counts": "x"}}}, "Input should be 'Count'"),
        ({"sequence": ["begun", "done"]}, "neither outcomes nor steps have begun"),
        ({"calls": {"s3_reads": {"s3:GetObject": 1}}}, "no price s3_reads"),
        ({"seconds": "1 +"}, "'1 \\+' is no expression"),
        ({"seconds": None}, "seconds"),
        ({"outcome": {}}, "Extra inputs are not permitted"),
        ({"pipelines": {"x": {}}}, "region"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, why):
    with pytest.raises(RunbookError, match=why) as error:
        of(tmp_path, yaml.safe_dump(WHOLE | change))
    assert f"strange/{facts.FILE}" in str(error.value)


@pytest.mark.parametrize("text", ["", "- a", "text", "a: [", "\x00", "7"])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    with pytest.raises(RunbookError, match=f"strange/{facts.FILE}"):
        of(tmp_path, text)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(RunbookError, match=facts.FILE):
        facts.load(tmp_path)
    with pytest.raises(RunbookError, match="no handlers/unheard/facts.yaml; there are: .*index"):
        facts.of("unheard")
    with pytest.raises(RunbookError, match="invoked_by: nobody"):
        facts.invoked_by("nobody")


@pytest.mark.parametrize(
    "amount", ["unknown", "unknown + 1", "1 / 0", "bytes.real.__class__", "''.__class__.__mro__", "1 + 'a'"]
)
def test_what_cannot_be_computed_is_an_error_and_never_nothing(amount):
    with pytest.raises(RunbookError, match="cannot be computed"):
        facts.value(amount, {"bytes": 1})


def test_amounts_are_numbers_or_are_computed():
    assert facts.value(0.3, {}) == 0.3
    assert facts.value("2 * KB if bytes > 1 else 0", {"bytes": 2}) == 2048
    assert facts.value("([bytes, 10 * MB] | max) / TB", {"bytes": 0}) == pytest.approx(10 / 1024**2)


@pytest.mark.parametrize(
    ("function", "handler"),
    [
        ("runbook-local-index-index", "index"),
        ("/aws/lambda/runbook-local-ingest-consume", "consume"),
        ("runbook-local-mine-thumbnails", "thumbnails"),
        ("index", "index"),
    ],
)
def test_a_function_s_name_tells_its_handler(function, handler):
    assert facts.handler_of(function) == handler


def test_of_two_handlers_whose_names_end_alike_it_is_the_longer_one(monkeypatch):
    known = dict.fromkeys(["copy", "deep-copy"])
    monkeypatch.setattr(facts, "every", lambda: known)
    assert facts.handler_of("runbook-local-x-deep-copy") == "deep-copy"
    assert facts.handler_of("runbook-local-x-copy") == "copy"
