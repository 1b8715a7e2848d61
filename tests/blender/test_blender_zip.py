"""The extension's archive: whole, accepted by Blender, and working from nothing but itself."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import tomllib

from limner import plugins, wheels
from limner_wire.errors import LimnerError

ROOT = Path(__file__).parents[2]
OURS = ("limner_wire", "limner_front")


@pytest.fixture(scope="module")
def built() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(plugins.blender()))


@pytest.fixture(scope="module")
def manifest(built: zipfile.ZipFile) -> dict[str, object]:
    return tomllib.loads(built.read(plugins.MANIFEST).decode())


def own_wheels(built: zipfile.ZipFile, folder: Path) -> list[Path]:
    names = [n for n in built.namelist() if n.startswith(tuple(f"wheels/{x}-" for x in OURS))]
    assert len(names) == len(OURS)
    return [Path(built.extract(name, folder)) for name in names]


def test_it_carries_what_it_names_and_nothing_else(
    built: zipfile.ZipFile, manifest: dict[str, list[str]]
) -> None:
    names = set(built.namelist())
    carried = [name.removeprefix("./") for name in manifest["wheels"]]
    assert len(carried) == 3 and names >= {"__init__.py", "LICENSE", *carried}
    assert {n for n in names if n.startswith("wheels/")} == {"wheels/", *carried}
    source = {p.name for p in (ROOT / "blender_addon" / "limner_blender").glob("*.*")}
    assert names - source == {"LICENSE", "wheels/", *carried}
    assert not any("__pycache__" in n or n.endswith((".pyc", ".so", ".blend")) for n in names)


def test_versions_agree(built: zipfile.ZipFile, manifest: dict[str, object]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    told: dict[str, str] = {}
    exec(built.read("version.py"), told)  # noqa: S102 (ours)
    assert manifest["version"] == project["version"] == told["VERSION"]
    assert manifest["license"] == [f"SPDX:{project['license']}"]


def test_the_same_sources_give_the_same_bytes() -> None:
    assert plugins.blender() == plugins.blender()


def test_a_wheel_lists_all_that_is_in_it(built: zipfile.ZipFile, tmp_path: Path) -> None:
    for path in own_wheels(built, tmp_path):
        with zipfile.ZipFile(path) as wheel:
            [record] = [n for n in wheel.namelist() if n.endswith(".dist-info/RECORD")]
            rows = {row[0]: row[1:] for row in csv.reader(wheel.read(record).decode().splitlines())}
            assert rows.keys() == set(wheel.namelist()) and rows.pop(record) == ["", ""]
            for name, (sha256, size) in rows.items():
                digest = base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest())
                assert sha256 == "sha256=" + digest.decode().rstrip("=")
                assert int(size) == len(wheel.read(name))
            assert record.partition("/")[0] + "/licenses/LICENSE" in rows


def test_pip_takes_the_wheels_and_they_work_by_themselves(
    built: zipfile.ZipFile, tmp_path: Path
) -> None:
    into = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--target", str(into)]
    paths = [str(path) for path in own_wheels(built, tmp_path)]
    subprocess.run([*pip, *paths], check=True, timeout=120)  # what one needs is the other
    code = (
        f"import sys; sys.path = [{str(into)!r}] + [p for p in sys.path if 'site-' not in p];"
        "from limner_front import i18n, jobs, svg_strokes; import limner_wire;"
        "print(limner_wire.__file__, i18n.choose('ko'))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.split() == [str(into / "limner_wire" / "__init__.py"), "ko"]


def test_another_content_is_another_version() -> None:
    """Blender keeps a wheel that it has by that name, and does not look into the new one."""
    one = wheels.built("limner_x", "1.0", {"limner_x/__init__.py": b"A = 1"}, b"GPL")
    other = wheels.built("limner_x", "1.0", {"limner_x/__init__.py": b"A = 2"}, b"GPL")
    assert one == wheels.built("limner_x", "1.0", {"limner_x/__init__.py": b"A = 1"}, b"GPL")
    assert one.keys() != other.keys()
    assert all(name.startswith("limner_x-1.0+") for name in (*one, *other))


def test_blender_accepts_it(blender: Any, built: zipfile.ZipFile) -> None:
    said = validated(blender, plugins.blender())
    assert said.returncode == 0, said.stderr
    files = {name: built.read(name) for name in built.namelist() if not name.endswith("/")}
    files[plugins.MANIFEST] = files[plugins.MANIFEST].replace(b'"3D View"', b'"3D Vlew"')
    assert validated(blender, plugins.archive(files)).returncode != 0


def validated(blender: Any, archive: bytes) -> subprocess.CompletedProcess[str]:
    """What Blender's own validator says, with the tags that Blender knows."""
    file = blender.folder / "validate.zip"
    file.write_bytes(archive)
    cli = next(blender.python.parents[1].glob("[Ll]ib*/**/bl_pkg/cli/blender_ext.py"))
    tags = cli.parents[3] / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    command = [blender.python, cli, "validate", f"--valid-tags={tags}", file]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_blender_installs_it_and_a_newer_one_in_its_place(
    blender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer one has the same version, as a developer's has, and other code in a wheel."""
    first, second = blender.folder / "first.zip", blender.folder / "second.zip"
    first.write_bytes(plugins.blender())
    ours = plugins._ours
    monkeypatch.setattr(
        plugins, "_ours", lambda name: {**ours(name), f"{name}/newer.py": b"A = 1\n"}
    )
    second.write_bytes(plugins.blender())
    archives = {str(first): "limner_front.jobs", str(second): "limner_front.newer"}
    before, after, left = blender.run("extension.py", "install", archives=archives)
    for told in (before, after):
        assert told["said"] == ["FINISHED"] and told["enabled"] and "draw" in told["operators"]
        assert all("/.local/" in Path(file).as_posix() for file in told["from"].values())
    [site] = (blender.folder / "blender").glob("extensions/.local/lib/python*/site-packages")
    assert not left["enabled"] and left["operators"] == [] and left["threads"] == []
    assert left["wheels"] == [] and not list(site.iterdir())


@pytest.mark.parametrize(("make", "name"), [("krita", plugins.KRITA), ("blender", plugins.BLENDER)])
def test_without_the_source_tree_it_is_the_one_that_the_wheel_carries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: str, name: str
) -> None:
    monkeypatch.setattr(plugins, "ROOT", tmp_path)
    monkeypatch.setattr(plugins, "BUILT", tmp_path)
    with pytest.raises(LimnerError, match="carries no plugin"):
        getattr(plugins, make)()
    (tmp_path / name).write_bytes(b"carried")
    assert getattr(plugins, make)() == b"carried"
