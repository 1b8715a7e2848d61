"""The life of every job, from its submit to its end: between front ends, store, queue and engine.

Whatever becomes of a job is first written down, then told (`store`: what was told survives). Each
engine has one job at a time; the others wait in the queue, or are parked: a job that is paused
leaves the device when another waits, and goes on from its checkpoint when it is resumed, wherever
there is room. So it is with a job whose worker died, or that ran when the server ended; one that
dies three times in a row before it gets any further is given up.

It does not know who may ask for what: `requests` does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from limner import __version__
from limner.engine.base import Engine, Event, Kept, Lost, Over, Ready, Said
from limner.engine.order import Order
from limner.jobs.check import check_adjustment, check_submit
from limner.jobs.queue import Client, Queue
from limner.jobs.store import Job, Store
from limner.server.peer import Peer
from limner.server.viewers import Viewers
from limner_wire import limits, messages
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.frames import Bytes, decode, encode, encode_text

log = logging.getLogger(__name__)

DEATHS = 3  # in a row, then the job is poison
FORGOTTEN_AT_ONCE = 500  # in one message
CHANGES = 256  # that a worker has not made yet
OUT_OF_MEMORY = ErrorCode.OUT_OF_MEMORY.value
NOWHERE = "Not every machine of this backend has it: bring them all to the same version."


@dataclass
class Seat:
    """An engine, and what is known of it.

    Attributes:
        facts: what it said when it was ready; None before that, and when its worker is lost.
        job: the one that is with it, or nothing.
        is_free: whether it can take one.
        is_leaving: whether its job makes room for another.
        is_too_small: whether its job goes on where there is more memory.
        unheard: changes of its job that the worker hasn't made yet.
    """

    engine: Engine
    facts: Ready | None = None
    job: str = ""
    is_free: bool = False
    is_leaving: bool = False
    is_too_small: bool = False
    unheard: deque[dict[str, Any]] = field(default_factory=deque)

    @property
    def memory(self) -> int:
        """How many bytes its device has."""
        return self.facts.memory if self.facts else 0


class Hub:
    """All jobs of this server.

    Args:
        engines: the one to be asked first comes first.
        quota_bytes: how much room everything may take.
    """

    def __init__(self, store: Store, engines: Sequence[Engine], quota_bytes: int) -> None:
        self.store, self.quota_bytes = store, quota_bytes
        self.seats = [Seat(engine) for engine in engines]
        self.viewers = Viewers()
        self.peers: dict[Peer, None] = {}  # everyone who is connected
        self.queue = Queue()
        self.known = asyncio.Event()  # set when it is known what there is to ask for
        facts = store.noted("facts") or {}
        self.facts: dict[str, Any] = {"methods": [], "models": [], "devices": []}
        if facts.get("version") == __version__:
            self.facts = facts
            self.known.set()
        self._ending: dict[str, messages.Cancel] = {}  # once a worker has taken the job up again
        self._too_small: dict[str, int] = {}  # jobs, and how much memory was too little for them

    @property
    def has_worker(self) -> bool:
        """Whether any engine is ready."""
        return any(seat.facts for seat in self.seats)

    # --- from start to end ------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what was unfinished, and start the engines."""
        for job in self.store.unfinished():
            if job.state != "paused":
                self._put_back(job, "The backend was started again." if job.seq else "")
        for seat in self.seats:
            await seat.engine.start(partial(self.hear, seat))

    async def stop(self) -> None:
        """Save what runs, and end."""
        await asyncio.gather(*(seat.engine.stop() for seat in self.seats))
        await asyncio.sleep(0)  # what the engines said last is heard
        self.known.set()  # who still waits to be greeted waits for nothing
        for seat in self.seats:
            if (job := self.store.job(seat.job)) is not None and not job.is_over:
                self._take_back_changes(seat, job)

    def make_room(self) -> None:
        """Forget the oldest results if there is too little room, and say so."""
        gone = self.store.make_room(self.quota_bytes, limits.BLOB_IDLE_S)
        for start in range(0, len(gone), FORGOTTEN_AT_ONCE):
            self.tell_forgotten(gone[start : start + FORGOTTEN_AT_ONCE], "room")

    def tidy(self) -> None:
        """Make room, and end what ended while there was none to write it down.

        Raises:
            LimnerError: DISK_FULL.
        """
        self.make_room()
        for job in self.store.unfinished():
            if job.state in ("loading", "running") and self._seat(job.id) is None:
                words = "The disk was full while this was drawn."
                self._fail(job.id, LimnerError(ErrorCode.DISK_FULL, words, "Draw it again."))

    def tell_forgotten(self, jobs: list[Job], why: str) -> None:
        """Tell everyone whose they were that some jobs are no more."""
        for peer in self.peers:
            if theirs := tuple(job.id for job in jobs if peer.may_see(job.user)):
                peer.tell(messages.Forgotten(theirs, why))

    # --- what an engine says ------------------------------------------------------------------

    def hear(self, seat: Seat, event: Event) -> None:
        """Take note of what happened, and tell those who watch."""
        try:
            self._hear(seat, event)
        except LimnerError as problem:
            self._no_room(seat, problem)

    def _hear(self, seat: Seat, event: Event) -> None:
        match event:
            case Ready():
                self._ready(seat, event)
            case Lost():
                self._lost(seat, event)
            case Said(message=message, frame=frame):
                if seat.job and message.job == seat.job:  # type: ignore[attr-defined]
                    self._said(seat, message, frame)
            case Kept(job=job) if job == seat.job:
                if event.what == "checkpoint":
                    self.store.checkpoint(job, event.step, event.data)
                else:
                    self.store.keep_frame(job, event.step, event.data)
            case Over(job=job) if job == seat.job:
                self._over(seat, job)

    def _ready(self, seat: Seat, ready: Ready) -> None:
        seat.facts, seat.is_free = ready, True
        self.facts = {"version": __version__} | common([s.facts for s in self.seats if s.facts])
        self.store.note("facts", self.facts)
        self._tell_facts()
        self._next()

    def _tell_facts(self) -> None:
        self.known.set()
        for peer in self.peers:
            peer.welcome(self.facts, ready=self.has_worker)

    def _said(self, seat: Seat, message: Any, frame: Bytes) -> None:
        if message.t in messages.LATEST_WINS:
            self.viewers.show(message, frame)
            return
        job = self.store.job(message.job)
        if job is None or job.is_over or seat.is_too_small:
            return  # it was ended here in the meantime, or goes on elsewhere
        is_too_much = isinstance(message, messages.Failed) and message.code == OUT_OF_MEMORY
        if is_too_much and seat.memory < self._most:
            self._too_small[job.id], seat.is_too_small = seat.memory, True
            return
        if isinstance(message, messages.Done):
            self.record(message, state=message.state, result=bytes(frame))
        elif isinstance(message, messages.State):
            self.record(message, state=message.state)
            self._make_way()
        else:
            if isinstance(message, messages.Adjusted | messages.Failed) and seat.unheard:
                seat.unheard.popleft()  # they are heard in order
            if isinstance(message, messages.Adjusted):
                self._changed(message)
            elif isinstance(message, messages.Failed) and message.retryable:
                self.viewers.tell(job.id, as_told(message.json(), b""))  # a change was refused
            else:
                self.record(message)

    def _over(self, seat: Seat, job: str) -> None:
        moves = seat.is_too_small
        seat.job, seat.is_free, seat.is_leaving, seat.is_too_small = "", True, False, False
        found = self.store.job(job)
        try:
            if found is None or found.is_over:
                self.viewers.settle(job)
            elif moves:
                self._take_back_changes(seat, found)
                self._put_back(found, "It needs more memory; a larger device takes over.")
            elif found.state in ("paused", "queued"):
                self._take_back_changes(seat, found)
            else:
                words = "The drawing ended without a result."
                self._fail(job, LimnerError(ErrorCode.INTERNAL, words))
            self.make_room()
        finally:  # a full disk stops no other job
            seat.unheard.clear()
            self._next()

    def _lost(self, seat: Seat, lost: Lost) -> None:
        log.warning("%s", lost.why)
        job = self.store.job(seat.job)
        seat.facts, seat.job = None, ""
        seat.is_free = seat.is_leaving = seat.is_too_small = False
        if self.known.is_set() or not lost.is_replaced:
            self._tell_facts()
        if job is None or job.is_over:
            seat.unheard.clear()
            return
        self._take_back_changes(seat, job)
        if job.state == "paused" or job.id in self.queue:
            return
        if self.store.died(job.id) < DEATHS:
            self._put_back(job, "The worker died; another takes over.")
            self._next()
            return
        words = f"This drawing brought its worker down {DEATHS} times in a row."
        hint = "Try fewer strokes or cutouts, or another model; the log says more."
        self._fail(job.id, LimnerError(ErrorCode.POISONED, words, hint))

    def _take_back_changes(self, seat: Seat, job: Job) -> None:
        """Changes that the worker never made are made where the job goes on."""
        while seat.unheard:
            self._change_later(job.id, seat.unheard.popleft())

    def _change_later(self, job: str, change: dict[str, Any]) -> None:
        """A change where a job will go on; however often an artist changes their mind meanwhile,
        it is one event."""
        self._changed(messages.Adjusted(job, 0, self.saved_step(job) + 1, change))

    def _changed(self, adjusted: messages.Adjusted) -> None:
        """Write a change down; with the one before, if both hold from the same step on."""
        change, replaces = adjusted.params, 0
        last = self.store.last_event(adjusted.job) or {}
        if last.get("t") == "adjusted" and last["step"] == adjusted.step:
            change, replaces = last["params"] | change, last["seq"]
        self.record(replace(adjusted, params=change), replaces=replaces)

    def _no_room(self, seat: Seat, problem: LimnerError) -> None:
        """The disk is full: the job that needed room ends; what was written stays."""
        log.error("%s", problem)
        if not (job := seat.job):
            return
        seat.engine.command(messages.Cancel(job, keep=False))
        try:
            self._fail(job, problem)
        except LimnerError:
            for peer in self.viewers.of(job):
                peer.refuse(problem, job)

    # --- what becomes of a job ----------------------------------------------------------------

    def record(self, message: Any, *, state: str | None = None, result: bytes = b"",
               replaces: int = 0) -> None:  # fmt: skip
        """Write an event of a job down, with its new state and result, then tell it.

        Args:
            replaces: the number of an earlier event that this one says too.

        Raises:
            LimnerError: DISK_FULL.
        """
        job, body = message.job, message.json()
        if result:
            body.pop("about")  # it stands in the result
        seq = self.store.record(job, body, state=state, result=result or None, replaces=replaces)
        self.viewers.tell(job, as_told({**body, "seq": seq}, result))
        if state in messages.ENDED:
            self.viewers.dismiss(job)

    def saved_step(self, job: str) -> int:
        """The step from which a job would go on."""
        saved = self.store.last_checkpoint(job)
        return saved[0] if saved else 0

    def _fail(self, job: str, problem: LimnerError) -> None:
        code, words, hint = problem.code.value, problem.message, problem.hint
        self.record(messages.Failed(code, words, hint, job=job))
        self.record(messages.State(job, 0, "error"), state="error")

    def _put_back(self, job: Job, note: str) -> None:
        """A job that was interrupted goes on before all others."""
        self.queue.put_back(job.id)
        state = messages.State(job.id, 0, "queued", step=job.step, note=note)
        self.record(state, state="queued")

    def _next(self) -> None:
        """Hand the next jobs to the engines that can take one, those with most memory first."""
        for seat in sorted(self.seats, key=lambda seat: -seat.memory):
            fits = partial(self._fits, seat)
            while seat.is_free and (job := self.queue.pop(fits)) is not None:
                found = self.store.job(job)
                if found is not None and not found.is_over:
                    self._begin(seat, found)
        self.tell_positions()

    @property
    def _most(self) -> int:
        """The memory of the largest device there is."""
        return max(seat.memory for seat in self.seats)

    def _fits(self, seat: Seat, job: str) -> bool:
        """Whether a device has more memory than one that had too little, or as much as any has."""
        return seat.memory > self._too_small.get(job, -1) or seat.memory == self._most

    def _begin(self, seat: Seat, job: Job) -> None:
        self._too_small.pop(job.id, None)
        seat.is_free, seat.job = False, job.id
        self.viewers.settle(job.id, ("waiting",))
        seat.engine.order(job.id, self._order(job).to_bytes())
        if job.id in self.viewers:
            seat.engine.command(messages.Watch(job.id))
        if (cancel := self._ending.pop(job.id, None)) is not None:
            seat.engine.command(cancel)

    def _order(self, job: Job) -> Order:
        submit = messages.read(job.request, messages.Submit)
        blobs = {role: self.store.blob(sha) for role, sha in submit.inputs.items()}
        step, saved = self.store.last_checkpoint(job.id) or (0, b"")
        changes: dict[int, dict[str, Any]] = {}  # one for each step, however many there were
        for event in self.store.events(job.id):
            if event["t"] == "adjusted" and event["step"] > step:
                changes[event["step"]] = changes.get(event["step"], {}) | event["params"]
        found = {role: blob for role, blob in blobs.items() if blob is not None}
        return Order(submit, found, saved, sorted(changes.items()))

    def tell_positions(self) -> None:
        """Tell those who wait how many come before them."""
        for position, job in enumerate(self.queue.order()):
            if job in self.viewers:
                self.viewers.show(messages.Waiting(job, 0, position + self._busy()))

    def _busy(self) -> int:
        """How many jobs are with an engine."""
        return sum(bool(seat.job) for seat in self.seats)

    def _seat(self, job: str) -> Seat | None:
        """Where a job is."""
        return next((seat for seat in self.seats if job and seat.job == job), None)

    # --- what is asked for --------------------------------------------------------------------

    def submit(self, submit: messages.Submit, client: Client) -> None:
        """Take a new job.

        Raises:
            LimnerError: for whatever makes it none.
        """
        check_submit(submit, self.facts["methods"], self.facts["models"], self.store.has_blob)
        self.queue.check(client)
        inputs = tuple(submit.inputs.values())
        self.store.add(submit.job, *client, submit.method, submit.json(), inputs)
        self.queue.add(submit.job, client)
        ahead = self.queue.order().index(submit.job) + self._busy()
        self.record(messages.State(submit.job, 0, "queued", ahead), state="queued")
        self._next()
        self._make_way()

    def _make_way(self) -> None:
        """Paused jobs do not hold devices while others wait."""
        waiting = len(self.queue) - sum(seat.is_leaving for seat in self.seats)
        for seat in self.seats:
            job = self.store.job(seat.job)
            is_held = job is not None and job.state == "paused" and not seat.is_leaving
            if waiting > 0 and is_held:
                waiting -= 1
                seat.is_leaving = True
                seat.engine.command(messages.Leave(seat.job))

    def watched(self, job: str, *, first: bool) -> None:
        """Someone began to watch a job (the `first`), or the last one ceased to."""
        if (seat := self._seat(job)) is not None:
            kind = messages.Watch if first else messages.Unwatch
            seat.engine.command(kind(job))
        newest = self.store.frame(job, limits.STEPS_MAX) if first else None
        if newest is not None:
            head: Any = messages.parse(decode(newest).header, messages.TO_CLIENT_BINARY)
            if head.step > self.viewers.shown_step(job):
                self.viewers.show(head, newest)
        self.tell_positions()

    def _staying(self, job: Job) -> Seat | None:
        """Where a job is, and stays."""
        seat = self._seat(job.id)
        return None if seat is None or seat.is_leaving else seat

    def cancel(self, job: Job, cancel: messages.Cancel) -> None:
        """End a job that is not over: with what it has, or with nothing."""
        if (seat := self._staying(job)) is not None:
            seat.engine.command(cancel)
            return
        self.queue.remove(job.id)
        if cancel.keep and self.saved_step(job.id):
            self._ending[job.id] = cancel
            self._put_back(job, "It is finished with what there is.")
            self._next()
        else:
            state = messages.State(job.id, 0, "cancelled", step=job.step)
            self.record(state, state="cancelled")
            self.tell_positions()

    def pause(self, job: Job) -> None:
        """Hold a job.

        Raises:
            LimnerError: BUSY if it does not run.
        """
        if (seat := self._staying(job)) is None:
            raise LimnerError(ErrorCode.BUSY, "Only a drawing that runs can be paused.")
        seat.engine.command(messages.Pause(job.id))

    def resume(self, job: Job) -> None:
        """Let a job that is not over go on, if it is held."""
        if (seat := self._staying(job)) is not None:
            seat.engine.command(messages.Resume(job.id))
        elif job.state == "paused":
            self._put_back(job, "")
            self._next()

    def adjust(self, job: Job, change: dict[str, Any]) -> None:
        """Change settings from the next step on, or from the step that the job will begin with.

        Raises:
            LimnerError: BAD_INPUT; QUOTA if too many wait to be made.
        """
        method = next(m for m in self.facts["methods"] if m["name"] == job.method)
        check_adjustment(method["schema"], change)
        if (seat := self._staying(job)) is not None:
            if len(seat.unheard) >= CHANGES:
                words = f"{CHANGES} changes of this drawing wait to be made already."
                raise LimnerError(ErrorCode.QUOTA, words, "Let it go on first.")
            seat.unheard.append(change)
            seat.engine.command(messages.Adjust(job.id, change))
        else:
            self._change_later(job.id, change)
            if self.stays(job):
                self._put_back(job, "")  # it comes back to show what comes of it
                self._next()

    def stays(self, job: Job) -> bool:
        """Whether a job has made its last step and waits for changes, with the engine or not."""
        if job.state != "paused":
            return False
        states = (e for e in reversed(self.store.events(job.id)) if e["t"] == "state")
        return any(state.get("stays", False) for state in islice(states, 1))


def common(facts: Sequence[Ready]) -> dict[str, Any]:
    """What front ends are told of several engines: the devices; of methods and models, what is
    everywhere, as a job may come to any of them."""
    first, *others = facts
    models = [{model["name"] for model in one.models} for one in others]
    lacks = [{m["name"]: m.get("ready", "") for m in one.methods} for one in others]
    methods = []
    for method in first.methods:
        told = [method.get("ready", ""), *(lack.get(method["name"], NOWHERE) for lack in lacks)]
        methods.append({**method, "ready": next(filter(None, told), "")})
    return {
        "devices": [one.device for one in facts], "methods": methods,
        "models": [m for m in first.models if all(m["name"] in names for names in models)],
    }  # fmt: skip


def as_told(body: dict[str, Any], result: bytes | None) -> str | bytes:
    """A durable event as it goes to front ends; of `done`, the result with it."""
    if body["t"] != "done":
        return encode_text(body, limits.ANSWER_BYTES)
    frame = decode(result or b"", limits.RESULT_BYTES)
    return encode(frame.header | body, frame.buffers.values(), limits.RESULT_BYTES)
