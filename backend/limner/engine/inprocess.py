"""An engine in this process: a worker on a thread."""

from __future__ import annotations

import asyncio
import threading

import torch

from limner.engine.base import Hear
from limner.engine.parts import to_event
from limner.worker.worker import Parts, Worker
from limner_wire.frames import encode_text
from limner_wire.messages import Message


class InProcess:
    """See `engine.base.Engine`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None

    async def start(self, hear: Hear) -> None:
        loop = asyncio.get_running_loop()

        def tell(parts: Parts) -> None:
            loop.call_soon_threadsafe(hear, to_event(parts))

        self._worker = Worker(self._device, tell)
        self._thread = threading.Thread(target=self._worker.work, name="limner-worker")
        self._thread.start()

    def order(self, job: str, order: bytes) -> None:
        self._send([b"order", job.encode(), order])

    def command(self, message: Message) -> None:
        self._send([b"command", encode_text(message.json()).encode()])

    async def stop(self) -> None:
        if self._thread is not None:
            self._send([b"stop"])
            await asyncio.to_thread(self._thread.join)

    def _send(self, parts: Parts) -> None:
        if self._worker is None:
            raise RuntimeError("the engine has not been started")
        self._worker.receive(parts)
