"""What is known of drawings, and how each message changes that. No widget and no socket here."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from limner_wire import messages as m
from limner_wire.errors import ErrorCode
from limner_wire.frames import Buffer
from limner_wire.session import Heard
from limner_wire.strokes import Strokes

CURVE_POINTS = 600  # kept of each loss; beyond, every other is dropped
KEPT = 40  # drawings in the history; the oldest that are over go first
SENDING = "sending"  # before the backend has confirmed it

Curve = list[tuple[int, float]]  # (step, value) in order


@dataclass(frozen=True)
class Request:
    """What was asked for: a submit but for its id and its pictures."""

    method: str
    params: dict[str, Any]
    canvas: tuple[int, int]
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The files of a drawing that is over; a method without strokes has no SVG."""

    svg: bytes
    png: bytes
    about: dict[str, Any]


@dataclass
class Job:
    """One drawing.

    Attributes:
        state: one of the wire's, or "sending".
        stays: whether it has made its last step, and answers each change until it is kept.
        asked: the command that is under way: "pause", "resume", "cancel", "drop"; else nothing.
        position: how many come before it.
        step, total, rate, left: of the newest progress; rate in steps a second, left in seconds.
        confirmed: the step from which the last change holds, and what it changed.
        failure: what went wrong, in words.
        strokes: of the newest frame; of the result when `is_final`.
        raster: the newest picture and its kind, of a method that has no strokes.
        snapshot: what of the document it belongs to; the host's business.
        uploads: what is to be sent before it is asked for: role -> id.
    """

    request: Request
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = SENDING
    note: str = ""
    stays: bool = False
    asked: str = ""
    position: int = 0
    step: int = 0
    total: int = 0
    rate: float = 0.0
    left: float = 0.0
    losses: dict[str, Curve] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    confirmed: tuple[int, dict[str, Any]] | None = None
    failure: str = ""
    strokes: Strokes | None = None
    is_final: bool = False
    raster: tuple[bytes, str] | None = None
    result: Result | None = None
    frames_heard: int = 0
    uploads: dict[str, str] = field(default_factory=dict)
    is_sent: bool = False
    snapshot: Any = None
    begun: float = field(default_factory=time.time)

    @property
    def prompt(self) -> str:
        """What was asked for; nothing if the method takes no words."""
        return str(self.request.params.get("prompt", ""))

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in m.ENDED

    @property
    def is_live(self) -> bool:
        """Whether it is with a worker."""
        return self.state in ("running", "paused")

    @property
    def is_kept(self) -> bool:
        """Whether there is something to apply."""
        return self.result is not None

    def submit(self) -> m.Submit:
        """The message that asks for it."""
        asked = self.request
        return m.Submit(
            self.id, asked.method, asked.params, asked.canvas, dict(self.uploads), asked.models
        )

    def about(self) -> dict[str, Any]:
        """What made it, to be saved in the document: enough to make it again."""
        told = self.result.about if self.result is not None else {}
        seed = told.get("seed", self.request.params.get("seed", 0))
        return {
            "job": self.id, "method": self.request.method, "prompt": self.prompt, "seed": seed,
            "params": dict(self.request.params), "models": list(self.request.models),
            "canvas": list(self.request.canvas), "settings": told.get("settings", {}),
            "score": told.get("score"), "version": told.get("version", ""),
        }  # fmt: skip

    def fail(self, why: str) -> None:
        """It never began, or can't go on."""
        self.state, self.failure, self.asked = "error", why, ""

    # --- what is heard ----------------------------------------------------------------------

    def tell(self, heard: Heard) -> None:
        """Take in a message about this drawing."""
        change = _CHANGES.get(type(heard.message))
        if change is not None:
            change(self, heard.message, heard)


def _state(job: Job, state: m.State, _: Heard) -> None:
    job.state, job.note, job.asked, job.position = state.state, state.note, "", state.position
    job.step, job.stays = max(job.step, state.step), state.stays


def _waiting(job: Job, waiting: m.Waiting, _: Heard) -> None:
    job.position = waiting.position


def _progress(job: Job, progress: m.Progress, _: Heard) -> None:
    job.step, job.total = progress.step, progress.total
    job.rate, job.left = progress.it_per_s, progress.eta_s
    for name, value in progress.losses.items():
        if isinstance(value, int | float):
            job.losses[name] = _longer(job.losses.get(name, []), progress.step, float(value))


def _longer(curve: Curve, step: int, value: float) -> Curve:
    if curve and curve[-1][0] >= step:
        return curve
    longer = [*curve, (step, value)]
    return longer[::2] if len(longer) > CURVE_POINTS else longer


def _adjusted(job: Job, adjusted: m.Adjusted, _: Heard) -> None:
    job.request = replace(job.request, params={**job.request.params, **adjusted.params})
    job.confirmed = adjusted.step, dict(adjusted.params)


def _notice(job: Job, notice: m.Notice, _: Heard) -> None:
    job.notices.append(notice.text)


def _failed(job: Job, failed: m.Failed, _: Heard) -> None:
    """With a number it is the drawing that failed; without, only what was asked of it."""
    if job.is_over and not failed.seq:
        return  # a command that came too late
    job.failure, job.asked = f"{failed.message} {failed.hint}".strip(), ""
    if failed.seq or job.state == SENDING or failed.code == ErrorCode.UNKNOWN_JOB.value:
        job.state, job.stays = "error", False


def _strokes(job: Job, frame: m.StrokesFrame, heard: Heard) -> None:
    job.strokes = heard.strokes
    job.frames_heard += 1


def _raster(job: Job, frame: m.RasterFrame, heard: Heard) -> None:
    data = next(iter(heard.buffers.values()), None)
    if data is not None:
        job.raster = (bytes(data.data), frame.mime)
        job.frames_heard += 1


def _done(job: Job, done: m.Done, heard: Heard) -> None:
    files = {name: _bytes(heard.buffers, name) for name in ("svg", "png")}
    job.result = Result(files["svg"], files["png"], dict(done.about))
    job.state, job.asked, job.failure, job.stays = done.state, "", "", False
    settings = done.about.get("settings")
    steps = settings.get("steps_done") if isinstance(settings, dict) else None
    job.step = steps if isinstance(steps, int) else max(job.step, done.step)


def _bytes(buffers: Mapping[str, Buffer], name: str) -> bytes:
    return bytes(buffers[name].data) if name in buffers else b""


_CHANGES: dict[type[m.Message], Callable[[Job, Any, Heard], None]] = {
    m.State: _state, m.Waiting: _waiting, m.Progress: _progress, m.Adjusted: _adjusted,
    m.Notice: _notice, m.Failed: _failed, m.StrokesFrame: _strokes, m.RasterFrame: _raster,
    m.Done: _done,
}  # fmt: skip


class History:
    """The drawings since the host was started, the newest first."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> list[Job]:
        """Put in a new one. Those that had to go for it: over, and oldest."""
        self._jobs[job.id] = job
        over = [j for j in self._jobs.values() if j.is_over and j is not job]
        gone = over[: max(0, len(self._jobs) - KEPT)]
        for old in gone:
            del self._jobs[old.id]
        return gone

    def get(self, job: str) -> Job | None:
        """The drawing with that id, if it is one of these."""
        return self._jobs.get(job)

    def remove(self, job: Job) -> None:
        """Take one out."""
        self._jobs.pop(job.id, None)

    def __iter__(self) -> Iterator[Job]:
        return reversed(list(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)
