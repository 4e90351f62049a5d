"""What asks a program to end."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.base.signals import BOTH, counted, terminated_as_interrupted, uninterrupted


def handlers() -> list:
    return [signal.getsignal(each) for each in BOTH]


def test_a_sigterm_is_a_ctrl_c():
    before = handlers()
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
    assert handlers() == before


@pytest.mark.parametrize("asks", BOTH)
def test_what_must_be_finished_is_and_whoever_asks_is_told(asks, capfd):
    before, done = handlers(), []
    with terminated_as_interrupted(), uninterrupted("Tidying"):
        os.kill(os.getpid(), asks)
        done.append(True)
    assert done
    told = capfd.readouterr()
    assert (told.out, told.err.partition(";")[0]) == ("", "Tidying, which is not interrupted")
    assert handlers() == before


def test_who_asks_is_counted_and_interrupts_nothing():
    before = handlers()
    with counted() as asked:
        assert asked() == 0
        for each in BOTH:
            os.kill(os.getpid(), each)
        assert asked() == len(BOTH)
    assert handlers() == before


def test_in_a_thread_where_no_signal_comes_nothing_is_taken():
    def within() -> str:
        with terminated_as_interrupted(), uninterrupted("Tidying"), counted() as asked:
            return f"done, asked {asked()} times"

    before = handlers()
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(within).result() == "done, asked 0 times"
    assert handlers() == before
