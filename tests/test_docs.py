"""Every command in the README and in docs/ is run, in a folder with the files that they name.

What takes hours, gigabytes or another program is read by the command line and not carried out
(`READ`); what takes `--steps` makes few.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image

from limner.cli.app import COMMANDS, build, run

sys.path.extend(str(Path(__file__).parent / room) for room in ("hosts", "models"))
import checkpoint_files
from serving import Server

HOUSE = Path(__file__).parents[1]
PAGES = [HOUSE / "README.md", *sorted((HOUSE / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
JOB = "3f2a"  # stands for an id
SYMPTOM = re.compile(r"\*\*\"(.+?)[.?]?\"")

READ = {  # how a command begins: why it is not carried out here
    "models pull": "fetches gigabytes (tests/models has a hub of its own)",
    "install blender": "needs a Blender (tests/blender/test_blender_install.py)",
    "serve --host": "needs a certificate (tests/server has one)",
    "edit photo.jpg": "needs a photograph of a face (tests/models/test_faces.py)",
    "train directions": "minutes (tests/cli/test_train_edits.py)",
    "models add .cache": "is what the command before it leaves",
    "bench strokes": "minutes",
}
FEW = {"steps": 2, "strokes": 8, "samples": 1}
FEWER = {"fit": 1, "leap": 0}  # what only some ways of a command have


def commands(page: Path) -> list[str]:
    blocks = [block.replace("\\\n", " ") for block in BLOCK.findall(page.read_text())]
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.strip()]


def pictures() -> None:
    """The pictures that the pages name."""
    rows, columns = np.mgrid[:96, :128]
    for index, name in enumerate(("photo.jpg", "landscape.png", "etching.jpg", "blue.png",
                                  "portrait.png", "drawing.png")):  # fmt: skip
        waves = [np.sin(rows / (5 + index) + k) * np.cos(columns / (7 + k)) for k in range(3)]
        Image.fromarray((127 + 100 * np.stack(waves, -1)).astype(np.uint8)).save(name)
    for name in ("sky.png", "hair.png"):
        Image.fromarray((255 * (rows < 48)).astype(np.uint8)).save(name)
    folder = Path("my-pictures")
    folder.mkdir()
    for index, colour in enumerate(("red", "green", "blue", "yellow")):
        Image.new("RGB", (256, 256), colour).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"a {colour} square")


def models() -> None:
    """The files of weights that the pages name, each small or untrained."""
    import open_clip
    from safetensors.torch import save_file

    state = open_clip.create_model("ViT-B-32").state_dict()
    save_file({name: t.half().contiguous() for name, t in state.items()}, "weights.safetensors")
    module = checkpoint_files.nvidia_module(checkpoint_files.Weights())
    checkpoint_files.write_nvidia(Path("stylegan2-ffhq.pkl"), module)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody's folder, home and all."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": "home", "LIMNER_MODELS": "models", "LIMNER_DATA": "data",
                        "XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "share"}.items():  # fmt: skip
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("BROWSER", "true")
    (tmp_path / "docs").symlink_to(HOUSE / "docs")
    (tmp_path / "list.csv").write_text("prompt,seed,steps\na moon,0,2\na sun,1|2,2\n")
    torch.manual_seed(0)
    pictures()
    assert run(["draw", "a stem", "--out", "stem.svg", "--steps", "2"]) == 0
    (tmp_path / "sketch.svg").write_bytes((tmp_path / "stem.svg").read_bytes())
    yield tmp_path


def found(argv: list[str]) -> Any:
    """What the command line takes these words for; fails if it does not understand them."""
    command = typer.main.get_command(build(COMMANDS))
    rest = list(argv)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context("limner", rest)
    return command


def shorter(argv: list[str], command: Any) -> list[str]:
    """With few steps, where it takes steps."""
    takes = {flag: p.name for p in command.params for flag in p.opts}
    few = FEW | (FEWER if "optimize" in argv or argv[0] == "adapt" else {})
    pairs = [(f"--{name}", str(value)) for name, value in few.items() if f"--{name}" in takes]
    return [*argv, *(word for pair in pairs for word in pair)]


class Reader:
    """Does what a page says, line by line."""

    def __init__(self, data: Path) -> None:
        self.server, self.serves = Server(data), False

    def does(self, line: str) -> None:
        words = shlex.split(line, comments=True)
        env = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        if words[0] == "make":
            subprocess.run([*words, "--dry-run", "-C", HOUSE], check=True, capture_output=True)
        elif words[0] == ".":
            assert words[1:] == [".venv/bin/activate"]
        else:
            assert words[len(env)] == "limner", line
            self.limner(words[len(env) + 1 :], env)

    def limner(self, argv: list[str], env: dict[str, str]) -> None:
        if env:  # those are looked at when the program starts
            done = subprocess.run(
                [sys.executable, "-m", "limner", *argv], env={**os.environ, **env}, check=False
            )
            assert done.returncode == 0
            return
        command = found(argv)
        if any(" ".join(argv).startswith(start) for start in READ):
            return
        if argv[0] in ("serve", "jobs", "open") and not self.serves:
            self.server.serve()
            self.serves = True
        if argv[0] == "serve":
            return
        assert run(shorter(argv, command)) == 0, argv


def newest(capsys: pytest.CaptureFixture[str]) -> str:
    """The id of the backend's newest drawing, of which it makes one."""
    assert run(["draw", "a moon", "--steps", "2"]) == 0
    capsys.readouterr()
    assert run(["jobs", "list", "--json"]) == 0
    return str(json.loads(capsys.readouterr().out)[0]["job"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_runs(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = commands(page)
    if any("weights.safetensors" in line for line in lines):
        models()
    reader = Reader(folder / "data")
    try:
        for line in lines:
            if JOB in line:
                line = line.replace(JOB, newest(capsys))
            print(line)
            reader.does(line)
    finally:
        reader.server.stop()


def test_the_options_are_all_there() -> None:
    """docs/options.md is as `make docs` would write it, whatever typer's version."""
    written = (HOUSE / "docs" / "options.md").read_text()
    sections = dict(re.findall(r"^##+ `limner ([^`]+)`\n(.*?)(?=^##+ `|\Z)", written, re.M | re.S))
    seen = set()
    for path, command in commands_of(typer.main.get_command(build(COMMANDS))):
        seen.add(path)
        for parameter in command.params:
            if parameter.opts[0].startswith("-"):
                assert all(f"`{flag}" in sections[path] for flag in parameter.opts)
            if words := getattr(parameter, "help", None):
                assert words[:40] in sections[path].replace("&#x27;", "'").replace("&quot;", '"')
    assert seen == set(sections)
    assert str(HOUSE) not in written, "a default is where this machine has it"
    assert not re.search(r"default: (/|[A-Z]:)", written)


def commands_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield " ".join([*path, name]), command
        if hasattr(command, "commands"):
            yield from commands_of(command, (*path, name))


def test_what_is_quoted_is_said() -> None:
    """The symptoms that troubleshooting names in quotes are words that Limner does say."""
    said = "".join(
        path.read_text()
        for room in ("shared", "backend", "krita_plugin", "blender_addon")
        for kind in ("*.py", "*.json", "*.js")
        for path in (HOUSE / room).rglob(kind)
    )
    quoted = SYMPTOM.findall((HOUSE / "docs" / "trouble.md").read_text())
    assert len(quoted) > 10
    for words in quoted:
        assert words in said, words


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)|src=\"([^\"]+)\"", page.read_text()):
            path = page.parent / next(filter(None, target))
            assert path.exists(), (page.name, target)
