"""A small HTTP server that speaks what the Hugging Face hub's own client asks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit


class Hub(BaseHTTPRequestHandler):
    """Repositories: their files by name, as the hub serves and lists them.

    Attributes:
        asked: for which files, in order.
    """

    repositories: ClassVar[Mapping[str, Mapping[str, bytes]]] = {}
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        repository, data = self._found(path)
        self.send_response(404 if data is None else 200)
        self.send_header("X-Repo-Commit", "0" * 40)
        if data is None:
            known = repository in self.repositories
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
            data = b""
        self.send_header("ETag", f'"{sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def _found(self, path: str) -> tuple[str, bytes | None]:
        listing = path.startswith("/api/models/")
        repository = "/".join(path.removeprefix("/api/models" if listing else "").split("/")[1:3])
        files = self.repositories.get(repository, {})
        if listing:
            rows = [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                    for name, data in files.items()]  # fmt: skip
            return repository, json.dumps(rows).encode() if files else None
        name = path.partition("/resolve/")[2].partition("/")[2]
        self.asked.append(name)
        return repository, files.get(name)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(repositories: Mapping[str, Mapping[str, bytes]]) -> Iterator[str]:
    """A hub with these, at an address of this machine."""
    Hub.repositories, Hub.asked = repositories, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def files_of(folder: Path) -> dict[str, bytes]:
    """A folder as a repository."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def pulled(
    name: str, endpoint: str, cache: Path, *more: str, answer: str = ""
) -> subprocess.CompletedProcess[str]:
    """`limner models pull` in a process of its own: the hub's client reads its address when it is
    imported."""
    env = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache)}
    env |= {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, "-m", "limner", "models", "pull", name, *more], input=answer,
        env=env, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
