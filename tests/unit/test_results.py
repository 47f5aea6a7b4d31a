"""Result files: whole or not at all, under safe names, and only what was delivered makes room."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import threading
from pathlib import Path

import pytest

from hunyuan.errors import DownloadError, InvalidTaskIdError, Money
from hunyuan.journal.journal import Journal
from hunyuan.journal.records import TaskRow
from hunyuan.models import StoredImage
from hunyuan.settings.store import Settings
from hunyuan.storage.results import ResultStore, file_name
from tests.kit.journals import HandClock, Worker, begun, fresh, open_journal

IMAGE = b"\x89PNG original bytes" * 10


def make_store(directory: Path, journal: Journal | None = None, cap: int = 0) -> ResultStore:
    return ResultStore(directory / "results", lambda: cap, journal or open_journal(directory))


def files_in(store: ResultStore) -> set[str]:
    return {file.name for file in store.directory.iterdir() if file.is_file()}


def test_the_original_bytes_lie_under_the_task_id(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    image = store.store("n68_hunyuan3", 0, IMAGE, "image/png", "https://cdn.test/a.png")
    assert image == StoredImage(
        "n68_hunyuan3_0.png", "image/png", len(IMAGE), hashlib.sha256(IMAGE).hexdigest(), "https://cdn.test/a.png"
    )
    assert store.path_of(image) == tmp_path / "results" / "n68_hunyuan3_0.png"
    assert store.path_of(image).read_bytes() == IMAGE
    assert store.read(image) == IMAGE
    assert files_in(store) == {"n68_hunyuan3_0.png"}, "no temporary file stays"


def test_storing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first = store.store("n1", 0, IMAGE, "image/png")
    os.utime(store.path_of(first), (1, 1))
    assert store.store("n1", 0, IMAGE, "image/png") == first
    assert make_store(tmp_path).store("n1", 0, IMAGE, "image/png") == first
    assert store.path_of(first).stat().st_mtime == 1


def test_other_bytes_never_overwrite_a_paid_image(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first = store.store("n1", 0, IMAGE, "image/png")
    other = store.store("n1", 0, b"other", "image/png")
    assert store.store("n1", 0, b"other", "image/png") == other
    assert store.store("n1", 1, b"second", "image/webp").path == "n1_1.webp"
    assert store.read(first) == IMAGE
    assert store.read(other) == b"other"


@pytest.mark.parametrize("bad", ["../x", "a/../b", "a\\..\\b", "..", "", "x" * 513, "n1\0", "%2e%2e/x"])
def test_a_malformed_id_forms_no_path(tmp_path: Path, bad: str) -> None:
    store = make_store(tmp_path)
    with pytest.raises(InvalidTaskIdError):
        store.store(bad, 0, IMAGE, "image/png")
    assert not store.directory.exists()


@pytest.mark.parametrize(
    "odd", ["a/b", "a\\b", "C:evil", "x" * 200, "a b", ".hidden", "https://x/y", "图", "hy:v3.1/a"]
)
def test_an_odd_id_lies_under_a_plain_name_of_its_own(tmp_path: Path, odd: str) -> None:
    store = make_store(tmp_path)
    stored = store.store(odd, 0, IMAGE, "image/png")
    assert re.fullmatch(r"[A-Za-z0-9_\-]{1,150}\.png", stored.path)
    assert store.path_of(stored).parent == store.directory
    assert store.read(stored) == IMAGE
    alike = re.sub(r"[^A-Za-z0-9_\-]", "_", odd)[:128]
    assert store.store(alike, 0, b"other", "image/png").path != stored.path


@pytest.mark.parametrize("path", ["../journal.sqlite3", "/etc/passwd", "..", "", "a\\..\\b", "C:x", "sub/n1_0.png"])
def test_a_path_in_a_journal_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    store = make_store(tmp_path)
    image = StoredImage(path, "image/png", 5, "d")
    with pytest.raises(ValueError, match="not the name of a result file"):
        store.path_of(image)
    with pytest.raises(DownloadError):
        store.read(image)
    assert not store.has(image)


def test_names_differ_on_every_file_system() -> None:
    ids = ["n1", "N1", "nA", "Na", "CON", "con", "nul", "n-1_2"]
    names = [file_name(task_id, 0, "image/png") for task_id in ids]
    assert len({name.lower() for name in names}) == len(ids)
    reserved = {"con", "nul", "prn", "aux", "com1"}
    assert not {name.partition(".")[0].lower() for name in names} & reserved
    assert file_name("n1", 0, "application/strange") == "n1_0.img"


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "gif", "avif"])
def test_every_format_that_is_read_has_an_ending_that_opens_it(kind: str) -> None:
    assert file_name("n1", 0, f"image/{kind}".replace("jpg", "jpeg")) == f"n1_0.{kind}"


def test_a_file_that_is_gone_or_changed_is_not_given_out(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    image = store.store("n1", 0, IMAGE, "image/png")
    store.path_of(image).write_bytes(IMAGE[:-1])
    assert not store.has(image)
    with pytest.raises(DownloadError, match="not what was stored"):
        store.read(image)
    store.path_of(image).unlink()
    with pytest.raises(DownloadError, match="cannot be read") as gone:
        store.read(image)
    assert gone.value.money is Money.SPENT


def test_a_folder_that_cannot_be_written_leaves_the_task_collectable(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    with pytest.raises(DownloadError, match=r"could not be stored.*n1.*can still be collected"):
        make_store(tmp_path).store("n1", 0, IMAGE, "image/png")


@pytest.mark.posix
def test_a_full_disk_leaves_neither_a_half_file_nor_a_temporary_one(tmp_path: Path) -> None:
    worker = Worker(
        tmp_path,
        "limited",
        """
import resource
from hunyuan.settings.store import Settings
from hunyuan.storage.results import ResultStore
store = ResultStore(directory / "results", lambda: 0, journal)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store.store("n1", 0, b"x" * 5000, "image/png")
except Exception as error:
    say(f"{type(error).__name__} {error}")
""",
    )
    said = worker.hear()
    assert worker.end() == 0
    assert said.startswith("DownloadError ")
    assert "The disk is full. Free some space" in said
    assert list((tmp_path / "results").iterdir()) == []


def test_a_process_killed_while_writing_leaves_no_half_image(tmp_path: Path) -> None:
    """Killed between the bytes and the rename: only a temporary file, removed when it is old."""
    worker = Worker(
        tmp_path,
        "killed",
        """
from hunyuan.settings.store import Settings
from hunyuan.storage.results import ResultStore
def stop_there(source, target):
    say("waiting")
    sys.stdin.readline()
ResultStore(directory / "results", lambda: 0, journal, replace=stop_there).store("n1", 0, b"x" * 5000, "image/png")
""",
    )
    assert worker.hear() == "waiting"
    worker.kill()
    store = make_store(tmp_path)
    (left,) = store.directory.iterdir()
    assert left.name.startswith(".")
    assert left.name.endswith(".tmp")
    store.store("n1", 0, IMAGE, "image/png")
    assert left.exists(), "a living process may be writing it"
    os.utime(left, (1, 1))
    make_store(tmp_path).store("n2", 0, IMAGE, "image/png")
    assert not left.exists()


class Windows:
    """os.replace as Windows does it while another program holds the target, for a number of tries."""

    def __init__(self, held: int) -> None:
        self.held = held
        self.waits: list[float] = []

    def replace(self, source: Path, target: Path) -> None:
        if len(self.waits) < self.held:
            raise PermissionError(13, "Access is denied")
        os.replace(source, target)

    def store(self, directory: Path) -> ResultStore:
        return ResultStore(
            directory / "results",
            lambda: 0,
            open_journal(directory),
            sleep=self.waits.append,
            replace=self.replace,
        )


def test_a_target_that_is_held_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    windows = Windows(held=3)
    store = windows.store(tmp_path)
    assert store.read(store.store("n1", 0, IMAGE, "image/png")) == IMAGE
    assert len(windows.waits) == 3
    assert 0 < sum(windows.waits) < 2


def test_a_target_that_stays_held_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    store = Windows(held=1000).store(tmp_path)
    with pytest.raises(DownloadError, match="could not be stored"):
        store.store("n1", 0, IMAGE, "image/png")
    assert files_in(store) == set()


def test_a_target_that_another_process_wrote_meanwhile_is_taken(tmp_path: Path) -> None:
    def faster(source: Path, target: Path) -> None:
        target.write_bytes(IMAGE)
        raise PermissionError(13, "Access is denied")

    store = ResultStore(tmp_path / "results", lambda: 0, open_journal(tmp_path), replace=faster)
    assert store.read(store.store("n1", 0, IMAGE, "image/png")) == IMAGE
    assert files_in(store) == {"n1_0.png"}


def test_threads_storing_the_same_image(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    start = threading.Barrier(6)
    images: list[StoredImage] = []

    def one() -> None:
        start.wait()
        images.append(store.store("n1", 0, IMAGE, "image/png"))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert images == [images[0]] * 6
    assert files_in(store) == {"n1_0.png"}


def deliver(journal: Journal, store: ResultStore, clock: HandClock, number: int, *, delivered: bool = True) -> TaskRow:
    row = begun(journal, number)
    journal.mark_submitted(row.id, f"n{number}")
    journal.mark_collected(row.id, [store.store(f"n{number}", 0, bytes([number]) * 1000, "image/png")])
    clock.now += 1
    if delivered:
        journal.mark_delivered(row.id)
    return row


def test_the_longest_delivered_makes_room_and_the_undelivered_never(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    cap = [0]
    store = ResultStore(tmp_path / "results", lambda: cap[0], journal)
    waiting = deliver(journal, store, clock, 0, delivered=False)
    first, second, third = (deliver(journal, store, clock, number) for number in (1, 2, 3))
    assert store.size() == 4000
    assert store.evict() == 0, "no cap"
    cap[0] = 4000
    assert store.evict() == 0, "under the cap"
    cap[0] = 3400
    assert store.evict() == 1000
    assert files_in(store) == {"n0_0.png", "n2_0.png", "n3_0.png"}
    gone = journal.get(first.id)
    assert gone is not None
    assert gone.evicted_at == clock.now
    assert gone.files[0].path == "n1_0.png"
    with pytest.raises(DownloadError):
        store.read(gone.files[0])
    cap[0] = 1
    assert store.evict() == 2000
    assert files_in(store) == {"n0_0.png"}
    kept = journal.get(waiting.id)
    assert kept is not None
    assert kept.evicted_at is None
    assert [journal.get(row.id) and row.id for row in (second, third)] == [second.id, third.id]
    assert store.evict() == 0, "nothing more may go, and it ends"


def test_each_machine_makes_room_in_its_own_folder(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    stores = [ResultStore(tmp_path / name, lambda: 2000, journal, shared=True) for name in ("here", "there")]
    here, there = stores
    rows = [deliver(journal, stores[number % 2], clock, number) for number in range(1, 7)]
    for number in (2, 4):
        there.store(f"n{number}", 0, bytes([number]) * 1000, "image/png")
    assert here.evict() == 2000
    assert files_in(here) == {"n6_0.png"}
    evicted = [row.id for row in rows if fresh(journal, row).evicted_at]
    assert evicted == [rows[1].id, rows[3].id], "of the other's files nothing is written off"
    assert there.evict() == 4000, "also those that are gone at the first"
    assert files_in(there) == {"n5_0.png"}
    assert here.evict() == there.evict() == 0


def test_files_that_are_already_gone_do_not_stop_the_eviction(tmp_path: Path) -> None:
    clock = HandClock()
    journal = open_journal(tmp_path, clock=clock)
    store = ResultStore(tmp_path / "results", lambda: 1000, journal)
    deliver(journal, store, clock, 1)
    (store.directory / "n1_0.png").unlink()
    deliver(journal, store, clock, 2)
    deliver(journal, store, clock, 3)
    assert store.evict() == 2000
    assert journal.evictable() == []


def test_what_was_no_image_is_kept_for_a_look(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    kept = Path(store.keep_rejected("n1", 0, b"<html>"))
    assert kept.read_bytes() == b"<html>"
    assert kept.parent == store.directory / "rejected"
    for number in range(30):
        store.keep_rejected(f"m{number}", 0, b"<html>")
    assert len(list(kept.parent.iterdir())) == 20
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results").write_text("in the way")
    assert make_store(tmp_path / "other").keep_rejected("n1", 0, b"x").startswith("no file (")


def test_what_is_kept_for_a_look_is_nobody_elses_and_holds_no_key(tmp_path: Path) -> None:
    store, key = make_store(tmp_path), "sk-0123456789abcdef"
    redact = Settings(api_key=key).redact
    text = f"<html>Authorization: Bearer {key}, {key.upper()}, {base64.b64encode(key.encode()).decode()}</html>"
    for encoding in ("utf-8", "utf-16", "utf-16-le", "latin-1"):
        body = (text + "\u00e9").encode(encoding)
        kept = Path(store.keep_rejected("n1", 0, body, redact))
        told = kept.read_bytes().decode("latin-1").replace("\0", "")
        assert re.search(r"Bearer \*\*\*, \*\*\*, \*\*\*(g==)?<", told), told
        if os.name == "posix":
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.chmod(0o644)
    again = Path(store.keep_rejected("n1", 0, body, redact))
    assert again == kept
    if os.name == "posix":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600, "one that an earlier version left readable is closed"
    damaged = b"\x89PNG\r\n\x1a\n\0\0 cut off"
    assert Path(store.keep_rejected("n2", 0, damaged, redact)).read_bytes() == damaged
