"""Differences that are acknowledged: just these, and nothing that comes to a key later."""

import json

import pytest
from support.audited import audited, clear, make
from support.cleanup import remove
from support.the_five import pipelines

from lib.base.errors import NotDeployedError, ParameterError
from lib.engine.lock import locked
from lib.operate.audits.acknowledged import acknowledge, known, withdraw
from lib.operate.audits.audit import Audit
from lib.operate.audits.findings import Finding
from lib.parameters import Parameters
from lib.target import connect

WHY = "the sender is gone"
HEADER = b"ticker,timestamp,price,volume\n"
HARD_KEYS = ["with space/a+b%2F", "ü/🚀", "\uffee", "-x", "a\\b'\"c", "x" * 1024, "\n\x1b[31m", "../.."]
KEY = "stocks/a.csv"


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    parameters = Parameters.check({"env": "tacks"})
    at_once = parameters.audit.model_copy(update={"grace_s": 0})
    return parameters.model_copy(update={"audit": at_once})


@pytest.fixture(scope="module")
def aws(own):
    return connect(own)


@pytest.fixture(scope="module", params=["migrate"])
def pipeline(request, aws, own):
    stack = make(aws, own, request.param)
    yield pipelines(own)[request.param]
    remove(stack)


class Ends:
    """What lies at both ends of a pipeline, put there one by one."""

    def __init__(self, aws, own, pipeline):
        self.aws, self.own, self.pipeline = aws, own, pipeline

    def put(self, key: str, body: bytes = b"body", there: bool = False, **more) -> dict:
        client, place = self._at(there)
        client.put_object(**place, Key=key, Body=body, **more)
        return {} if "SSECustomerKey" in more else client.head_object(**place, Key=key)

    def delete(self, key: str, there: bool = False) -> None:
        client, place = self._at(there)
        client.delete_object(**place, Key=key)

    def item(self, **attributes) -> None:
        table = self.pipeline.destination
        self.aws.client("dynamodb", table.region).put_item(TableName=table.name, Item=attributes)

    def acknowledge(self, *keys: str) -> None:
        for key in keys:
            acknowledge(self.aws, self.own, self.pipeline.name, key, WHY)

    def audit(self) -> Audit:
        return audited(self.aws, self.own, self.pipeline.name)

    def anew(self) -> str:
        """Return what is said of the only difference, which was acknowledged when it was another one."""
        found = self.audit()
        (difference,) = found.findings
        assert (found.is_clean, found.findings.to_do, found.findings.known) == (False, 1, 0)
        assert (WHY in difference.detail, "judged anew" in difference.detail) == (True, True)
        return f"{difference.state}: {difference.detail}"

    def is_acknowledged(self) -> bool:
        found = self.audit()
        assert found.findings.known == len(list(found.findings)) == 1
        return found.is_clean

    def _at(self, there: bool) -> tuple:
        bucket = self.pipeline.destination if there else self.pipeline.source
        return self.aws.client("s3", bucket.region), {"Bucket": bucket.name}


@pytest.fixture
def ends(aws, own, pipeline):
    clear(aws, pipeline)
    for key in known(aws, own, pipeline.name):
        withdraw(aws, own, pipeline.name, key)
    return Ends(aws, own, pipeline)


def test_keys_may_have_any_characters(ends):
    for key in HARD_KEYS:
        ends.put(key)
    ends.acknowledge(*HARD_KEYS)
    found = ends.audit()
    assert (found.is_clean, found.findings.known, found.findings.settled) == (True, len(HARD_KEYS), [])


def test_what_was_missing_and_is_there_with_other_bytes_is_judged_anew(ends):
    ends.put("a")
    ends.acknowledge("a")
    assert ends.is_acknowledged()
    ends.put("a", b"corrupt", there=True)
    assert "stale" in ends.anew()
    ends.acknowledge("a")
    assert ends.is_acknowledged()
    ends.put("a", b"c0rrupt", there=True)
    assert "of other contents" in ends.anew(), "as many bytes, and other ones"
    ends.delete("a", there=True)
    assert "missing" in ends.anew()


def test_what_was_repaired_and_is_lost_later_is_judged_anew(ends):
    ends.put("a")
    ends.acknowledge("a")
    ends.put("a", there=True)
    found = ends.audit()
    assert (found.is_clean, found.findings.known, found.findings.settled) == (True, 0, ["a"])
    ends.delete("a", there=True)
    assert "missing" in ends.anew()
    ends.acknowledge("a")
    assert ends.is_acknowledged()
    ends.put("a", b"new")
    assert "missing" in ends.anew()


def test_what_differs_in_metadata_or_tags_is_that_and_no_other_of_its_kind(ends):
    for what, name in (("Metadata", "metadata"), ("Tagging", "tags")):
        ends.put("a", **{what: {"x": "0"} if what == "Metadata" else "x=0"})
        for value in "12":
            ends.put("a", there=True, **{what: {"x": value} if what == "Metadata" else f"x={value}"})
            if value == "1":
                ends.acknowledge("a")
                assert ends.is_acknowledged()
        assert ends.anew().startswith(name)
        ends.put("a", there=True)
        ends.put("a")


def test_only_what_differs_now_is_acknowledged(aws, own, ends):
    for key in ("same", "deleted"):
        ends.put(key)
        ends.put(key, there=True)
    ends.delete("deleted")
    ends.put("lost")
    ends.put("secret", SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32)
    for key, why in {
        "same": "migrate: 'same' is as it should be: there is nothing to acknowledge; nothing was written",
        "nowhere": "no such object in S3 bucket .*-source-.* or S3 bucket .*-target-",
        "deleted": "is extra, as it should be: deleted from the source",
        "secret": "cannot be judged: encrypted with a customer's key",
        "": "it is empty",
        "ü" * 513: "it has 1,026 bytes",
        "\udcff": "no text in UTF-8",
    }.items():
        with pytest.raises(ParameterError, match=why):
            ends.acknowledge(key)
    with pytest.raises(ParameterError, match="no text in UTF-8"):
        acknowledge(aws, own, "migrate", "lost", "\udcff")
    with pytest.raises(ParameterError, match="there is no pipeline 'nosuch'"):
        acknowledge(aws, own, "nosuch", "lost", WHY)
    with pytest.raises(NotDeployedError):
        acknowledge(aws, own, "backup", "lost", WHY)
    young = own.model_copy(update={"audit": own.audit.model_copy(update={"grace_s": 600})})
    with pytest.raises(ParameterError, match="is not judged now: changed less than 600 s ago"):
        acknowledge(aws, young, "migrate", "lost", WHY)
    assert known(aws, own, "migrate") == {}


def test_one_key_is_looked_at_however_many_there_are(aws, own, ends):
    """Reports of S3 Inventory, which a bucket of that many needs, are not asked for."""
    ends.put("lost")
    settings = own.audit.model_copy(update={"objects": 9, "inventory_above": 0})
    acknowledge(aws, own.model_copy(update={"audit": settings}), "migrate", "lost", WHY)
    assert ends.is_acknowledged()


def test_what_nobody_can_read_any_more_does_not_end_an_audit(ends):
    ends.put("a")
    ends.acknowledge("a")
    ends.put("a", SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32)
    found = ends.audit()
    assert (found.is_clean, dict(found.findings.unjudged).popitem()[1]) == (False, 1)


def test_what_an_earlier_version_wrote_hides_nothing(aws, own, ends):
    etag = ends.put("a")["ETag"].strip('"')
    ends.put("b")
    ends.acknowledge("b")
    with locked(aws, own) as lock:
        path = "acknowledged/migrate.json"
        said = json.loads(lock.kept(path)) | {
            "a": {"etag": etag, "reason": WHY, "at": "2026-01-02T03:04:05+00:00", "by": "somebody"}
        }
        said["b"]["more"] = "of a later version"
        lock.keep(path, json.dumps(said))
    found = ends.audit()
    assert (found.findings.to_do, found.findings.known) == (1, 1)
    (detail,) = (each.detail for each in found.findings if each.key == "a")
    assert detail.endswith("since an earlier version wrote that without saying how it differed")
    ends.acknowledge("a")
    assert ends.audit().is_clean


@pytest.mark.parametrize("pipeline", ["index"], indirect=True)
def test_a_row_is_what_a_table_holds(ends):
    head = ends.put("a")
    named = {"file_key": {"S": "a"}, "event_name": {"S": "ObjectCreated:Put"}}
    row = {"file_size": {"N": "1"}, "etag": {"S": "x"}, "content_type": {"S": head["ContentType"]}}
    ends.acknowledge("a")
    assert ends.is_acknowledged()
    ends.item(**named, **row, timestamp={"S": "2026-01-02T03:04:05.000Z"})
    assert "stale" in ends.anew()
    ends.acknowledge("a")
    assert ends.is_acknowledged()
    ends.item(**named, **row | {"etag": {"S": "y"}}, timestamp={"S": "2026-01-02T03:04:06.000Z"})
    assert "of other contents" in ends.anew()
    ends.acknowledge("a")
    ends.delete("a")
    assert "extra" in ends.anew()
    ends.acknowledge("a")
    assert ends.is_acknowledged()
    ends.item(**named, **row, timestamp={"S": "2026-01-02T03:04:07.000Z"})
    assert "of other contents" in ends.anew()


@pytest.mark.parametrize("pipeline", ["summarize"], indirect=True)
def test_an_outcome_is_what_a_bucket_of_summaries_holds(ends):
    head, key, summary = ends.put("synthetic-data/x.csv"), "synthetic-data/x.csv", "summaries/summary_x.json"

    def write(**changed) -> None:
        about = {"version_id": head["VersionId"], "etag": head["ETag"].strip('"'), "size_bytes": 4}
        ends.put(summary, json.dumps(about | changed).encode())

    ends.acknowledge(key)
    assert ends.is_acknowledged()
    write()
    assert ends.audit().findings.settled == [key]
    ends.delete(summary)
    assert "missing" in ends.anew()
    write(etag="of other bytes")
    assert "stale" in ends.anew()
    ends.acknowledge(key)
    assert ends.is_acknowledged()
    write(etag="of others still")
    assert "of other contents" in ends.anew()
    ends.put(key)
    ends.delete(key)
    ends.delete(summary)
    ends.put(never := "summaries/summary_never.json", b"{}")
    ends.acknowledge(never)
    assert ends.is_acknowledged()
    ends.put(never, b"[]")
    assert "of other contents" in ends.anew()


@pytest.mark.parametrize("pipeline", ["ingest"], indirect=True)
def test_of_a_file_it_is_the_rows_that_are_wrong_and_how(ends):
    ends.put(KEY, HEADER + b"A,2099-01-02T15:00:01Z,1,7\nA,2099-01-02T15:00:02Z,1,7\n")
    rows = [{"PK": {"S": "A"}, "SK": {"S": f"2099-01-02T15:00:0{second}.000Z"}} for second in (1, 2)]
    right = {"price": {"N": "1"}, "volume": {"N": "7"}, "source_key": {"S": KEY}}
    ends.item(**rows[0], **right)
    ends.acknowledge(KEY)
    assert ends.is_acknowledged()
    table = ends.pipeline.destination
    ends.aws.client("dynamodb", table.region).delete_item(TableName=table.name, Key=rows[0])
    ends.item(**rows[1], **right)
    assert "of other contents" in ends.anew(), "1 of 2 rows are not stored, and it is another one"
    ends.item(**rows[0], **right | {"price": {"N": "2"}})
    assert "stale" in ends.anew()
    ends.acknowledge(KEY)
    assert ends.is_acknowledged()
    ends.item(**rows[0], **right | {"price": {"N": "3"}})
    assert "of other contents" in ends.anew()


def test_it_says_in_words_why_it_is_judged_anew():
    from lib.operate.audits.acknowledged import Acknowledged

    said = Acknowledged(WHY, "at", "by", "stale", "other bytes", "x, y")
    assert said.why_anew(Finding("a", "stale", "other bytes", held="x, y")) == ""
    other = said.why_anew(Finding("a", "missing", held="x"))
    assert other == "judged anew, since it was stale – other bytes then"
    alike = said.why_anew(Finding("a", "stale", "other bytes", held="x, z"))
    assert alike == "judged anew, since it was stale – other bytes, of other contents, then"
