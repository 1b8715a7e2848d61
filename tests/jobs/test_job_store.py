"""The store of jobs, on a real SQLite file."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.jobs.store import Store

REQUEST = {"t": "submit", "method": "clipdraw", "params": {"prompt": "고양이"}}


class Clock:
    """A clock that goes on by one second each time it is looked at."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        self.time += 1
        return self.time


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "jobs.sqlite", Clock())
    yield store
    assert store.is_sound()
    store.close()


def finished(store: Store, job: str, result: bytes = b"r") -> None:
    store.add(job, "u", "c", "clipdraw", REQUEST)
    store.record(job, {"t": "state", "state": "running"}, state="running")
    body = {"t": "done", "state": "done", "step": 9}
    store.record(job, body, state="done", result=result)


def test_a_submit_that_is_repeated_is_the_same_job(store: Store) -> None:
    assert store.add("a", "u", "c", "clipdraw", REQUEST)
    assert not store.add("a", "u", "c", "clipdraw", {})
    job = store.job("a")
    assert job is not None and job.request == REQUEST and job.state == "queued" and job.seq == 0
    assert store.job("b") is None


def test_events_are_numbered_by_job_and_replayed_after_any(store: Store) -> None:
    for job in ("a", "b"):
        store.add(job, "u", "c", "clipdraw", REQUEST)
    assert [store.record("a", {"n": n}) for n in range(3)] == [1, 2, 3]
    assert store.record("b", {"n": 0}) == 1
    assert store.events("a", 1) == [{"n": 1, "seq": 2}, {"n": 2, "seq": 3}]
    assert store.events("a", 3) == [] == store.events("nobody")
    with pytest.raises(KeyError):
        store.record("nobody", {})


def test_the_end_of_a_job_is_one_change(store: Store) -> None:
    store.add("a", "u", "c", "clipdraw", REQUEST)
    store.checkpoint("a", 5, b"state")
    assert store.last_checkpoint("a") == (5, b"state")
    store.checkpoint("a", 7, b"later")
    assert store.last_checkpoint("a") == (7, b"later")
    assert store.died("a") == 1 and store.died("a") == 2
    store.checkpoint("a", 7, b"no further")
    assert store.died("a") == 3
    store.checkpoint("a", 8, b"further")
    assert store.died("a") == 1, "a job that gets somewhere is no poison"
    store.record("a", {"t": "state", "state": "cancelled", "step": 8}, state="cancelled")
    job = store.job("a")
    assert job is not None and job.is_over and job.step == 8 and job.ended is not None
    assert store.last_checkpoint("a") is None
    store.checkpoint("a", 9, b"too late")
    assert store.last_checkpoint("a") is None


def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = Store(path, Clock())
    store.keep_blob("s", "image/png", b"png")
    store.add("a", "u", "c", "clipdraw", REQUEST, ("s",))
    store.record("a", {"t": "state", "state": "running"}, state="running")
    store.keep_frame("a", 10, b"ten")
    store.keep_frame("a", 50, b"fifty")
    assert store.died("a") == 1 and store.died("a") == 2
    finished(store, "z")
    store.close()
    again = Store(path, Clock())
    assert [job.id for job in again.unfinished()] == ["a"]
    assert again.unfinished()[0].deaths == 2
    assert again.blob("s") == ("image/png", b"png") and again.blob("t") is None
    assert again.frame_steps("a") == [10, 50] and again.frame("a", 29) == b"ten"
    assert again.frame("a", 31) == b"fifty" and again.frame("b", 0) is None
    assert again.result("z") == b"r" and again.result("a") is None
    assert [job.id for job in again.jobs()] == ["z", "a"]
    assert [j.id for j in again.jobs(before=again.jobs()[0].created)] == ["a"]
    assert again.jobs(user="another") == []
    again.close()


def test_an_input_must_be_there_and_goes_with_its_last_job(store: Store) -> None:
    with pytest.raises(KeyError):
        store.add("a", "u", "c", "clipdraw", REQUEST, ("missing",))
    assert store.job("a") is None
    store.keep_blob("s", "image/png", b"png")
    store.add("a", "u", "c", "clipdraw", REQUEST, ("s",))
    store.add("b", "u", "c", "clipdraw", REQUEST, ("s", "s"))
    store.forget("a")
    assert store.blob("s") is not None
    store.forget("b")
    assert store.blob("s") is None


def test_room_is_made_by_forgetting_the_oldest_results_first(store: Store) -> None:
    for name in "abcd":
        finished(store, name, random.Random(name).randbytes(300_000))
    store.add("running", "u", "c", "clipdraw", REQUEST)
    store.keep_blob("idle", "image/png", b"png")
    gone = store.make_room(700_000, idle_s=0)
    assert [job.id for job in gone] == ["a", "b"] and store.size_bytes() <= 700_000
    assert store.result("a") is None and store.result("c") is not None
    assert store.blob("idle") is None and store.job("running") is not None
    assert store.make_room(0, idle_s=0) and store.job("running") is not None


def test_a_history_of_another_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match="99"):
        Store(path)
    assert path.read_bytes() == before


WRITER = """
import sys
from limner.jobs.store import Store
store = Store(sys.argv[1])
job = sys.argv[2]
store.add(job, "u", "c", "clipdraw", {})
n = 0
while True:
    n += 1
    store.checkpoint(job, n, b"x" * 2000)
    seq = store.record(job, {"n": n}, state="running" if n % 3 else "paused")
    print(seq, flush=True)
"""


def test_what_was_told_is_there_after_a_kill(tmp_path: Path) -> None:
    """Ten writers, each killed at a random moment."""
    seed = 20
    print(f"seed {seed}")
    chance, path = random.Random(seed), tmp_path / "jobs.sqlite"
    Store(path).close()
    for turn in range(10):
        argv = [sys.executable, "-c", WRITER, str(path), f"job{turn}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [int(writer.stdout.readline()) for _ in range(chance.randint(1, 40))]
            writer.send_signal(signal.SIGKILL)
            told += [int(line) for line in writer.stdout if line.endswith("\n")]
        store = Store(path)
        assert store.is_sound()
        seqs = [event["seq"] for event in store.events(f"job{turn}")]
        assert seqs == list(range(1, len(seqs) + 1)) and len(seqs) >= told[-1]
        job = store.job(f"job{turn}")
        assert job is not None and job.seq == len(seqs)
        assert job.state == json.loads('["paused", "running", "running"]')[len(seqs) % 3]
        checkpoint = store.last_checkpoint(f"job{turn}")
        assert checkpoint is not None and checkpoint[0] in (len(seqs), len(seqs) + 1)
        store.close()
