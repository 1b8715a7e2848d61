"""Who may come in (the attack cases' pure part)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from limner.server.gate import Bucket, Keys, Refusal, allowed_hosts, judge, read_or_make_token
from limner_wire.errors import LimnerError

HOSTS = allowed_hosts(8765)
HOST = ("Host", "127.0.0.1:8765")


def status(*headers: tuple[str, str], path: str = "/") -> int:
    refusal = judge(headers, path, HOSTS)
    return refusal.status if refusal else 200


def test_our_own_page_and_programs_come_in() -> None:
    for name in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST"):
        assert status(("Host", f"{name}:8765")) == 200
    for name in ("127.0.0.1", "localhost", "[::1]"):
        assert status(HOST, ("Origin", f"http://{name}:8765")) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.com",
        "http://localhost.evil.com",
        "http://localhost.evil.com:8765",
        "http://127.0.0.1.evil.com:8765",
        "http://127.0.0.1:8765.evil.com",
        "http://127.0.0.1:87650",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.1:8765",
        "http://127.0.0.1:8765/",
        "http://user@127.0.0.1:8765",
        "HTTP://127.0.0.1:8765",
        "null",
        "",
        "file://",
    ],
)
def test_other_pages_do_not(origin: str) -> None:
    assert status(HOST, ("Origin", origin)) == 403


@pytest.mark.parametrize(
    "host", ["evil.com:8765", "127.0.0.1", "127.0.0.1:1", "", "127.0.0.1:8765.evil.com", "0:8765"]
)
def test_another_name_for_this_machine_does_not(host: str) -> None:
    assert status(("Host", host)) == 421
    assert status(("Host", host), ("Origin", f"http://{host}")) == 421


def test_headers_that_could_be_read_two_ways_do_not() -> None:
    assert status() == 400
    assert status(HOST, ("host", "127.0.0.1:8765")) == 400
    origin = ("Origin", "http://127.0.0.1:8765")
    assert status(HOST, origin, origin) == 400


def test_a_secret_in_an_address_does_not() -> None:
    for path in ("/?token=x", "/ws?a=1&TOKEN=x", "/#ticket=x"):
        assert status(HOST, path=path) == 400


def test_wrong_tokens_are_slowed_down_and_the_right_one_is_not() -> None:
    keys = Keys("right-" + "x" * 30)
    answers = []
    for k in range(10_000):
        refusal = keys.user(f"wrong{k}", "", k / 1000)
        assert isinstance(refusal, Refusal)
        answers.append(refusal.status)
    assert set(answers) == {401, 429} and answers.count(401) <= 20 + 10 * 10 + 1
    assert keys.user("right-" + "x" * 30, "", 10.0) == ""
    assert isinstance(keys.user("", "", 60.0), Refusal)


def test_a_ticket_opens_once_and_soon() -> None:
    keys = Keys("t" * 40)
    ticket, guest, late = keys.ticket(0.0), keys.ticket(0.0, "ada"), keys.ticket(0.0)
    assert keys.user("", ticket, 1.0) == "" and keys.user("", guest, 1.0) == "ada"
    assert isinstance(keys.user("", ticket, 2.0), Refusal)
    assert isinstance(keys.user("", guest, 2.0), Refusal)
    assert isinstance(keys.user("", late, 61.0), Refusal)


def test_a_session_key_opens_as_often_as_one_likes_for_its_user_alone() -> None:
    keys = Keys("t" * 40)
    for user in ("", "ada"):
        key = keys.session(user)
        assert keys.user("", key, 1.0) == user == Keys("t" * 40).user("", key, 9.0)
        assert isinstance(Keys("u" * 40).user("", key, 1.0), Refusal)
    stolen = keys.session("ada").replace("ada", "", 1)
    assert isinstance(keys.user("", stolen, 1.0), Refusal)
    assert isinstance(keys.user("", "ada.", 1.0), Refusal)
    assert "t" * 40 not in keys.session("")


def test_a_bucket_fills_again() -> None:
    bucket = Bucket(rate_s=2.0, most=3.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(0.5) and not bucket.take(0.5)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(-1000.0)  # a clock that jumps back gives nothing away


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_the_token_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token"
    token = read_or_make_token(path)
    assert len(token) >= 40 and read_or_make_token(path) == token
    assert path.stat().st_mode & 0o777 == 0o600
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(LimnerError):
            read_or_make_token(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(LimnerError):
        read_or_make_token(path)
    path.unlink()
    (tmp_path / "elsewhere").write_text("x" * 40)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LimnerError):
        read_or_make_token(path)
