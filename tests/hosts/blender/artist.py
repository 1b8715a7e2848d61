"""An artist in the real Blender: runs inside it, presses the panel's buttons, and looks.

The module `bpy` has no event loop, so its timers never fire: the artist does what the timer does.
What the test should do meanwhile (kill the backend) is asked for with a file.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

OUT = Path(os.environ["LIMNER_OUT"])
PACKAGE = "bl_ext.user_default.limner"
PATIENCE_S = 90.0


def part(name: str) -> Any:
    """A module of the extension, as Blender installed it."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def install(archive: str) -> None:
    """Install the extension from its zip and enable it, as the preferences do."""
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )


def pixels(name: str) -> np.ndarray:
    """(H, W, 3) of an image, top row first, 0 to 255."""
    image = bpy.data.images[name]
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    levels = np.rint(flat * 255).astype(np.uint8)
    return levels.reshape(image.size[1], image.size[0], image.channels)[::-1, :, :3]


def differ(one: np.ndarray, other: np.ndarray) -> int:
    """How far the most different values are apart."""
    return int(np.abs(one.astype(int) - other).max())


def images() -> list[str]:
    """All that are in the file."""
    return sorted(image.name for image in bpy.data.images)


def editor() -> Any:
    """An Image Editor on the screen, in place of the viewport."""
    area = max(bpy.context.window_manager.windows[0].screen.areas, key=lambda a: a.width)
    area.type = "IMAGE_EDITOR"
    return area.spaces.active


def shown(space: Any) -> str:
    """The image that it shows."""
    return space.image.name if space.image else ""


class Artist:
    """One afternoon with the extension."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = {}
        self.studio = part("studio").studio()
        self._tick = part("pump").tick

    @property
    def scene(self) -> Any:
        """The scene; an undo and another file make any reference to it stale."""
        return bpy.context.scene

    @property
    def job(self) -> Any:
        """The drawing that is shown."""
        return self.studio.job

    def until(self, condition: Callable[[], object], what: str, patience_s: float = 0) -> None:
        """Do what the timer does until something is so."""
        end = time.monotonic() + (patience_s or PATIENCE_S)
        while not condition():
            if time.monotonic() > end:
                job = self.job
                told = [self.studio.said, self.studio.line.problem, *self.studio.line.errors]
                raise AssertionError(f"never: {what}; {job and (job.state, job.failure)}; {told}")
            assert self._tick() is not None
            time.sleep(0.005)

    def connect(self) -> None:
        """Wait until the backend is there, with a worker."""
        self.until(lambda: self.studio.line.is_ready and self.studio.methods, "connected")

    def set(self, **values: Any) -> None:
        """Set fields of the panel."""
        for name, value in values.items():
            setattr(self.scene.limner, name, value)

    def form(self, **values: Any) -> None:
        """Set fields of the method's form."""
        part("forms").write(self.scene, self.scene.limner.method, values)

    def press(self, name: str, **given: Any) -> None:
        """Press a button that is open."""
        operator = getattr(bpy.ops.limner, name)
        assert operator.poll(), name
        assert operator(**given) == {"FINISHED"}, (name, self.studio.said)

    def draw(self) -> Any:
        """Press Draw; the drawing."""
        before = self.job
        self.press("draw")
        assert self.job is not None and self.job is not before
        return self.job

    def rest(self, quiet_s: float = 0.3) -> None:
        """Wait until no frame has come for a while."""
        heard, since = self.job.frames_heard, time.monotonic()

        def is_quiet() -> bool:
            nonlocal heard, since
            if heard != self.job.frames_heard:
                heard, since = self.job.frames_heard, time.monotonic()
            return time.monotonic() - since > quiet_s

        self.until(is_quiet, "quiet")

    def frames(self, count: int) -> None:
        """Wait until so many different pictures were shown from now on."""
        seen: set[bytes] = set()

        def have_come() -> bool:
            if self.job.raster is not None:
                seen.add(pixels(self.job.snapshot.image).tobytes())
            return len(seen) >= count

        self.until(have_come, f"{count} pictures")

    def over(self) -> Any:
        """Wait until the shown drawing is over; it must be well."""
        job = self.job
        self.until(lambda: job.is_over, "the end")
        assert job.is_kept, (job.state, job.failure)
        return job

    def ask(self, what: str) -> None:
        """Have the test do something, and wait until it has."""
        answer = OUT / "answer"
        (OUT / "request").write_text(what)
        self.until(answer.exists, f"answer to {what}")
        answer.unlink()


def with_a_portrait() -> tuple[Artist, Any, Any]:
    """An artist who is connected, a portrait that is packed in the file, and the Image Editor that
    shows it; the scene has no camera. What there was before it all is in the result."""
    before = leftovers()
    install(os.environ["LIMNER_ZIP"])
    one = Artist()
    one.result["before"] = before
    one.connect()
    portrait = bpy.data.images.load(str(OUT / "portrait.png"))
    portrait.pack()
    space = editor()
    space.image = portrait
    one.scene.camera = None
    return one, portrait, space


def run(play: Callable[[], dict[str, Any]]) -> None:
    """Play, and leave what was seen for the test; then leave Blender, whatever is left running."""
    code = 1
    try:
        (OUT / "result.json").write_text(json.dumps(play(), default=str), "utf-8")
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a timer that is left would hold the module bpy for ever


def leftovers() -> dict[str, Any]:
    """What of the extension is still there."""
    handlers = bpy.app.handlers
    lists = (handlers.load_pre, handlers.undo_post, handlers.redo_post)
    sockets = [
        link
        for fd in Path("/proc/self/fd").iterdir()
        if (link := _target(fd)).startswith("socket:")
    ]
    return {
        "threads": [t.name for t in threading.enumerate() if t is not threading.main_thread()],
        "handlers": [h.__name__ for one in lists for h in one],
        "sockets": len(sockets),
        "properties": [n for n in dir(bpy.types.Scene) if "limner" in n.lower()],
        "classes": [n for n in dir(bpy.types) if "limner" in n.lower()],
    }


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""
