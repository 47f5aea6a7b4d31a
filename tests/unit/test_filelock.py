"""Locks that end with their process."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from hunyuan.journal.filelock import FileLocks
from tests.kit.journals import Worker

HOLD = """
from hunyuan.journal.filelock import FileLocks
locks = FileLocks(directory / "locks")
locks.take("mine")
say("held")
sys.stdin.readline()
"""


def test_a_name_is_free_only_after_its_process_ended(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks")
    assert not locks.is_free("mine"), "never held: nothing is known"
    worker = Worker(tmp_path, "w", HOLD)
    worker.hear()
    assert not locks.is_free("mine")
    worker.kill()
    assert locks.is_free("mine")


def test_many_that_look_at_once_do_not_take_each_other_for_the_holder(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "w", HOLD)
    worker.hear()
    worker.kill()
    start = threading.Barrier(8)
    seen: list[bool] = []

    def look() -> None:
        locks = FileLocks(tmp_path / "locks")
        start.wait()
        seen.extend(locks.is_free("mine") for _ in range(50))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 400


def test_a_released_name_leaves_nothing(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    locks.take("mine")
    locks.take("mine")
    assert not FileLocks(tmp_path).is_free("mine")
    locks.release("mine")
    assert list(tmp_path.glob("*.lock")) == []
    locks.release("mine")


def test_a_mutex_lets_in_one_at_a_time(tmp_path: Path) -> None:
    locked = pytest.raises(sqlite3.OperationalError, match="locked")
    with FileLocks(tmp_path).holding("open", 0.0), locked, FileLocks(tmp_path).holding("open", 0.0):
        raise AssertionError("two at once")
    with FileLocks(tmp_path).holding("open", 0.0):
        pass


def test_what_the_killed_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    for name in ("old", "new"):
        worker = Worker(tmp_path, "w", HOLD.replace("mine", name))
        worker.hear()
        worker.kill()
        if name == "old":
            for file in (tmp_path / "locks").glob("*.lock"):
                os.utime(file, (1, 1))
    locks = FileLocks(tmp_path / "locks")
    locks.take("mine")
    assert locks.is_free("new"), "still tells that it ended"
    assert not locks.is_free("old"), "swept"
    for file in (tmp_path / "locks").glob("*.lock"):
        os.utime(file, (1, 1))
    FileLocks(tmp_path / "locks").take("another")
    assert not locks.is_free("new"), "swept in its turn"
    assert len(list((tmp_path / "locks").glob("*.lock"))) == 2, "what is held stays, however old"
