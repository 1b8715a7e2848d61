"""The Hugging Face hub, asked only when the user asks for a model by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from limner_wire.errors import ErrorCode, LimnerError


def fetched(repository: str, *names: str) -> Path:
    """The first of these files that a repository has, where the hub's cache on this machine has it.

    Raises:
        LimnerError: UNKNOWN_MODEL if it can't be reached, or has none of them.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with _reached(repository):
        for name in names:
            try:
                return Path(hf_hub_download(repository, name))
            except LocalEntryNotFoundError:
                raise
            except EntryNotFoundError:
                continue
    words = f"{repository} holds none of what Limner reads: {', '.join(names)}."
    raise LimnerError(ErrorCode.UNKNOWN_MODEL, words)


def listing(repository: str) -> Mapping[str, int]:
    """The files of a repository, and how many bytes each has.

    Raises:
        LimnerError: UNKNOWN_MODEL if it can't be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    with _reached(repository):
        tree = HfApi().list_repo_tree(repository, recursive=True)
        return {file.path: file.size for file in tree if isinstance(file, RepoFile)}


@contextmanager
def _reached(repository: str) -> Iterator[None]:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as problem:
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"{repository} can't be fetched ({type(problem).__name__}).",
            "Check the network and the name; a file you have can be added: limner models add FILE.",
        ) from problem
