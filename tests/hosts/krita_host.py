"""Starts the real Krita under Xvfb, with a home of its own, and runs a script inside it.

A home that Krita has never seen takes it 20 s more to start (it fills a database of brushes), so
one that it has is kept in `.cache/krita-home` and copied for every run.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KRITA, XVFB = shutil.which("krita"), shutil.which("Xvfb")
ROOT = Path(__file__).parents[2]
WARM = ROOT / ".cache" / "krita-home"
SCRIPTS = Path(__file__).parent / "krita"
START_S = 120
SCREEN, NUMBERS = "1600x1000x24", (100, 30_000)

# Without a graphics card GL composes the whole window by hand for each change in a docker: 20 ms.
SOFTWARE = "[General]\nOpenGLRenderer=none\n"

Answers = Mapping[str, Callable[[], object]]


class Home:
    """A home folder for one run of Krita."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugins = folder / ".local" / "share" / "krita" / "pykrita"
        self.config = folder / ".config" / "kritarc"

    def lay_out(self) -> None:
        """The folders that Krita needs, and the driver."""
        for name in (".config", ".cache", "run"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "run").chmod(0o700)
        self.plugins.mkdir(parents=True, exist_ok=True)
        shutil.copytree(SCRIPTS / "driver", self.plugins, dirs_exist_ok=True)
        lines = ["[General]", "HideSplashScreen=true", "[python]", "enable_limner_driver=true"]
        self.config.write_text("\n".join(lines) + "\n", "utf-8")
        (self.config.parent / "kritadisplayrc").write_text(SOFTWARE, "utf-8")

    def environment(self) -> dict[str, str]:
        """Nothing of this Python's: Krita has one of its own."""
        at = self.folder
        return {
            "HOME": str(at),
            "XDG_CONFIG_HOME": str(at / ".config"),
            "XDG_DATA_HOME": str(at / ".local" / "share"),
            "XDG_CACHE_HOME": str(at / ".cache"),
            "XDG_RUNTIME_DIR": str(at / "run"),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QT_LOGGING_RULES": "krita.*.debug=false",
        }


@contextmanager
def display() -> Iterator[str]:
    """An X server of our own; its name."""
    read, write = os.pipe()
    number = f":{random.randrange(*NUMBERS)}"  # the first free one may be another's that ends
    command = [XVFB, number, "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as told:
                assert told.readline().strip() == number[1:], "Xvfb did not start"
            yield number
        finally:
            server.terminate()


def warm_home(folder: Path) -> Home:
    """A copy of a home that Krita has seen."""
    seen = WARM / "seen"
    binary = Path(str(KRITA)).stat()
    mark = f"{binary.st_size} {binary.st_mtime_ns}"
    if not seen.exists() or seen.read_text() != mark:
        shutil.rmtree(WARM, ignore_errors=True)
        home = Home(WARM)
        home.lay_out()
        run_in_krita(home, SCRIPTS / "nothing.py", WARM, data=WARM, timeout_s=START_S)
        seen.write_text(mark)
    shutil.copytree(WARM, folder, symlinks=True)
    shutil.rmtree(folder / ".config")
    return Home(folder)


def run_in_krita(
    home: Home,
    script: Path,
    out: Path,
    *,
    data: Path,
    answers: Answers | None = None,
    timeout_s: float = 240,
) -> dict[str, Any]:
    """What the script put into its result; `log` is what Krita wrote, `rc` its exit status.

    Args:
        data: where the backend and the plugin find each other.
        out: a folder for the result, the log, and the screenshots.
        answers: what to do when the script asks for it.
    """
    result, log = out / "result.json", out / "krita.log"
    result.unlink(missing_ok=True)
    with display() as screen, log.open("wb") as file:
        process = subprocess.Popen(
            [str(KRITA), "--nosplash"],
            env={
                **home.environment(),
                "DISPLAY": screen,
                "LIMNER_DRIVER_SCRIPT": str(script),
                "LIMNER_DRIVER_RESULT": str(result),
                "LIMNER_DATA": str(data),
            },
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=out,
        )
        try:
            rc = _attend(process, out, answers or {}, timeout_s)
        finally:
            process.kill()
            process.wait()
    text = log.read_text("utf-8", "replace")
    if not result.exists():
        raise AssertionError(f"Krita ended with {rc} and no result:\n{text[-4000:]}")
    return {**json.loads(result.read_text("utf-8")), "log": text, "rc": rc}


def _attend(process: subprocess.Popen[bytes], out: Path, answers: Answers, timeout_s: float) -> int:
    """Does what the script asks for, until Krita has ended; its exit status."""
    end, request = time.monotonic() + timeout_s, out / "request"
    while process.poll() is None:
        if time.monotonic() > end:
            raise AssertionError(f"Krita took longer than {timeout_s} s")
        if request.exists():
            wanted = request.read_text("utf-8")
            request.unlink()
            answers[wanted]()
            (out / "answer").touch()
        time.sleep(0.02)
    return process.returncode
