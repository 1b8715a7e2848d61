from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from backends import Puppet

from limner.engine.inprocess import InProcess
from limner_wire import place

START_S = 60.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a backend's token and history lie, for it and for its front ends."""
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def worker() -> Iterator[InProcess]:
    """An engine with the real worker, for what must reach it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other where others compute too
    yield InProcess(torch.device("cpu"))
    torch.set_num_threads(threads)


@pytest.fixture
def puppet() -> Puppet:
    return Puppet()


@dataclass(frozen=True)
class Program:
    """`limner serve`, running.

    Attributes:
        folder: where its token and history lie.
        log: the file of what it says to stderr.
    """

    url: str
    folder: Path
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`limner serve` as a user starts it, but on any port."""
    folder = tmp_path_factory.mktemp("serve")
    log = folder / "stderr.txt"
    command = [sys.executable, "-m", "limner", "serve", "--port", "0", "--threads", "1"]
    with log.open("wb") as stderr, (folder / "stdout.txt").open("wb") as stdout:
        process = subprocess.Popen(
            [*command, "--verbose"], stdout=stdout, stderr=stderr,
            env={**os.environ, "LIMNER_DATA": str(folder), "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        yield Program(_url(folder, process, log), folder, log)
    finally:
        process.terminate()
        process.wait(30)


def _url(folder: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_DATA", str(folder))
        while (found := place.backend()) is None:
            assert process.poll() is None and time.monotonic() - began < START_S, log.read_text()
            time.sleep(0.05)
    return found.url
