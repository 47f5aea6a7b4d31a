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
    def hurry(self, *, forced): print("hurry, forced" if forced else "hurry", flush=True)
    def go_on(self): print("goes on", flush=True)
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


# Seconds after which the next signal is a second one, and how one is sent.
SAME = "sys.modules[type(end).__module__].SAME_SIGN = {}"
SEND = "os.kill(os.getpid(), signal.{})"


def test_a_second_signal_hurries() -> None:
    patient = "sys.modules[type(end).__module__].HURRIED = 60\n    " + SAME.format(0.3)
    said, _ = told(f"{SEND.format('SIGTERM')}\ntime.sleep(0.5)\n{SEND.format('SIGTERM')}", patient)
    assert said == ["close, forced", "hurry, forced", "as Ctrl+C", "orderly"]


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_that_come_together_are_one_sign(first: str) -> None:
    """A service's SIGTERM and SIGHUP, a closed terminal's two SIGHUPs; also after the Ctrl+C of who then closes it."""
    before = "signal.signal(signal.SIGINT, lambda *_: None)\n    " + SAME.format(60)  # on a machine however busy
    others = "\n".join(SEND.format(name) for name in ("SIGHUP", "SIGHUP", "SIGTERM"))
    left = "print(2 < signal.getitimer(signal.ITIMER_REAL)[0] <= 9, flush=True)"
    said, _ = told(f"{SEND.format(first)}\n{others}\n{left}", before)
    ours = "close" if first == "SIGINT" else "close, forced"
    assert said == [ours, *["close, forced"] * 3, "True", "as Ctrl+C", "orderly"]


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM"])
def test_a_closed_terminal_is_never_a_hurry(first: str) -> None:
    before = "signal.signal(signal.SIGINT, lambda *_: None)\n    " + SAME.format(0.0001)
    said, _ = told(f"{SEND.format(first)}\ntime.sleep(0.2)\n{SEND.format('SIGHUP')}", before)
    assert not [line for line in said if line.startswith("hurry")]
    assert said[-2:] == ["as Ctrl+C", "orderly"]


def test_ctrl_c_cuts_off_no_end_that_is_under_way() -> None:
    """`atexit` runs on the main thread, where Python raises KeyboardInterrupt."""
    last = (
        "def last():\n"
        "    with end.at_last():\n"
        f"        for _ in range(3): {SEND.format('SIGINT')}; time.sleep(0.2)\n"
        "        print('written down', flush=True)\n"
        "atexit.register(last)\n"
        f"{SEND.format('SIGINT')}"
    )
    ended = ["close", "as Ctrl+C", *["hurry"] * 3, "written down", "orderly"]
    assert told(last, SAME.format(0.0001)) == (ended, 0)


def test_ctrl_c_that_somebody_takes_for_themselves_is_no_end() -> None:
    """Python's own listener raises KeyboardInterrupt; another pack's may not."""
    before = "signal.signal(signal.SIGINT, lambda *_: None)\n    sys.modules[type(end).__module__].STILL_HERE = 0.3"
    said, _ = told(f"for _ in range(2):\n    {SEND.format('SIGINT')}\n    await asyncio.sleep(1)\nreturn", before)
    assert said == ["close", "goes on"] * 2 + ["orderly"]


def test_ctrl_break_on_a_system_without_timers_ends_it_in_order() -> None:
    """The signals and functions that Python has on Windows, where Ctrl+Break is SIGBREAK. C's runtime there calls the
    listener as it does here."""
    windows = "signal.SIGBREAK = signal.SIGUSR1; del signal.SIGHUP, signal.setitimer, signal.SIGALRM"
    assert told(SEND.format("SIGBREAK"), windows) == (["close, forced", "as Ctrl+C", "orderly"], 0)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_whoever_kills_after_ten_seconds_is_forestalled(name: str) -> None:
    left = "print(0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 9, flush=True)"
    said, _ = told(f"os.kill(os.getpid(), signal.{name})\n{left}")
    assert said == ["close, forced", "True", "as Ctrl+C", "orderly"]


def test_a_main_thread_that_never_comes_back_is_ended_by_the_system() -> None:
    """A second signal leaves two seconds."""
    hangs = "signal.signal(signal.SIGTERM, lambda *_: None)"
    twice = f"{SEND.format('SIGTERM')}\ntime.sleep(1.1)\n{SEND.format('SIGTERM')}"
    said, code = told(f"{twice}\nwhile True: pass", hangs)
    assert (said, code) == (["close, forced", "hurry, forced"], -14)


@pytest.mark.parametrize("call", ["execv", "execl", "execvp", "execle"])
def test_a_program_that_takes_its_place_comes_after_the_end(call: str) -> None:
    words = "sys.executable, '-c', 'print(1)'"
    given = {"execv": f"[{words}]", "execl": words, "execvp": f"[{words}]", "execle": f"{words}, os.environ"}[call]
    assert told(f"os.{call}(sys.executable, {given})") == (["stop", "1"], 0)


def test_a_program_that_is_named_by_keyword_comes_after_the_end_too() -> None:
    call = "os.execve(path=sys.executable, argv=[sys.executable, '-c', 'print(1)'], env=os.environ)"
    assert told(call) == (["stop", "1"], 0)


def test_a_folder_takes_no_place() -> None:
    assert told("try: os.execv('/', ['x'])\nexcept OSError: return") == (["orderly"], 0)


@pytest.mark.parametrize("call", ["execv", "execvp"])
def test_a_program_that_is_not_there_takes_no_place_and_ends_nothing(call: str) -> None:
    path = "/nowhere/at_all" if call == "execv" else "there_is_no_such_program"
    assert told(f"try: os.{call}({path!r}, ['x'])\nexcept OSError: return") == (["orderly"], 0)


@pytest.fixture
def no_program(tmp_path: Path) -> Path:
    """A file that may be run, of which only the system finds out that it cannot."""
    path = tmp_path / "no_program"
    path.write_text("neither a binary nor a script\n")
    path.chmod(0o755)
    return path


def test_a_file_that_turns_out_to_be_no_program_ends_nothing_for_good(no_program: Path) -> None:
    tried = f"try: os.execv({str(no_program)!r}, ['x'])\nexcept OSError: print('there')\n"
    interrupted = "os.kill(os.getpid(), signal.SIGINT)"
    assert told(tried + interrupted) == (["stop", "goes on", "there", "close", "as Ctrl+C", "orderly"], 0)


def test_a_signal_before_a_file_that_is_no_program_ends_the_process(no_program: Path) -> None:
    told_to_end = "signal.signal(signal.SIGINT, lambda *_: None)"
    tried = f"os.kill(os.getpid(), signal.SIGINT)\ntry: os.execv({str(no_program)!r}, ['x'])\nexcept OSError: pass"
    assert told(tried, told_to_end) == (["close", "stop", "as Ctrl+C", "orderly"], 0)


def test_a_fork_that_becomes_another_program_ends_nothing() -> None:
    fork = "if os.fork() == 0: os.execv(sys.executable, [sys.executable, '-c', 'print(1)'])\nos.wait(); return"
    assert told(fork) == (["1", "orderly"], 0)


CHILD = """
global theirs
{listens}
heard, tells = os.pipe()
if not (child := os.fork()):
    os.write(tells, b"there")
    while True: time.sleep(1)
os.read(heard, 5)
os.kill(child, signal.{name})
ended = os.WTERMSIG(os.waitpid(child, 0)[1])
print(signal.Signals(ended).name)
return
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_fork_is_ended_at_once_as_without_us(name: str) -> None:
    """A pool of processes that is done ends its own so, and waits for each."""
    assert told(CHILD.format(name=name, listens="")) == ([name, "orderly"], 0)


def test_a_fork_whose_listener_calls_who_listened_before_is_ended_too() -> None:
    child = CHILD.format(name="SIGTERM", listens="theirs = signal.signal(signal.SIGTERM, chained)")
    assert told(child) == (["theirs", "SIGTERM", "orderly"], 0)


HOLDER = """
import atexit, os, sys
from types import SimpleNamespace
from tests.kit.pack import load

holder = load("nodes.runtime").Holder()
runner = SimpleNamespace(close=lambda **_: None)
holder._runtime = SimpleNamespace(runner=runner, stop=lambda: print("stopped", flush=True))
atexit.register(holder.stop)
if not os.fork():
    sys.exit(0)
os.wait()
"""


def test_a_fork_that_ends_in_order_takes_nothing_along() -> None:
    done = subprocess.run([sys.executable, "-c", HOLDER], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("stopped\n", "")
