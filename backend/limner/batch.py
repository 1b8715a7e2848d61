"""Many drawings of one file: prompts x seeds x methods, with a manifest, so that what was stopped
goes on.

A row of the file is a drawing, or several: where it has a list of prompts, seeds or methods, each
with each. A drawing's id comes from all that it depends on, so a backend which has it already does
not draw it again, and two rows that ask for the same are one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from limner.files import read_bounded, shown
from limner.methods.base import ROLES
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import CANVAS_MAX_PX, CANVAS_MIN_PX, IMAGE_BYTES

FILE_BYTES = 64 * 2**20
MOST = 10_000  # drawings of one file
EACH = ("prompt", "seed", "method")  # of what a row may list several
SIZED = ("picture", "over", "init")  # whose size the canvas has, if nothing else is said
USUAL_PX = 224
NAMESPACE = uuid.UUID("5f0b1d0e-2c53-4c0c-9a3b-6a7d3a1f4a11")
CELL_PX, CAPTION_PX, ACROSS = 224, 34, 6


@dataclass(frozen=True, slots=True)
class Task:
    """A drawing that a file asks for.

    Attributes:
        params: its settings.
        canvas: (width, height) in pixels.
        files: the content of its inputs, by role.
        models: names; none for the best.
    """

    method: str
    params: Mapping[str, Any]
    canvas: tuple[int, int]
    files: Mapping[str, bytes]
    models: tuple[str, ...] = ()

    def job(self, attempt: int = 0) -> str:
        """Its id: the same for the same drawing, another for another attempt."""
        files = {role: hashlib.sha256(data).hexdigest() for role, data in self.files.items()}
        all_of_it = [self.method, dict(self.params), self.canvas, files, self.models, attempt]
        return str(uuid.uuid5(NAMESPACE, json.dumps(all_of_it, sort_keys=True)))

    @property
    def name(self) -> str:
        """What its files are called, without a number."""
        words = re.sub(r"\W+", "-", str(self.params.get("prompt", ""))).strip("-").lower()[:40]
        return "-".join(filter(None, (words, self.method, str(self.params.get("seed", 0)))))


def read(path: Path) -> list[Task]:
    """The drawings that a file asks for, each once. Paths in it are meant from its folder on.

    Raises:
        LimnerError: BAD_INPUT if it is neither CSV nor JSON lines, or a row says what can't be,
            with the row's number; UNREADABLE if a file can't be read.
    """
    text = _text(read_bounded(path, FILE_BYTES), path)
    rows = _csv(text) if path.suffix.lower() == ".csv" else _json_lines(text)
    tasks: dict[str, Task] = {}
    for number, row in rows:
        try:
            for task in _tasks(row, path.parent):
                tasks.setdefault(task.job(), task)
                if len(tasks) > MOST:
                    raise LimnerError(ErrorCode.BAD_INPUT, f"it asks for more than {MOST} drawings")
        except LimnerError as problem:
            raise LimnerError(
                problem.code, f"{shown(path)}, row {number}: {problem.message}", problem.hint
            ) from None
    if not tasks:
        raise LimnerError(ErrorCode.BAD_INPUT, f"{shown(path)} asks for no drawing.")
    return list(tasks.values())


def sheet(pictures: Sequence[tuple[str, Path]], out: Path) -> None:
    """A PNG of all, each with its words."""
    across = min(ACROSS, len(pictures))
    down = -(-len(pictures) // across)
    whole = Image.new("RGB", (across * CELL_PX, down * (CELL_PX + CAPTION_PX)), "white")
    pen = ImageDraw.Draw(whole)
    for k, (words, path) in enumerate(pictures):
        x, y = (k % across) * CELL_PX, (k // across) * (CELL_PX + CAPTION_PX)
        with Image.open(path) as picture:
            small = ImageOps.contain(picture.convert("RGB"), (CELL_PX - 8, CELL_PX - 8))
        whole.paste(small, (x + (CELL_PX - small.width) // 2, y + (CELL_PX - small.height) // 2))
        for line, part in enumerate((words[:34], words[34:68])):
            pen.text((x + 6, y + CELL_PX + 2 + 14 * line), part, fill="black")
    whole.save(out)


# --- rows ----------------------------------------------------------------------------------------


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        words = f"{shown(path)} is not text in UTF-8."
        raise LimnerError(ErrorCode.BAD_INPUT, words, "Save it as UTF-8.") from None


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            words = f"Row {number} is no JSON object."
            hint = (
                'Each line is one, as {"prompt": "a red apple", "seed": [0, 1]}; or name it .csv.'
            )
            raise LimnerError(ErrorCode.BAD_INPUT, words, hint)
        yield number, row


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Cells are JSON where they can be, else words; a | stands between several."""
    for number, cells in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        row: dict[str, Any] = {}
        for name, cell in cells.items():
            if name is None or cell is None:
                raise LimnerError(
                    ErrorCode.BAD_INPUT, f"Row {number} has not as many cells as the first."
                )
            parts = [part.strip() for part in cell.split("|")] if name in EACH else [cell.strip()]
            if any(parts):
                row[name] = [
                    part if name in ("prompt", "method") else _value(part) for part in parts
                ]
                row[name] = row[name] if name in EACH else row[name][0]
        if row:
            yield number, row


def _value(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _tasks(row: Mapping[str, Any], folder: Path) -> Iterator[Task]:
    settings = {k: v for k, v in row.items() if k not in (*EACH, *ROLES, "size", "model")}
    named = {role: folder / str(row[role]) for role in ROLES if row.get(role)}
    files = {role: read_bounded(path, IMAGE_BYTES) for role, path in named.items()}
    canvas = canvas_of(row.get("size"), files)
    models = (str(row["model"]),) if row.get("model") else ()
    lists = {name: row[name] if isinstance(row[name], list) else [row[name]]
             for name in EACH if name in row}  # fmt: skip
    for chosen in itertools.product(*lists.values()):
        given = dict(zip(lists, chosen, strict=True))
        method = str(given.pop("method", "clipdraw"))
        yield Task(method, {**given, **settings}, canvas, files, models)


def canvas_of(size: Any, files: Mapping[str, bytes]) -> tuple[int, int]:
    """(width, height): what is said, "320x240" or 224, or else that of the picture in `files` with
    which a method begins.

    Raises:
        LimnerError: BAD_INPUT if no size is said.
    """
    if size is not None:
        found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", str(size).strip())
        if found is None:
            raise LimnerError(ErrorCode.BAD_INPUT, f"{size!r:.40} is no size.", 'Say "320x240".')
        return int(found[1]), int(found[2] or found[1])
    data = next((files[role] for role in SIZED if role in files), None)
    if data is None:
        return USUAL_PX, USUAL_PX
    try:
        with Image.open(io.BytesIO(data)) as picture:
            wide, high = picture.size
    except (OSError, ValueError):
        return USUAL_PX, USUAL_PX  # an SVG, or what the backend refuses in words
    scale = min(1.0, CANVAS_MAX_PX / max(wide, high))
    return tuple(max(CANVAS_MIN_PX, round(side * scale)) for side in (wide, high))  # type: ignore[return-value]
