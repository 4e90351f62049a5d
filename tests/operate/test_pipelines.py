"""What the account says of its pipelines, with nothing remembered: the five, and others that nobody knows."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pandas as pd
import pytest
from support.audited import audited
from support.calls import watched
from support.cleanup import remove
from support.described import CODE, describe
from support.running import eventually
from support.the_five import pipelines
from support.zips import a_zip

from lib.base.errors import NotDeployedError, ParameterError, RunbookError
from lib.engine.stack import Stack
from lib.operate.audits import audit as audits
from lib.operate.audits.comparisons import NOT_KNOWN
from lib.operate.audits.findings import UNJUDGED
from lib.operate.backfills.arrivals import missing
from lib.operate.backfills.backfill import backfill, selection
from lib.operate.backfills.estimate import estimate
from lib.operate.failures import stuck
from lib.operate.failures.redrive import Choice, redrive
from lib.operate.observe import activity, dashboard, operation
from lib.operate.pipelines import Pipeline, buckets, deployed, survey, those_deployed
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, TAG_ROLE
from lib.resources.iam import Role
from lib.resources.lambda_ import EventInvokeConfig, EventSourceMapping, Function, Permission, function_arn
from lib.resources.s3 import Bucket, BucketNotification
from lib.resources.sns import Subscription, Topic
from lib.resources.sqs import DAY_S, Queue
from lib.s3.selection import KeyFilter
from lib.target import Target, connect

ENV, REGION = "tviews", "us-east-1"


def own(**sections) -> Parameters:
    return Parameters.check({"env": ENV, "exercise": False, **sections})


@pytest.fixture(scope="module")
def aws(local_aws) -> Target:
    return connect(own())


def seen(pipeline: Pipeline) -> dict:
    """A pipeline, its resources by what they are called: how they are set is not for operators."""
    letters = [
        (str(each.queue), str(each.origin), each.kind, each.deletes, each.others)
        for each in pipeline.dead_letters
    ]
    ends = ("source", "destination", "created", "removed")
    plain = ("name", "functions", "filters", "key_prefix", "at_odds", "lacks")
    return {
        **{name: str(getattr(pipeline, name)) for name in ends},
        **{name: getattr(pipeline, name) for name in plain},
        "queues": list(map(str, pipeline.queues)),
        "dead_letters": letters,
    }


# --- the five


@pytest.fixture(scope="module")
def five(aws) -> Iterator[dict[str, Stack]]:
    """All five as their notebooks describe them; whatever is not in the account is forgotten."""
    stacks = {name: describe(name, aws, own(), **SECTIONS.get(name, {})) for name in pipelines(own())}
    with ThreadPoolExecutor(len(stacks)) as threads:
        list(threads.map(Stack.apply, stacks.values()))
    stacks["migrate"].ledger.path.unlink()
    yield stacks
    with ThreadPoolExecutor(len(stacks)) as threads:
        list(threads.map(remove, stacks.values()))


SECTIONS = {"ingest": {"schedule_state": "DISABLED"}, "summarize": {"region": "eu-west-1"}}
CHANGES = {
    "migrate": {"key_prefix": "in/", "key_suffix": ".csv"},
    "backup": {"delete_sync": False},
    "summarize": {"input_prefix": "in/"},
}


def test_the_account_says_what_the_notebooks_have_described(aws, five):
    parameters = own(**SECTIONS)
    expected = [seen(each) for each in pipelines(parameters).values()]
    found = those_deployed(aws, parameters)
    assert [seen(each) for each in found] == expected
    assert (found.not_looked_at, found.absent, found.partial) == ({}, [], [])
    assert [seen(deployed(aws, parameters, name)) for name in five] == expected
    assert list(map(str, buckets(found))) == list(
        dict.fromkeys(
            str(end)
            for each in pipelines(parameters).values()
            for end in (each.source, each.destination)
            if isinstance(end, Bucket)
        )
    )


@pytest.mark.parametrize("name", CHANGES)
def test_it_says_so_too_if_they_describe_something_else(aws, five, name):
    section = SECTIONS.get(name, {}) | CHANGES[name]
    changed = own(**{name: section})
    try:
        describe(name, aws, changed, **section).apply()
        assert seen(deployed(aws, changed, name)) == seen(pipelines(changed)[name])
    finally:
        five[name].apply()


def test_what_was_deployed_before_there_were_roles_gets_them_by_the_next_run(aws, five):
    parameters, stack = own(), five["index"]
    for end in (stack.resources[each.arn] for each in ends_of(parameters, "index")):
        untag(aws, end)
    with pytest.raises(NotDeployedError, match=f"{TAG_ROLE}=source, .* runbook run index") as error:
        deployed(aws, parameters, "index")
    assert survey(aws, parameters).left_out["index"].startswith(str(error.value))
    (partial,) = (each for each in stuck.chosen(aws, parameters) if each.name == "index")
    assert partial.why_not_again(partial.dead_letters[0]).startswith("what is deployed contradicts")
    stack.ledger.path.unlink(missing_ok=True)
    changed = {str(step.resource): set(step.changes) for step in stack.apply() if step.action == "change"}
    assert changed == {str(end): {"tags"} for end in ends_of(parameters, "index")}
    assert seen(deployed(aws, parameters, "index")) == seen(pipelines(parameters)["index"])


def ends_of(parameters: Parameters, name: str) -> list:
    pipeline = pipelines(parameters)[name]
    return [pipeline.source, pipeline.destination]


def untag(aws: Target, end: Bucket | Queue) -> None:
    """Let an end have no role, as one that an older version of the runbook made."""
    client, role = aws.client(end.service, end.region), end.role
    end.role = ""
    end.update(client, {"tags": end.tags})
    assert TAG_ROLE not in end.read(client)["tags"]
    end.role = role


def test_what_is_consumed_is_audited_and_backfilled_whatever_its_key_ends_with(aws, five):
    parameters = own(backfill={"pipeline": "ingest"}, **SECTIONS)
    bucket = pipelines(parameters)["ingest"].source
    body = f"ticker,timestamp,price,volume\nIBM,{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ},1.5,10\n".encode()
    for key in ("stocks/a.csv", "stocks/b.txt", "other/c.csv"):
        aws.client("s3", bucket.region).put_object(Bucket=bucket.name, Key=key, Body=body)
    found = {each.key: each.state for each in audited(aws, parameters, "ingest").findings}
    assert found == {"stocks/a.csv": "missing", "stocks/b.txt": "missing"}
    assert selection(aws, parameters)[1].count(aws)["objects"].sum() == 2


def test_a_source_that_tells_nobody_is_told_of_and_gets_nothing(aws, five):
    """As after a change by hand: what is written from then on is lost, whatever an audit finds now."""
    parameters, stack = own(**SECTIONS), five["index"]
    (notification,) = (each for each in stack.resources.values() if isinstance(each, BucketNotification))
    notification.delete(stack.client(notification), f"{notification.bucket.name}#{notification.name}")
    try:
        found = audited(aws, parameters, "index")
        assert not found.is_clean
        assert "tells nobody of objects that are written" in str(found)
        with pytest.raises(RunbookError, match="tells nobody .* runbook run index; nothing was sent"):
            selection(aws, own(backfill={"pipeline": "index"}))
    finally:
        stack.apply()


# --- a sixth, in an environment without the five

SIXTH = "tsixth"


def sixth(**sections) -> Parameters:
    return Parameters.check({"env": SIXTH, "exercise": False, **sections})


@pytest.fixture(scope="module")
def there(local_aws) -> Target:
    return connect(sixth())


HANDLER = """
import json, os
import boto3

def handler(event, context):
    for message in event["Records"]:
        for record in json.loads(message["body"]).get("Records", []):
            key = record["s3"]["object"]["key"]
            boto3.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Message=key)
"""


def role_of(stack: Stack, what: str, *actions: str) -> Role:
    """Add a role for a function that may do this to what is the pipeline's."""
    statements = [
        {"Effect": "Allow", "Action": each, "Resource": f"arn:aws:{each[:3]}:*:*:{stack.scope.beginning}*"}
        for each in actions
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    return stack.add(Role(what, GLOBAL_REGION, trusts="lambda.amazonaws.com", policy=policy))


@pytest.fixture(scope="module")
def announced(there) -> Iterator[Stack]:
    """S3 → SQS, with dead letters → Lambda → SNS, which nobody but its resources knows of."""
    stack = Stack(there, sixth(), "gazette")
    source = stack.add(Bucket("photos", REGION, role="source"))
    dead = stack.add(Queue("undone", REGION, retention_s=14 * DAY_S))
    senders = {"s3.amazonaws.com": source.arn}
    queue = stack.add(Queue("work", REGION, visibility_timeout_s=360, dead_letter=dead, senders=senders))
    topic = stack.add(Topic("news", REGION, role="destination"))
    heard = stack.add(Queue("heard", REGION, senders={"sns.amazonaws.com": topic.arn}))
    stack.add(Subscription("heard", REGION, topic=topic, endpoint=heard.arn))
    receive = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    role = role_of(stack, "teller", *receive, "sns:Publish")
    function = Function(
        "teller", REGION, role=role, code=a_zip(HANDLER), environment={"TOPIC_ARN": topic.arn}
    )
    stack.add(function)
    stack.add(EventSourceMapping("work", REGION, queue=queue, function=function))
    for suffix in (".jpg", ".png"):
        what = f"pictures-{suffix[1:]}"
        stack.add(
            BucketNotification(
                what, REGION, bucket=source, destination=queue, key_prefix="in/", key_suffix=suffix
            )
        )
    stack.apply()
    stack.ledger.path.unlink()
    yield stack
    remove(stack)


def taken(client, url: str) -> list[str]:
    """The messages of a queue, which are deleted."""
    found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in found]


def heard(stack: Stack) -> set[str]:
    """The keys that the pipeline's topic has told of since this was asked last."""
    (queue,) = (each for each in stack.resources.values() if isinstance(each, Queue) and each.what == "heard")
    client = stack.client(queue)
    return set(taken(client, queue.output(client)))


def test_a_pipeline_that_nobody_knows_by_name_is_found(there, announced):
    (pipeline,) = those_deployed(there, sixth())
    name = announced.scope.name
    assert pipeline == deployed(there, sixth(), "gazette")
    assert (pipeline.name, pipeline.lacks, pipeline.at_odds) == ("gazette", (), ())
    assert pipeline.source.name == f"{name('photos')}-000000000000-{REGION}"
    assert str(pipeline.destination) == f"SNS topic {name('news')} in {REGION}"
    assert (pipeline.created.name, pipeline.removed) == (name("work"), None)
    assert pipeline.filters == (KeyFilter("in/", ".jpg"), KeyFilter("in/", ".png"))
    assert pipeline.key_prefix == "in/"
    assert [each.name for each in pipeline.functions] == [name("teller")]
    (letters,) = pipeline.dead_letters
    assert (letters.queue.name, letters.origin.name, letters.kind) == (
        name("undone"),
        name("work"),
        "dead letters",
    )
    assert buckets([pipeline]) == [pipeline.source]


def test_its_dead_letters_are_seen_and_sent_again(there, announced):
    (pipeline,) = stuck.chosen(there, sixth())
    (letters,) = pipeline.dead_letters
    client = there.client("sqs", REGION)
    record = {
        "awsRegion": REGION,
        "eventTime": "2026-01-02T03:04:05Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": pipeline.source.name}, "object": {"key": "in/stuck.jpg"}},
    }
    body = json.dumps({"Records": [record]})
    client.send_message(QueueUrl=letters.queue.output(client), MessageBody=body)
    found = stuck.stuck(there, pipeline)
    assert list(found[["pipeline", "queue", "key"]].itertuples(index=False, name=None)) == [
        ("gazette", "undone", "in/stuck.jpg")
    ]
    done = redrive(there, [pipeline], Choice())
    assert list(done[["pipeline", "messages", "left"]].itertuples(index=False, name=None)) == [
        ("gazette", 1, 0)
    ]
    assert eventually(lambda: "in/stuck.jpg" in heard(announced))


def test_a_backfill_sends_to_it(there, announced):
    parameters = sixth(backfill={"pipeline": "gazette"})
    pipeline, selected = selection(there, parameters)
    s3 = there.client("s3", REGION)
    for key in ("in/a.jpg", "in/b.png", "in/c.txt", "d.jpg"):
        s3.put_object(Bucket=pipeline.source.name, Key=key, Body=b"1")
    told = set()
    assert eventually(lambda: told.update(heard(announced)) or told >= {"in/a.jpg", "in/b.png"})
    wanted = estimate(there, parameters)
    assert (wanted.objects, str(selected).endswith("in/* that end in '.jpg' or '.png'")) == (2, True)
    assert "and what the pipeline does with them, which is not known" in repr(wanted)
    left = missing(there, parameters)
    assert set(left.itertuples(index=False, name=None)) == {
        (key, UNJUDGED, NOT_KNOWN) for key in ("in/a.jpg", "in/b.png")
    }
    assert backfill(there, parameters, wanted.objects)["sent"].tolist() == [2]
    again = set()
    assert eventually(lambda: again.update(heard(announced)) or again >= {"in/a.jpg", "in/b.png"})


def test_what_nobody_has_counted_or_audited_hides_nothing_else(there, announced):
    """The dashboard and the tables show what there is, and an audit says that it knows nothing of it."""
    found = those_deployed(there, sixth())
    body = dashboard.body(sixth(), found)
    assert "gazette-photos" in str(body) and "gazette-undone" in str(body)
    queues = operation.queues(there, found)
    assert set(queues["queue"]) == {"work", "undone"}
    done = activity.read(there, found, pd.Timestamp.now("UTC") - pd.Timedelta(hours=1))
    assert done.seen_errors()["errors"].tolist() == [0]
    assert "gazette" in operation.cost_so_far(sixth(), done).columns
    assert list(done.throughput().columns) == ["gazette"]
    assert audits.not_auditable(found) == {"gazette": NOT_KNOWN}
    with pytest.raises(RunbookError, match=f"gazette: {NOT_KNOWN}"):
        audits.audit(there, sixth(), "gazette")


def test_of_several_ends_of_a_role_it_is_the_one_that_work_passes(there, announced):
    news = deployed(there, sixth(), "gazette").destination
    rumours = Topic("rumours", REGION, role="destination")
    spare = Bucket("spare", REGION, role="source")
    for resource in (rumours, spare):
        resource.scope = announced.scope
        resource.make(announced.client(resource))
    try:
        pipeline = deployed(there, sixth(), "gazette")
        assert (pipeline.destination, pipeline.source.what) == (news, "photos")
    finally:
        rumours.delete(announced.client(rumours), rumours.arn)
        spare.delete(announced.client(spare), spare.name)


def test_if_that_does_not_tell_both_are_named(there):
    stack = Stack(there, sixth(), "twice")
    ends = [stack.add(Bucket(what, REGION, role="source")) for what in ("one", "other")]
    try:
        stack.apply()
        said = " and ".join(map(str, ends))
        assert f"{said} are tagged {TAG_ROLE}=source: " in survey(there, sixth()).left_out["twice"]
    finally:
        remove(stack)


def test_a_name_that_nothing_has_is_refused_with_those_that_there_are(there, announced):
    said = "no pipeline 'gazete'; there are: migrate, .*, gazette – did you mean gazette"
    with pytest.raises(ParameterError, match=said):
        deployed(there, sixth(), "gazete")


def test_of_one_that_only_invokes_the_failures_are_seen(there):
    stack = Stack(there, sixth(), "stamp")
    source = stack.add(Bucket("letters", REGION, role="source"))
    failures = stack.add(Queue("failures", REGION, retention_s=14 * DAY_S))
    functions = []
    for what, kind in (("stamp", "Created"), ("shred", "Removed")):
        function = stack.add(Function(what, REGION, role=role_of(stack, what, "sqs:SendMessage"), code=CODE))
        stack.add(EventInvokeConfig(what, REGION, function=function, on_failure=failures))
        stack.add(
            Permission(what, REGION, function=function, principal="s3.amazonaws.com", source_arn=source.arn)
        )
        stack.add(
            BucketNotification(
                what, REGION, bucket=source, destination=function, events=(f"s3:Object{kind}:*",)
            )
        )
        functions.append(function)
    try:
        stack.apply()
        pipeline = deployed(there, sixth(), "stamp")
        assert (pipeline.created.name, pipeline.removed.name) == tuple(each.name for each in functions)
        assert pipeline.destination is None
        (letters,) = pipeline.dead_letters
        both = {letters.origin.name, *(each.name for each in letters.others)}
        assert both == {each.name for each in functions}

        invoked: list[str] = []
        client, body = stack.client(failures), {"requestPayload": {"Records": []}}
        for arn in (
            functions[1].arn,
            functions[0].arn,
            function_arn(stack.scope, REGION, "gone"),
        ):
            context = {"condition": "RetriesExhausted", "functionArn": f"{arn}:$LATEST"}
            said = json.dumps({**body, "requestContext": context})
            client.send_message(QueueUrl=failures.output(client), MessageBody=said)

        def look(model, params, **_) -> None:
            if model.name == "Invoke":
                invoked.append(params["url_path"].split("/")[-2])

        done = redrive(watched(there, "before-call", look), [pipeline], Choice())
        assert sorted(invoked) == sorted(each.name for each in functions)
        assert done[["messages", "left"]].to_dict("records") == [{"messages": 2, "left": 1}]
    finally:
        remove(stack)


def test_events_that_go_to_several_are_sent_to_none_of_them(there):
    stack = Stack(there, sixth(), "fan")
    source = stack.add(Bucket("letters", REGION, role="source"))
    topic = stack.add(Topic("told", REGION, publishers={"s3.amazonaws.com": source.arn}))
    dead, queues = stack.add(Queue("undone", REGION, retention_s=14 * DAY_S)), []
    for what in ("one", "other"):
        how = {"dead_letter": dead, "max_receive_count": 1, "senders": {"sns.amazonaws.com": topic.arn}}
        queue = stack.add(Queue(what, REGION, **how))
        queues.append(queue)
        stack.add(Subscription(what, REGION, topic=topic, endpoint=queue.arn))
    stack.add(BucketNotification("told", REGION, bucket=source, destination=topic))
    try:
        stack.apply()
        pipeline = deployed(there, sixth(), "fan")
        assert pipeline.at_odds == ()
        with pytest.raises(RunbookError, match="goes to several queues or functions"):
            selection(there, sixth(backfill={"pipeline": "fan"}))
        client, urls = stack.client(dead), [queue.output(stack.client(queue)) for queue in queues]
        for how in (Choice(), Choice("not an event")):
            for url in urls:
                taken(client, url)  # S3's test event
                client.send_message(QueueUrl=url, MessageBody=f"for {url}")
                for _ in range(2):
                    client.receive_message(QueueUrl=url, VisibilityTimeout=0)
            assert redrive(there, [pipeline], how)["messages"].tolist() == [2]
            for url in urls:
                assert taken(client, url) == [f"for {url}"]
    finally:
        remove(stack)
