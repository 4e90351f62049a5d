"""What happens to each handler, so that it does all that it says of itself: a function each.

Those of a pipeline of one's own stand in its handler's tests: `scenario` of tests/handlers/test_NAME.py.
"""

from collections.abc import Callable, Iterable
from importlib.util import module_from_spec, spec_from_file_location
from itertools import chain, repeat
from time import perf_counter
from types import SimpleNamespace

from support.backup_pipeline import Backup
from support.buckets import Bucket
from support.consuming import Consume, small_pieces
from support.handler_support import HANDLERS, TARGET_REGION
from support.handler_user import lambda_context
from support.index_table import Index
from support.s3_messages import raw, s3_event, sqs_event
from support.seen import LOG_GROUP, REMOVED, Seen
from support.summaries import INPUT, NO_ATHENA, ONLY_ATHENA, Summaries
from support.watched import Invocation, watched


def replicate(operator, as_handler, _environment) -> Seen:
    backup = Backup.make(operator, as_handler)

    def deliver(event: dict) -> Invocation:
        return watched(backup.replicate, lambda: backup.invoke("replicate", event))

    event = backup.put("a", b"12345")
    new = deliver(event)
    again = deliver(event)
    backup.remove("a")
    others = [again, deliver(event), deliver(backup.event("a", REMOVED))]
    return Seen([(5, new)], others, values={"delete_sync": True, "batch_size": 1})


def delete(operator, as_handler, environment) -> Seen:
    backup = Backup.make(operator, as_handler, erases=True)

    def deliver(event: dict) -> Invocation:
        return watched(backup.delete, lambda: backup.invoke("delete", event))

    for body in (b"one", b"other"):
        first = backup.put("a", body)
        backup.invoke("replicate", first)
    (to_erase, *_), backup.handed_over[:] = [payload for _, payload in backup.handed_over], []
    new = backup.put("new", b"12345")
    backup.invoke("replicate", new)
    ((_, of_new),) = backup.handed_over
    found = [deliver(of_new)]
    version = backup.primary.versions("a")[-1][1]
    backup.primary.client.delete_object(Bucket=backup.primary.bucket, Key="a", VersionId=version)
    found += [deliver(to_erase), deliver(backup.event("new", REMOVED)), deliver(new)]
    gone = backup.remove("new")
    found += [deliver(gone), deliver(gone)]
    environment.setenv("BRAKE_DELETES", "0")
    found.append(deliver(backup.remove("a")))
    return Seen([(5, found[0])], found[1:], values={"erase_versions": True})


def index(operator, as_handler, _environment) -> Seen:
    made = Index.make(operator, as_handler, versioned=True)
    record = made.put("a.txt", b"12345", ContentType="text/plain")
    new, again = (watched(made.module, lambda: made.deliver(record)) for _ in range(2))
    return Seen([(5, new)], [again])


def summarize(operator, as_handler, environment) -> Seen:
    made = Summaries.make(operator, as_handler)
    body = b"a,b\n1,x\n2,y\n"

    def deliver(key: str, upload: bytes | None = None) -> Invocation:
        if upload is not None:
            made.bucket.put(key, upload)
        return watched(made.handler, lambda: made.deliver(key))

    environment.setenv("ATHENA_ABOVE_BYTES", NO_ATHENA)
    new = deliver(f"{INPUT}small.csv", body)
    others = [deliver(f"{INPUT}bad.csv", b""), deliver(f"{INPUT}never.csv"), deliver("elsewhere.csv")]
    environment.setenv("ATHENA_ABOVE_BYTES", ONLY_ATHENA)
    large = deliver(f"{INPUT}large.csv", body)
    return Seen([(len(body), new), (10**12, large)], others)


def consume(operator, as_handler, environment) -> Seen:
    made = Consume.make(operator, as_handler)
    prefix = made.settings.key_prefix

    def deliver(*bodies: str, times: Iterable[float] = ()) -> Invocation:
        clock = chain(times, repeat(0))
        environment.setattr(
            made.module, "time", SimpleNamespace(monotonic=lambda: next(clock), perf_counter=perf_counter)
        )
        event = sqs_event(*bodies)
        return watched(made.module, lambda: made.module.handler(event, lambda_context("consume")))

    def put(key: str, body: str, **how: Iterable[float]) -> Invocation:
        made.files.put(f"{prefix}{key}", body.encode())
        return deliver(raw(s3_event(made.record(key))), **how)

    rows = [f"A,2026-01-02T15:00:{second:02d}.000Z,1.50,7\n" for second in range(30)]
    body = "ticker,timestamp,price,volume\n" + "".join(rows)
    new = put("new.csv", body)
    others = [put("bad.csv", f"{body}no row\n"), deliver(raw(s3_event(made.record("never.csv"))))]
    others.append(deliver(raw(s3_event(made.record("new.csv", event_name=REMOVED)))))
    others.append(put("slow.csv", body, times=[*repeat(0, 12), 10**6]))
    (rest_of_slow,) = made.handed_on()
    others.append(deliver(rest_of_slow))
    with small_pieces():
        others.append(put("large.csv", body.replace("\n", "\nno row\n", 1)))
        (whole,) = made.handed_on()
        others.append(deliver(whole, times=[0, 0, 10**6]))
        pieces = made.handed_on()
        others += [deliver(piece) for piece in pieces]
    made.files.put(f"{prefix}large.csv", body.encode())
    others.append(deliver(pieces[0]))
    return Seen([(len(body), new)], others, values={"rows": len(rows)})


def generate(operator, as_handler, _environment) -> Seen:
    bucket = Bucket.make(operator, TARGET_REGION, versioned=True)
    variables = {"FILES_BUCKET": bucket.bucket, "KEY_PREFIX": "stocks/", "TICKERS": "A,B"}
    arns = {"bucket_arn": f"arn:aws:s3:::{bucket.bucket}", "failures_queue_arn": ""}
    policy = arns | {"key_prefix": "stocks/", "log_group_arn": LOG_GROUP}
    module = as_handler("generate", TARGET_REGION, variables | {"FILES": "3", "ROWS": "20"}, policy)
    event = {"time": "2026-01-02T15:04:00Z"}
    new = watched(module, lambda: module.handler(event, lambda_context("generate")))
    return Seen([(0, new)], [], objects=3, values={"files": 3, "rows": 20})


def announce(operator, as_handler, _environment) -> Seen:
    bucket = Bucket.make(operator, "us-east-1", versioned=True)
    sqs = operator.client("sqs", region_name="us-west-1")
    url = sqs.create_queue(QueueName=bucket.bucket)["QueueUrl"]
    queue = f"arn:aws:sqs:us-west-1:000000000000:{bucket.bucket}"
    policy = {"source_bucket_arn": f"arn:aws:s3:::{bucket.bucket}", "queue_arn": queue, "function_arn": ""}
    policy |= {"key_prefix": "", "log_group_arn": LOG_GROUP}
    variables = {"QUEUE_URL": url, "QUEUE_REGION": "us-west-1"}
    module = as_handler("announce", "us-east-1", variables, policy)
    bucket.put("a", b"12345")
    task = {"taskId": "t1", "s3Key": "a", "s3VersionId": None, "s3Bucket": bucket.bucket}
    request = {"invocationSchemaVersion": "2.0", "invocationId": "i1", "job": {"id": "j1"}, "tasks": [task]}
    return Seen([(5, watched(module, lambda: module.handler(request, lambda_context("announce"))))], [])


SCENARIOS = {
    each.__name__: each for each in (announce, consume, delete, generate, index, replicate, summarize)
}


def scenario_of(name: str) -> Callable[..., Seen]:
    """What happens to a handler."""
    if name in SCENARIOS:
        return SCENARIOS[name]
    path = HANDLERS.parent / "tests" / "handlers" / f"test_{name}.py"
    spec = spec_from_file_location(f"scenario_of_{name}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.scenario
