"""A31 to A34: weights that run code, and names of models that are paths."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import pickle
import shutil
import struct
from pathlib import Path

import pytest
import tomllib
import torch
from attacks import attacked, refused
from backends import front, submit, with_fields
from safetensors.torch import save_file

from limner.engine.inprocess import InProcess
from limner.models import store
from limner.models.catalog import CONFIG, STARTER_FOLDER
from limner.server.app import Server
from limner_wire import messages as m
from limner_wire.errors import LimnerError

ROOT = Path(__file__).parents[2]


class Canary:
    """Unpickling this makes a file: a weights file that runs code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


def placed(folder: Path, name: str, weights: bytes, called: str) -> None:
    """Put weights among the models, as someone does who was talked into it."""
    target = folder / "models" / name
    target.mkdir(parents=True)
    shutil.copy(STARTER_FOLDER / CONFIG, target / CONFIG)
    (target / called).write_bytes(weights)


def all_are_refused(folder: Path, worker: InProcess, models: dict[str, tuple[str, bytes]]) -> None:
    """Draw with each model, and add each to those that there are: neither works."""
    for name, (called, weights) in models.items():
        placed(folder, name, weights, called)

    async def attack(server: Server) -> None:
        async with front(server, "attacker") as one:
            for name in models:
                asked = with_fields(submit(), models=(name,))
                await one.ask(asked)
                failed = await one.hear(m.Failed, job=asked.job)
                assert failed.code in ("unsafe_file", "unreadable", "unknown_model"), failed
                assert str(folder) not in failed.message + failed.hint
                await one.hear(m.State, job=asked.job, state="error")

    attacked(folder, attack, worker)
    for name, (called, _) in models.items():
        with pytest.raises(LimnerError):
            store.add(folder / "models" / name / called, f"{name}-again", "ViT-S-32-alt")
    assert not (folder / "canary").exists()


def test_a31_weights_that_run_code(folder: Path, worker: InProcess) -> None:
    """Pickles that call os.system, by the names of safetensors and of PyTorch: refused, not run."""
    canary = Canary(folder / "canary")
    assert pickle.loads(pickle.dumps(canary)) == 0 and (folder / "canary").exists()  # noqa: S301
    (folder / "canary").unlink()
    archive = folder / "archive"
    torch.save({"a": torch.ones(1), "b": canary}, archive)
    old = folder / "old"
    torch.save({"a": canary}, old, _use_new_zipfile_serialization=False)
    plain = pickle.dumps(canary)
    safe = "model.safetensors"
    other = "open_clip_pytorch_model.bin"
    all_are_refused(
        folder, worker,
        {
            "pickle": (safe, plain), "pickle-bin": (other, plain),
            "pickle-0": (safe, pickle.dumps(canary, 0)),
            "archive": (safe, archive.read_bytes()), "archive-bin": (other, archive.read_bytes()),
            "old": (safe, old.read_bytes()), "old-bin": (other, old.read_bytes()),
            "behind-json": (safe, struct.pack("<Q", 2) + b"{}" + plain),
        },
    )  # fmt: skip
    upper = folder / "w.SAFETENSORS"
    upper.write_bytes(plain)
    with pytest.raises(LimnerError):
        store.add(upper, "upper", "ViT-S-32-alt")
    assert not (folder / "canary").exists()


def safetensors(header: object, data: bytes = bytes(16), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def test_a32_safetensors_that_lie(folder: Path, worker: InProcess) -> None:
    """Safetensors whose header is longer than the file, whose tensors overlap or leave it."""

    def tensor(start: int, end: int, shape: tuple[int, ...] = (2,)) -> dict[str, object]:
        return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}

    two = {"a": tensor(0, 8), "b": tensor(8, 16)}
    good = safetensors(two)
    files = {
        "long": safetensors(two, length=2**40),
        "endless": safetensors(two, length=2**64 - 1),
        "overlap": safetensors({"a": tensor(0, 8), "b": tensor(4, 12)}),
        "gap": safetensors({"a": tensor(0, 8), "b": tensor(12, 20)}, bytes(20)),
        "outside": safetensors({"a": tensor(0, 2**40)}),
        "backwards": safetensors({"a": tensor(8, 0)}),
        "overflow": safetensors({"a": tensor(0, 8, (2**33, 2**31))}),
        "twice": safetensors(b'{"a":' + json.dumps(tensor(0, 8)).encode() + b',"a":[]}'),
        "cut": good[:-4],
        "deep": safetensors(b'{"a":' * 10_000),
        "empty": b"",
    }
    all_are_refused(folder, worker, {k: ("model.safetensors", v) for k, v in files.items()})


# What can run code from data, by any way to call it.
BANNED = {
    "torch.load", "torch.jit.load", "torch.hub.load", "eval", "exec", "compile", "__import__",
    "yaml.load", "yaml.unsafe_load", "os.system", "os.popen",
}  # fmt: skip
BANNED_MODULES = {
    "pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "yaml",
}  # fmt: skip
BANNED_METHODS = {"recv_pyobj", "send_pyobj", "recv_serialized", "allow_pickle"}


def test_a33_code_in_the_code() -> None:
    """Nothing calls what can run code from data, but `models.loading`, once, weights only."""
    audited = 0
    paths = [p for room in ("backend", "shared") for p in sorted((ROOT / room).rglob("*.py"))]
    assert len(paths) > 60
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names}
                names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
                assert not {name.split(".")[0] for name in names} & BANNED_MODULES, where
                whole = getattr(node, "module", None) == "torch" and "load" in names
                assert not whole, where
            if isinstance(node, ast.Attribute):
                assert node.attr not in BANNED_METHODS, where
            if isinstance(node, ast.Call):
                assert not {k.arg for k in node.keywords} & {"shell", "allow_pickle"}, where
                if (called := ast.unparse(node.func)) not in BANNED:
                    continue
                assert path.name == "loading.py" and called == "torch.load", f"{where} {called}"
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert given.get("weights_only") == "True", where
                audited += 1
    assert audited == 1
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert "torch>=2.10" in needs  # the versions before have ways round weights_only
    assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 10)


def test_a34_a_model_that_is_an_address(
    folder: Path, worker: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models named by path or URL: only names of those on this machine; nobody is called."""
    monkeypatch.chdir(folder)
    save_file({"a": torch.ones(1)}, folder / "w.safetensors")
    for name in ("starter@evil", "evil"):  # which lie where the server was started
        shutil.copytree(STARTER_FOLDER, folder / name)
    called: list[object] = []

    async def attack(server: Server) -> None:
        trap = await asyncio.start_server(lambda *who: called.append(who), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}/x"
        async with front(server, "attacker") as one:
            for name in (
                url, f"starter@{url}", str(STARTER_FOLDER), f"starter@{STARTER_FOLDER}",
                "../../etc/passwd", "..", ".", "", "/", "evil", "./evil", "starter@evil",
                "starter@evil@1", "starter/../starter", "STARTER", "starter\0", "hf-hub:a/b",
                "local-dir:" + str(STARTER_FOLDER), "file:///etc/passwd", "starter@", "starter@0",
                "starter@nan", "starter@-1", "starter@inf", "w.safetensors", "\\\\host\\share",
            ):  # fmt: skip
                asked = with_fields(submit(steps=1), models=(name[:80],))
                await one.ask(asked)
                heard = await one.until(lambda h: isinstance(h.message, m.Failed | m.Done))
                assert isinstance(heard.message, m.Failed), name
                code = "bad_input" if name.startswith("starter@") else "unknown_model"
                assert heard.message.code == code and not heard.message.seq, name
            for setting in ("model", "weights", "url", "path"):
                await refused(one, submit(**{setting: url}), "bad_input")
            asked = with_fields(submit(steps=1, prompt=url), models=("starter@0.5",))
            await one.ask(asked)
            await one.hear(m.Done, job=asked.job)
        trap.close()
        await trap.wait_closed()

    attacked(folder, attack, worker)
    assert not called
