"""An engine in this process: a worker on a thread."""

from __future__ import annotations

import asyncio
import logging
import threading

import torch

from limner.engine.base import Hear, Lost
from limner.engine.parts import to_event
from limner.worker.worker import Parts, Worker
from limner_wire.frames import encode_text
from limner_wire.limits import ANSWER_BYTES
from limner_wire.messages import Message

log = logging.getLogger(__name__)


class InProcess:
    """See `engine.base.Engine`. A lost device ends the thread, and another is started."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None
        self._job = ""

    async def start(self, hear: Hear) -> None:
        self._hear, self._loop = hear, asyncio.get_running_loop()
        self._begin()

    def order(self, job: str, order: bytes) -> None:
        self._job = job
        self._send([b"order", job.encode(), order])

    def command(self, message: Message) -> None:
        self._send([b"command", encode_text(message.json(), ANSWER_BYTES).encode()])

    async def stop(self) -> None:
        if self._thread is not None:
            self._send([b"stop"])
            await asyncio.to_thread(self._thread.join)

    def _begin(self) -> None:
        worker = self._worker = Worker(self._device, self._tell)
        self._thread = threading.Thread(target=self._work, args=(worker,), name="limner-worker")
        self._thread.start()

    def _work(self, worker: Worker) -> None:
        try:
            worker.work()
        except torch.AcceleratorError as problem:
            log.exception("the device is lost")
            self._loop.call_soon_threadsafe(self._lost, str(problem))

    def _lost(self, why: str) -> None:
        self._begin()
        self._hear(Lost(self._job, why))

    def _tell(self, parts: Parts) -> None:
        self._loop.call_soon_threadsafe(self._hear, to_event(parts))

    def _send(self, parts: Parts) -> None:
        if self._worker is None:
            raise RuntimeError("the engine has not been started")
        self._worker.receive(parts)
