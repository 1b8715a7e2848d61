"""The truth about jobs, in one SQLite file: it survives whatever happens to the processes.

Write-ahead logging; a change of state is on the disk before it is told to anyone (synchronous =
FULL), other events follow at the next checkpoint of the log at the latest (NORMAL). Every durable
event of a job has the next number of that job, so that a front end can ask for all after one.

One thread of one process uses a store. Result files and inputs lie in it too: a folder of loose
files can't be changed together with the rows that speak of them.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_BYTES
from limner_wire.messages import ENDED

SCHEMA = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, client TEXT NOT NULL,
    method TEXT NOT NULL, request TEXT NOT NULL, prompt TEXT NOT NULL, state TEXT NOT NULL,
    seq INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL, ended REAL
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, created);
CREATE TABLE events (
    job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, seq INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY, mime TEXT NOT NULL, data BLOB NOT NULL, used REAL NOT NULL
) STRICT;
CREATE TABLE inputs (
    job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, sha256 TEXT NOT NULL REFERENCES blobs,
    PRIMARY KEY (job, sha256)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    job TEXT PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, step INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE frames (
    job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, step INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (job, step)
) STRICT;
CREATE TABLE results (
    job TEXT PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, data BLOB NOT NULL
) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
VERSION = 1
PATIENCE_S = 5.0  # for another process to let go of the file
LOOSE_BYTES = 4 * IMAGE_BYTES  # of inputs of no job
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Job:
    """A row of `jobs`.

    Attributes:
        user: whose it is; nothing for the owner of this machine.
        client: the front end that it came from.
        request: the submit message as JSON.
        prompt: its words, as they were last adjusted.
        seq: the number of its last durable event.
        deaths: how often in a row its worker died before it got anywhere.
        created, ended: seconds since 1970, for people.
    """

    id: str
    user: str
    client: str
    method: str
    request: dict[str, Any]
    prompt: str
    state: str
    seq: int
    step: int
    deaths: int
    created: float
    ended: float | None

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ENDED


@dataclass(slots=True)
class Store:
    """An open store.

    Args:
        path: the file; made if it is not there. ":memory:" for none.
        now: what time it is, in seconds since 1970.
    """

    path: Path | str
    now: Clock = time.time
    _db: sqlite3.Connection = field(init=False, repr=False)
    _began: float = field(init=False)  # where the monotonic clock of `blobs.used` has its zero

    def __post_init__(self) -> None:
        self._db = sqlite3.connect(
            self.path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, VERSION):
            self._db.close()
            raise ValueError(f"the history is of version {found}, this Limner's is {VERSION}")
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL",
                       "foreign_keys=ON", "trusted_schema=OFF"):  # fmt: skip
            self._db.execute(f"PRAGMA {pragma}")
        if found == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        used = self._db.execute("SELECT coalesce(max(used), 0) FROM blobs").fetchone()[0]
        self._began = time.monotonic() - used

    def close(self) -> None:
        """Close the file; whatever is in the log stays."""
        self._db.close()

    def _use(self) -> float:
        """The time by which inputs grow old: it stands still while the store is closed, and does
        not jump when the wall's clock does."""
        return time.monotonic() - self._began

    @contextlib.contextmanager
    def _write(self, *, certain: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction; when `certain`, it is on the disk before this returns.

        Raises:
            LimnerError: DISK_FULL, with nothing changed.
        """
        if certain:
            self._db.execute("PRAGMA synchronous=FULL")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise
            raise LimnerError(
                ErrorCode.DISK_FULL,
                "There is no room on the disk for what was drawn.",
                "Free some, or delete old drawings; then draw again.",
            ) from problem
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if certain:
                self._db.execute("PRAGMA synchronous=NORMAL")

    # --- jobs and their events --------------------------------------------------------------

    def add(self, job: str, user: str, client: str, method: str, request: dict[str, Any],
            inputs: tuple[str, ...] = ()) -> bool:  # fmt: skip
        """Note a new job; False if it is there already (a retry of the same submit).

        Raises:
            KeyError: if an input is not there.
        """
        with self._write(certain=True) as db:
            if db.execute("SELECT 1 FROM jobs WHERE id = ?", (job,)).fetchone():
                return False
            db.execute(
                "INSERT INTO jobs (id, user, client, method, request, prompt, state, created)"
                " VALUES (?, ?, ?, ?, ?, ?, 'queued', ?)",
                (job, user, client, method, json.dumps(request), _prompt(request), self.now()),
            )
            for sha in inputs:
                try:
                    db.execute("INSERT OR IGNORE INTO inputs VALUES (?, ?)", (job, sha))
                except sqlite3.IntegrityError:
                    raise KeyError(sha) from None
        return True

    def record(self, job: str, body: dict[str, Any], *, state: str | None = None,
               result: bytes | None = None, replaces: int = 0) -> int:  # fmt: skip
        """A durable event, and with it a change of state and a result; the event's number.

        Args:
            replaces: the number of an earlier event that this one says too.

        Raises:
            KeyError: if there is no such job.
        """
        with self._write(certain=state is not None) as db:
            row = db.execute("SELECT seq, step FROM jobs WHERE id = ?", (job,)).fetchone()
            if row is None:
                raise KeyError(job)
            seq = int(row["seq"]) + 1
            db.execute("UPDATE jobs SET seq = ? WHERE id = ?", (seq, job))
            if words := _prompt(body):
                db.execute("UPDATE jobs SET prompt = ? WHERE id = ?", (words, job))
            if state is not None:
                ended = self.now() if state in ENDED else None
                db.execute(
                    "UPDATE jobs SET state = ?, ended = ?, step = ? WHERE id = ?",
                    (state, ended, body.get("step", row["step"]), job),
                )
                if state in ENDED:
                    db.execute("DELETE FROM checkpoints WHERE job = ?", (job,))
            if result is not None:
                db.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (job, result))
            if replaces:
                db.execute("DELETE FROM events WHERE job = ? AND seq = ?", (job, replaces))
            db.execute(
                "INSERT INTO events VALUES (?, ?, ?)", (job, seq, json.dumps({**body, "seq": seq}))
            )
        return seq

    def events(self, job: str, since_seq: int = 0) -> list[dict[str, Any]]:
        """The durable events of a job after one, in order."""
        rows = self._db.execute(
            "SELECT body FROM events WHERE job = ? AND seq > ? ORDER BY seq", (job, since_seq)
        )
        return [json.loads(row["body"]) for row in rows]

    def last_event(self, job: str) -> dict[str, Any] | None:
        """The last durable event of a job."""
        row = self._db.execute(
            "SELECT body FROM events WHERE job = ? ORDER BY seq DESC LIMIT 1", (job,)
        ).fetchone()
        return None if row is None else dict(json.loads(row["body"]))

    def job(self, job: str) -> Job | None:
        """One job."""
        row = self._db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        return None if row is None else _job(row)

    def jobs(self, *, user: str | None = None, before: float | None = None,
             count: int = 50) -> list[Job]:  # fmt: skip
        """Jobs, the newest first."""
        rows = self._db.execute(
            "SELECT * FROM jobs WHERE (?1 IS NULL OR user = ?1)"
            " AND (?2 IS NULL OR created < ?2) ORDER BY created DESC, rowid DESC LIMIT ?3",
            (user, before, count),
        )
        return [_job(row) for row in rows]

    def unfinished(self) -> list[Job]:
        """Jobs that are not over, the oldest first: what a start of the server takes up again."""
        marks = ",".join("?" * len(ENDED))
        rows = self._db.execute(
            f"SELECT * FROM jobs WHERE state NOT IN ({marks}) ORDER BY rowid",  # noqa: S608
            sorted(ENDED),
        )
        return [_job(row) for row in rows]

    def died(self, job: str) -> int:
        """Note that the job's worker died; how often now since it last got anywhere."""
        with self._write(certain=True) as db:
            row = db.execute(
                "UPDATE jobs SET deaths = deaths + 1 WHERE id = ? RETURNING deaths", (job,)
            ).fetchone()
        return int(row[0])

    # --- what belongs to a job --------------------------------------------------------------

    def checkpoint(self, job: str, step: int, data: bytes) -> None:
        """Keep where a run stands, in place of where it stood; not for a job that is over."""
        with self._write(certain=True) as db:
            db.execute(
                "INSERT OR REPLACE INTO checkpoints SELECT id, ?, ? FROM jobs"
                " WHERE id = ? AND ended IS NULL",
                (step, data, job),
            )
            db.execute(
                "UPDATE jobs SET deaths = 0, step = ?1 WHERE id = ?2 AND step < ?1", (step, job)
            )

    def last_checkpoint(self, job: str) -> tuple[int, bytes] | None:
        """The step and the bytes of the last checkpoint."""
        row = self._db.execute(
            "SELECT step, data FROM checkpoints WHERE job = ?", (job,)
        ).fetchone()
        return None if row is None else (int(row["step"]), bytes(row["data"]))

    def keep_frame(self, job: str, step: int, data: bytes) -> None:
        """Keep an encoded frame, for the replay."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO frames VALUES (?, ?, ?)", (job, step, data))

    def frame(self, job: str, step: int) -> bytes | None:
        """The kept frame nearest to a step."""
        row = self._db.execute(
            "SELECT data FROM frames WHERE job = ? ORDER BY abs(step - ?) LIMIT 1", (job, step)
        ).fetchone()
        return None if row is None else bytes(row["data"])

    def frame_steps(self, job: str) -> list[int]:
        """The steps of which frames are kept."""
        rows = self._db.execute("SELECT step FROM frames WHERE job = ? ORDER BY step", (job,))
        return [int(row["step"]) for row in rows]

    def result(self, job: str) -> bytes | None:
        """A job's encoded result."""
        row = self._db.execute("SELECT data FROM results WHERE job = ?", (job,)).fetchone()
        return None if row is None else bytes(row["data"])

    # --- inputs -----------------------------------------------------------------------------

    def keep_blob(self, sha256: str, mime: str, data: bytes) -> None:
        """Keep an input whose hash has been checked."""
        with self._write(certain=True) as db:
            db.execute(
                "INSERT INTO blobs VALUES (?, ?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET used = excluded.used",
                (sha256, mime, data, self._use()),
            )

    def has_blob(self, sha256: str) -> bool:
        """Whether an input is here; it then is as good as new."""
        with self._write() as db:
            found = db.execute("UPDATE blobs SET used = ? WHERE sha256 = ?", (self._use(), sha256))
        return found.rowcount > 0

    def blob(self, sha256: str) -> tuple[str, bytes] | None:
        """The kind and the bytes of an input."""
        row = self._db.execute(
            "SELECT mime, data FROM blobs WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return None if row is None else (str(row["mime"]), bytes(row["data"]))

    # --- facts ------------------------------------------------------------------------------

    def note(self, name: str, value: Any) -> None:
        """Remember something of the server's own, as JSON."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def noted(self, name: str) -> Any:
        """What was noted; None if nothing was."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row["value"])

    # --- room -------------------------------------------------------------------------------

    def size_bytes(self) -> int:
        """How much room everything takes."""
        pages, free, page = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * page

    def make_room(self, quota_bytes: int, idle_s: float) -> list[Job]:
        """Forget the oldest finished jobs until everything fits; inputs of no job go first, if they
        are old or so many that drawings would have to go for them.

        Args:
            quota_bytes: how much room there is.
            idle_s: how old an input of no job must be.

        Returns:
            The jobs that were forgotten.
        """
        with self._write() as db:
            db.execute(
                "DELETE FROM blobs WHERE sha256 IN (SELECT sha256 FROM ("
                "  SELECT sha256, used, sum(length(data)) OVER (ORDER BY used DESC, rowid) AS bytes"
                "  FROM blobs WHERE sha256 NOT IN (SELECT sha256 FROM inputs))"
                " WHERE used < ? OR bytes > ?)",
                (self._use() - idle_s, LOOSE_BYTES),
            )
        gone = []
        while self.size_bytes() > quota_bytes:
            row = self._db.execute(
                "SELECT * FROM jobs WHERE ended IS NOT NULL ORDER BY ended LIMIT 1"
            ).fetchone()
            if row is None:
                break
            self.forget(row["id"])
            gone.append(_job(row))
        return gone

    def forget(self, job: str) -> None:
        """Delete a job, all that belongs to it, and inputs that no other job uses."""
        with self._write() as db:
            own = [r[0] for r in db.execute("SELECT sha256 FROM inputs WHERE job = ?", (job,))]
            db.execute("DELETE FROM jobs WHERE id = ?", (job,))
            db.executemany(
                "DELETE FROM blobs WHERE sha256 = ? AND sha256 NOT IN (SELECT sha256 FROM inputs)",
                [(sha,) for sha in own],
            )

    def is_sound(self) -> bool:
        """SQLite's own check of the whole file."""
        return bool(self._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def _prompt(message: dict[str, Any]) -> str:
    return str(message.get("params", {}).get("prompt", ""))


def _job(row: sqlite3.Row) -> Job:
    return Job(
        row["id"], row["user"], row["client"], row["method"], json.loads(row["request"]),
        row["prompt"], row["state"], row["seq"], row["step"], row["deaths"], row["created"],
        row["ended"],
    )  # fmt: skip
