"""Driving an engine in a test: an event loop, and what was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from limner.engine.base import Engine, Event, Kept, Over, Ready, Said
from limner.engine.order import Order
from limner_wire import messages as m

JOB = "123e4567-e89b-42d3-a456-426614174000"
PATIENCE_S = 120.0


def submit(steps: int = 6, job: str = JOB, **params: Any) -> m.Submit:
    settings = {"prompt": "a cat", "steps": steps, "strokes": 6, "cutouts": 2, "tidy": False}
    return m.Submit(job, "clipdraw", settings | params, (64, 48), models=("starter",))


class Driver:
    """An engine and everything that it has said."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heard: list[Event] = []
        self._news = asyncio.Event()
        self.on: Callable[[Event], None] = lambda event: None

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        self.on(event)
        self._news.set()

    async def start(self) -> None:
        await self.engine.start(self.hear)
        await self.until(lambda: any(isinstance(e, Ready) for e in self.heard))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def over(self, job: str = JOB) -> None:
        await self.until(lambda: Over(job) in self.heard)

    def order(self, wanted: m.Submit, saved: bytes = b"", *, watched: bool = True) -> None:
        self.engine.order(wanted.job, Order(wanted, saved=saved).to_bytes())
        if watched:
            self.engine.command(m.Watch(wanted.job))

    def said(self, kind: type[m.Message], job: str = JOB) -> list[Any]:
        return [
            e.message
            for e in self.heard
            if isinstance(e, Said) and isinstance(e.message, kind) and e.message.job == job  # type: ignore[attr-defined]
        ]

    def states(self, job: str = JOB) -> list[str]:
        return [s.state for s in self.said(m.State, job)]

    def kept(self, what: str) -> list[Kept]:
        return [e for e in self.heard if isinstance(e, Kept) and e.what == what]

    def done(self, job: str = JOB) -> Any:
        ((message, frame),) = [
            (e.message, e.frame)
            for e in self.heard
            if isinstance(e, Said) and isinstance(e.message, m.Done) and e.message.job == job
        ]
        return message, frame
