"""What the local AWS only pretends to do, or cannot, is said."""

import pytest
from botocore.exceptions import ClientError
from support import cases
from support.cleanup import remove

from lib.engine.stack import Stack
from lib.local.in_server.announcements import NO_LOG_FILES
from lib.parameters import Parameters
from lib.target import connect


def test_whoever_makes_a_trail_is_told_once_that_no_log_files_come(parameters, stack: Stack, capsys):
    fresh = Stack(connect(parameters), parameters, stack.scope.pipeline)
    trail = cases.cloudtrail.trail(fresh)
    fresh.plan()
    assert capsys.readouterr().out == ""
    fresh.apply()
    assert capsys.readouterr().out.splitlines() == [NO_LOG_FILES]
    fresh.client(trail).start_logging(Name=trail.name)
    fresh.plan()
    assert capsys.readouterr().out == ""
    remove(fresh)


def test_and_so_is_whoever_only_looks_at_one_that_is_there(parameters, stack: Stack, capsys):
    trail = cases.cloudtrail.trail(stack)
    stack.apply()
    capsys.readouterr()
    later = connect(parameters).client("cloudtrail", trail.region)
    later.get_trail_status(Name=trail.name)
    assert capsys.readouterr().out.splitlines() == [NO_LOG_FILES]


def test_of_a_trail_that_does_not_log_or_does_not_exist_nothing_is_said(
    parameters, stack: Stack, somebody, capsys
):
    trail = cases.cloudtrail.trail(stack)
    stack.apply()
    somebody("cloudtrail", trail.region).stop_logging(Name=trail.name)
    capsys.readouterr()
    client = connect(parameters).client("cloudtrail", trail.region)
    client.get_trail_status(Name=trail.name)
    for call in (client.get_trail_status, client.start_logging):
        with pytest.raises(ClientError, match="TrailNotFoundException"):
            call(Name=f"{trail.name}-of-nobody")
    assert capsys.readouterr().out == ""


def test_no_log_files_come_indeed(parameters: Parameters, stack: Stack):
    trail = cases.cloudtrail.trail(stack)
    stack.apply()
    recorded = trail.recorded[0]
    stack.client(recorded).put_object(Bucket=recorded.name, Key="a", Body=b"b")
    found = stack.client(trail.logs).list_objects_v2(Bucket=trail.logs.name)
    assert found["KeyCount"] == 0, "the local AWS delivers log files: announcements.py says it does not"


def test_the_block_of_a_whole_account_is_answered_at_once_and_not_invented(target, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)  # by which botocore waits before it asks again
    with pytest.raises(ClientError, match="NotImplemented.*the local AWS has no block of public access"):
        target.client("s3control", "us-east-1").get_public_access_block(AccountId=target.account_id)
    assert slept == []
