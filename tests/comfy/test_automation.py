"""The script of docs/automation.md against a real ComfyUI: a list of prompts, failures, and the same command again."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from devtools.paths import ROOT
from sandbox.pictures import background, prompt_colour
from tests.kit.comfy_fixtures import PaidServer
from tests.kit.documents import commands
from tests.kit.waiting import until

SCRIPT = ROOT / "workflows" / "api" / "run_prompts.py"


class Relay:
    """A TCP relay to a port of this machine that can be cut. With `target` None it accepts nothing more."""

    def __init__(self, target: int | None) -> None:
        self.target = target
        self._heard: list[bytes] = []
        self._pairs: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()
        self.cut()

    @property
    def heard(self) -> bytes:
        """What clients sent, over all connections."""
        return b"".join(self._heard)

    def wait_for_listener(self) -> None:
        """Until a script has opened its websocket and looked once whether its graph has ended."""
        until("it listens", lambda: b"GET /history/" in self.heard.partition(b"GET /ws")[2])

    def cut(self) -> None:
        """Ends every connection that is open."""
        while self._pairs:
            with contextlib.suppress(OSError):
                self._pairs.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the door was closed
            while True:
                near, _ = self._door.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.target or 0))
                except OSError:
                    near.close()
                    continue
                self._pairs += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(*ends, ends[0] is near), daemon=True).start()

    def _pump(self, source: socket.socket, goal: socket.socket, is_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_client:
                    self._heard.append(data)  # first: what the answer brings about comes later
                goal.sendall(data)
        with contextlib.suppress(OSError):
            goal.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def prompts(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file of four lines, one of them empty; no other test's prompts."""
    file = tmp_path / "prompts.txt"
    colours = ("red", "blue", "", "green")
    file.write_text("\n".join(each and f"A {each} kite, {request.node.name}" for each in colours), encoding="utf-8")
    return file


def start(address: str, prompts: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(prompts), "--server", address, "--out", str(prompts.parent / "out")]
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    told, _ = process.communicate(timeout=90)
    return told


def images(prompts: Path) -> dict[str, Image.Image]:
    return {path.name: Image.open(path) for path in sorted((prompts.parent / "out").glob("*.png"))}


def check(prompts: Path, *lines: int) -> None:
    """These lines' images, and no others, are there with their own pixels."""
    found, given = images(prompts), prompts.read_text(encoding="utf-8").splitlines()
    assert list(found) == [f"{line:04}.png" for line in lines]
    for line in lines:
        picture = found[f"{line:04}.png"]
        assert picture.size == (1280, 720)
        assert picture.getpixel((3, 3)) == background(11)
        assert picture.getpixel((picture.width - 4, 3)) == prompt_colour(given[line - 1])


def until_journaled(server: PaidServer) -> None:
    """Three tasks are asked for by their ids, so the journal has them."""
    for number in (1, 2, 3):
        server.sandbox.wait("poll", number=number)


def test_all_prompts_at_once_and_a_second_run_does_nothing(comfy: PaidServer, prompts: Path) -> None:
    comfy.sandbox.tasks(seconds=None)
    first = start(comfy.url, prompts)
    comfy.sandbox.wait("billed", 3)  # none ends before all are there
    comfy.sandbox.finish()
    assert "3 of 3" in ended(first)
    assert first.returncode == 0
    check(prompts, 1, 2, 4)
    assert comfy.sandbox.state()["max_in_flight"] == 3
    second = start(comfy.url, prompts)
    assert "3 of them on disk already" in ended(second)
    assert (second.returncode, comfy.sandbox.billed) == (0, 3)


def test_a_refused_prompt_fails_alone_and_is_tried_again(comfy: PaidServer, prompts: Path) -> None:
    comfy.sandbox.script(on="create", prompt="blue", status=400, code=1200, message="not allowed")
    first = start(comfy.url, prompts)
    told = ended(first)
    assert "line 2 failed" in told
    assert "moderation" in told.lower()
    assert "2 of 3" in told
    assert ", 50 credits spent" in told
    assert first.returncode == 1
    check(prompts, 1, 4)
    second = start(comfy.url, prompts)
    assert ", 25 credits spent" in ended(second)
    check(prompts, 1, 2, 4)
    assert comfy.sandbox.billed == 3


def test_a_broken_connection_is_opened_again(comfy: PaidServer, prompts: Path) -> None:
    comfy.sandbox.tasks(seconds=1000)
    with Relay(comfy.port) as relay:
        script = start(relay.url, prompts)
        until_journaled(comfy)
        relay.wait_for_listener()
        relay.cut()
        comfy.sandbox.finish()
        told = ended(script)
    assert "trying again" in told
    assert "3 of 3" in told, told
    check(prompts, 1, 2, 4)
    assert comfy.sandbox.billed == 3


def test_a_lost_script_is_started_again(comfy: PaidServer, prompts: Path) -> None:
    comfy.sandbox.tasks(seconds=1000)
    script = start(comfy.url, prompts)
    until_journaled(comfy)
    script.kill()
    ended(script)
    assert not images(prompts)
    again = start(comfy.url, prompts)
    comfy.sandbox.finish()
    told = ended(again)
    assert "3 of 3" in told, told
    check(prompts, 1, 2, 4)
    assert comfy.sandbox.billed == 3


def test_comfyui_dies_and_the_same_command_again_pays_nothing(comfy: PaidServer, prompts: Path) -> None:
    """The script does not repeat the requests by itself; given again, it finds what was paid for."""
    server = comfy
    server.sandbox.tasks(seconds=1000)
    with Relay(server.port) as relay:
        script = start(relay.url, prompts)
        until_journaled(server)
        relay.target = None
        server.restart(kill=True)
        relay.target = server.port
        relay.cut()
        told = ended(script)
    assert "Give the same command again" in told
    assert script.returncode == 1
    assert not images(prompts)
    server.sandbox.finish()
    again = start(server.url, prompts)
    told = ended(again)
    assert "3 of 3" in told, told
    assert ", 0 credits spent" in told
    assert again.returncode == 0
    check(prompts, 1, 2, 4)
    assert server.sandbox.billed == 3


def test_a_table_gives_inputs_and_a_changed_row_is_made_anew(comfy: PaidServer, tmp_path: Path) -> None:
    table = tmp_path / "prompts.csv"
    head = "prompt,seed,size,2.filename_prefix"
    table.write_text(f'{head}\n"A red table, of pine",3,1024*1024,\nA blue table,4,,hunyuan/table\n', encoding="utf-8")
    first = start(comfy.url, table)
    told = ended(first)
    assert first.returncode == 0, told
    assert "2 of 2" in told
    assert ", 50 credits spent" in told
    tasks = sorted((task["seed"], task["prompt"], task["size"]) for task in comfy.sandbox.state()["tasks"])
    assert tasks == [(3, "A red table, of pine", "1024*1024"), (4, "A blue table", "1280*720")]
    assert list((comfy.output_directory / "hunyuan").glob("table_*.png"))
    table.write_text(table.read_text(encoding="utf-8").replace("blue", "green"), encoding="utf-8")
    again = ended(start(comfy.url, table))
    assert "1 of them on disk already" in again
    assert "75 credits for all that is in the folder" in again
    assert images(table)["0002.png"].getpixel((1276, 3)) == prompt_colour("A green table")


def test_json_lines_too_and_a_misspelt_column_costs_nothing(comfy: PaidServer, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    rows = ['{"prompt": "A lamp of JSON", "seed": 5}', '"A lamp of text"', '{"prompt": "A lamp", "seeed": 5}']
    file.write_text("\n".join(rows), encoding="utf-8")
    wrong = start(comfy.url, file)
    told = ended(wrong)
    assert "HunyuanGenerate has no input 'seeed'" in told
    assert (wrong.returncode, comfy.sandbox.billed) == (1, 0)
    file.write_text("\n".join(rows[:2]), encoding="utf-8")
    assert "2 of 2" in ended(start(comfy.url, file))
    assert sorted(task["seed"] for task in comfy.sandbox.state()["tasks"]) == [5, 11]


def test_the_same_command_waits_for_the_graph_that_the_first_one_queued(comfy: PaidServer, prompts: Path) -> None:
    comfy.sandbox.tasks(seconds=1000)
    script = start(comfy.url, prompts)
    until_journaled(comfy)
    script.kill()
    ended(script)
    before = len(list((comfy.output_directory / "hunyuan").glob("image_*.png")))
    with Relay(comfy.port) as relay:
        again = start(relay.url, prompts)
        relay.wait_for_listener()
        comfy.sandbox.finish()
        assert "3 of 3" in ended(again)
    after = len(list((comfy.output_directory / "hunyuan").glob("image_*.png")))
    assert (after - before, comfy.sandbox.billed) == (3, 3), "each is saved once: no second graph was queued"


def test_another_workflow_keeps_its_links(comfy: PaidServer, prompts: Path) -> None:
    script = start(comfy.url, prompts, "--workflow", str(SCRIPT.with_name("generate_local_edit.json")))
    told = ended(script)
    assert script.returncode == 0, told
    assert ", 150 credits spent" in told
    names = [f"{line:04}{suffix}.png" for line in (1, 2, 4) for suffix in ("", "_2")]
    assert list(images(prompts)) == sorted(names)
    assert images(prompts)["0001_2.png"].size == (1344, 960)


def test_the_documents_smallest_request_runs(comfy: PaidServer) -> None:
    """The curl command of docs/automation.md, as it stands but for the port."""
    (curl,) = [words for words in commands("docs/automation.md") if words[0] == "curl"]
    address = next(word for word in curl if word.startswith("http"))
    body = json.loads(curl[curl.index("-d") + 1])
    header = curl[curl.index("-H") + 1].split(": ")
    answer = comfy.http.post(
        address.replace("http://127.0.0.1:8188", comfy.url), json=body, headers=dict([header]), timeout=30
    )
    assert answer.ok, answer.text
    comfy.sandbox.wait("delivered", prompt="A red kite")
