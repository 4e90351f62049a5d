"""Parameters: what is accepted, what is refused, and in which words."""

import re
from datetime import date

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lib.base.errors import ParameterError
from lib.base.paths import ROOT
from lib.engine.stack import Stack
from lib.parameters.model import BUCKET_NAME_CHARACTERS, Parameters, assigned_names
from lib.parameters.types import regions
from lib.resources.s3 import Bucket
from lib.target import Target

FILES = sorted((ROOT / "params").glob("*.yaml"))
KEY = "arn:aws:kms:us-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def migrate(**values) -> dict:
    return {"migrate": values}


def refusal(values: dict) -> str:
    with pytest.raises(ParameterError) as error:
        Parameters.check(values)
    return str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"target": "aws", "account_id": "012345678901", "exercise": False, "mode": "plan"},
        migrate(source_region="ap-southeast-2", target_region="eu-central-1"),
        migrate(source_region="us-east-1", target_region="us-east-1"),
        migrate(key_prefix="in/2024/ü +%", key_suffix="csv"),
        migrate(key_prefix="x" * 1024),
        {"kms_key_arns": [KEY]},
        {"waivers": ["queue-dead-letter: nothing of it matters", "action-wildcard: for a day: the first"]},
        {"kms_key_arns": [KEY, KEY.replace("us-west-1", "us-east-1").replace("1234abcd", "mrk-1234abcd")]},
        {"kms_key_arns": [KEY.replace("us-west-1", "eu-south-2")]},  # where nothing is
        migrate(function_timeout_s=900, function_memory_mb=10240, batch_size=1, maximum_concurrency=1000),
        migrate(alert_email="ops+runbook@example.org"),
        migrate(crawler_schedule="cron(15 12 * * ? *)"),
        migrate(log_retention_days=3653, query_scan_limit_mb=10, oldest_message_alarm_s=60),
    ],
)
def test_accepted(values: dict):
    accepted = Parameters.check(values).model_dump()
    for name, value in values.items():
        expected = {**accepted["migrate"], **value} if name == "migrate" else value
        assert accepted[name] == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        # unknown names
        ({"nonsense": 1}, "unknown parameter nonsense"),
        ({"migrat": {}}, "unknown parameter migrat – did you mean migrate?"),
        ({"acount_id": "1"}, "unknown parameter acount_id – did you mean account_id?"),
        (migrate(bach_size=3), "unknown parameter migrate.bach_size – did you mean migrate.batch_size?"),
        # types: nothing is converted
        (migrate(batch_size="3"), "migrate.batch_size: Input should be a valid integer; found '3'"),
        (migrate(batch_size=True), "migrate.batch_size: Input should be a valid integer; found True"),
        (migrate(batch_size=None), "found None"),
        ({"exercise": 1}, "exercise: Input should be a valid boolean; found 1"),
        ({"exercise": "no"}, "exercise: Input should be a valid boolean; found 'no'"),
        ({"migrate": None}, "migrate: "),
        ({"migrate": "all"}, "found 'all'"),
        # reports
        ({"audit": {"inventory": "daily"}}, "audit.inventory: Input should be '', 'Daily' or 'Weekly'"),
        ({"audit": {"inventory_of": []}}, "audit.inventory_of: List should have at least 1 item"),
        (
            {"audit": {"inventory_of": ["index"]}},
            "audit.inventory_of: 'index' is no pipeline that copies",
        ),
        # account ids: what YAML and papermill make of digits
        ({"account_id": 111122223333}, "account_id: must be 12 digits in quotes; found 111122223333 (int)"),
        ({"account_id": "11112222333"}, "account_id: must be 12 digits; found '11112222333' (str)"),
        ({"account_id": "1111-2222-3333"}, "account_id: must be 12 digits; found"),
        ({"account_id": "111122223333\n"}, "account_id: must be 12 digits; found"),
        # choices and ranges
        ({"target": "AWS"}, "target: Input should be 'local' or 'aws'; found 'AWS'"),
        ({"mode": "destroy"}, "mode: Input should be 'apply', 'plan' or 'move'; found 'destroy'"),
        (migrate(function_timeout_s=901), "less than or equal to 900; found 901"),
        (migrate(function_memory_mb=127), "greater than or equal to 128; found 127"),
        (migrate(batch_size=11), "less than or equal to 10; found 11"),
        (migrate(maximum_concurrency=1), "greater than or equal to 2; found 1"),
        (migrate(max_receive_count=4), "greater than or equal to 5; found 4"),
        (migrate(log_retention_days=31), "migrate.log_retention_days: Input should be 1, 3, 5,"),
        (migrate(query_scan_limit_mb=9), "greater than or equal to 10; found 9"),
        ({"observe": {"trail": "yes"}}, "observe.trail: Input should be a valid boolean; found 'yes'"),
        ({"observe": {"trail_events": "reads"}}, "observe.trail_events: Input should be 'all' or 'writes'"),
        ({"observe": {"trail_expire_days": 0}}, "greater than or equal to 1; found 0"),
        ({"observe": {"region": "mars-east-1"}}, "observe.region: "),
        (migrate(watch_timeout_s=0), "greater than or equal to 1; found 0"),
        # names
        ({"env": "Prod"}, "env: "),
        ({"env": "my-env"}, "found 'my-env'"),
        ({"env": ""}, "env: "),
        ({"env": "1st"}, "found '1st'"),
        ({"prefix": "run_book"}, "found 'run_book'"),
        ({"prefix": "runbook\n"}, "prefix: "),
        ({"prefix": "sthree"}, "prefix: S3 reserves bucket names that begin with 'sthree-'"),
        ({"prefix": "p" * 15, "env": "e" * 15}, "more than 21 characters together"),
        # regions, keys, mail, schedules
        ({"backup": {"dr_region": "us-east-1"}}, "dr_region: must be another region than primary_region"),
        ({"kms_key_arns": [KEY, KEY.replace("1234", "5678")]}, "there are two keys in us-west-1; name one"),
        ({"kms_key_arns": [KEY, KEY]}, "kms_key_arns: there are two keys in us-west-1"),
        (
            {"kms_key_arns": [KEY.replace("000000000000", "111122223333")]},
            "is not in the account 000000000000",
        ),
        ({"kms_key_arns": KEY}, "kms_key_arns: Input should be a valid list"),
        ({"kms_key_arns": [""]}, "kms_key_arns.0: "),
        ({"waivers": ["queue-dead-letter"]}, "waivers.0: "),
        ({"waivers": ["queue-dead-letter: "]}, "waivers.0: "),
        ({"waivers": "queue-dead-letter: so"}, "waivers: Input should be a valid list"),
        ({"kms_key_arns": ["alias/mine"]}, "kms_key_arns.0: "),
        ({"kms_key_arns": [KEY.replace("key/", "alias/")]}, "kms_key_arns.0: "),
        ({"kms_key_arns": [KEY.replace("us-west-1", "us-west-9")]}, "'us-west-9' is not an AWS region"),
        (
            {"summarize": {"output_prefix": "synthetic-data/x/"}},
            "'synthetic-data/x/' and 'synthetic-data/' overlap",
        ),
        ({"summarize": {"input_prefix": "rejected/"}}, "overlap"),
        ({"summarize": {"rejected_prefix": "athena-staging/r/"}}, "overlap"),
        ({"summarize": {"input_prefix": "x"}}, "summarize.input_prefix: 'x' is no folder"),
        ({"summarize": {"input_prefix": "/x/"}}, "is no folder"),
        ({"summarize": {"input_prefix": ""}}, "is no folder"),
        ({"summarize": {"athena_above_mb": 6000}}, "athena_above_mb: a file of 6000 MiB needs as much again"),
        ({"summarize": {"query_scan_limit_mb": 4096}}, "query_scan_limit_mb: Athena gets files of more than"),
        ({"ingest": {"schedule": "rate(1 minutes)"}}, "ingest.schedule: 'rate(1 minutes)' is not a schedule"),
        ({"ingest": {"schedule": "rate(5 minute)"}}, "is not a schedule: write rate(1 minute)"),
        ({"ingest": {"schedule": "rate(0 minutes)"}}, "is not a schedule"),
        ({"ingest": {"schedule": ""}}, "is not a schedule"),
        (
            {"ingest": {"schedule": "cron(61 3 * * ? *)"}},
            "ingest.schedule: 'cron(61 3 * * ? *)' is not a schedule",
        ),
        ({"ingest": {"tickers": ["A", "A"]}}, "tickers: each once"),
        ({"ingest": {"tickers": ["a,b"]}}, "ingest.tickers.0: String should match pattern"),
        ({"ingest": {"tickers": []}}, "ingest.tickers: "),
        (
            migrate(source_region="us-west-9"),
            "migrate.source_region: 'us-west-9' is not an AWS region – did you",
        ),
        (migrate(target_region="US-EAST-1"), "'US-EAST-1' is not an AWS region"),
        (migrate(key_prefix="ü" * 513), "migrate.key_prefix: a key has at most 1,024 bytes"),
        (migrate(key_suffix=".json"), "migrate.key_suffix '.json' keeps out the samples"),
        (migrate(alert_email="ops"), "migrate.alert_email: 'ops' is not an e-mail address"),
        (migrate(crawler_schedule="rate(5 minutes)"), "'rate(5 minutes)' is not a schedule: write cron("),
        (migrate(crawler_schedule="cron(0 25 * * ? *)"), "'cron(0 25 * * ? *)' is not a schedule"),
        (migrate(crawler_schedule="cron(15 12 * * *)"), "6 required, 5 provided"),
        # secrets
        (migrate(key_prefix="AKIAIOSFODNN7EXAMPLE/"), "migrate.key_prefix: looks like a credential"),
        (migrate(key_prefix="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "looks like a credential"),
        ({"env": "ASIAIOSFODNN7EXAMPLE"}, "env: looks like a credential; secrets are no parameters"),
    ],
)
def test_refused_in_one_line(values: dict, message: str):
    found = refusal(values)
    assert message in found
    assert "\n" not in found.replace("\\n", "")


def test_a_secret_is_not_repeated():
    assert "IOSFODNN7" not in refusal(migrate(key_prefix="AKIAIOSFODNN7EXAMPLE"))


def test_all_mistakes_are_told_at_once():
    found = refusal({"env": "Prod", "nonsense": 1, **migrate(batch_size=0)})
    assert all(name in found for name in ("env", "nonsense", "migrate.batch_size"))


# --- names that S3 accepts

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
RESERVED = re.compile(r"(xn--|sthree-|amzn-s3-demo-).*|.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)")
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,24}", fullmatch=True)


def buckets(parameters: Parameters) -> list[str]:
    stack = Stack(Target("local", session=None), parameters, "summarize")
    return [
        stack.add(Bucket(what, region)).name
        for what in ("source", "target", "results")
        for region in parameters.regions
    ]


@given(NAMES, NAMES, st.sampled_from(regions()), st.sampled_from(regions()))
@example("sthree", "a", "us-east-1", "us-east-1")
@example("amzn", "s3", "us-east-1", "us-east-1")
@example("p" * 8, "e" * 8, "ap-southeast-1", "us-east-1")
@example("p" * 8, "e" * 9, "ap-southeast-1", "us-east-1")
def test_accepted_names_make_buckets_that_s3_accepts(prefix: str, env: str, source: str, target: str):
    values = {"prefix": prefix, "env": env, **migrate(source_region=source, target_region=target)}
    try:
        parameters = Parameters.check(values)
    except ParameterError:
        return
    for name in buckets(parameters):
        assert BUCKET_NAME.fullmatch(name)
        assert not RESERVED.fullmatch(name)


def test_a_name_may_be_as_long_as_s3_takes_it():
    room = BUCKET_NAME_CHARACTERS - len("--summarize-results-000000000000-us-east-1")
    values = {"prefix": "p" * 5, "env": "e" * (room - 5), **migrate(source_region="us-east-1")}
    assert max(map(len, buckets(Parameters.check(values)))) == BUCKET_NAME_CHARACTERS
    assert "would exceed 63" in refusal({**values, "env": "e" * (room - 4)})


# --- files


def keys(values: dict, path: str = "") -> list[str]:
    """The names in a file, those of a section too, in their order."""
    inner = [keys(v, f"{path}{k}.") if isinstance(v, dict) else [f"{path}{k}"] for k, v in values.items()]
    return [name for names in inner for name in names]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_load_and_name_every_parameter(path):
    names = [name for name in Parameters.names() if name not in Parameters.sections()]
    assert sorted(keys(yaml.safe_load(path.read_text()))) == sorted(names)
    assert Parameters.load(path).target == path.stem


def test_the_defaults_are_those_of_the_local_target():
    assert Parameters.load(ROOT / "params/local.yaml") == Parameters()


def test_values_given_besides_a_file_win():
    loaded = Parameters.load(ROOT / "params/local.yaml", env="other", migrate={"batch_size": 1})
    assert (loaded.env, loaded.migrate.batch_size, loaded.migrate.max_receive_count) == ("other", 1, 5)


def test_a_date_and_a_number_are_no_text():
    with pytest.raises(
        ParameterError, match=r"restore.at: .*found datetime.date\(2026, 1, 2\); put it in quotes"
    ):
        Parameters.check({"restore": {"at": date(2026, 1, 2)}})
    with pytest.raises(ParameterError, match=r"migrate.batch_size: .*found 1.5; write a whole number"):
        Parameters.check(migrate(batch_size=1.5))


def test_bytes_of_the_command_line_that_are_no_text_are_refused():
    assert "is no text in UTF-8" in refusal(migrate(key_prefix=b"\xfc".decode("utf-8", "surrogateescape")))


# --- notebooks

INJECTED = '# Parameters\nenv = "test"\nenviron = "prod"\nmigrate = {"batch_size": 2}\n'


def namespace(source: str, **more) -> dict:
    """A notebook's variables after its parameters cell and the one that papermill injected."""
    variables = {"target": "local", "json": None, "In": ["", "%load_ext x", 'target = "local"', source]}
    exec(source, {}, variables)
    return variables | more


def test_a_notebook_s_variables_are_taken():
    variables = namespace('# Parameters\nenv = "test"\nmigrate = {"batch_size": 2}\n')
    parameters = Parameters.from_notebook(variables)
    assert (parameters.env, parameters.migrate.batch_size) == ("test", 2)


def test_an_injected_name_that_nobody_knows_is_refused():
    with pytest.raises(ParameterError, match="unknown parameter environ – did you mean env?"):
        Parameters.from_notebook(namespace(INJECTED))


def test_a_notebook_s_own_parameters_are_its_own_business():
    source = INJECTED.replace("environ", "pipeline")
    assert Parameters.from_notebook(namespace(source), "pipeline").env == "test"
    with pytest.raises(ParameterError, match="unknown parameter pipeline"):
        Parameters.from_notebook(namespace(source))


def test_other_variables_are_no_parameters():
    assert Parameters.from_notebook({"env": "test", "x": 1, "In": ["x = 1"]}).env == "test"
    assert Parameters.from_notebook({}) == Parameters()


def test_the_newest_injected_cell_counts():
    assert assigned_names(["# Parameters\na = 1", "# Parameters\nb = {'c': 1}", "d = 2"]) == ({"b"}, set())
    assert assigned_names(["a = 1"]) == (set(), set())


def test_the_table_shows_every_resolved_value():
    table = Parameters.check(migrate(batch_size=2)).table().set_index("parameter")["value"]
    assert table["migrate.batch_size"] == "2"
    assert table["account_id"] == "'000000000000'"
    assert set(table.index) == set(Parameters.names()) - set(Parameters.sections())


@pytest.mark.parametrize("mistake", ["batch_size = 5\n", "batch_size: int = 5\n"])
def test_a_mistake_in_the_notebook_s_own_cell_is_refused_until_it_is_mended(mistake: str):
    own = 'target = "local"\nenv = "test"\naccount_id = "000000000000"\n'
    namespace = {"target": "local", "env": "test", "account_id": "000000000000", "batch_size": 5}
    wrong = own + mistake
    with pytest.raises(
        ParameterError, match=r"batch_size – did you mean migrate.batch_size or ingest.batch_size\?"
    ):
        Parameters.from_notebook({**namespace, "In": [wrong, "%magic x", "x = 1"]})
    assert Parameters.from_notebook({**namespace, "In": [wrong, own]}).env == "test"


def test_who_looks_back_over_less_than_two_looks_is_told_how_far():
    def observe(schedule: str, period_s: int) -> Parameters:
        return Parameters.check({"observe": {"watch_schedule": schedule, "watch_period_s": period_s}})

    enough = [("rate(15 minutes)", 1800), ("rate(12 hours)", 86_400), ("cron(0 8 * * ? *)", 60)]
    for schedule, period_s in enough:
        assert observe(schedule, period_s).observe.watch_period_s == period_s
    with pytest.raises(
        ParameterError, match="watch_period_s: 1800 is less than two .*set it to 7200 or more"
    ):
        observe("rate(1 hour)", 1800)
    with pytest.raises(ParameterError, match=r"rate\(1 day\), so that .* in time: look more often"):
        observe("rate(1 day)", 86_400)
