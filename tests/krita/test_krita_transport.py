"""The line to the backend, with a real one, with none, and with what only looks like one."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from artists import SVG, Backend

from limner_front.jobs import Job, Request
from limner_front.link import Link
from limner_krita import transport as line
from limner_krita.transport import Transport
from limner_wire import messages as m
from limner_wire import place
from limner_wire import session as wire_session
from limner_wire.frames import encode_text
from limner_wire.session import Heard

Until = Callable[..., None]


@pytest.fixture
def transport(
    until: Until, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Transport]:
    """A line that looks often; opened by the test, closed before the backend is stopped."""
    monkeypatch.setattr(line, "LOOK_MS", 50)
    one = Transport()
    one.told = []
    one.heard.connect(one.told.append)
    one.heard.connect(one.shown)
    yield one
    one.close()


def of(transport: Transport, kind: type[m.Message]) -> list[Heard]:
    return [h for h in transport.told if isinstance(h.message, kind)]


def test_it_finds_a_backend_that_is_started_later(
    transport: Transport, backend: Backend, until: Until
) -> None:
    transport.open()
    assert transport.link is Link.ABSENT and "limner serve" in transport.problem
    backend.start()
    until(lambda: transport.is_ready)
    assert transport.problem == "" and transport.welcome.methods
    assert transport.url == place.backend().url


def test_it_comes_back_when_the_backend_does(
    transport: Transport, backend: Backend, until: Until
) -> None:
    backend.start()
    transport.open()
    until(lambda: transport.is_ready)
    before = transport.url
    for _ in range(2):
        backend.stop()
        until(lambda: not transport.is_ready)
        assert transport.link in (Link.LOST, Link.ABSENT) and transport.problem
        backend.start()
        until(lambda: transport.is_ready)
    assert transport.url != before


def test_a_wrong_token_is_told_and_the_right_one_noticed(
    transport: Transport, backend: Backend, folder: Path, until: Until
) -> None:
    backend.start()
    token = folder / "token"
    right = token.read_text()
    token.write_text("x" * 43)
    transport.open()
    until(lambda: transport.link is Link.REFUSED)
    assert "does not accept" in transport.problem and "LIMNER_DATA" in transport.problem
    token.write_text(right)
    until(lambda: transport.is_ready)


def test_an_older_backend_is_told(
    backend: Backend, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.start()
    transport = Transport()  # it speaks protocol 1
    monkeypatch.setattr(m, "PROTOCOL", 2)
    transport.open()
    until(lambda: transport.link is Link.REFUSED)
    assert "different versions" in transport.problem and "limner install krita" in transport.problem
    transport.close()


def test_a_backend_that_is_killed_leaves_its_word_behind(
    transport: Transport, folder: Path, until: Until
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place.announce(place.Backend(f"http://127.0.0.1:{port}/", 1, "0.1.0"))
    transport.open()
    until(lambda: transport.link is Link.LOST)
    assert "not answering" in transport.problem
    assert any("refused" in error.lower() for error in transport.errors)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_something_else_at_its_address_is_told(
    transport: Transport, until: Until, version: str
) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        protocol_version = version

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_words: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place.announce(place.Backend(f"http://127.0.0.1:{server.server_port}/", 1, "0.1.0"))
        transport.open()
        until(lambda: "Something else answers" in transport.problem, "words")
        assert transport.link is Link.LOST
        server.shutdown()


@pytest.mark.parametrize("address", ["nonsense", "http://", "ftp://127.0.0.1/"])
def test_an_address_that_is_none_is_no_crash(
    transport: Transport, address: str, until: Until
) -> None:
    place.announce(place.Backend(address, 1, "0.1.0"))
    transport.open()
    until(lambda: transport.link in (Link.REFUSED, Link.LOST))
    assert transport.problem


def test_a_backend_without_a_worker_is_there_and_says_so(
    transport: Transport, backend: Backend, until: Until
) -> None:
    backend.start()
    transport.open()
    until(lambda: transport.is_ready)
    backend.play(backend.engine.lost, is_replaced=False)
    until(lambda: "getting ready" in transport.problem, "words")
    assert transport.is_ready  # a drawing may be asked for: it waits
    backend.play(backend.engine.ready)
    until(lambda: transport.problem == "", "no words")


def test_a_silent_connection_is_given_up(
    transport: Transport, backend: Backend, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.start()
    transport.open()
    until(lambda: transport.is_ready)
    with monkeypatch.context() as context:
        context.setattr(wire_session, "SILENCE_S", 0.05)
        until(lambda: any("silent" in error for error in transport.errors), "it is given up")
    until(lambda: transport.is_ready)


def test_it_pings(backend: Backend, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PING_MS", 20)
    backend.start()
    transport, pongs = Transport(), []
    transport.heard.connect(lambda h: pongs.append(h) if isinstance(h.message, m.Pong) else None)
    transport.open()
    until(lambda: len(pongs) >= 3, "pongs")
    transport.close()


def test_a_large_result_arrives_whole(transport: Transport, backend: Backend, until: Until) -> None:
    backend.start()
    transport.open()
    until(lambda: transport.is_ready)
    job = Job(Request("clipdraw", {"prompt": "a cat"}, (64, 48), ("starter",)))
    transport.ask(job.submit())
    until(lambda: backend.engine.orders)
    png = bytes(range(256)) * 40_000  # 10 MB
    backend.play(backend.engine.run)
    backend.finish(svg=SVG, png=png)
    until(lambda: of(transport, m.Done), "the result")
    assert bytes(of(transport, m.Done)[0].buffers["png"].data) == png


def test_a_submit_that_was_never_confirmed_is_sent_again(
    transport: Transport, backend: Backend, until: Until
) -> None:
    backend.start()
    transport.open()
    until(lambda: transport.is_ready)
    transport._socket.abort("cut")
    job = Job(Request("clipdraw", {"prompt": "a cat"}, (64, 48), ("starter",)))
    transport.ask(job.submit())
    until(lambda: backend.engine.orders, "the order")
    assert backend.engine.job == job.id and len(backend.engine.orders) == 1


def test_frames_come_as_they_are_shown_and_no_faster(
    transport: Transport, backend: Backend, until: Until
) -> None:
    backend.start()
    transport.heard.disconnect(transport.shown)
    transport.open()
    until(lambda: transport.is_ready)
    job = Job(Request("clipdraw", {"prompt": "a cat"}, (64, 48), ("starter",)))
    transport.ask(job.submit())
    until(lambda: backend.engine.orders)
    backend.play(backend.engine.run)
    for step in range(1, 10):
        backend.play(backend.engine.frame, step, float(step))
    transport.ask(m.Ping(9))
    until(lambda: of(transport, m.Pong), "the last of it")
    frames = of(transport, m.StrokesFrame)
    assert len(frames) <= line.CREDIT
    for heard in frames:
        transport.shown(heard)
    until(lambda: of(transport, m.StrokesFrame)[-1].message.step == 9, "the newest")
    assert len(of(transport, m.StrokesFrame)) <= line.CREDIT + 1


def test_a_picture_that_was_refused_or_is_gone_is_sent_again() -> None:
    session = wire_session.Session("test/1", "token")
    session.connected(0.0)
    welcome = m.Welcome(1, "limner/1", "key", {}, ({"name": "clipdraw"},), ())
    session.receive(encode_text(welcome.json()), 0.0)
    session.to_send()
    sha256 = session.upload(b"\x89PNG", "image/png")
    assert len(session.to_send()) == 1
    session.upload(b"\x89PNG", "image/png")
    assert not session.to_send()  # it is under way
    session.receive(encode_text(m.Failed("unreadable", "It is no PNG.").json()), 0.0)
    session.upload(b"\x89PNG", "image/png")
    assert len(session.to_send()) == 1
    session.receive(encode_text(m.BlobOk(sha256, 4, complete=True).json()), 0.0)
    assert session.has_uploaded(sha256)
    gone = m.Failed("unknown_blob", "It is gone.", job=Job(Request("x", {}, (64, 48))).id)
    session.receive(encode_text(gone.json()), 0.0)
    session.upload(b"\x89PNG", "image/png")
    assert len(session.to_send()) == 1 and not session.has_uploaded(sha256)
