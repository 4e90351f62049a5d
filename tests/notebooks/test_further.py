"""Each further pipeline, from its notebook to its end: deployed, tried out, and operated as the five are."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property

import pandas as pd
import pytest
from support.audited import audited
from support.described import describe
from support.headless import Deployed, eventually

from lib.engine.inventory import Inventory
from lib.engine.waiting import Waiting
from lib.operate import facts
from lib.operate.audits import audit as audits
from lib.operate.audits.comparisons import why_not
from lib.operate.backfills.backfill import backfill
from lib.operate.backfills.estimate import estimate
from lib.operate.failures import stuck
from lib.operate.failures.redrive import Choice, redrive
from lib.operate.observe import activity, dashboard
from lib.operate.pipelines import Pipeline, deployed
from lib.operate.samples import FOLDER
from lib.parameters import Parameters
from lib.parameters.pipelines import sections
from lib.resources.bundle import bundle
from lib.resources.lambda_ import Function
from lib.resources.sqs import Queue
from lib.s3.objects import Place

NOTEBOOKS = {path.stem[3:]: path.stem for path in FOLDER.parent.glob("[0-9][0-9]_*.ipynb")}


class Further(Deployed):
    """A further pipeline, deployed with its samples."""

    @cached_property
    def name(self) -> str:
        return self.notebook[3:]

    @property
    def pipeline(self) -> Pipeline:
        return deployed(self.aws, self.parameters, self.name)

    @property
    def source(self) -> Place:
        return Place.of(self.aws, self.pipeline.source)

    @property
    def key(self) -> str:
        """Of one of the samples."""
        (first, *_) = self.source.client.list_objects_v2(Bucket=self.source.bucket)["Contents"]
        return first["Key"]

    def lose(self, key: str) -> None:
        """Lose what was made of an object, if that is kept in a bucket."""
        where = getattr(self.parameters, self.name).derived_keys(key)
        for each in where:
            there = Place.of(self.aws, self.pipeline.destination)
            there.client.delete_object(Bucket=there.bucket, Key=each)

    def states(self) -> dict[str, str]:
        return {found.key: found.state for found in audited(self.aws, self.parameters, self.name).findings}


@pytest.fixture(scope="module", params=sections())
def further(request, local_aws, tmp_path_factory) -> Iterator[Further]:
    name = request.param
    made = Further(NOTEBOOKS[name], tmp_path_factory.mktemp(name), {"env": "tfurther"})
    made.run()
    yield made
    made.destroy()
    assert Inventory(made.aws, made.parameters).table().empty


def test_a_second_run_has_nothing_to_do_and_drift_is_seen_and_repaired(further):
    stack = describe(further.name, further.aws, further.parameters, bundle)
    assert {step.action for step in stack.plan()} == {"unchanged"}
    function = next(each for each in stack.resources.values() if isinstance(each, Function))
    stack.client(function).update_function_configuration(FunctionName=function.name, Timeout=11)
    changed = {str(step.resource): step.changes for step in stack.plan() if step.action != "unchanged"}
    assert changed.keys() == {str(function)}
    stack.apply()
    assert {step.action for step in stack.plan()} == {"unchanged"}


def test_it_is_what_its_parameters_and_its_handler_say(further):
    pipeline = further.pipeline
    assert (pipeline.lacks, pipeline.at_odds) == ((), ())
    assert facts.counting(further.name)
    assert {each.name for each, _ in facts.parts(further.name)} == {
        facts.handler_of(function.name) for function in pipeline.functions
    }


def test_what_is_lost_is_found_by_the_audit_and_repaired(further):
    if why_not(further.pipeline):
        pytest.skip(f"{further.name}: {why_not(further.pipeline)}")
    key = further.key
    assert further.states() == {}
    further.lose(key)
    assert further.states() == {key: "missing"}
    at_once = further.parameters.model_copy(
        update={"audit": further.parameters.audit.model_copy(update={"grace_s": 0})}
    )
    found = audits.audit(further.aws, at_once, further.name)
    assert audits.repair(further.aws, at_once, further.name, found).is_clean


def test_its_dead_letters_are_seen_with_their_keys_and_done_again(further):
    key, (letters, *_) = further.key, further.pipeline.dead_letters
    further.lose(key)
    record = {
        "eventSource": "aws:s3",
        "awsRegion": further.source.region,
        "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": further.source.bucket}, "object": {"key": key}},
    }
    body, waiting = {"Records": [record]}, Waiting.of(further.aws, letters.queue)
    if not isinstance(letters.origin, Queue):
        body = {"requestPayload": body, "requestContext": {"condition": "RetriesExhausted"}}
    waiting.client.send_message(QueueUrl=waiting.url, MessageBody=json.dumps(body))
    looked_at = stuck.chosen(further.aws, further.parameters)
    assert stuck.stuck(further.aws, *looked_at)[["pipeline", "key"]].values.tolist() == [[further.name, key]]
    done = redrive(further.aws, looked_at, Choice())
    assert done[["pipeline", "messages", "left"]].values.tolist() == [[further.name, 1, 0]]
    assert eventually(lambda: why_not(further.pipeline) or further.states() == {}, timeout_s=120)
    assert waiting.settle() == 0


def test_a_backfill_sends_what_was_there_before(further):
    chosen = Parameters.check({**further.values, "backfill": {"pipeline": further.name}})
    wanted = estimate(further.aws, chosen)
    assert backfill(further.aws, chosen, wanted.objects)["sent"].tolist() == [wanted.objects]
    assert "not known" not in repr(wanted)


def test_it_is_observed(further):
    pipeline = further.pipeline
    body = str(dashboard.body(further.parameters, [pipeline]))
    assert facts.counting(further.name).work in body
    assert all(letters.queue.name in body for letters in pipeline.dead_letters)
    done = activity.read(further.aws, [pipeline], pd.Timestamp.now("UTC") - pd.Timedelta(hours=1))
    assert done.throughput()[further.name].sum() >= 1
