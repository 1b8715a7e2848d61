"""An engine in a process of its own, by ZeroMQ on loopback, supervised.

    commands   ROUTER here, DEALER there     orders, commands; a beat back every second
    results    PULL here, PUSH there         everything else that a worker says

Both are TCP on 127.0.0.1 (ipc does not exist on Windows) under CURVE: only the worker that was
given a key of this start gets in, and not a byte of anyone else's is parsed. Nothing is pickled.

The worker is watched in two ways: its process, and its steps. A process that ends is replaced; one
whose beats go on but whose job does not move for a minute is ended first. Workers that came to
nothing (not ready for ten seconds, nothing kept, no job finished) are replaced up to five times in
ten minutes. One thread owns the sockets (asyncio on Windows can't wait for them).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from limner.engine.base import Hear, Kept, Lost, Over, Ready, Said
from limner.engine.parts import to_event
from limner_wire.errors import WireError
from limner_wire.frames import decode_text, encode_text
from limner_wire.limits import ANSWER_BYTES
from limner_wire.messages import Message, State

log = logging.getLogger(__name__)

RESTARTS, WITHIN_S = 5, 600.0
STABLE_S = 10.0  # a worker that was ready for so long was a good one
HANGS_AFTER_S = 60.0  # without a step, while it should be running
PATIENCE_S = 5.0  # from asking to end to ending
LOOK_S = 0.2
LAST_WORDS_MS = 50  # that a worker which has ended may still be heard
_WAKE = "inproc://limner-commands"


class ZeroMQ:
    """See `engine.base.Engine`.

    Args:
        threads: how many the worker computes on; all if None.
        hangs_after_s: without a step for so long, a running job's worker is replaced.
    """

    def __init__(self, threads: int | None = None, *, hangs_after_s: float = HANGS_AFTER_S) -> None:
        self._threads, self._hangs_after_s = threads, hangs_after_s
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: deque[float] = deque()
        self._job, self._running, self._number = "", False, 0
        self._moved: tuple[int, float] = (-1, 0.0)  # moves of the job, and since when so many
        self._ready_at, self._was_good = 0.0, False  # of the worker that is there
        self._supervising: asyncio.Task[None] | None = None
        self._keys = zmq.curve_keypair(), zmq.curve_keypair()  # the server's, the worker's

    async def start(self, hear: Hear) -> None:
        self._hear, self._loop = hear, asyncio.get_running_loop()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        (public, secret), (worker, _) = self._keys
        self._auth = ThreadAuthenticator(self._context)
        self._auth.start()
        self._auth.configure_curve_callback("*", _Only(worker))
        self._commands = self._bound(zmq.ROUTER, public, secret)
        self._results = self._bound(zmq.PULL, public, secret)
        self._outgoing = self._context.socket(zmq.PAIR)
        self._outgoing.bind(_WAKE)
        self._bridge = threading.Thread(target=self._carry, name="limner-zeromq", daemon=True)
        self._bridge.start()
        self._spawn()
        self._supervising = asyncio.create_task(self._supervise())

    def order(self, job: str, order: bytes) -> None:
        self._job, self._running = job, False
        self._outgoing.send_multipart([b"order", job.encode(), order], copy=False)

    def command(self, message: Message) -> None:
        text = encode_text(message.json(), ANSWER_BYTES).encode()
        self._outgoing.send_multipart([b"command", text])

    async def stop(self) -> None:
        if self._supervising is not None:
            self._supervising.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervising
        self._outgoing.send_multipart([b"stop"])
        await self._end(asked=bool(self._ready_at))  # one that starts has nothing to save
        self._outgoing.send_multipart([b"bridge ends"])
        await asyncio.to_thread(self._bridge.join)
        self._auth.stop()
        self._context.destroy(linger=0)

    # --- the process ------------------------------------------------------------------------

    def _spawn(self) -> None:
        self._starts.append(time.monotonic())
        self._number += 1
        self._ready_at, self._was_good = 0.0, False
        name = f"worker {self._number}".encode()
        self._outgoing.send_multipart([b"new worker", name])
        (public, _), (worker_public, worker_secret) = self._keys
        settings = {
            "commands": _address(self._commands), "results": _address(self._results),
            "server_key": public.decode(), "public_key": worker_public.decode(),
            "secret_key": worker_secret.decode(), "threads": self._threads, "name": name.decode(),
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "limner.worker"],
            stdin=subprocess.PIPE,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(json.dumps(settings).encode() + b"\n")
        self._process.stdin.flush()

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if self._process is None:
                continue
            code = self._process.poll()
            if code is None and self._hangs():
                log.warning("the worker has not moved for %.0f s: ending it", self._hangs_after_s)
                await self._end(asked=False)
                code = self._process.poll()
            if code is not None:
                self._replace(f"the worker ended with {code}")

    def _hangs(self) -> bool:
        return (
            self._running and bool(self._moved[1])
            and time.monotonic() - self._moved[1] > self._hangs_after_s
        )  # fmt: skip

    def _replace(self, why: str) -> None:
        job, self._job, self._running = self._job, "", False
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._moved = (-1, 0.0)
        now = time.monotonic()
        if self._was_good or (self._ready_at and now - self._ready_at > STABLE_S):
            self._starts.clear()
        while self._starts and now - self._starts[0] > WITHIN_S:
            self._starts.popleft()
        gives_up = len(self._starts) > RESTARTS
        if gives_up:
            self._process = None
            why += f"; it was started {len(self._starts)} times and is not started again"
        else:
            self._spawn()
        self._hear(Lost(job, why, not gives_up))

    async def _end(self, *, asked: bool) -> None:
        """End the process: wait if it was `asked` to end, then make it."""
        process = self._process
        if process is None:
            return
        for step in ([None] if asked else []) + [process.terminate, process.kill]:
            if step is not None:
                step()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, PATIENCE_S)
                break
        if process.stdin is not None:
            process.stdin.close()

    # --- the thread that owns the sockets ----------------------------------------------------

    def _bound(self, kind: int, public: bytes, secret: bytes) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = public, secret
        socket.linger = 0
        socket.bind_to_random_port("tcp://127.0.0.1")
        return socket

    def _carry(self) -> None:
        incoming: zmq.Socket[bytes] = self._context.socket(zmq.PAIR)
        incoming.connect(_WAKE)
        poller = zmq.Poller()
        for socket in (incoming, self._commands, self._results):
            poller.register(socket, zmq.POLLIN)
        waiting: deque[list[bytes]] = deque()  # until the worker has said its first word
        name, is_there = b"", False
        while True:
            ready = dict(poller.poll())
            if self._commands in ready:
                who, *beat = self._commands.recv_multipart()
                if who == name:
                    is_there = True
                    self._loop.call_soon_threadsafe(self._beat, beat)
            if self._results in ready:
                self._take(name)
            if incoming in ready:
                parts = incoming.recv_multipart()
                if parts == [b"bridge ends"]:
                    while self._results.poll(LAST_WORDS_MS):  # as the state of the job is one
                        self._take(name)
                    break
                if parts[0] == b"new worker":  # what waited was for the one before
                    name, is_there = parts[1], False
                    waiting.clear()
                else:
                    waiting.append(parts)
            while waiting and is_there:
                self._commands.send_multipart([name, *waiting.popleft()], copy=False)
        incoming.close()

    def _take(self, name: bytes) -> None:
        """Pass on a result, if it is of the worker that counts."""
        who, *word = self._results.recv_multipart()
        if who == name:
            self._tell(word)

    def _tell(self, parts: list[bytes]) -> None:
        try:
            event = to_event(parts)
        except WireError:
            log.exception("a worker's word was not understood")
            return
        self._loop.call_soon_threadsafe(self._heard, event)

    # --- in the server's thread --------------------------------------------------------------

    def _heard(self, event: Any) -> None:
        match event:
            case Said(State(state=state)):
                self._running = state == "running"
                self._moved = (-1, time.monotonic())
            case Over():
                self._job, self._running, self._was_good = "", False, True
            case Kept():
                self._was_good = True
            case Ready():
                self._ready_at = time.monotonic()
        self._hear(event)

    def _beat(self, parts: list[bytes]) -> None:
        where = decode_text(parts[1])
        if where["job"] == self._job and where["step"] != self._moved[0]:
            self._moved = (where["step"], time.monotonic())


class _Only:
    """Lets one key in."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether this key, in Z85, is the one."""
        return key == self._key


def _address(socket: zmq.Socket[bytes]) -> str:
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)  # noqa: S101
    return endpoint.decode().rstrip("\0")
