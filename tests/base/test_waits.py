"""What is awaited is shown to whoever looks, once, while it lasts; nothing of it stays behind."""

import os
import pty
import subprocess
import sys
import threading
from queue import Empty

import pytest
from jupyter_client import KernelManager

from lib.base import waits
from lib.base.paths import ROOT
from lib.base.waits import TOLD_VARIABLE, Wait, duration, progress, terminal_is_watched

PATIENCE_S = 60
# Waits until it is shown, which the note's being asked for tells; then ends.
PROGRAM = """
import threading
from lib.base import waits
waits.DELAY_S = waits.TICK_S = 0.01
seen = threading.Event()
print("before")
with waits.Wait("Upload", total=4, unit="object", note=lambda: seen.set() or "last: <b>.csv") as wait:
    wait.update(3)
    seen.wait(60)
    drawn = threading.Event()
    wait._note = lambda: drawn.set() or "again"
    drawn.wait(60)
print("after")
"""


class Screen:
    """Keeps what is shown."""

    def __init__(self):
        self.shown, self.cleared, self.drawn = [], 0, threading.Event()

    def show(self, lines, fraction):
        self.shown.append((lines, fraction))
        self.drawn.set()

    def clear(self):
        self.cleared += 1

    def wait(self):
        self.drawn.clear()
        assert self.drawn.wait(PATIENCE_S)
        return self.shown[-1]


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(waits, "_screen", lambda: screen)
    monkeypatch.setattr(waits, "DELAY_S", 0.001)
    monkeypatch.setattr(waits, "TICK_S", 0.001)
    return screen


def test_one_line_says_what_is_awaited_how_far_it_is_and_what_came_last(screen):
    with Wait("Apply", total=12, unit="resource") as apply:
        apply.update(3)
        apply.say("create role a")
        with Wait("Install the packages of consume", timeout_s=600):
            (line,), fraction = screen.wait()
    assert line.startswith("Apply 3 of 12 resources · 0 s, about 0 s more › Install the packages of consume")
    assert line.endswith(" · 0 s of at most 10 min 0 s · create role a")
    assert fraction == 0.25
    assert screen.cleared == 1


def test_a_whole_that_counts_nothing_gives_way_to_its_part(screen):
    with Wait("stack.plan()", note=lambda: "last: s3 GetBucketPolicy"):
        assert screen.wait()[0] == ["stack.plan() · 0 s · last: s3 GetBucketPolicy"]
        with Wait("Plan", total=2, unit="resource"):
            assert screen.wait()[0] == ["Plan 0 of 2 resources · 0 s · last: s3 GetBucketPolicy"]


def test_what_threads_wait_for_has_a_line_each_and_there_is_one_display(screen):
    begun, over = threading.Barrier(7), threading.Event()

    def work(number):
        with Wait(f"Part {number}"):
            begun.wait(PATIENCE_S)
            over.wait(PATIENCE_S)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    begun.wait(PATIENCE_S)
    screen.wait()
    lines, _ = screen.wait()
    over.set()
    for thread in threads:
        thread.join()
    assert len(lines) == waits.LINES + 1
    assert lines[-1] == "and 2 more"
    assert screen.cleared == 1


def test_what_is_short_is_not_shown(screen, monkeypatch):
    monkeypatch.setattr(waits, "DELAY_S", PATIENCE_S)
    with Wait("A moment"):
        pass
    assert (screen.shown, screen.cleared) == ([], 0)


def test_what_an_error_has_left_unfinished_ends_with_what_it_was_part_of(screen):
    with Wait("a cell"):
        left = progress("Repair", [1, 2, 3], unit="object")
        next(left)  # and its generator is kept, as by a traceback
        assert "Repair" in screen.wait()[0][0]
    assert waits._SHOWN._waits == []
    left.close()


def test_an_interruption_says_how_far_it_had_come():
    with pytest.raises(KeyboardInterrupt) as raised, Wait("Destroy", total=108, unit="resource") as wait:
        wait.update(53)
        raise KeyboardInterrupt
    assert raised.value.__notes__ == ["Destroy: 53 of 108 resources done"]


def test_items_come_as_they_are_and_are_counted():
    assert list(progress("Upload", "abc", unit="object")) == ["a", "b", "c"]
    with Wait("Upload", unit="object") as wait:
        assert list(wait.each(iter("ab"))) == ["a", "b"]
    assert (wait.done, wait.fraction) == ("2 objects", None)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (59.4, "59 s"), (125, "2 min 5 s"), (3600, "1 h 0 min"), (90061, "25 h 1 min")],
)
def test_times_are_said_as_people_say_them(seconds, said):
    assert duration(seconds) == said


@pytest.fixture(scope="module")
def kernel():
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(ROOT), env={k: v for k, v in os.environ.items() if k != TOLD_VARIABLE})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE_S)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def outputs(client, allow_stdin):
    """The outputs of the program, in their order."""
    request = client.execute(PROGRAM, allow_stdin=allow_stdin)
    found = []
    while True:
        try:
            message = client.get_iopub_msg(timeout=PATIENCE_S)
        except Empty:
            pytest.fail("the kernel does not answer")
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            return found
        if kind in ("stream", "display_data", "update_display_data", "error"):
            found.append((kind, content))


def test_a_person_at_a_notebook_sees_it_in_one_output_which_is_empty_in_the_end(kernel):
    found = outputs(kernel, allow_stdin=True)
    kinds = [kind for kind, _ in found]
    assert kinds[:2] == ["stream", "display_data"]
    assert kinds[-2:] == ["update_display_data", "stream"]
    shown = [content for kind, content in found if kind != "stream"]
    assert len({content["transient"]["display_id"] for content in shown}) == 1
    assert "Upload 3 of 4 objects" in shown[0]["data"]["text/html"]
    assert "last: &lt;b&gt;.csv" in shown[0]["data"]["text/html"]
    assert shown[-1]["data"] == {}
    assert "".join(content["text"] for kind, content in found if kind == "stream") == "before\nafter\n"


def test_nothing_of_it_is_in_the_outputs_if_nobody_could_be_asked(kernel):
    # The program waits until it is shown, which it never is: so it is not waited for.
    source = PROGRAM.replace(".wait(60)", ".wait(0.1)")
    request = kernel.execute(source, allow_stdin=False)
    kinds = []
    while True:
        message = kernel.get_iopub_msg(timeout=PATIENCE_S)
        if message["parent_header"].get("msg_id") != request:
            continue
        kinds.append(message["msg_type"])
        if message["content"].get("execution_state") == "idle":
            break
    assert set(kinds) == {"status", "execute_input", "stream"}


def test_a_terminal_shows_it_in_its_last_line_and_a_file_gets_the_output_alone(tmp_path):
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != TOLD_VARIABLE} | {"TERM": "xterm"}
    with (tmp_path / "out").open("w") as out:
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, stdout=out, stderr=theirs
        )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # Linux's way to say that nobody has the terminal open any more
        pass
    os.close(ours)
    assert program.wait(PATIENCE_S) == 0
    assert b"Upload 3 of 4 objects" in shown
    assert shown.rindex(b"\x1b[2K") > shown.rindex(b"Upload")  # the line is erased in the end
    assert (tmp_path / "out").read_text() == "before\nafter\n"


def run(source, **variables):
    environment = {k: v for k, v in os.environ.items() if k != TOLD_VARIABLE} | variables
    command = [sys.executable, "-c", source]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("unwanted", ["NO_COLOR", "TQDM_DISABLE", ""])
def test_a_terminal_gets_no_escape_codes_that_nobody_wants(monkeypatch, unwanted):
    for variable in ("NO_COLOR", "TQDM_DISABLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    if unwanted:
        monkeypatch.setenv(unwanted, "1")
    assert terminal_is_watched() == (not unwanted)


def test_where_nobody_looks_nothing_is_written():
    done = run(PROGRAM.replace(".wait(60)", ".wait(0.1)"))
    assert (done.stdout, done.stderr) == ("before\nafter\n", "")


def test_a_run_is_told_by_its_kernels(tmp_path):
    path = tmp_path / "waits"
    source = PROGRAM.replace('print("after")', f"import pathlib; print(pathlib.Path({str(path)!r}).exists())")
    source = source.replace("    drawn.wait(60)", f"    drawn.wait(60); print(open({str(path)!r}).read())")
    done = run(source, **{TOLD_VARIABLE: str(path)})
    assert done.stderr == ""
    before, told, there = done.stdout.splitlines()
    assert told.startswith("Upload 3 of 4 objects · ")
    assert there == "False"
