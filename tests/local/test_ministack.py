import json
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from support.command_line import runbook
from support.servers import create_function

from lib.base.paths import ROOT
from lib.local import ministack
from lib.local.deployer import ROOT_KEY
from lib.local.deployer import client as make_client
from lib.local.server_process import WORKER, end_orphans, is_server

START = "from lib.local import ministack; print(ministack.start().pid)"
BUCKET = "runbook-test-lifecycle"


def root_client(server, service):
    """The server's life is no matter of the deployer's rights."""
    return make_client(server, service, ROOT_KEY, ROOT_KEY)


def test_a_second_start_returns_the_server_that_runs(own_home):
    server = ministack.start()
    assert ministack.start() == server == ministack.status()


def test_one_that_other_code_has_started_is_named_and_can_be_stopped(own_home):
    server = ministack.start()
    (server.state / ministack.CODE).unlink()  # as one has it that was started before this was written down
    with pytest.raises(ministack.LocalAwsError, match=f"pid {server.pid}.*another version.*local stop"):
        ministack.start()
    assert ministack.stop()
    assert ministack.start().pid != server.pid


def test_two_runs_at_once_share_one_server(own_home):
    runs = [
        subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(3)
    ]
    pids = {int(run.communicate()[0]) for run in runs}
    assert pids == {ministack.status().pid}


def test_a_folder_that_is_a_link_has_one_server(own_home, monkeypatch):
    """Begun by the folder itself, by a link to it, by a link above: all lead to the same state."""
    folder = own_home / ".local-aws"
    server = ministack.start()
    moved = folder.rename(own_home / "elsewhere")  # as one does whose disk is full
    folder.symlink_to(moved, target_is_directory=True)
    assert ministack.status() and ministack.status().pid == server.pid
    assert ministack.start().pid == server.pid
    assert ministack.stop()
    again = ministack.start()
    assert again.state == moved / "state"
    (own_home / "link").symlink_to(own_home, target_is_directory=True)
    monkeypatch.setenv("RUNBOOK_HOME", str(own_home / "link"))
    assert ministack.start() == again
    running = [process for process in psutil.process_iter() if is_server(process.pid, again.state)]
    assert [process.pid for process in running] == [again.pid]


def test_handlers_are_known_by_whichever_path_they_were_started(tmp_path):
    """What is beside the folder and only begins as it does is left alone."""
    (tmp_path / "state" / "tmp").mkdir(parents=True)
    (tmp_path / "state" / "tmp-of-others").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "state", target_is_directory=True)
    places = [tmp_path / "link" / "tmp", tmp_path / "state" / "tmp", tmp_path / "state" / "tmp-of-others"]
    for place in places:
        (place / WORKER).write_text("input()")
    handlers = [
        subprocess.Popen([sys.executable, str(place / WORKER)], stdin=subprocess.PIPE) for place in places
    ]
    end_orphans(tmp_path / "state")
    *ended, other = handlers
    assert [handler.poll() is None for handler in ended] == [False, False]
    assert other.poll() is None
    other.communicate(b"\n")
    assert other.returncode == 0


def test_the_state_folder_is_private_and_below_home(own_home):
    server = ministack.start()
    assert server.state.is_relative_to(own_home)
    assert stat.S_IMODE(server.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.state / "tls" / "server.key").stat().st_mode) == 0o600


def test_it_listens_on_one_port_of_this_machine_only(own_home):
    server = ministack.start()
    listening = [c.laddr for c in psutil.Process(server.pid).net_connections() if c.status == "LISTEN"]
    assert listening == [("127.0.0.1", server.port)]


def test_the_server_sees_nothing_of_the_callers_environment(own_home, monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "SSL_CERT_FILE", "PYTHONPATH", "CANARY"):
        monkeypatch.setenv(name, "canary")
    server = ministack.start()
    environment = psutil.Process(server.pid).environ()
    assert not [name for name, value in environment.items() if "canary" in value]
    assert {name for name in environment if name.startswith("AWS_")} == {"AWS_CA_BUNDLE"}
    assert environment["AWS_CA_BUNDLE"] == server.ca_bundle


def test_a_stop_keeps_state_port_and_certificate(own_home):
    server = ministack.start()
    certificate = Path(server.ca_bundle).read_text()
    root_client(server, "s3").create_bucket(Bucket=BUCKET)
    root_client(server, "s3").put_object(Bucket=BUCKET, Key="a/b", Body=b"kept")
    root_client(server, "sqs").create_queue(QueueName="runbook-test-lifecycle")

    assert ministack.stop()
    assert ministack.status() is None
    assert not ministack.stop()

    again = ministack.start()
    assert (again.port, Path(again.ca_bundle).read_text()) == (server.port, certificate)
    assert root_client(again, "s3").get_object(Bucket=BUCKET, Key="a/b")["Body"].read() == b"kept"
    assert len(root_client(again, "sqs").list_queues()["QueueUrls"]) == 1


def test_a_stop_ends_busy_handlers_and_keeps_state(own_home):
    server = ministack.start()
    functions = root_client(server, "lambda")
    create_sleeper(server)
    with ThreadPoolExecutor() as pool:
        invocation = pool.submit(functions.invoke, FunctionName="sleeper")
        handlers = wait_for_handlers(server)
        assert ministack.stop()
        assert invocation.exception() or invocation.result().get("FunctionError")
    assert not [handler for handler in handlers if runs(handler)]
    assert root_client(ministack.start(), "lambda").list_functions()["Functions"]


def create_sleeper(server):
    create_function(server, "sleeper", "import time\ndef handle(event, context):\n    time.sleep(600)\n")


def runs(process):
    """Whether a process works; one that was killed is a zombie until its parent, maybe init, takes note."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_handlers(server):
    for _ in range(10_000):
        if handlers := psutil.Process(server.pid).children(recursive=True):
            return handlers
    raise AssertionError(f"No handler was started.\n{server.log.read_text()}")


def test_after_a_kill_a_new_server_starts_on_the_kept_state(own_home, kill):
    server = ministack.start()
    root_client(server, "sqs").create_queue(QueueName="saved")
    ministack.stop()
    kill(ministack.start().pid)
    assert ministack.status() is None

    again = ministack.start()
    assert again.port == server.port
    assert len(root_client(again, "sqs").list_queues()["QueueUrls"]) == 1


def test_what_ended_without_being_stopped_is_said_once_and_its_log_is_kept(own_home, kill, capsys):
    server = ministack.start()
    assert ministack.how_it_ended() == ""
    with server.log.open("a") as log:
        log.write("the last words\n")
    kill(server.pid)
    assert ministack.how_it_ended() == f"It had ended without being stopped (its log: {server.log})"
    said = runbook("local", "status").stdout
    assert "does not run" in said and f"(its log: {server.log})" in said

    again, kept = ministack.start(), server.log.with_name("server.log.1")
    assert capsys.readouterr().err == (
        f"The local AWS had ended without being stopped (its log: {kept}): "
        "started again with its saved state.\n"
    )
    assert kept.read_text().endswith("the last words\n")
    assert "the last words" not in again.log.read_text()
    assert ministack.how_it_ended() == ""


@pytest.mark.parametrize("end", [ministack.stop, ministack.reset, lambda: terminate(ministack.status().pid)])
def test_nothing_is_said_after_an_end_that_was_wanted(own_home, end, capsys):
    server = ministack.start()
    end()
    assert ministack.status() is None and ministack.how_it_ended() == ""
    ministack.start()
    assert capsys.readouterr().err == ""
    assert not server.log.with_name("server.log.1").exists()


def terminate(pid):
    """As a machine does that is shut down."""
    process = psutil.Process(pid)
    process.terminate()
    process.wait(timeout=600)


def test_a_reset_empties_and_keeps_the_port(own_home):
    server = ministack.start()
    root_client(server, "s3").create_bucket(Bucket=BUCKET)
    ministack.reset()
    assert ministack.status() is None

    again = ministack.start()
    assert again.port == server.port
    assert root_client(again, "s3").list_buckets()["Buckets"] == []


def test_a_port_that_somebody_else_took_is_left_to_them(own_home):
    port = ministack.start().port
    ministack.stop()
    with socket.create_server(("127.0.0.1", port)) as foreign:
        again = ministack.start()
        assert again.port != port
        with socket.create_connection(("127.0.0.1", port)):
            foreign.accept()[0].close()
    assert root_client(again, "s3").list_buckets()["Buckets"] == []


def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(own_home):
    server = ministack.start()
    ministack.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        file = server.state / "server.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"pid": foreign.pid}))
        assert ministack.status() is None
        assert not ministack.stop()
        assert ministack.start().pid != foreign.pid
        ministack.reset()
        assert foreign.poll() is None
        foreign.communicate(b"\n")
    assert foreign.returncode == 0


def test_a_server_that_cannot_start_says_why(own_home):
    server = ministack.start()
    ministack.stop()
    Path(server.ca_bundle).write_text("no certificate")
    with pytest.raises(ministack.LocalAwsError, match=r"(?s)ended while it was starting.*server\.log.*SSL"):
        ministack.start()
    assert ministack.status() is None


def test_handlers_of_a_killed_server_end_with_the_next_start(own_home, kill):
    server = ministack.start()
    create_sleeper(server)
    with ThreadPoolExecutor() as pool:
        pool.submit(root_client(server, "lambda").invoke, FunctionName="sleeper", InvocationType="Event")
        handlers = wait_for_handlers(server)
    kill(server.pid)
    ministack.start()
    assert not [handler for handler in handlers if runs(handler)]
