"""Functions and mappings: waits for what is not ready yet, and for nothing else."""

import examples
import pytest
from calls import Recorder, watched

from lib.errors import WaitError
from lib.resources import lambda_
from lib.resources.lambda_ import EventSourceMapping
from lib.stack import Stack


def test_a_mapping_is_found_by_its_function_whatever_the_queue(stack: Stack):
    mapping = examples.mapping(stack)
    stack.apply()
    client = stack.client(mapping)
    (found,) = EventSourceMapping.find(client, stack.scope)
    assert found.name == f"{mapping.function.name} ← {mapping.queue.name}"
    assert found.tags == stack.scope.tags
    type(mapping.function).delete(client, mapping.function.name)
    for left in EventSourceMapping.find(client, stack.scope):
        assert left.tags == {}, "a mapping whose function is gone has nothing that could have tags"


def test_a_mapping_that_does_not_go_away_is_an_error(stack: Stack, monkeypatch):
    mapping = examples.mapping(stack)
    stack.apply()
    client = stack.client(mapping)
    (found,) = EventSourceMapping.find(client, stack.scope)
    monkeypatch.setattr(lambda_, "_delete_mapping", lambda client, uuid: False)
    monkeypatch.setattr(lambda_, "MAPPING_CHANGE_S", 0)
    with pytest.raises(WaitError, match=rf"event source mapping {found.identifier} still exists after 0 s"):
        EventSourceMapping.delete(client, found.identifier)


def test_deleting_a_mapping_that_is_gone_writes_nothing(stack: Stack):
    recorder = Recorder()
    client = watched(stack.target, "before-call", recorder).client("lambda", "us-east-1")
    EventSourceMapping.delete(client, "6b3d8a52-0000-0000-0000-000000000000")
    assert recorder.writes == []
