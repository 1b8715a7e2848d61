"""The browser page's files, and the headers under which they go out.

They hold no data: whoever can reach the server may read them. All data goes through the
websocket, behind the hello.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files

from websockets.datastructures import Headers
from websockets.http11 import Response

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX = "index.html"


def routes() -> Mapping[str, tuple[str, bytes]]:
    """What is served under which path: its kind and its bytes."""
    found = {}
    for file in files("limner.server").joinpath("page").iterdir():
        kind = KINDS.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            path = "/" if file.name == INDEX else f"/{file.name}"
            found[path] = (kind, file.read_bytes())
    return found


def policy(host: str, *, tls: bool) -> dict[str, str]:
    """The headers of every answer: nothing from elsewhere, nothing inline, in no frame."""
    socket = f"{'wss' if tls else 'ws'}://{host}"
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
            f"connect-src 'self' {socket}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def page(kind: str, body: bytes, headers: Mapping[str, str]) -> Response:
    """A file as an answer."""
    fields = Headers({"Content-Type": kind, "Content-Length": str(len(body)), **headers})
    fields["Connection"] = "close"
    return Response(HTTPStatus.OK, "OK", fields, body)
