"""dev.py on a machine that lacks something: it says what, and ends with 1."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devtools import browser, console, process
from devtools.paths import ROOT
from devtools.ports import HeldPort


def dev(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "dev.py"), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_the_commands() -> None:
    told = dev("--help")
    assert told.returncode == 0
    for command in ("demo", "test", "library", "check", "bench", "setup"):
        assert command in told.stdout


def test_only_the_tests_that_were_asked_for_run() -> None:
    """No linter and no other Python beside them."""
    told = dev("test", "tests/unit/test_dev_commands.py", "-k", "steps_are_numbered", "-p", "no:cacheprovider")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "1 passed" in told.stdout
    assert "ruff" not in told.stdout
    assert "under Python" not in told.stdout


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"COMFYUI_PATH": "/nowhere", "COMFYUI_PYTHON": sys.executable}, "holds no main.py"),
        ({"COMFYUI_PYTHON": "/nowhere/python"}, "does not exist"),
        ({"COMFYUI_PYTHON": sys.executable}, "or neither"),
    ],
)
def test_a_wrong_comfyui_is_named_before_anything_is_installed(environment: dict[str, str], says: str) -> None:
    told = dev("demo", **environment)
    assert told.returncode == 1
    assert says in told.stderr
    assert "Traceback" not in told.stderr


def test_a_given_browser_is_taken_and_a_wrong_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM_PATH", sys.executable)
    assert browser.find() == Path(sys.executable)
    monkeypatch.setenv("CHROMIUM_PATH", "/nowhere/chromium")
    with pytest.raises(console.Stop, match="CHROMIUM_PATH"):
        browser.find()


def test_no_key_of_the_surroundings_reaches_a_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", "aio_somebodys")
    assert not [name for name in process.clean_environment() if name.startswith("HUNYUAN_")]
    server = process.ComfyProcess(tmp_path, {"HUNYUAN_BASE_URL": "http://127.0.0.1:1", "HOME": None})
    environment = server.child_environment()
    assert environment["HUNYUAN_BASE_URL"] == "http://127.0.0.1:1"
    assert "HUNYUAN_API_KEY" not in environment
    assert "HOME" not in environment


@pytest.mark.parametrize("known", ["--disable-api-nodes", "--offline"])
def test_comfyui_is_kept_from_the_network_by_the_option_it_knows(
    known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer versions have the old name as an alias of the new one."""
    source = tmp_path / "comfy" / "cli_args.py"
    source.parent.mkdir()
    source.write_text(f'parser.add_argument("--cpu")\nparser.add_argument("{known}", "--disable-api-nodes")\n')
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    server = process.ComfyProcess(tmp_path / "base", {})
    assert server._command()[-1] == known


def test_a_port_is_kept_for_the_server_that_is_told_it() -> None:
    held = HeldPort()
    number = held.take()
    for _ in ("a start", "a restart"):
        socket.create_server(("127.0.0.1", number)).close()
        assert held.take(number) == number
        if sys.platform == "linux":  # elsewhere it is only looked for
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", number))
    held.release()


def test_the_pack_stands_in_custom_nodes(tmp_path: Path) -> None:
    process.ComfyProcess(tmp_path, {})
    assert (tmp_path / "custom_nodes" / "hunyuan-image-3" / "dev.py").samefile(ROOT / "dev.py")


def test_a_pack_that_an_earlier_run_put_there_is_replaced(tmp_path: Path) -> None:
    """The checkout was moved since, or another one stands where it was, or links are not allowed and it is a copy."""
    place = tmp_path / "custom_nodes" / "hunyuan-image-3"
    place.parent.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    for target in (tmp_path / "gone", other):
        place.symlink_to(target, target_is_directory=True)
        process.ComfyProcess(tmp_path, {})
        assert (place / "dev.py").samefile(ROOT / "dev.py")
        place.unlink()
    assert other.is_dir()
    place.mkdir()
    (place / "old.py").touch()
    process.ComfyProcess(tmp_path, {})
    assert (place / "dev.py").is_file()
    assert not (place / "old.py").exists()


def test_a_console_without_the_letters_of_a_message_stops_nothing() -> None:
    told = dev("demo", COMFYUI_PATH="混元", COMFYUI_PYTHON=sys.executable, PYTHONIOENCODING="cp1252")
    assert "COMFYUI_PATH=?? holds no main.py" in told.stderr


def test_steps_are_numbered_and_a_log_is_not_flooded() -> None:
    out = io.StringIO()
    steps = console.Steps(2, out)
    steps.begin("first")
    for done in range(1000):
        steps.counter(f"{done} MB")
    steps.begin("second")
    assert out.getvalue().splitlines() == ["[1/2] first", "[2/2] second"]
