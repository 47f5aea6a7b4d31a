"""What the process's end is noticed by, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

# A loop as ComfyUI's; what has to end says so. `before` and `after` stand around the moment at which it is watched.
PROGRAM = """
import asyncio, atexit, os, signal, sys, time
from tests.kit.pack import load

class Ends:
    def close(self, *, forced): print("close, forced" if forced else "close", flush=True)
    def hurry(self): print("hurry", flush=True)
    def stop(self): print("stop", flush=True)

def chained(number, frame):
    print("theirs", flush=True)
    if callable(theirs): theirs(number, frame)

end = load("nodes.comfyui.process_end").ProcessEnd(Ends())
atexit.register(print, "orderly", flush=True)
theirs = None

async def main():
    {before}
    end.watch(asyncio.get_running_loop())
    {after}
    await asyncio.sleep(5)

try:
    asyncio.new_event_loop().run_until_complete(main())
except KeyboardInterrupt:
    print("as Ctrl+C", flush=True)
"""


def told(after: str, before: str = "pass") -> tuple[list[str], int]:
    """What such a process says, and its exit code."""
    program = PROGRAM.format(before=before, after=after.replace("\n", "\n    "))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1], done.returncode


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_loop_as_ctrl_c_does(name: str) -> None:
    first = "close" if name == "SIGINT" else "close, forced"
    assert told(f"os.kill(os.getpid(), signal.{name})") == ([first, "as Ctrl+C", "orderly"], 0)


def test_what_is_ignored_stays_so() -> None:
    """`nohup` and a service that takes no SIGHUP."""
    said, _ = told("os.kill(os.getpid(), signal.SIGHUP); return", "signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    assert said == ["orderly"]


def test_who_listened_before_is_called_and_may_end_it_in_another_way() -> None:
    before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))"
    assert told("os.kill(os.getpid(), signal.SIGTERM)", before) == (["close, forced", "orderly"], 3)


def test_who_listens_later_and_calls_who_listened_before_counts_once() -> None:
    after = (
        "global theirs\n"
        "theirs = signal.signal(signal.SIGTERM, chained)\n"
        "while signal.getsignal(signal.SIGTERM) is chained: await asyncio.sleep(0.1)\n"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    assert told(after) == (["close, forced", "theirs", "as Ctrl+C", "orderly"], 0)


def test_a_listener_on_the_loop_is_called_too() -> None:
    before = "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print, 'theirs')"
    said, code = told("os.kill(os.getpid(), signal.SIGTERM)", before)
    assert (sorted(said), code) == (["as Ctrl+C", "close, forced", "orderly", "theirs"], 0)


def test_a_second_signal_hurries() -> None:
    patient = "sys.modules[type(end).__module__].HURRIED = 60"
    said, _ = told("for _ in range(2): os.kill(os.getpid(), signal.SIGTERM)", patient)
    assert said == ["close, forced", "hurry", "as Ctrl+C", "orderly"]


def test_a_second_signal_while_the_first_is_heard_leaves_two_seconds_all_the_same() -> None:
    again = "Ends.close = lambda self, forced: (print('close', flush=True), os.kill(os.getpid(), signal.SIGTERM))"
    left = "print(0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 2, flush=True)"
    said, _ = told(f"os.kill(os.getpid(), signal.SIGTERM)\n{left}", again)
    assert said[:3] == ["close", "hurry", "True"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_whoever_kills_after_ten_seconds_is_forestalled(name: str) -> None:
    left = "print(0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 9, flush=True)"
    said, _ = told(f"os.kill(os.getpid(), signal.{name})\n{left}")
    assert said == ["close, forced", "True", "as Ctrl+C", "orderly"]


def test_a_main_thread_that_never_comes_back_is_ended_by_the_system() -> None:
    """A second signal leaves two seconds."""
    hangs = "signal.signal(signal.SIGTERM, lambda *_: None)"
    said, code = told("for _ in range(2): os.kill(os.getpid(), signal.SIGTERM)\nwhile True: pass", hangs)
    assert (said, code) == (["close, forced", "hurry"], -14)


@pytest.mark.parametrize("call", ["execv", "execl", "execvp", "execle"])
def test_a_program_that_takes_its_place_comes_after_the_end(call: str) -> None:
    words = "sys.executable, '-c', 'print(1)'"
    given = {"execv": f"[{words}]", "execl": words, "execvp": f"[{words}]", "execle": f"{words}, os.environ"}[call]
    assert told(f"os.{call}(sys.executable, {given})") == (["stop", "1"], 0)


def test_a_fork_that_becomes_another_program_ends_nothing() -> None:
    fork = "if os.fork() == 0: os.execv(sys.executable, [sys.executable, '-c', 'print(1)'])\nos.wait(); return"
    assert told(fork) == (["1", "orderly"], 0)
