"""What others report of copying, following and indexing objects, done to *migrate*, *backup* and *index*.

Each test names its report; README.md has all of them.
"""

import json
from collections.abc import Iterator

import pytest
from support.running import Running, eventually

from lib.engine.waiting import Waiting
from lib.lake import table_export
from lib.lake.query import Athena
from lib.operate.audits.audit import audit
from lib.operate.failures.redrive import Choice, redrive
from lib.resources.athena import WorkGroup
from lib.resources.dynamodb import Table
from lib.resources.glue import Database
from lib.resources.s3 import Bucket

WITHIN_S = 60
# Keys that were skipped, mixed up or renamed elsewhere.
KEYS = {
    "2026/1//1d8c54b6416447b99897ab846100f7f6": "rclone/rclone#9383",
    "2026/1/1d8c54b6416447b99897ab846100f7f6": "rclone/rclone#9383",
    "/test/2.txt": "rclone/rclone#7419",
    "test/2.txt": "rclone/rclone#7419",
    "dots/..": "rclone/rclone#4704",
    "dots/../..txt": "rclone/rclone#4704",
    "percent/%41.txt": "localstack/localstack#8174",
    "percent/A.txt": "localstack/localstack#8174",
    "twice/a%2520b.txt": "keystonejs/keystone-storage-adapter-s3#42",
    "uploads/test_—_file.pdf": "localstack/localstack#13641",
    "forms/\u00e9.txt": "fog/fog#2790",
    "forms/e\u0301.txt": "fog/fog#2790",
    "8f3c060,Dean_Weston_Teeshirt_Pose®-croppable.jpeg": "aws/aws-cli#841",
    "a key [1] 100% c++.txt": "generalui/s3p#53",
    "etc/alternatives/c++": "awslabs/aws-sdk-rust#1357",
    "partitions/day=2026-01-02/hour=03/f1": "apache/ozone#2912",
    "test/10:47:07.20151213-1450022300.log.bz2": "aws/aws-sdk-js#837",
    "sample+0.mp4": "AnthonyMDev/AmazonS3RequestManager#59",
    "folder@#&/": "localstack/localstack#8198",
    "file_with$special@char.txt": "peak/s5cmd#375",
    "a  b   .txt ": "bji/libs3#42",
}
PART = b"x" * (5 * 2**20)


@pytest.fixture(scope="module")
def running(local_aws) -> Iterator[Running]:
    running = Running("robjects", ("migrate", "backup", "index"))
    yield running
    running.destroy()


@pytest.fixture(scope="module")
def keys(running) -> None:
    """Every key of KEYS, each with its own bytes, in all three pipelines; one by one.

    Here S3 starts a process for each event that comes while others are at work.
    """
    sources, dr = [running.source(name) for name in running.names], running.destination("backup")
    for key in KEYS:
        for source in sources:
            source.put(key, f"the bytes of {key}".encode(), Metadata={"original": "yes"})
        eventually(lambda key=key: dr.read(key) is not None, WITHIN_S)


def arrives(running, name, key) -> bool:
    here, there = running.source(name), running.destination(name)
    return eventually(lambda: there.state(key) == here.state(key), WITHIN_S)


@pytest.mark.parametrize("key", KEYS)
def test_an_odd_key_arrives_under_that_key_and_no_other(key, keys, running):
    for name in ("migrate", "backup"):
        assert arrives(running, name, key), name
        assert running.destination(name).read(key) == f"the bytes of {key}".encode()


def test_all_odd_keys_are_indexed_each_once(keys, running):
    def rows() -> dict[str, str]:
        return {item["file_key"]: item["content_preview"] for item in running.items("index")}

    assert eventually(lambda: rows().keys() >= KEYS.keys(), WITHIN_S), KEYS.keys() - rows().keys()
    assert {key: rows()[key] for key in KEYS} == {key: f"the bytes of {key}" for key in KEYS}


def test_metadata_headers_and_tags_of_an_object_of_parts_are_kept(running):
    """aws/aws-cli#1145, aws/aws-sdk-ruby#2821, aws/aws-sdk-java-v2#5049, aws/aws-sdk-java#367."""
    described = {
        "Metadata": {"json": '{"a": 1}', "empty": ""},
        "ContentType": "video/mp4",
        "CacheControl": "max-age=123456",
        "ContentDisposition": 'attachment; filename="a b.mp4"',
        "Tagging": "kind=large&colour=dark%20blue",
    }
    for name in ("migrate", "backup"):
        running.source(name).put_in_parts("videos/original.mp4", [PART, b"end"], **described)
    for name in ("migrate", "backup"):
        assert arrives(running, name, "videos/original.mp4"), name
        found = running.destination(name).state("videos/original.mp4")
        assert found["Metadata"] == described["Metadata"]
        assert found["tags"] == [("colour", "dark blue"), ("kind", "large")]


def test_metadata_of_a_small_object_is_kept(running):
    """boto/s3transfer#246, boto/boto3#3360; RFC 2047 as in boto/botocore#2552."""
    metadata = {"name": "=?UTF-8?Q?gro=C3=9F=2Ejpg?=", "json": '[1, "two"]'}
    for name in ("migrate", "backup"):
        running.source(name).put("small.jpg", b"1", Metadata=metadata)
        assert arrives(running, name, "small.jpg")
        assert running.destination(name).state("small.jpg")["Metadata"] == metadata


def test_tags_with_signs_that_urls_give_a_meaning_to_are_kept(running):
    """versity/versitygw#1243."""
    tagging = "a%2Bb=c%20d&e%2Ff=g%3Dh&i%40j=%C3%BC"
    for parts in ([b"1"], [PART, b"1"]):
        for name in ("migrate", "backup"):
            key = f"tags/{len(parts)}"
            running.source(name).put_in_parts(key, parts, Tagging=tagging)
            assert arrives(running, name, key)
            expected = [("a+b", "c d"), ("e/f", "g=h"), ("i@j", "ü")]
            assert running.destination(name).state(key)["tags"] == expected


def test_an_object_overwritten_at_once_by_one_of_the_same_size_is_copied(running):
    """aws/aws-cli#3273: sync compares sizes and times, and missed such ones."""
    for name in ("migrate", "backup"):
        source = running.source(name)
        for body in (b"version 1", b"version 2", b"version 3"):
            source.put("app/index.html", body)
        there = running.destination(name)
        assert eventually(lambda there=there: there.read("app/index.html") == b"version 3", WITHIN_S), name


def test_an_event_that_comes_again_copies_nothing_again(running):
    """peak/s5cmd#676, peak/s5cmd#712: each sync copied the same object anew."""
    running.source("migrate").put("again.txt", b"once", StorageClass="STANDARD_IA")
    assert arrives(running, "migrate", "again.txt")
    there = running.destination("migrate")
    before = there.client.head_object(Bucket=there.bucket, Key="again.txt")
    queue = Waiting.of(running.target, running.pipeline("migrate").created)
    for _ in range(3):
        queue.client.send_message(QueueUrl=queue.url, MessageBody=event(running, "migrate", "again.txt"))
    assert queue.settle() == 0
    after = there.client.head_object(Bucket=there.bucket, Key="again.txt")
    assert (after["LastModified"], after.get("VersionId")) == (
        before["LastModified"],
        before.get("VersionId"),
    )


def event(running, name: str, key: str) -> str:
    """The text of an S3 event."""
    source = running.pipeline(name).source
    record = {
        "eventSource": "aws:s3",
        "awsRegion": source.region,
        "eventTime": "2026-01-02T15:04:05.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": source.name}, "object": {"key": key}},
    }
    return json.dumps({"Records": [record]})


def test_a_redriven_message_is_the_message_that_died(running):
    """cds-snc/forms-terraform#278: each redrive wrapped the message once more, until nobody could read it."""
    running.source("migrate").put("redriven.txt", b"at last")
    assert arrives(running, "migrate", "redriven.txt")
    there = running.destination("migrate")
    there.client.delete_object(Bucket=there.bucket, Key="redriven.txt")
    pipeline = running.pipeline("migrate")
    (letters,) = pipeline.dead_letters
    dead = Waiting.of(running.target, letters.queue)
    dead.client.send_message(QueueUrl=dead.url, MessageBody=event(running, "migrate", "redriven.txt"))
    redrive(running.target, [pipeline], Choice())
    assert arrives(running, "migrate", "redriven.txt")
    assert dead.settle() == 0


def test_deleting_a_folder_mark_or_a_shorter_key_deletes_that_only(running):
    """seaweedfs/seaweedfs#8742, eschwim/s3wipe#16."""
    primary, dr = running.source("backup"), running.destination("backup")
    for key in ("test-content/", "test-content/file1.txt", "foo", "foo2", "foo/1"):
        primary.put(key, key.encode())
        assert arrives(running, "backup", key)
    for key in ("test-content/", "foo"):
        primary.client.delete_object(Bucket=primary.bucket, Key=key)
        assert eventually(lambda key=key: dr.read(key) is None, WITHIN_S)
    assert {"test-content/file1.txt", "foo2", "foo/1"} <= dr.keys()


def test_every_key_of_one_delete_request_is_followed(running):
    """minio/minio#11515: of the events of a multi-object delete only one was right."""
    primary, dr = running.source("backup"), running.destination("backup")
    gone = [f"bulk/{n} +%&é.txt" for n in range(6)]
    for key in gone:
        primary.put(key, b"1")
    assert eventually(lambda: set(gone) <= dr.keys(), WITHIN_S)
    objects = [{"Key": key} for key in gone]
    primary.client.delete_objects(Bucket=primary.bucket, Delete={"Objects": objects})
    assert eventually(lambda: not set(gone) & dr.keys(), WITHIN_S), set(gone) & dr.keys()


def test_what_was_deleted_and_comes_back_by_removing_the_delete_marker_comes_back_in_the_copy(running):
    """grafana/mimir#11256, angeloc/s3-pit-restore#35: undeleting without a new version."""
    primary, dr = running.source("backup"), running.destination("backup")
    primary.put("undeleted.txt", b"back again")
    assert arrives(running, "backup", "undeleted.txt")
    marker = primary.client.delete_object(Bucket=primary.bucket, Key="undeleted.txt")["VersionId"]
    assert eventually(lambda: dr.read("undeleted.txt") is None, WITHIN_S)
    primary.client.delete_object(Bucket=primary.bucket, Key="undeleted.txt", VersionId=marker)
    assert eventually(lambda: dr.read("undeleted.txt") == b"back again", WITHIN_S)


def test_put_delete_put_within_a_moment_ends_with_the_last_put(running):
    """minio/minio#18272: events of one key may change places."""
    primary = running.source("backup")
    for n in range(3):
        primary.put("flicker.txt", b"%d" % n)
        primary.client.delete_object(Bucket=primary.bucket, Key="flicker.txt")
    primary.put("flicker.txt", b"last")
    assert arrives(running, "backup", "flicker.txt")
    assert running.destination("backup").read("flicker.txt") == b"last"


def test_an_export_keeps_texts_that_look_like_something_else(keys, running):
    """travistrle/export-dynamodb#10, awslabs/amazon-dynamodb-tools#184: numbers became texts."""
    texts = {"007", "1e5", "true", "null", "2026-01-01", 'a,b"c', "NaN"}
    for text in texts:
        running.source("index").put(f"as it is/{text}", text.encode(), ContentType=text)
    columns = ("file_key", "content_type", "content_preview", "file_size")

    def rows() -> set[tuple]:
        return {tuple(map(item.get, columns)) for item in running.items("index")}

    assert eventually(lambda: {f"as it is/{text}" for text in texts} <= {row[0] for row in rows()}, WITHIN_S)
    table, exports = running.made("index", Table, "objects"), running.made("index", Bucket, "exports")
    table_export.export(running.target, table, exports, "objects/")
    workgroup = running.made("index", WorkGroup, "queries").name
    database = running.made("index", Database, "tables").name
    athena = Athena(running.target, "us-east-1", workgroup=workgroup, database=database, quiet=True)
    found = athena.query(f"SELECT {', '.join(columns)} FROM objects WHERE file_key LIKE 'as it is/%'")
    expected = {(f"as it is/{text}", text, text, len(text)) for text in texts}
    assert set(found.itertuples(index=False, name=None)) == expected


def test_in_the_end_source_and_destination_are_the_same_and_the_audit_says_so(keys, running):
    """aws-solutions-library-samples/data-transfer-hub#127."""
    for name in running.names:
        assert eventually(
            lambda name=name: audit(running.target, running.parameters, name).is_clean, WITHIN_S
        )
        assert not running.stuck(name)
