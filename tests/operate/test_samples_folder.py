"""Samples in a bucket that is not ours: they alone are taken back, whatever else lies in their folder."""

import secrets
from io import BytesIO

import nbformat
import pytest
from support.described import describe
from support.somebodys import Somebodys

from lib.base.errors import RunbookError
from lib.base.paths import ROOT
from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.operate import samples
from lib.operate.own_file import OwnFile
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import connect


@pytest.fixture(scope="module")
def bucket(local_aws, somebody) -> Somebodys:
    """One that keeps versions."""
    bucket = Somebodys(somebody, f"samples.{secrets.token_hex(4)}", "us-east-1").create()
    versions = {"VersioningConfiguration": {"Status": "Enabled"}}
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, **versions)
    return bucket


def exercised(bucket: Somebodys, pipeline: str) -> tuple[Stack, Bucket]:
    """A stack that adopts the bucket, and the bucket as it knows it."""
    parameters = Parameters.check({"env": "tfolder", pipeline: {"bucket": bucket.name}})
    stack = describe(pipeline, connect(parameters), parameters, bucket=bucket.name)
    (adopted,) = (one for one in stack.resources.values() if isinstance(one, Bucket) and not one.is_made)
    return stack, adopted


def test_samples_go_below_one_folder_and_are_taken_back(bucket, capsys):
    stack, adopted = exercised(bucket, "index")
    folder = samples.folder(adopted, "in/")
    assert folder == "in/runbook-tfolder-exercise/"
    files = samples.load(folder, hard=False)[:2]
    theirs = {"Bucket": bucket.name, "Key": f"{folder}theirs"}
    bucket.s3.put_object(**theirs, Body=b"1")
    bucket.s3.put_object(**theirs | {"Key": f"{folder}deleted"}, Body=b"1")
    bucket.s3.delete_object(**theirs | {"Key": f"{folder}deleted"})
    half = bucket.s3.create_multipart_upload(**theirs)["UploadId"]
    before = bucket.objects()
    samples.upload(bucket.s3, bucket.name, files)
    samples.upload(bucket.s3, bucket.name, files[:1])
    samples.delete(bucket.s3, bucket.name, [files[1].key])
    bucket.s3.create_multipart_upload(Bucket=bucket.name, Key=files[0].key)
    taken = samples.take_back(stack, [adopted], ["in/"], sleep=lambda _: None)
    assert taken.to_dict("records") == [
        {
            "bucket": bucket.name,
            "folder": folder,
            "erased": 4,
            "left": "",
            "others": f"{folder}deleted, {folder}theirs",
        }
    ]
    assert f"below {folder} lie 2 objects, such as '{folder}deleted'" in capsys.readouterr().out
    assert bucket.objects() == before
    (upload,) = bucket.s3.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
    assert (upload["Key"], upload["UploadId"]) == (f"{folder}theirs", half)
    bucket.s3.abort_multipart_upload(**theirs, UploadId=half)


def test_if_either_bucket_is_somebodys_samples_and_copies_are_taken_back_of_both(bucket, somebody):
    stack, adopted = exercised(bucket, "index")
    own = Stack(stack.target, stack.parameters, "index")
    made = own.add(Bucket("copies", "us-east-1"))
    own.apply()
    keys, before = {"in/runbook-tfolder-exercise/airlines/airlines.csv"}, bucket.objects()
    for source, copies in ((adopted, made), (made, adopted)):
        files = samples.load(samples.folder(source, "in/", copies=copies), hard=False)[:1]
        assert {file.key for file in files} == keys
        samples.upload(bucket.s3, source.name, files)
        where = {"Bucket": source.name, "Key": files[0].key}
        bucket.s3.copy_object(Bucket=copies.name, Key=files[0].key, CopySource=where)
        taken = samples.take_back(stack, [source, copies], ["in/"], sleep=lambda _: None)
        assert taken["erased"].tolist() == [1, 1]
        assert bucket.objects() == before
        assert "Versions" not in bucket.s3.list_object_versions(Bucket=made.name)
    assert samples.folder(made, "in/", copies=made) == "in/"
    assert samples.take_back(stack, [made]).empty
    Inventory(stack.target, stack.parameters).destroy()


def test_a_sample_is_not_written_over_what_somebody_has_there(bucket):
    _, adopted = exercised(bucket, "index")
    files = samples.load(samples.folder(adopted, "taken/"), hard=False)[:2]
    bucket.s3.put_object(Bucket=bucket.name, Key=files[1].key, Body=b"1")
    before = bucket.objects()
    with pytest.raises(RunbookError, match=r"is somebody's, .* nothing was uploaded"):
        samples.upload(bucket.s3, bucket.name, files)
    assert bucket.objects() == before


def test_copies_and_what_is_derived_of_samples_are_taken_back_too(bucket):
    """As the functions leave them, in folders in which somebody has objects, too."""
    stack, adopted = exercised(bucket, "summarize")
    folders = ["synthetic-data/", "summaries/", "rejected/"]
    there, summaries, rejected = (samples.folder(adopted, each) for each in folders)
    (file,) = samples.load(there, hard=False)[:1]
    name = {"Bucket": bucket.name}
    bucket.s3.put_object(**name, Key=f"{summaries}summary_theirs.json", Body=b"1")
    before = bucket.objects()
    samples.upload(bucket.s3, bucket.name, [file])
    source = {**name, "Key": file.key}
    copy = file.key.replace(".csv", " copy.csv")
    bucket.s3.copy_object(**name, Key=copy, CopySource=source)
    for key in (file.key, copy):
        for derived in stack.parameters.keys_derived_in("summarize", key):
            bucket.s3.put_object(**name, Key=derived, Body=b"{}")
    taken = samples.take_back(stack, [adopted], folders, sleep=lambda _: None).set_index("folder")
    assert taken["erased"].to_dict() == {there: 2, summaries: 2, rejected: 2}
    assert taken["others"].to_dict() == {
        there: "",
        summaries: f"{summaries}summary_theirs.json",
        rejected: "",
    }
    assert bucket.objects() == before


def test_of_a_file_of_ones_own_what_was_rejected_is_taken_back_too(bucket):
    """Of *ingest*, in pieces and not, with what is somebody's beside it: as its notebook calls it."""
    stack, adopted = exercised(bucket, "ingest")
    settings = stack.parameters.ingest
    folders = [f"{folder}{settings.key_prefix}" for folder in ("", "rejected/", "rejected/pieces/")]
    there, rejected, pieces = (samples.folder(adopted, each) for each in folders)
    name = {"Bucket": bucket.name}
    for key in (f"{rejected}theirs.csv", f"{pieces}theirs.csv/000000000001.csv", f"{pieces}own.csv/a/b.csv"):
        bucket.s3.put_object(**name, Key=key, Body=b"1")
    before = bucket.objects()
    own = OwnFile(f"{there}own.csv", b"", file=BytesIO(b"a,b\n1,2\n"))
    samples.upload(bucket.s3, bucket.name, [own])
    bucket.s3.put_object(**name, Key=f"{rejected}own.csv", Body=b"1")
    for line in (1, 20):
        bucket.s3.put_object(**name, Key=f"{pieces}own.csv/{line:012}.csv", Body=b"1")
    taken = samples.take_back(stack, [adopted], folders, sleep=lambda _: None).set_index("folder")
    assert taken["erased"].to_dict() == {there: 1, rejected: 1, pieces: 2}
    assert bucket.objects() == before


def test_the_notebook_of_ingest_takes_back_what_can_be_sent_before(bucket):
    cells = nbformat.read(ROOT / "notebooks" / "50_ingest.ipynb", as_version=4).cells
    (sent,) = (n for n, cell in enumerate(cells) if "own_file.chooser(" in cell.source)
    (taken,) = (n for n, cell in enumerate(cells) if "samples.take_back(" in cell.source)
    assert sent < taken
    assert cells[taken].source.startswith("%when stack.exercises\n")  # whoever generates nothing sends, too
    stack, adopted = exercised(bucket, "ingest")
    namespace = {"settings": stack.parameters.ingest}
    exec(cells[taken].source.splitlines()[1], namespace)
    key = f"{samples.folder(adopted, stack.parameters.ingest.key_prefix)}own.csv"
    places = [samples.folder(adopted, each) for each in namespace["folders"]]
    for each in (key, *stack.parameters.keys_derived_in("ingest", key)):
        assert any(each.startswith(place) for place in places), each
