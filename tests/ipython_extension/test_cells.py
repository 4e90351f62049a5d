"""`%when`: a cell runs, is skipped, or fails with its own error; and so does what uses what it makes."""

import re
import subprocess
import sys

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from lib.base.errors import wrapped
from lib.ipython_extension import cells
from lib.parameters import Parameters


@pytest.fixture
def shell():
    with pd.option_context("display.max_colwidth", 50, "display.max_rows", 60):
        shell = InteractiveShell()
        shell.run_cell("%load_ext lib.ipython_extension")
        yield shell
    shell.history_manager.end_session()


def test_a_cell_whose_expression_is_true_runs(shell, capsys):
    result = shell.run_cell("%when 1 + 1 == 2\nx = 5\nx + 1")
    assert (result.success, result.result, shell.user_ns["x"]) == (True, 6, 5)
    assert "skipped" not in capsys.readouterr().out


def test_a_cell_whose_expression_is_false_says_that_it_was_skipped(shell, capsys):
    shell.run_cell('mode = "plan"')
    result = shell.run_cell('%when mode == "apply"\nx = 5\n1 / 0')
    assert result.success
    assert "x" not in shell.user_ns
    assert capsys.readouterr().out == 'skipped, since this is not so: mode == "apply"\n'


def test_a_skipped_cell_need_not_even_be_python(shell, capsys):
    assert shell.run_cell("%when False\n!rm -rf /nowhere ?? (").success
    assert capsys.readouterr().out == "skipped, since this is not so: False\n"


def run(shell, capsys, source: str) -> str:
    """What a cell prints; it must not fail."""
    capsys.readouterr()
    assert shell.run_cell(source).success
    return capsys.readouterr().out


SKIPPED = "skipped, since this is not so: wanted\n"


def test_what_uses_what_a_skipped_cell_makes_is_skipped_too(shell, capsys):
    run(shell, capsys, "wanted = False\nfiles = [1]")
    assert run(shell, capsys, "%when wanted\nuploads = 1 / 0") == SKIPPED
    assert run(shell, capsys, "arrivals = uploads + 1\nprint(1 / 0)") == SKIPPED
    assert run(shell, capsys, "arrivals") == SKIPPED
    assert run(shell, capsys, "for each in arrivals:\n    print(1 / 0)") == SKIPPED
    assert run(shell, capsys, "arrivals += 1") == SKIPPED
    assert run(shell, capsys, "checks = []\nprint(files)") == "[1]\n"
    assert run(shell, capsys, "checks.append(arrivals)") == SKIPPED
    assert run(shell, capsys, "print(checks)") == "[]\n"


def test_a_condition_is_asked_anew_for_each_cell_in_whatever_order_they_run(shell, capsys):
    run(shell, capsys, "wanted = True")
    run(shell, capsys, "%when wanted\nuploads = 1")
    run(shell, capsys, "arrivals = uploads + 1")
    assert run(shell, capsys, "print(arrivals)") == "2\n"
    run(shell, capsys, "wanted = False")
    assert run(shell, capsys, "print(arrivals)") == SKIPPED  # though it is there
    run(shell, capsys, "wanted = True")
    assert run(shell, capsys, "print(arrivals)") == "2\n"


def test_a_variable_that_is_set_otherwise_is_under_no_condition(shell, capsys):
    run(shell, capsys, "wanted = False")
    run(shell, capsys, "%when wanted\nrows = 1")
    assert run(shell, capsys, "rows = 2\nprint(rows)") == "2\n"
    assert run(shell, capsys, "print(rows)") == "2\n"
    run(shell, capsys, "%when wanted\nrows = 1")
    assert run(shell, capsys, "print([rows for rows in (3, 4)], rows := 5)") == "[3, 4] 5\n"


def test_of_two_ways_to_set_a_variable_one_is_enough(shell, capsys):
    run(shell, capsys, "action = 'send'")
    assert run(shell, capsys, "%when action == 'send'\ndone = 'sent'") == ""
    assert "skipped" in run(shell, capsys, "%when action == 'keep'\ndone = 'kept'")
    assert run(shell, capsys, "print(done)") == "sent\n"
    run(shell, capsys, "action = 'look'")
    either = "(action == 'send') or (action == 'keep')"
    assert run(shell, capsys, "print(done)") == f"skipped, since this is not so: {either}\n"


def test_a_condition_reaches_into_other_magics_and_sql(shell, capsys):
    shell.register_magic_function(lambda line, cell: print(cell), "cell", "sql")
    run(shell, capsys, "wanted = False")
    run(shell, capsys, "%when wanted\nat_least = 1")
    assert run(shell, capsys, "%%sql\nSELECT 1 WHERE size >= :at_least") == SKIPPED
    assert "at_least" in run(shell, capsys, "%%sql\nSELECT 'at_least', 1::at_least")
    assert run(shell, capsys, "%%capture said\nprint(at_least)") == ""
    assert shell.user_ns["said"].stdout == SKIPPED


def test_a_cell_whose_conditions_cannot_be_told_does_not_run(shell, capsys, monkeypatch):
    monkeypatch.setattr(cells, "names", lambda tree: 1 / 0)
    for _ in range(2):  # IPython leaves a transformer out that has failed once
        result = shell.run_cell("%when False\nx = 5")
        assert "x" not in shell.user_ns
        assert "cannot be told" in str(result.error_before_exec)


@pytest.mark.parametrize(
    "source", ["# why\n%when False\nx = 5", "%%when False\nx = 5", "if True:\n    %when False\n    x = 5"]
)
def test_a_condition_that_is_written_elsewhere_or_otherwise_is_an_error(shell, capsys, source: str):
    result = shell.run_cell(source)
    assert not result.success
    assert "x" not in shell.user_ns


def test_empty_lines_may_come_first(shell, capsys):
    assert run(shell, capsys, "\n\n%when 1 > 2\nx = 5") == "skipped, since this is not so: 1 > 2\n"


def test_whether_an_input_is_complete_can_be_asked(shell):
    shell.run_cell("looks = []")
    assert shell.check_complete("%when looks.append(1)\nx = 1\n\n")[0] == "complete"
    assert shell.user_ns["looks"] == []


@pytest.mark.parametrize("expression", ["nowhere.applies", "1 +", ""])
def test_an_error_in_the_expression_is_an_error_of_the_cell(shell, capsys, expression: str):
    result = shell.run_cell(f"%when {expression}\nx = 5")
    assert not result.success
    assert isinstance(result.error_before_exec or result.error_in_exec, NameError | SyntaxError)
    assert "x" not in shell.user_ns
    if "nowhere" in expression:
        assert "nowhere" in capsys.readouterr().out


def test_errors_in_a_cell_point_at_its_own_lines(shell, capsys):
    result = shell.run_cell("%when True\nx = 5\n1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert result.error_in_exec.__traceback__.tb_next.tb_lineno == 3


def test_other_cells_are_as_they_were(shell, capsys):
    assert shell.run_cell("y = 1\n'%when False'").result == "%when False"
    assert shell.run_cell("%%time\nz = 2").success
    assert shell.user_ns["z"] == 2


def test_the_expression_is_looked_at_once(shell):
    shell.run_cell("looks = []")
    shell.run_cell("%when looks.append(1) is None\nx = 1")
    assert shell.user_ns["looks"] == [1]


def test_our_errors_are_shown_as_one_message(shell, capsys):
    shell.run_cell("from lib.base.errors import ParameterError\nraise ParameterError('env: too long')")
    shown = capsys.readouterr().out
    assert "ParameterError: env: too long" in shown
    assert "Traceback" not in shown


def test_tables_are_shown_whole(shell):
    assert pd.options.display.max_colwidth is None


def shown(shell, source: str) -> dict[str, str]:
    """What a notebook shows of the value of a cell."""
    return shell.display_formatter.format(shell.run_cell(source).result)[0]


def test_a_table_without_rows_says_none_and_names_its_columns(shell):
    empty = shown(shell, "import pandas as pd\npd.DataFrame(columns=['key', 'p<50'])")
    assert empty["text/plain"] == "(none; columns: key, p<50)"
    assert empty["text/html"] == "<p>(none) <small>key, p&lt;50</small></p>"
    one = shown(shell, "pd.DataFrame({'key': ['a']})")
    assert one["text/plain"] == "key\na"
    assert "<table" in one["text/html"]
    assert shown(shell, "pd.DataFrame(index=['a'])")["text/plain"] == "\na"


def test_a_folded_table_shows_its_summary_first(shell):
    folded = shown(shell, "import pandas as pd\nfrom lib.base.folded import Folded\n"
                          "Folded(pd.DataFrame({'key': ['<a>']}), 'one < two')")  # fmt: skip
    assert folded["text/plain"].splitlines() == ["one < two", "key", "<a>"]
    assert folded["text/html"].startswith("<details><summary>one &lt; two</summary><")
    assert "<table" in folded["text/html"]
    assert "<td>&lt;a&gt;</td>" in folded["text/html"]
    assert "&lt;a&gt;" in folded["text/html"]


def test_parameters_are_shown_one_a_line_and_all_of_them_by_what_differs(shell):
    shell.run_cell("from lib.parameters import Parameters")
    section = shown(
        shell, "parameters = Parameters.check({'migrate': {'batch_size': 5}})\nparameters.redrive"
    )
    assert section["text/plain"].splitlines()[:2] == ["pipeline = ''", "action = 'look'"]
    assert section["text/html"].count("<tr>") == 1 + len(Parameters().redrive.table())
    everything = shown(shell, "parameters")
    differs, summary = everything["text/plain"].splitlines()
    assert differs == "migrate.batch_size = 5"
    assert summary.startswith(f"1 of {len(Parameters().table())} parameters differ from their defaults")
    assert everything["text/html"].count("<tr>") == 2
    assert "0 of" in shown(shell, "Parameters()")["text/html"]


def test_another_magic_may_follow(shell, capsys):
    result = shell.run_cell("%when True\n%%capture said\nprint(5)")
    assert result.success
    assert shell.user_ns["said"].stdout == "5\n"
    assert shell.run_cell("%when False\n%%capture silent\nprint(5)").success
    assert "silent" not in shell.user_ns


def test_a_key_of_control_characters_moves_no_cursor(shell):
    shell.user_ns["table"] = pd.DataFrame({"key": ["a\nb\x1b[2J\r\u202ec\x85"]})
    for value in ("table", "table['key']", "type('Own', (), {'__repr__': lambda _: table['key'][0]})()"):
        result = shell.run_cell(value).result
        data, _ = shell.display_formatter.format(result)
        assert not set("".join(data.values())) & set("\x1b\r\u202e\x85")
        assert r"\x1b[2J" in data["text/plain"]


def said_of(shell, capsys, source: str) -> str:
    """What a cell that fails shows."""
    capsys.readouterr()
    assert not shell.run_cell(source).success
    return re.sub(r"\x1b\[[0-9;]*m", "", "".join(capsys.readouterr()))


def test_an_error_of_aws_is_one_message_and_tb_shows_the_rest(shell, capsys):
    shell.run_cell(
        "from botocore.exceptions import ClientError\n"
        'gone = ClientError({"Error": {"Code": "QueueDoesNotExist", "Message": "No queue."}}, "GetQueueUrl")'
    )
    said = said_of(shell, capsys, "def deep():\n    raise gone\ndeep()")
    assert "AnswerError: " in said
    assert "Plan and Apply" in " ".join(said.split())
    assert len(said.strip().splitlines()) <= 3
    traceback = run(shell, capsys, "%tb")
    assert "ClientError" in traceback
    assert len(traceback.splitlines()) > 5


def test_a_cell_out_of_order_says_run_from_the_top(shell, capsys):
    said = said_of(shell, capsys, "uploads.head()")
    assert "OutOfOrderError: 'uploads' is not there" in said
    assert len(said.strip().splitlines()) == 1


def test_an_interrupted_cell_says_how_far_it_came_and_the_next_one_runs(shell, capsys):
    said = said_of(
        shell,
        capsys,
        "from lib.base.waits import Wait\n"
        'with Wait("Destroy", total=3, unit="resource") as wait:\n'
        "    wait.update()\n"
        "    raise KeyboardInterrupt",
    )
    assert "StoppedError: interrupted; Destroy: 1 of 3 resources done" in said
    assert run(shell, capsys, "print(1)") == "1\n"


def test_a_fault_of_the_cell_itself_keeps_its_traceback(shell, capsys):
    said = said_of(shell, capsys, "def deep():\n    return nobody_sets_this\ndeep()")
    assert "NameError" in said
    assert "deep()" in said
    assert "1 / 0" in said_of(shell, capsys, "1 / 0")


def test_a_command_in_a_message_stays_whole():
    shown = wrapped(f"{'word ' * 18}run it first, `runbook run migrate --set a=b`, and then again")
    assert "\n" in shown
    assert "`runbook run migrate --set a=b`" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_what_shows_life_imports_nothing_that_takes_long():
    """Before its first sign a cell that loads the extension has read neither pandas nor botocore."""
    code = "import sys, lib.ipython_extension; print({'pandas', 'botocore', 'boto3'} & {*sys.modules})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"
