"""A folder in diffusers' layout, as published unCLIPs come: `model_index.json`, which names the
parts, and a folder for each with its config and its weights.

Nothing in it is executed. It is JSON, read with bounds, and safetensors, perhaps in shards; what is
a pickle, or asks for code of its own, is refused in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.models.loading import read_json
from limner.models.pickles import shown
from limner_wire.errors import ErrorCode, LimnerError

INDEX = "model_index.json"
CONFIGS = ("config.json", "scheduler_config.json", "preprocessor_config.json")
STEMS = ("diffusion_pytorch_model", "model")  # diffusers' weights, transformers' weights
VARIANTS = ("", ".fp16", ".bf16")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
SHARDS_MOST = 999
# diffusers writes the pipeline's own package where a class is no other library's
LIBRARIES = frozenset(("diffusers", "transformers", "unclip", "stable_unclip", "stable_diffusion"))
RUNS_CODE = ("auto_map", "trust_remote_code", "custom_pipeline", "custom_pipelines")
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
README_BYTES = 2**16
UNKNOWN_LICENCE = "unknown: see where you got it"


@dataclass(frozen=True, slots=True)
class Part:
    """A network of a pipeline.

    Attributes:
        name: its folder's.
        kind: its class.
        config: as its config.json tells, for which nobody vouches.
        files: its weights, in one file or in shards.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A pipeline.

    Attributes:
        kind: its class.
        classes: of its parts, by their names.
    """

    path: Path
    kind: str
    classes: Mapping[str, str]

    def part(self, name: str, kind: str) -> Part:
        """One of its networks.

        Args:
            kind: what it has to be.

        Raises:
            LimnerError: UNREADABLE if it is not there; UNKNOWN_MODEL if it is something else;
                UNSAFE_FILE if there is nothing but a pickle.
        """
        own = self.classes.get(name)
        if own is None:
            raise LimnerError(ErrorCode.UNREADABLE, f"{self.path.name} has no {name}/.")
        config = self.config(name)
        for said in (own, config.get("_class_name", kind)):
            if said != kind:
                words = f"Its {name}/ is a {shown(str(said), 60)}, and not a {kind}."
                raise LimnerError(ErrorCode.UNKNOWN_MODEL, words)
        return Part(name, kind, config, weights(self.path / name))

    def config(self, name: str) -> Mapping[str, Any]:
        """What the config of a part says.

        Raises:
            LimnerError: UNREADABLE if there is none; UNSAFE_FILE if it asks for code of its own.
        """
        place = self.path / name
        file = next((place / c for c in CONFIGS if (place / c).is_file()), place / CONFIGS[0])
        if not file.is_file():
            raise LimnerError(ErrorCode.UNREADABLE, f"{self.path.name} has no {name}/{file.name}.")
        content = read_json(file)
        _refuse_code(content, f"{name}/{file.name}")
        return content


def read(path: Path, parts: Sequence[str] | None = None) -> Folder:
    """The pipeline in a folder.

    Args:
        parts: which of its parts are there; None for all that it names.

    Raises:
        LimnerError: UNREADABLE if there is none; UNSAFE_FILE if it asks for code of its own.
    """
    index = read_json(path / INDEX)
    _refuse_code(index, INDEX)
    classes = {}
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list) or value == [None, None]:
            continue
        if len(value) != 2 or not isinstance(value[1], str) or str(value[0]) not in LIBRARIES:
            words = f"{INDEX} asks for code that comes with it, as its {shown(name, 40)}."
            raise LimnerError(ErrorCode.UNSAFE_FILE, words, "Limner runs no code of a folder.")
        if parts is None or name in parts:
            classes[name] = value[1]
    return Folder(path, str(index.get("_class_name")), classes)


def weights(place: Path) -> tuple[Path, ...]:
    """The safetensors of a part's folder; those of full precision if there are others too.

    Raises:
        LimnerError: UNSAFE_FILE if there is nothing but a pickle; UNREADABLE if there is nothing,
            or a shard is missing.
    """
    for variant in VARIANTS:
        for stem in STEMS:
            if (single := place / f"{stem}{variant}.safetensors").is_file():
                return (single,)
            if (index := place / f"{stem}.safetensors.index{variant}.json").is_file():
                return _shards(index)
    names = sorted(file.name for file in place.iterdir()) if place.is_dir() else []
    if pickle := next((name for name in names if name.endswith(PICKLES)), None):
        raise LimnerError(
            ErrorCode.UNSAFE_FILE,
            f"{place.name}/ has no safetensors, only {shown(pickle, 60)}: a pickle can run code.",
            f"Fetch its safetensors, or convert it: torch.load(..., weights_only=True), then "
            f"safetensors.torch.save_file(..., '{STEMS[0]}.safetensors').",
        )
    raise LimnerError(ErrorCode.UNREADABLE, f"There are no weights in {place.name}/.")


def licence(path: Path) -> str:
    """What a folder's README or licence file says that it may be used under."""
    readme = _beginning(path / "README.md")
    matter = FRONT_MATTER.match(readme)
    said = re.search(r"^license(?:_name)?:\s*(\S.*)$", matter[1], re.MULTILINE) if matter else None
    if said:
        return shown(said[1].strip("\"' "), 80)
    texts = (_beginning(file) for file in sorted(path.glob("LICENSE*")))
    lines = (line for text in texts for line in text.splitlines() if line.strip("# \t"))
    return shown(next(lines, UNKNOWN_LICENCE).strip("# \t"), 80)


def _shards(index: Path) -> tuple[Path, ...]:
    listed = read_json(index).get("weight_map")
    names = sorted(set(map(str, listed.values()))) if isinstance(listed, dict) else []
    if not 1 <= len(names) <= SHARDS_MOST or not all(map(_is_plain, names)):
        raise LimnerError(ErrorCode.UNREADABLE, f"{index.name} lists no shards of weights.")
    files = tuple(index.with_name(name) for name in names)
    if lost := [file.name for file in files if not file.is_file()]:
        words = f"{index.parent.name}/ lacks {len(lost)} of {len(files)} shards: {lost[0]}."
        raise LimnerError(ErrorCode.UNREADABLE, words, "Fetch it again.")
    return files


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[\w.-]{1,120}\.safetensors", name) is not None


def _refuse_code(content: Iterable[str], what: str) -> None:
    for name in RUNS_CODE:
        if name in content:
            words = f"{what} has {name!r}: it asks for code that comes with it."
            raise LimnerError(ErrorCode.UNSAFE_FILE, words, "Limner runs no code of a folder.")


def _beginning(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return opened.read(README_BYTES).decode("utf-8", "replace")
