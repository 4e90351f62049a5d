import ast

from hypothesis import given
from hypothesis import strategies as st

from lib.parameters.cell import assigned, literal, with_values

LITERALS = st.recursive(
    st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_", min_size=1), inner, max_size=3)
    ),
    max_leaves=5,
)
CELL = """env = "lökal"  # name of the "environment", ä
kms_key_arns = [
    "a",
    "b",
]  # one a region
exercise = True
migrate = {}  # the pipeline
elsewhere = compute()
index: dict = {}  # with a type
one = other = 1
"""


@given(LITERALS)
def test_a_literal_reads_as_the_value(value):
    assert ast.literal_eval(literal(value)) == value


@given(LITERALS, LITERALS)
def test_a_cell_has_the_new_values_and_its_comments(one, other):
    cell = with_values(CELL, {"env": one, "kms_key_arns": other, "index": one, "absent": 1, "other": 2})
    namespace: dict = {"compute": int}
    exec(cell, namespace)
    assert (namespace["env"], namespace["kms_key_arns"], namespace["exercise"]) == (one, other, True)
    assert (namespace["index"], namespace["other"]) == (one, 1)
    assert "absent" not in namespace
    assert [line.partition("  # ")[2] for line in cell.splitlines() if "  # " in line][-1] == "with a type"
    assert assigned(cell) == {"env", "kms_key_arns", "exercise", "migrate", "elsewhere", "index"}


def test_what_has_the_value_stays_as_it_was_written():
    assert with_values(CELL, {"env": "lökal", "kms_key_arns": ["a", "b"], "exercise": True}) == CELL
    assert with_values(CELL, {"exercise": 1}) != CELL  # which is no truth value
    assert "elsewhere = 3\n" in with_values(CELL, {"elsewhere": 3})
    assert with_values(CELL, {"migrate": {"batch_size": 5, "key_suffix": '".csv'}}).splitlines()[-4] == (
        r'migrate = {"batch_size": 5, "key_suffix": "\".csv"}  # the pipeline'
    )
