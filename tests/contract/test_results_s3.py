"""Results in the user's S3 store (moto's): a machine that lacks the file takes it from there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hunyuan.errors import DownloadError
from hunyuan.settings.store import Settings
from hunyuan.storage.results import ResultStore
from hunyuan.storage.s3_results import S3Results
from tests.kit.journals import open_journal
from tests.kit.upload_servers import ACCESS_KEY, BUCKET, SECRET_KEY, S3Store

IMAGE = b"\x89PNG original bytes" * 100


@dataclass
class Machine:
    """One machine's result folder; its copies are put when `rest` says so."""

    directory: Path
    settings: Settings
    said: list[str] = field(default_factory=list)
    begun: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        copies = S3Results(lambda: self.settings, self.begun.append, self.said.append)
        self.store = ResultStore(self.directory / "results", lambda: 0, open_journal(self.directory), copies=copies)

    def rest(self) -> None:
        while self.begun:
            self.begun.pop()()

    def files(self) -> list[str]:
        return sorted(file.name for file in self.store.directory.glob("*"))


@pytest.fixture
def machine(s3: S3Store, tmp_path: Path) -> Callable[..., Machine]:
    def make(name: str, **changes: Any) -> Machine:
        settings = Settings(
            results_store="s3",
            s3_endpoint=s3.address,
            s3_bucket=BUCKET,
            s3_access_key=ACCESS_KEY,
            s3_secret_key=SECRET_KEY,
            s3_prefix=f"{tmp_path.name}/",
        )
        return Machine(tmp_path / name, replace(settings, **changes))

    return make


def test_a_machine_that_lacks_the_file_takes_it_from_the_store(
    s3: S3Store, tmp_path: Path, machine: Callable[..., Machine]
) -> None:
    first, second = machine("first"), machine("second")
    image = first.store.store("n1", 0, IMAGE, "image/png")
    assert len(first.begun) == 1, "no image waits for its copy"
    first.rest()
    assert s3.objects()[f"{tmp_path.name}/results/n1_0.png"] == IMAGE
    assert not second.store.has(image)
    assert second.store.read(image) == IMAGE
    assert second.files() == ["n1_0.png"]
    s3.client.delete_object(Bucket=BUCKET, Key=f"{tmp_path.name}/results/n1_0.png")
    assert second.store.read(image) == IMAGE, "it lies here now"
    assert first.store.store("n1", 0, IMAGE, "image/png") == image
    assert first.begun == [], "what lies there is not put twice"
    assert first.said == second.said == []


def test_a_damaged_file_is_mended_from_its_copy(machine: Callable[..., Machine]) -> None:
    first = machine("first")
    image = first.store.store("n1", 0, IMAGE, "image/png")
    first.rest()
    first.store.path_of(image).write_bytes(IMAGE[:-7] + b"damaged")
    assert first.store.read(image) == IMAGE
    assert first.store.path_of(image).read_bytes() == IMAGE


def test_a_copy_that_is_not_what_was_stored_is_not_given_out(
    s3: S3Store, tmp_path: Path, machine: Callable[..., Machine]
) -> None:
    first, second = machine("first"), machine("second")
    image = first.store.store("n1", 0, IMAGE, "image/png")
    s3.client.put_object(Bucket=BUCKET, Key=f"{tmp_path.name}/results/n1_0.png", Body=b"something else")
    with pytest.raises(DownloadError, match="cannot be read"):
        second.store.read(image)
    assert not second.store.bring(image)
    assert second.files() == []


def test_a_copy_that_is_not_there_is_no_news(machine: Callable[..., Machine]) -> None:
    first, second = machine("first"), machine("second")
    image = first.store.store("n1", 0, IMAGE, "image/png")
    with pytest.raises(DownloadError, match="cannot be read"):
        second.store.read(image)
    assert second.said == []


@pytest.mark.parametrize(
    "wrong", [{"s3_endpoint": "http://127.0.0.1:9"}, {"s3_bucket": "nowhere"}, {"s3_bucket": ""}], ids=str
)
def test_a_copy_that_cannot_be_put_fails_no_paid_image(machine: Callable[..., Machine], wrong: dict[str, str]) -> None:
    first, second = machine("first", **wrong), machine("second", **wrong)
    image = first.store.store("n1", 0, IMAGE, "image/png")
    first.rest()
    assert first.store.read(image) == IMAGE
    (said,) = first.said
    assert "n1_0.png is on this machine only" in said
    with pytest.raises(DownloadError):
        second.store.read(image)
    assert "could not be read" in second.said[0]
    assert SECRET_KEY not in said + second.said[0]


def test_without_the_setting_nothing_leaves_the_machine(
    s3: S3Store, tmp_path: Path, machine: Callable[..., Machine]
) -> None:
    first, second = machine("first"), machine("second", results_store="folder")
    image = second.store.store("n2", 0, IMAGE, "image/png")
    second.rest()
    assert not [key for key in s3.objects() if key.startswith(tmp_path.name)]
    with pytest.raises(DownloadError):
        first.store.read(image)


def test_a_full_disk_keeps_nobody_from_an_image_that_is_in_hand(machine: Callable[..., Machine]) -> None:
    first, second = machine("first"), machine("second")
    image = first.store.store("n1", 0, IMAGE, "image/png")
    first.rest()
    second.directory.mkdir(parents=True, exist_ok=True)
    (second.directory / "results").write_text("in the way")
    assert second.store.read(image) == IMAGE


def test_two_machines_on_one_shared_folder(tmp_path: Path) -> None:
    """A folder that each machine mounts under a path of its own: the journal holds names, not paths."""
    shared = tmp_path / "share"
    shared.mkdir()
    (tmp_path / "mounted here").symlink_to(shared)
    journal = open_journal(tmp_path)
    here = ResultStore(tmp_path / "mounted here", lambda: 0, journal)
    there = ResultStore(shared, lambda: 0, journal)
    images = []
    threads = [
        threading.Thread(target=lambda store=store: images.append(store.store("n1", 0, IMAGE, "image/png")))
        for store in (here, there)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert images == [images[0]] * 2
    assert here.read(images[0]) == there.read(images[0]) == IMAGE
    assert [file.name for file in shared.iterdir()] == ["n1_0.png"]
