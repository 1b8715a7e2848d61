"""Engines on a Ray cluster: one actor for each device, on whichever machine that is.

An actor holds a worker (`worker.worker`). Orders and commands are calls, in their order; what the
worker says comes back through a streaming generator, in its order. An order carries all that a job
needs, its last checkpoint too, and checkpoints come back as they are made: the store that all nodes
reach is the server's own history.

An actor that dies, alone or with its node, is started again by Ray where there is room (more nodes
are Ray's own affair: https://docs.ray.io/en/latest/cluster/vms/user-guides/configuring-autoscaling.html);
the server hears `Lost` and puts its job back. Calls name the start of the actor that they are meant
for, so that none reaches the one that came after it.

Ray believes whoever reaches its ports: they belong on the cluster's own network, never on one that
front ends are on. Front ends talk to the server alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import ray
import torch
from ray.exceptions import RayError

from limner.engine.base import Hear, Lost, Over, Said
from limner.engine.parts import to_event
from limner.models.device import best_device
from limner.worker.worker import Parts, Worker
from limner_wire.errors import ErrorCode, LimnerError, WireError
from limner_wire.frames import decode_text, encode_text
from limner_wire.limits import ANSWER_BYTES
from limner_wire.messages import Message, State

log = logging.getLogger(__name__)

NAMESPACE = "limner"
SAYS, IS_TOLD = "says", "is told"  # concurrency groups of an actor: a thread each
HANGS_AFTER_S = 60.0  # without a step, while it should be running
PATIENCE_S = 5.0  # from asking to end to ending
BEAT_S, AGAIN_S = 1.0, 0.2
WORKER_LOST = 4  # exit code


class Actor:
    """A worker on a node.

    Args:
        threads: how many it computes on; as Ray has it if None.
    """

    def __init__(self, threads: int | None) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._start = uuid.uuid4().hex
        self._said: queue.SimpleQueue[Parts | None] = queue.SimpleQueue()
        self._worker = Worker(best_device(), self._said.put)
        threading.Thread(target=self._work, name="limner-worker", daemon=True).start()

    def said(self) -> Iterator[str | Parts]:
        """The name of this start of the actor, then all that the worker says."""
        yield self._start
        while (parts := self._said.get()) is not None:
            yield parts

    def receive(self, start: str, parts: Parts) -> None:
        """What `Worker.receive` takes, if it is meant for this start."""
        if start == self._start:
            self._worker.receive(parts)

    def beat(self) -> Parts:
        """`Worker.beat`."""
        return self._worker.beat()

    def _work(self) -> None:
        try:
            self._worker.work()
        except BaseException:  # a lost device, or a mistake: another start is better than silence
            logging.exception("the worker can't go on")
            os._exit(WORKER_LOST)
        self._said.put(None)


class OnRay:
    """See `engine.base.Engine`.

    Args:
        threads: how many the worker computes on; as Ray has it if None.
        gpus: whether it wants one of the cluster's.
        hangs_after_s: without a step for so long, a running job's actor is started again.
    """

    def __init__(
        self, threads: int | None = None, *, gpus: int = 0, hangs_after_s: float = HANGS_AFTER_S
    ) -> None:
        self._threads, self._gpus, self._hangs_after_s = threads, gpus, hangs_after_s
        self._actor: Any = None
        self._start = ""  # of the actor that is there
        self._job, self._running = "", False
        self._moved: tuple[int, float] = (-1, 0.0)  # moves of the job, and since when so many
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, hear: Hear) -> None:
        self._hear = hear
        kind = ray.remote(
            max_restarts=-1, max_task_retries=0, concurrency_groups={SAYS: 1, IS_TOLD: 1},
            num_cpus=1, num_gpus=self._gpus, scheduling_strategy="SPREAD",
        )(Actor)  # fmt: skip
        self._actor = kind.remote(self._threads)
        self._tasks = [asyncio.create_task(t) for t in (self._listen(), self._supervise())]

    def order(self, job: str, order: bytes) -> None:
        self._job, self._running = job, False
        self._send([b"order", job.encode(), order])

    def command(self, message: Message) -> None:
        self._send([b"command", encode_text(message.json(), ANSWER_BYTES).encode()])

    async def stop(self) -> None:
        if not self._tasks:
            return
        listening, supervising = self._tasks
        supervising.cancel()
        if self._start:
            self._send([b"stop"])
            await asyncio.wait([listening], timeout=PATIENCE_S)
        listening.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        ray.kill(self._actor)

    def _send(self, parts: Parts) -> None:
        self._actor.receive.options(concurrency_group=IS_TOLD).remote(self._start, parts)

    # --- what it says -------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                said = self._actor.said.options(num_returns="streaming", concurrency_group=SAYS)
                async for ref in said.remote():
                    self._take(await ref)
                return  # it was told to stop
            except RayError as problem:
                if self._start:
                    self._lost(f"the actor is gone: {str(problem).splitlines()[0]:.200}")
            await asyncio.sleep(AGAIN_S)

    def _take(self, said: str | Parts) -> None:
        if isinstance(said, str):
            self._start = said
            return
        try:
            event = to_event(said)
        except WireError:
            log.exception("a worker's word was not understood")
            return
        match event:
            case Said(State(state=state)):
                self._running, self._moved = state == "running", (-1, time.monotonic())
            case Over():
                self._job, self._running = "", False
        self._hear(event)

    def _lost(self, why: str) -> None:
        job, self._job, self._running, self._start = self._job, "", False, ""
        self._hear(Lost(job, why))

    async def _supervise(self) -> None:
        """Start an actor again whose job does not move."""
        while True:
            await asyncio.sleep(BEAT_S)
            if not self._running:
                continue
            with contextlib.suppress(RayError, TimeoutError):
                beats = self._actor.beat.options(concurrency_group=IS_TOLD)
                _, beat = await asyncio.wait_for(_answer(beats.remote()), BEAT_S)
                where = decode_text(beat)
                if where["job"] == self._job and where["step"] != self._moved[0]:
                    self._moved = where["step"], time.monotonic()
            if self._running and time.monotonic() - self._moved[1] > self._hangs_after_s:
                log.warning("the actor has not moved for %.0f s", self._hangs_after_s)
                self._running = False
                ray.kill(self._actor, no_restart=False)


async def _answer(ref: Any) -> Any:
    return await ref


def engines(address: str | None, threads: int | None = None) -> list[OnRay]:
    """One for each GPU of a cluster, and for each node that has none; the largest come first.

    Args:
        address: of the cluster's head, "host:6379"; None for a cluster on this machine alone.

    Raises:
        LimnerError: BAD_INPUT if there is no cluster.
    """
    settings: dict[str, Any] = {"address": address}
    if not address:
        settings = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(
            namespace=NAMESPACE, log_to_driver=False, logging_level=logging.WARNING, **settings
        )
    except (ConnectionError, ValueError, RuntimeError) as problem:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            f"There is no Ray cluster at {address}: {str(problem).splitlines()[0]:.200}",
            "Start its head with: ray start --head",
        ) from problem
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = [OnRay(threads, gpus=1) for node in nodes for _ in range(int(node.get("GPU", 0)))]
    return found + [OnRay(threads) for node in nodes if not node.get("GPU") and node.get("CPU")]
