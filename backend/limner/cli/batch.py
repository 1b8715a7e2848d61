"""`limner batch`: all drawings that a file asks for, with any engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from websockets.exceptions import ConnectionClosed

from limner import batch
from limner.batch import Task
from limner.cli.serve import ENGINES, engines_of
from limner.cli.wish import kind, uploaded
from limner.client import Client, connected, here, told
from limner.files import check_writable, write_atomic
from limner.server.app import Server, Settings
from limner_wire import messages as m
from limner_wire import place
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.session import Heard, Session

MANIFEST, SHEET = "manifest.jsonl", "sheet.png"
UNDER_WAY = 16  # of which a backend may let this many wait
AGAIN_S = 2.0  # after a backend said that too many wait


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(draw_all)


def draw_all(
    file: Annotated[
        Path, typer.Argument(help="a .csv with a header, or a JSON object on each line")
    ],
    out: Annotated[Path, typer.Option("--out", help="the folder for all results")] = Path("batch"),
    engine: Annotated[
        str, typer.Option(help=" | ".join(ENGINES) + ": if no backend runs, what draws")
    ] = ENGINES[0],
    address: Annotated[str | None, typer.Option(help="of a Ray cluster's head")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of a worker")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the manifest's lines, and nothing else")
    ] = False,
) -> int:
    """Draw all that a file asks for: prompts x seeds x methods. Called again, it goes on."""
    tasks = batch.read(file)
    check_writable(out / MANIFEST)
    out.mkdir(parents=True, exist_ok=True)
    run = Run(tasks, out, read_manifest(out), quiet=as_json)
    if run.left:
        asyncio.run(_drawn(run, engine, address, threads))
    pictures = [(caption(row), out / row["files"][-1]) for row in run.rows if row["files"]]
    if pictures:
        batch.sheet(pictures, out / SHEET)
    if as_json:
        for row in run.rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        lost = sum(row["state"] != "done" for row in run.rows)
        typer.echo(f"{len(run.rows) - lost} of {len(tasks)} in {out}; {SHEET} shows them")
        if lost:
            typer.echo(f"{lost} failed; called again, it tries them again", err=True)
    return 0 if all(row["state"] == "done" for row in run.rows) else 1


@dataclass
class Run:
    """The drawings of a file, and what became of them so far.

    Attributes:
        known: lines of the manifest, by the drawing's first id.
    """

    tasks: list[Task]
    out: Path
    known: dict[str, dict[str, Any]]
    quiet: bool = False
    left: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.left = deque(k for k, task in enumerate(self.tasks) if not self.is_done(task))

    def is_done(self, task: Task) -> bool:
        row = self.known.get(task.job(), {})
        files = [self.out / name for name in row.get("files", ())]
        return row.get("state") == "done" and all(file.is_file() for file in files)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What became of those that are over, in the file's order."""
        found = (self.known.get(task.job()) for task in self.tasks)
        return [row for row in found if row is not None]

    def submit(self, at: int, inputs: Mapping[str, str], has_stay: bool) -> m.Submit:
        """A drawing, as a backend is asked for it; one that failed, once more."""
        task = self.tasks[at]
        params = {**({"stay": False} if has_stay else {}), **task.params}
        return m.Submit(
            task.job(self._attempt(task)),
            task.method,
            params,
            task.canvas,
            dict(inputs),
            task.models,
        )

    def keep(
        self, at: int, job: m.Submit, began: float, heard: Heard | None, why: str = ""
    ) -> None:
        """Write down what became of a drawing, and its files."""
        task, files, about = self.tasks[at], list[str](), dict[str, Any]()
        if heard is not None and isinstance(heard.message, m.Done):
            about = dict(heard.message.about)
            for part in ("svg", "png"):
                if part in heard.buffers:
                    files.append(f"{at + 1:04d}-{task.name}.{part}")
                    write_atomic(self.out / files[-1], bytes(heard.buffers[part].data))
        attempt = self._attempt(task)
        row = {
            "row": at + 1, "id": task.job(), "job": job.job, "attempt": attempt,
            "state": "failed" if why else "done", "why": why, "method": task.method,
            "prompt": task.params.get("prompt", ""), "seed": task.params.get("seed", 0),
            "score": about.get("score"), "seconds": round(time.monotonic() - began, 2),
            "files": files,
        }  # fmt: skip
        self.known[task.job()] = row
        with (self.out / MANIFEST).open("a", encoding="utf-8") as manifest:
            manifest.write(json.dumps(row, ensure_ascii=False) + "\n")
        if not self.quiet:
            typer.echo(f"{len(self.rows)}/{len(self.tasks)} {why or files[0]}", err=True)

    def _attempt(self, task: Task) -> int:
        """What is tried: how often it has failed."""
        row = self.known.get(task.job())
        return 0 if row is None else int(row["attempt"]) + (row["state"] == "failed")


def read_manifest(out: Path) -> dict[str, dict[str, Any]]:
    """The last line about each drawing. A line that is cut off counts for nothing, and is ended."""
    found: dict[str, dict[str, Any]] = {}
    with (
        contextlib.suppress(FileNotFoundError),
        (out / MANIFEST).open("r+", encoding="utf-8") as file,
    ):
        text = file.read()
        if text and not text.endswith("\n"):
            file.write("\n")
        for line in text.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                found[row["id"]] = row
    return found


def caption(row: Mapping[str, Any]) -> str:
    """What stands below a picture."""
    return f"{row['prompt'] or row['method']}, {row['seed']}, {row['method']}"


# --- with a backend ------------------------------------------------------------------------------


async def _drawn(run: Run, engine: str, address: str | None, threads: int | None) -> None:
    async with _backend(engine, address, threads) as client:
        try:
            await _all(client, run)
        except ConnectionClosed:
            words = "The backend went away while it drew."
            raise LimnerError(ErrorCode.BUSY, words, "Call this again: it goes on.") from None


@contextlib.asynccontextmanager
async def _backend(engine: str, address: str | None, threads: int | None) -> AsyncIterator[Client]:
    """The backend that runs, or one that runs as long as this."""
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(here("batch"))
        if client is None:
            engines = engines_of(engine, address, threads)
            server = Server(Settings(port=0), engines, place.data_folder())
            await stack.enter_async_context(server.running())
            session = Session("batch/1", place.token())
            client = await stack.enter_async_context(connected(session, server.url))
        yield client


async def _all(client: Client, run: Run) -> None:
    asked: dict[str, tuple[int, m.Submit, float]] = {}
    while run.left or asked:
        while run.left and len(asked) < UNDER_WAY:
            at = run.left.popleft()
            job = await _asked(client, run, at)
            asked[job.job] = at, job, time.monotonic()
        heard = await client.next()
        name = getattr(heard.message, "job", "")
        if name not in asked:
            continue
        at, job, began = asked[name]
        match heard.message:
            case m.Failed(code=ErrorCode.QUOTA.value):
                await asyncio.sleep(AGAIN_S)
                await client.ask(job)
            case m.Failed(code=ErrorCode.NOT_FINITE.value):
                pass  # what was drawn until then comes
            case m.Failed(retryable=False) as failed:
                run.keep(at, job, began, None, str(told(failed)))
                del asked[name]
            case m.State(state="cancelled"):
                run.keep(at, job, began, None, "It was cancelled.")
                del asked[name]
            case m.Done():
                run.keep(at, job, began, heard)
                del asked[name]


async def _asked(client: Client, run: Run, at: int) -> m.Submit:
    """Ask for a drawing, when the backend has its inputs."""
    task = run.tasks[at]
    inputs = {role: client.session.upload(data, kind(data)) for role, data in task.files.items()}
    await uploaded(client, set(inputs.values()))
    welcome = client.session.welcome
    methods = {row["name"]: row["schema"] for row in welcome.methods} if welcome else {}
    has_stay = "stay" in methods.get(task.method, {}).get("properties", {})
    job = run.submit(at, inputs, has_stay)
    await client.ask(job)
    return job
