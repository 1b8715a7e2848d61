"""What a front end asks for, and whether it may: each message to the hub, each refusal in words."""

from __future__ import annotations

import time
from itertools import accumulate
from typing import Any

from limner.jobs.store import Job
from limner.server.gate import Keys
from limner.server.hub import Hub, as_told
from limner.server.peer import Peer
from limner_wire import messages as m
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.frames import Buffer, Bytes, encode, encode_text
from limner_wire.limits import ANSWER_BYTES, RESULT_BYTES

COMMANDS = (m.Cancel, m.Pause, m.Resume, m.Adjust)


class Requests:
    """Serves one front end.

    Args:
        keys: of which the owner may give some away.
    """

    def __init__(self, hub: Hub, keys: Keys, peer: Peer) -> None:
        self._hub, self._keys, self._peer = hub, keys, peer

    def refuse(self, problem: LimnerError) -> None:
        """Say that something is not served at all."""
        self._peer.refuse(problem)

    def take(self, message: m.Message, part: Bytes = b"") -> None:
        """Serve a message, or say why not.

        Raises:
            WireError: if it breaks the protocol.
        """
        job = getattr(message, "job", "")
        try:
            self._take(message, part)
            if isinstance(message, COMMANDS):
                self._peer.tell(m.Taken(job, message.t))
        except LimnerError as problem:
            self._peer.refuse(problem, job, retryable=problem.code is ErrorCode.QUOTA)

    def _take(self, message: m.Message, part: Bytes) -> None:
        hub, peer = self._hub, self._peer
        match message:
            case m.Ack():
                peer.acknowledge(message.job, message.seq)
            case m.Ping():
                peer.tell(m.Pong(message.n))
            case m.Blob():
                self._upload(message, part)
            case m.Submit():
                self._submit(message)
            case m.Watch():
                self._watch(message)
            case m.Unwatch():
                self._unwatch(message.job)
            case m.Cancel():
                hub.cancel(self._unfinished(message.job), message)
            case m.Pause():
                hub.pause(self._unfinished(message.job))
            case m.Resume():
                hub.resume(self._unfinished(message.job))
            case m.Adjust():
                hub.adjust(self._unfinished(message.job), message.params)
            case m.ListJobs():
                peer.tell(m.Jobs(_as_many_as_fit([self._row(job) for job in self._jobs(message)])))
            case m.Describe():
                peer.tell(self._described(self._job(message.job)))
            case m.Fetch():
                self._fetch(message)
            case m.Forget():
                self._forget(self._job(message.job))
            case m.Invite():
                self._invite(message.guest)
            case m.Hello():
                raise LimnerError(ErrorCode.PROTOCOL, "Hello was said already.")

    # --- whose job it is --------------------------------------------------------------------

    def _job(self, job: str) -> Job:
        found = self._hub.store.job(job)
        if found is None:
            raise LimnerError(ErrorCode.UNKNOWN_JOB, "There is no such drawing; it was deleted.")
        if not self._peer.may_see(found.user):
            raise LimnerError(ErrorCode.FORBIDDEN, "This drawing is someone else's.")
        return found

    def _unfinished(self, job: str) -> Job:
        found = self._job(job)
        if found.is_over:
            raise LimnerError(ErrorCode.BUSY, "It is over already.")
        return found

    # --- jobs -------------------------------------------------------------------------------

    def _upload(self, blob: m.Blob, part: Bytes) -> None:
        store = self._hub.store
        if not store.has_blob(blob.sha256):
            have, whole = self._peer.uploads.take(blob, part)
            if whole is None:
                self._peer.tell(m.BlobOk(blob.sha256, have, complete=False))
                return
            store.keep_blob(blob.sha256, blob.mime, whole)
            self._hub.make_room()
        self._peer.tell(m.BlobOk(blob.sha256, blob.size, complete=True))

    def _submit(self, submit: m.Submit) -> None:
        if self._hub.store.job(submit.job) is None:
            self._hub.submit(submit, (self._peer.user, self._peer.client))
        else:
            self._job(submit.job)
        if submit.watch:
            self._watch(m.Watch(submit.job))

    def _watch(self, watch: m.Watch) -> None:
        job, viewers = self._job(watch.job), self._hub.viewers
        events = self._hub.store.events(job.id, watch.since_seq)
        self._peer.outbox.replay([self._told(event) for event in events])
        if not job.is_over:
            first = job.id not in viewers
            viewers.add(job.id, self._peer)
            if first:
                self._hub.watched(job.id, first=True)

    def _told(self, event: dict[str, Any]) -> str | bytes:
        is_done = event["t"] == "done"
        return as_told(event, self._hub.store.result(event["job"]) if is_done else None)

    def _unwatch(self, job: str) -> None:
        if job in self._hub.viewers.by(self._peer):
            self._hub.viewers.remove(job, self._peer)
            if job not in self._hub.viewers:
                self._hub.watched(job, first=False)

    def leave(self) -> None:
        """The front end is gone."""
        for job in self._hub.viewers.by(self._peer):
            self._unwatch(job)

    def _fetch(self, fetch: m.Fetch) -> None:
        job, store = self._job(fetch.job), self._hub.store
        wire: str | bytes | None
        if fetch.what == "frame":
            wire = store.frame(job.id, fetch.step)
        elif fetch.what == "input":
            wire = self._input(job, fetch.role)
        else:
            done = (event for event in store.events(job.id) if event["t"] == "done")
            wire = next((self._told(event) for event in done), None)
        if wire is None:
            raise LimnerError(ErrorCode.BUSY, f"There is no {fetch.what} of it.")
        self._peer.outbox.replay([wire])

    def _input(self, job: Job, role: str) -> bytes | None:
        sha = job.request.get("inputs", {}).get(role, "")
        found = self._hub.store.blob(sha)
        if found is None:
            return None
        mime, data = found
        head = m.Blob(sha, mime, len(data), job=job.id)
        return encode(head.json(), [Buffer("data", "u8", (len(data),), data)], RESULT_BYTES)

    def _forget(self, job: Job) -> None:
        if not job.is_over:
            raise LimnerError(ErrorCode.BUSY, "It is not over yet.", "Cancel it first.")
        self._hub.store.forget(job.id)
        self._hub.tell_forgotten([job], "asked")

    # --- what there is ----------------------------------------------------------------------

    def _jobs(self, asked: m.ListJobs) -> list[Job]:
        user = self._peer.user or None
        return self._hub.store.jobs(user=user, before=asked.before or None, count=asked.count)

    def _row(self, job: Job) -> dict[str, Any]:
        """A job as lists show it."""
        steps = job.request.get("params", {}).get("steps", 0)
        return {
            "job": job.id, "method": job.method, "prompt": job.prompt,
            "state": job.state, "stays": self._hub.stays(job),
            "step": job.step, "total": steps if job.step <= steps else 0,  # a method may take more
            "canvas": job.request.get("canvas", []), "client": job.client, "user": job.user,
            "created": job.created, "ended": job.ended or 0,
        }  # fmt: skip

    def _described(self, job: Job) -> m.Described:
        asked = ("method", "params", "canvas", "inputs", "models")
        more = {
            "request": {key: job.request[key] for key in asked if key in job.request},
            "frames": self._hub.store.frame_steps(job.id),
            "result": self._hub.store.result(job.id) is not None,
        }
        return m.Described(job.id, self._row(job) | more)

    def _invite(self, guest: str) -> None:
        if self._peer.user:
            raise LimnerError(ErrorCode.FORBIDDEN, "Only the owner of this machine can invite.")
        self._peer.tell(m.Invited(self._keys.ticket(time.monotonic(), guest)))


def _as_many_as_fit(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The first of the rows, as far as one answer can carry them: prompts may be long."""
    ends = accumulate(len(encode_text(row, ANSWER_BYTES).encode()) + 1 for row in rows)
    return tuple(row for row, end in zip(rows, ends, strict=True) if end < ANSWER_BYTES - 100)
