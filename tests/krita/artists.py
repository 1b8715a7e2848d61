"""Who takes part in these tests: an artist at the docker, and a backend that a test moves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backends import Puppet
from paper import Paper
from PyQt5 import QtWidgets, sip
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from limner.engine.base import Over, Said
from limner.server.app import Server, Settings
from limner_front import i18n
from limner_krita import settings
from limner_krita.docker import Panel
from limner_krita.starter import Starter
from limner_krita.transport import Transport
from limner_wire import messages as m
from limner_wire.frames import Buffer, encode
from limner_wire.limits import RESULT_BYTES
from limner_wire.strokes import Strokes

PATIENCE_S = 20.0
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 48"><g><path d="M1,1 C2,3 4,5 6,7" '
    b'stroke="#0a141e" stroke-width="2" stroke-opacity="0.5"/></g></svg>'
)


class Backend:
    """A real server with the engine on strings, on a thread and an event loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.engine = folder, Puppet()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._is_up = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    def start(self) -> Backend:
        self.engine, self._is_up = Puppet(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._is_up.wait(PATIENCE_S) and self.failure is None, self.failure
        return self

    def stop(self) -> None:
        if self._thread is not None and self.loop is not None and self._stopping is not None:
            self.loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(PATIENCE_S)
        self._thread = None

    def play(self, move: Callable[..., Any], *args: Any, **changes: Any) -> Any:
        """Have the engine, or anything that lives on its loop, do something there."""

        async def there() -> Any:
            return move(*args, **changes)

        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(PATIENCE_S)

    async def _serve(self) -> None:
        self.loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = Server(Settings(port=0), [self.engine], self.folder)
            async with server.running() as self.server:
                self._is_up.set()
                await self._stopping.wait()
        except BaseException as problem:
            self.failure = problem
            self._is_up.set()
            raise

    # --- what the engine does ---------------------------------------------------------------

    def finish(self, state: str = "done", **files: bytes) -> None:
        """The drawing is over, with these files."""
        engine = self.engine
        buffers = [Buffer(name, "u8", (len(data),), data) for name, data in files.items()]
        submit = engine.orders[-1].submit
        about = {"prompt": submit.params.get("prompt", ""), "seed": 7, "score": 0.25}
        head = m.Done(submit.job, 0, about, state, 6)
        self.play(engine.hear, Said(head, encode(head.json(), buffers, RESULT_BYTES)))
        self.play(engine.hear, Over(submit.job))

    def frame(self, step: int, strokes: Strokes) -> None:
        """A frame of these strokes."""
        head = m.StrokesFrame(self.engine.job, 0, step, strokes.canvas)
        self.play(self.engine.hear, Said(head, encode(head.json(), strokes.buffers())))

    def raster(self, step: int, png: bytes) -> None:
        """A frame of a method that has no strokes."""
        head = m.RasterFrame(self.engine.job, 0, step, (64, 48), "image/png")
        frame = encode(head.json(), [Buffer("picture", "u8", (len(png),), png)])
        self.play(self.engine.hear, Said(head, frame))

    def stay(self, step: int = 6) -> None:
        """The last step is made; it answers changes until it is kept."""
        note = "It answers every change, until you keep it."
        state = m.State(self.engine.job, 0, "paused", step=step, note=note, stays=True)
        self.play(self.engine.hear, Said(state))

    def of(self, kind: type[m.Message]) -> list[Any]:
        """The commands of a kind that reached the engine."""
        return [c for c in self.engine.commands if isinstance(c, kind)]


class Artist:
    """Someone at the docker: looks, types, clicks."""

    def __init__(self, until: Callable[..., None], language: str = "en") -> None:
        i18n.choose(language)
        self.until, self.paper = until, Paper()
        self.settings = settings.load()
        self.transport, self.starter = Transport(), Starter()
        self.panel = Panel(self.transport, self.starter, self.settings, self.paper, "5.1.5")
        self.panel.resize(340, 900)
        self.panel.show()
        self.transport.open()

    def find(self, name: str) -> Any:
        found = self.panel.findChild(QtWidgets.QWidget, f"limner_{name}")
        assert found is not None, name
        return found

    def sees(self, name: str) -> str:
        return str(self.find(name).text())

    def click(self, name: str) -> None:
        button = self.find(name)
        assert button.isEnabled(), f"{name}: {button.toolTip()}"
        button.click()

    def is_connected(self) -> None:
        self.until(lambda: self.sees("link") == "connected", "connected")
        self.until(lambda: self.find("draw").isEnabled(), "draw")

    def draws(self, prompt: str) -> None:
        self.find("prompt").setEditText(prompt)
        self.click("draw")

    def waits_for(self, state: str) -> None:
        self.until(lambda: self.sees("state") == state, f"{state}, not {self.sees('state')}")

    def leaves(self) -> None:
        self.transport.close()
        self.starter.close()
        sip.delete(self.panel)  # as Krita does with a window; not whenever Python likes

    def begins(self, backend: Backend, prompt: str = "a cat") -> None:
        """A drawing that runs."""
        self.is_connected()
        before = len(backend.engine.orders)
        self.draws(prompt)
        self.until(lambda: len(backend.engine.orders) > before, "the order")
        backend.play(backend.engine.run)
        self.waits_for("Drawing")

    def enters(self, prompt: str) -> None:
        """Type a prompt, and Enter."""
        self.find("prompt").setEditText(prompt)
        QTest.keyClick(self.find("prompt").lineEdit(), Qt.Key.Key_Return)

    def types(self, field: str, text: str) -> None:
        """Fill in a line of the form, and Enter."""
        line = self.find(f"form_{field}")
        line.clear()
        QTest.keyClicks(line, text)
        QTest.keyClick(line, Qt.Key.Key_Return)
