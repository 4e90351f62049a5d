"""What is known of IAM, and how patterns overlap."""

import subprocess
import sys
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.engine.preflight.iam_data import ANY_NAME, actions, arn_patterns, has_condition, overlap


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("s3:GetObject", ["s3:GetObject"]),
        ("S3:getobject", ["s3:GetObject"]),
        ("s3:HeadObject", []),
        ("nothing:Get", []),
        ("sqs:*MessageMoveTask", ["sqs:CancelMessageMoveTask", "sqs:StartMessageMoveTask"]),
    ],
)
def test_actions_are_known_by_name_and_by_pattern(pattern: str, names: list[str]):
    assert sorted(actions(pattern)) == names


def test_what_an_action_works_on():
    assert f"arn:*:s3:::{ANY_NAME}/*" in {
        one.replace("${Partition}", "*") for one in arn_patterns("s3:GetObject")
    }
    assert arn_patterns("s3:ListAllMyBuckets") == ()


def test_which_conditions_an_action_knows():
    assert has_condition("s3:ListBucket", "s3:prefix")
    assert has_condition("s3:GetObject", "s3:ExistingObjectTag/colour")
    assert not has_condition("s3:GetObject", "s3:prefix")


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("images/*", "*.jpg", True),
        ("images/*", "image*", True),
        ("images/*.jpg", "images/*.png", False),
        ("in/*", "out/*", False),
        ("*", "", True),
        ("a?c", "abc", True),
        (ANY_NAME, "bucket", True),
        (ANY_NAME, "bucket/*", False),
        (f"table/{ANY_NAME}", "table/t/export/*", False),
    ],
)
def test_patterns_that_have_a_text_in_common(one: str, other: str, together: bool):
    assert overlap(one, other) == overlap(other, one) == together


PATTERNS = st.text("ab*", max_size=5)


@given(PATTERNS, st.text("ab", max_size=6))
def test_a_text_overlaps_with_the_patterns_that_match_it(pattern: str, text: str):
    assert overlap(pattern, text) == fnmatchcase(text, pattern)


def test_whoever_describes_a_stack_does_not_wait_for_iams_data():
    code = "import sys, lib.engine.stack; assert 'policy_sentry' not in str(list(sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
