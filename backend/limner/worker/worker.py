"""A worker: orders come in, are run one after the other; commands reach the one that runs.

It speaks in parts, lists of bytes whose first names the kind, whatever carries them (a queue to a
thread, ZeroMQ to a process):

    in    order, job, frame | command, text | stop
    out   ready, facts | said, frame or text | kept, text, data | over, job | beat, text

`receive` may be called from any thread; `work` runs in one of its own and is where networks live.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch

from limner.engine.order import Order
from limner.models import clip, networks
from limner.models.unclip import decoder
from limner.worker.control import Control
from limner.worker.facts import facts
from limner.worker.loop import Run, Task
from limner.worker.orders import Shelf, ready
from limner_wire import messages
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.frames import Buffer, decode_text, encode, encode_text
from limner_wire.limits import ANSWER_BYTES, RESULT_BYTES

log = logging.getLogger(__name__)

Parts = list[bytes]
COMMANDS = (
    messages.Cancel, messages.Pause, messages.Resume, messages.Adjust, messages.Watch,
    messages.Unwatch, messages.Leave,
)  # fmt: skip
BINARY = messages.TO_CLIENT_BINARY


@dataclass
class _Job:
    id: str
    order: bytes
    control: Control


class Worker:
    """See the module's text.

    Args:
        tell: takes the parts that go out; called from the thread of `work`.
    """

    def __init__(self, device: torch.device, tell: Callable[[Parts], None]) -> None:
        self._shelf, self._tell = Shelf(device), tell
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._run: Run | None = None
        self._stopping = False

    # --- any thread -------------------------------------------------------------------------

    def receive(self, parts: Parts) -> None:
        """Take an order, a command, or the wish to stop."""
        match parts:
            case [b"order", name, order]:
                job = _Job(name.decode(), order, Control(watched=False))
                with self._lock:
                    self._jobs[job.id] = job
                self._queue.put(job)
            case [b"command", text]:
                self._command(messages.parse(decode_text(text, ANSWER_BYTES), COMMANDS))
            case [b"stop"]:
                self._stopping = True
                with self._lock:
                    for job in self._jobs.values():
                        job.control.leave()
                self._queue.put(None)

    def beat(self) -> Parts:
        """Whether and how far the work moves: the step of the job that runs."""
        run = self._run
        where = {"job": run.task.job, "step": run.moves} if run else {"job": "", "step": 0}
        return [b"beat", encode_text(where).encode()]

    def _command(self, message: messages.Message) -> None:
        with self._lock:
            job = self._jobs.get(message.job)  # type: ignore[attr-defined]
        if job is None:
            return  # it has just ended
        match message:
            case messages.Cancel(keep=keep):
                job.control.cancel(keep=keep)
            case messages.Pause():
                job.control.pause()
            case messages.Resume():
                job.control.resume()
            case messages.Adjust(params=params):
                job.control.adjust(params)
            case messages.Leave():
                job.control.leave()
            case messages.Watch():
                job.control.watched = True
            case messages.Unwatch():
                job.control.watched = False

    # --- the working thread -----------------------------------------------------------------

    def work(self) -> None:
        """Run orders until it is told to stop.

        Raises:
            torch.AcceleratorError: if the device is lost; the process is of no more use.
        """
        self._tell([b"ready", json.dumps(facts(self._shelf.device)).encode()])
        clip.library()  # the artist is still typing
        if self._queue.empty() and networks.installed("decoder"):
            decoder.unet()
        while (job := self._queue.get()) is not None and not self._stopping:
            self._one(job)

    def _one(self, job: _Job) -> None:
        try:
            self._emit(messages.State(job.id, 0, "loading"), [])
            task: Task = ready(Order.from_bytes(job.order), self._shelf)
            self._run = Run(task, job.control, self._emit, self._keep)
            self._run.go()
        except LimnerError as problem:
            self._fail(job.id, problem)
        except torch.AcceleratorError:
            raise  # this process can't use the device any more
        except Exception:
            log.exception("job %s", job.id)
            self._fail(
                job.id,
                LimnerError(
                    ErrorCode.INTERNAL,
                    "Limner made a mistake of its own; the log says which.",
                    "Try again; if it comes back, report it with the log.",
                ),
            )
        self._run = None
        with self._lock:
            del self._jobs[job.id]
        if not self._stopping:
            self._tell([b"over", job.id.encode()])

    def _fail(self, job: str, problem: LimnerError) -> None:
        words = (problem.message[:2000], problem.hint[:2000])
        self._emit(messages.Failed(problem.code.value, *words, job=job), [])
        self._emit(messages.State(job, 0, "error"), [])

    def _emit(self, message: messages.Message, buffers: list[Buffer]) -> None:
        if isinstance(message, BINARY):
            self._tell([b"said", encode(message.json(), buffers, RESULT_BYTES)])
        else:
            self._tell([b"said", encode_text(message.json(), ANSWER_BYTES).encode()])

    def _keep(self, job: str, what: str, step: int, data: bytes) -> None:
        head = json.dumps({"job": job, "what": what, "step": step}).encode()
        self._tell([b"kept", head, data])
