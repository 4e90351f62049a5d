"""What *ingest*'s table may be by its parameters, and what is refused in one line before anything is made."""

import json

import pytest
from support.notebook_stacks import stack_of

from lib.base.errors import ParameterError
from lib.parameters import Parameters
from lib.resources.lambda_ import Function

FLIGHTS = {
    "generate": False,
    "columns": [
        "carrier string",
        "origin airport string",
        "date timestamp",
        "delay decimal",
        "seats integer>=0",
    ],
    "hash_key": "{origin airport}#{carrier}",
    "range_key": "date",
}


def ingest(**values):
    return Parameters.check({"ingest": values}).ingest


def test_stocks_are_a_description_as_any_other():
    assert json.loads(ingest().table_description) == {
        "file_format": "csv",
        "hash_key": "{ticker}",
        "range_key": "{timestamp}",
        "empty_values": "reject",
        "time_to_live_column": "",
        "columns": {
            "ticker": "string",
            "timestamp": "timestamp",
            "price": "decimal>=0",
            "volume": "integer>=0",
        },
    }
    assert ingest().number_keys == ()


def test_names_may_have_blanks_and_keys_be_made_of_several_columns():
    found = json.loads(ingest(**FLIGHTS).table_description)
    assert found["columns"]["origin airport"] == "string"
    assert found["hash_key"] == "{origin airport}#{carrier}"
    assert ingest(**FLIGHTS | {"range_key": "seats"}).number_keys == ("SK",)
    assert ingest(**FLIGHTS | {"range_key": "{seats}"}).number_keys == ("SK",)
    assert ingest(**FLIGHTS | {"range_key": "s{seats}"}).number_keys == ()
    assert ingest(**FLIGHTS | {"range_key": ""}).number_keys == ()


def test_they_can_be_given_after_set_and_replace_the_default_s():
    given = Parameters.assigned(
        [
            "ingest.columns=[a string, b c decimal>=0]",
            "ingest.hash_key={a}",
            "ingest.range_key=",
            "ingest.generate=false",
        ]
    )
    assert Parameters.check(given).ingest.column_types == {"a": "string", "b c": "decimal>=0"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"columns": ["price"]}, "'price' is no column: write its name, a blank and its type"),
        ({"columns": ["price number"]}, "the types are string, integer, integer>=0, decimal"),
        ({"columns": [" string"]}, "' string' is no column"),
        ({"columns": []}, "columns"),
        (
            {"columns": ["a string", "A integer"]},
            "columns: each name once, upper and lower case are the same",
        ),
        ({"columns": ["pk string"]}, "an item has a pk of its own"),
        ({"columns": ["Expires timestamp"]}, "an item has a Expires of its own"),
        ({"hash_key": ""}, "hash_key: name a column"),
        ({"hash_key": "#"}, "hash_key: columns does not describe #"),
        ({"hash_key": "nothing"}, "hash_key: columns does not describe nothing; it describes carrier"),
        ({"hash_key": "{carrier}{date}"}, "hash_key: write a text between the columns"),
        ({"hash_key": "{carrier}#{carrier}"}, "hash_key: carrier stands twice"),
        ({"hash_key": "{carrier}#}"}, "hash_key: '{carrier}#}' has a brace without a column"),
        ({"range_key": "{origin airport}#{carrier}"}, "range_key: must be another one than hash_key"),
        (
            {"columns": ["a json"], "hash_key": "a", "range_key": ""},
            "hash_key: a is json, of which no key can be made",
        ),
        ({"time_to_live_column": "x"}, "time_to_live_column: columns does not describe x"),
        (
            {"time_to_live_column": "delay"},
            "time_to_live_column: delay is a decimal; name a column of type timestamp",
        ),
        ({"generate": True}, "generate: stock prices are CSV with ticker, timestamp, price, volume"),
        ({"key_prefix": "rejected/"}, "key_prefix: 'rejected/' is a folder for rejected rows"),
        ({"key_prefix": "rejected/new/"}, "key_prefix: 'rejected/new/' is a folder for rejected rows"),
        ({"key_prefix": "pieces/"}, "key_prefix: 'pieces/' is a folder for rejected rows"),
        ({"key_prefix": "all"}, "'all' is no folder"),
        ({"table_name": "a b"}, "table_name"),
        ({"file_format": "parquet"}, "file_format"),
        ({"empty_values": "keep"}, "empty_values"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(values, message):
    with pytest.raises(ParameterError) as error:
        ingest(**FLIGHTS | values)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def findings(section):
    stack = stack_of.__wrapped__("50_ingest", (), ("ingest", tuple(section.items())))
    (consume,) = [one for one in stack.resources.values() if isinstance(one, Function)]
    return [each.rule for each in consume.checks() if each.rule != "function-code"]


def test_what_does_not_fit_into_a_function_s_variables_is_refused_before_anything_is_made():
    wide = [*FLIGHTS["columns"], *(f"measurement number {n} decimal" for n in range(150))]
    assert findings(FLIGHTS) == []
    assert findings(FLIGHTS | {"columns": wide}) == ["function-environment"]
