"""A23 to A30: pictures, SVGs and other files that are sent to be drawn on or begun from."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from attacks import attacked, names, refused, told_off
from backends import Front, Puppet, front, submit, with_fields
from PIL import Image

from limner.engine.inprocess import InProcess
from limner.server.app import Server
from limner_wire import messages as m
from limner_wire.frames import Buffer, encode
from limner_wire.limits import IMAGE_BYTES, SVG_COMMANDS

PNG, JPEG, WEBP, SVG = m.MIMES
BINARY = 2


async def drawn(one: Front, data: bytes, mime: str, role: str = "init") -> tuple[str, m.Message]:
    """What becomes of a drawing with this input: "done" or an error's code, and the last word."""
    sha = one.session.upload(data, mime)
    await one.ask()
    word = await one.until(
        lambda h: isinstance(h.message, m.Failed) or getattr(h.message, "complete", False)
    )
    if isinstance(word.message, m.Failed):
        return word.message.code, word.message
    wanted = with_fields(submit(steps=1), inputs={role: sha})
    await one.ask(wanted)
    ended = (m.Done, m.Failed)
    message = (await one.until(lambda h: isinstance(h.message, ended))).message
    if isinstance(message, m.Done):
        return "done", message
    assert isinstance(message, m.Failed) and message.job == wanted.job, message
    await one.hear(m.State, job=wanted.job, state="error")
    return message.code, message


def all_come_to(
    folder: Path, worker: InProcess, inputs: Mapping[str, bytes], mime: str, *codes: str
) -> None:
    """Send every input to the real worker, as what to begin from and what to draw over."""
    roles = ("init",) if mime == SVG else ("init", "over", "mask")

    async def attack(server: Server) -> None:
        async with front(server, "attacker") as one:
            for k, (name, data) in enumerate(inputs.items()):
                code, last = await drawn(one, data, mime, roles[k % len(roles)])
                assert code in codes, (name, last)
                if isinstance(last, m.Failed):
                    assert str(folder) not in last.message and "/" not in last.message

    attacked(folder, attack, worker)


# --- pictures ------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int, *more: bytes, rows: bytes | None = None, after: bytes = b"") -> bytes:
    """A square grey PNG with more chunks before, and after, its pixels."""
    pixels = zlib.compress(bytes((side + 1) * side) if rows is None else rows, 9)
    head = chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0))
    parts = [head, *more, chunk(b"IDAT", pixels), after, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "JPEG")
    return file.getvalue()


def webp(frames: int) -> bytes:
    """An animated WebP of two frames, the second of which stands there again and again."""
    file = io.BytesIO()
    both = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    both[0].save(file, "WEBP", save_all=True, append_images=both[1:], duration=10, lossless=True)
    data = file.getvalue()
    last = data[data.rindex(b"ANMF") :]
    body = data[8:] + last * (frames - 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def apng(frames: int) -> bytes:
    control = struct.pack(">2I", 8, 8) + bytes(16) + b"\1\0\1\0\0\0\0\0"
    more = []
    for k in range(1, frames):
        head = struct.pack(">I", 2 * k - 1) + control[:-6] + b"\0\1\0\0\0\0"
        data = struct.pack(">I", 2 * k) + zlib.compress(bytes(72), 9)
        more.append(chunk(b"fcTL", head[:26]) + chunk(b"fdAT", data))
    first = chunk(b"fcTL", (bytes(4) + control)[:26])
    return png(8, chunk(b"acTL", struct.pack(">2I", frames, 0)), first, after=b"".join(more))


def zipped(name: str = "a.txt", data: bytes = b"hello") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, data)
    return file.getvalue()


def test_a23_a_picture_that_unpacks_to_billions(folder: Path, worker: InProcess) -> None:
    """A PNG of 50,000 x 50,000 pixels, and kin: refused by the header, before a pixel is made."""
    bombs = {
        "by its header": png(50_000, rows=b""),
        "with its pixels": png(8_192),
        "a little too wide": png(4_097),
        "of no size": png(0),
        "as wide as can be": png(2**31 - 1, rows=b""),
    }
    all_come_to(folder, worker, bombs, PNG, "unreadable")


def test_a24_pictures_that_are_cut_or_two_things(folder: Path, worker: InProcess) -> None:
    """Pictures cut short; at once a ZIP, an HTML page or a script; of 10,000 frames."""
    whole, photo = png(32), jpeg()

    async def attack(server: Server) -> None:
        async with front(server, "attacker") as one:
            for data, mime, code in (
                (whole[:-30], PNG, "unreadable"),
                (whole[:20], PNG, "unreadable"),
                (whole[:8], PNG, "unreadable"),
                (photo[: len(photo) // 2], JPEG, "unreadable"),
                (photo[:3], JPEG, "unreadable"),
                (webp(2)[:40], WEBP, "unreadable"),
                (b"GIF89a" + bytes(99), PNG, "unreadable"),
                (photo, PNG, "unreadable"),
                (whole + zipped(), PNG, "done"),  # only the picture in it is looked at
                (png(32, chunk(b"tEXt", b"a\0<script>alert(1)</script>")), PNG, "done"),
                (photo + b"<script>alert(1)</script>", JPEG, "done"),
                (apng(10_000), PNG, "done"),
                (webp(10_000), WEBP, "done"),
            ):
                found, last = await drawn(one, data, mime)
                assert found == code, (mime, data[:20], last)
                heard = one.heard[-1].buffers
                for file in heard.values():
                    assert b"script" not in bytes(file.data) and b"PK\3\4" not in bytes(file.data)

    attacked(folder, attack, worker)


def test_a25_a_text_that_unpacks_to_gigabytes(folder: Path, worker: InProcess) -> None:
    """PNGs with zTXt, iTXt and iCCP chunks that unpack to 64 MiB and more: refused."""
    bomb = zlib.compress(bytes(2**26), 9)
    small = zlib.compress(bytes(2**20 - 1), 9)
    bombs = {
        "zTXt": png(8, chunk(b"zTXt", b"a\0\0" + bomb)),
        "iTXt": png(8, chunk(b"iTXt", b"a\0\1\0\0\0" + bomb)),
        "iCCP": png(8, chunk(b"iCCP", b"a\0\0" + bomb)),
        "many": png(8, chunk(b"zTXt", b"a\0\0" + small) * 999),
        "after the pixels": png(8, after=chunk(b"zTXt", b"a\0\0" + bomb)),
    }
    all_come_to(folder, worker, bombs, PNG, "unreadable")


# --- SVG -----------------------------------------------------------------------------------------

STROKE = '<path stroke="red" d="M1 1L9 9"/>'
SPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(body: str, before: str = "") -> bytes:
    return f'{before}<svg {SPACES} viewBox="0 0 64 48">{body}{STROKE}</svg>'.encode()


LAUGHS = "".join(f"<!ENTITY a{k + 1} '{f'&a{k};' * 10}'>" for k in range(9))
UNSAFE = {
    "script": svg("<script>alert(1)</script>"),
    "foreignObject": svg("<foreignObject><body/></foreignObject>"),
    "event": svg('<g onload="alert(1)"/>'),
    "picture": svg('<image href="http://127.0.0.1/x.png"/>'),
    "href": svg('<use href="http://127.0.0.1/x.svg#a"/>'),
    "xlink": svg('<use xlink:href="file:///etc/passwd#a"/>'),
    "css": svg("<style>path{stroke:url(http://127.0.0.1/a.svg#b)}</style>"),
    "import": svg("<style>@import 'http://127.0.0.1/a.css';</style>"),
    "paint": svg('<path stroke="url(http://127.0.0.1/#a)" d="M0 0L9 9"/>'),
    "DTD": svg("", '<!DOCTYPE svg SYSTEM "http://127.0.0.1/a.dtd">'),
    "XXE": svg("<desc>&a;</desc>", '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
    "billion laughs": svg("&a9;", f"<!DOCTYPE s [<!ENTITY a0 'ha'>{LAUGHS}]>"),
    "use of itself": svg('<g id="a"><use href="#a"/></g>'),
    "use in a circle": svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'),
}


def test_a26_an_svg_that_runs_or_fetches(folder: Path, worker: InProcess) -> None:
    """SVGs with scripts, events, pages, outside addresses, entities, endless use: refused."""
    all_come_to(folder, worker, UNSAFE, SVG, "unsafe_file")


def test_a26_an_svg_is_not_repeated(folder: Path, worker: InProcess) -> None:
    """What an SVG holds beside strokes is in no result."""

    async def attack(server: Server) -> None:
        async with front(server, "attacker") as one:
            body = '<g id="heron" class="heron"><desc>heron</desc><title>heron</title></g>'
            code, _ = await drawn(one, svg(body + "<!-- heron -->"), SVG)
            result = bytes(one.heard[-1].buffers["svg"].data)
            assert code == "done" and b"<path" in result and b"heron" not in result

    attacked(folder, attack, worker)


def test_a27_a_path_without_end(folder: Path, worker: InProcess) -> None:
    """Paths of a million commands, to infinity, to 1e308: refused."""

    def path(d: str) -> bytes:
        return svg(f'<path stroke="red" d="{d}"/>')

    paths = {
        "commands": path("M0 0" + "L1 1" * 1_000_000),
        "implied commands": path("M0 0" + " 1 1" * 1_000_000),
        "many paths": svg('<path d="M0 0L1 1L2 2"/>' * (SVG_COMMANDS // 4 + 1)),
        "infinity": path("M0 0L inf 3"),
        "NaN": path("M0 0L nan 3"),
        "1e308": path("M0 0L1e308 3"),
        "1e308 twice": path("M0 0l1e308 0 1e308 0"),
        "1e999": path("M0 0L1e999 3"),
        "deep": svg("<g>" * 100_000),
    }
    all_come_to(folder, worker, paths, SVG, "unreadable")


# --- ids and kinds -------------------------------------------------------------------------------

NO_IDS = (
    "../../x", "/etc/passwd", "..\\..\\x", "C:\\x", "NUL", "CON", "aux.png", "x\0", "\0", "",
    "0" * 63, "0" * 65, "A" * 64, "0" * 63 + "g", "%2e%2e%2fx", "file:///etc/passwd",
    "0" * 64 + "\n", "' OR 1=1 --", "*",
)  # fmt: skip


def test_a28_an_id_that_is_a_path(folder: Path, puppet: Puppet) -> None:
    """Input ids that climb, are absolute, hold NUL, name a device, a link: only hashes are ids."""
    data = png(8)
    sha = hashlib.sha256(data).hexdigest()
    (folder / "x").write_bytes(data)
    (folder / sha).symlink_to(folder / "x")  # an id that lies there as a link

    async def attack(server: Server) -> None:
        there = names(folder)
        for wrong in NO_IDS:
            head = m.Blob("0" * 64, PNG, len(data)).json() | {"sha256": wrong}
            part = encode(head, [Buffer("data", "u8", (len(data),), data)])
            assert await told_off(server.port, BINARY, part) == 1007, wrong
        async with front(server, "attacker") as one:
            for value in (*NO_IDS, sha, 5, None, [sha], {"a": sha}, True):
                asked = with_fields(submit(), inputs={"init": value})
                await refused(one, asked, "unknown_blob")
            for role in ("../init", "saved", "adjusted", "x" * 9000, ""):
                await refused(one, with_fields(submit(), inputs={role: sha}), "bad_input")
        assert len(puppet.orders) == 1  # the honest one's
        assert names(folder) == there

    attacked(folder, attack, puppet)


def test_a29_another_content_than_its_hash(folder: Path) -> None:
    """Inputs that are not what their hash says, or longer, or in the wrong order: not kept."""
    data = png(8)
    sha = hashlib.sha256(b"something else").hexdigest()

    def part(at: int, size: int, content: bytes = data) -> bytes:
        head = m.Blob(sha, PNG, size, at)
        return encode(head.json(), [Buffer("data", "u8", (len(content),), content)])

    async def attack(server: Server) -> None:
        async with front(server, "attacker") as one:
            for size in (len(data), len(data) - 1, 1):
                await one._client._socket.send(part(0, size))
                assert (await one.hear(m.Failed)).code == "unreadable"
                assert not server.store.has_blob(sha)
            await refused(one, with_fields(submit(), inputs={"init": sha}), "unknown_blob")
            for k in range(3):  # many at once; each says that it will be of the longest
                head = m.Blob(f"{k:064x}", PNG, IMAGE_BYTES)
                content = [Buffer("data", "u8", (len(data),), data)]
                await one._client._socket.send(encode(head.json(), content))
            assert (await one.hear(m.Failed)).code == "quota"
        for wrong in (part(5, 100), part(0, 0), part(0, IMAGE_BYTES + 1), part(2**53, 100)):
            assert await told_off(server.port, BINARY, wrong) == 1007
        assert server.store._db.execute("SELECT count(*) FROM blobs").fetchone()[0] == 0

    attacked(folder, attack)


def test_a29_inputs_push_no_drawing_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs of no job that would fill the quota go before anyone's drawings do."""
    monkeypatch.setattr("limner.jobs.store.LOOSE_BYTES", 2**20)

    async def attack(server: Server) -> None:
        async with front(server, "attacker") as one:
            drawings = len(server.store.jobs())
            server.hub.quota_bytes = server.store.size_bytes() + 3 * 2**19
            for k in range(8):
                data = png(8, after=chunk(b"teST", bytes([k]) * 2**18))
                one.session.upload(data, PNG)
                await one.ask()
                await one.hear(m.BlobOk, complete=True)
            assert len(server.store.jobs()) == drawings == 1
            assert server.store.has_blob(hashlib.sha256(data).hexdigest())  # the last is there
            assert server.store.size_bytes() <= server.hub.quota_bytes

    attacked(folder, attack)


def test_a30_an_archive(folder: Path) -> None:
    """ZIP, tar, gzip and GIF, by their own name and by a picture's: no input."""
    tar = b"a.png".ljust(100, b"\0") + b"0000644\0" + bytes(404)
    archives = (
        zipped(), zipped("../../x"), tar, zlib.compress(b"<svg/>"), b"\x1f\x8b\x08" + tar,
        b"GIF89a" + bytes(99),
    )  # fmt: skip

    async def attack(server: Server) -> None:
        for mime in ("application/zip", "application/x-tar", "image/gif", "", *m.MIMES):
            async with front(server, "attacker") as one:
                for data in archives:
                    head = m.Blob(hashlib.sha256(data).hexdigest(), mime, len(data))
                    content = [Buffer("data", "u8", (len(data),), data)]
                    await one._client._socket.send(encode(head.json(), content))
                    failed = await one.hear(m.Failed)
                    assert failed.code == "unreadable" and "PNG, JPEG, WebP or SVG" in failed.hint
                    assert not server.store.has_blob(head.sha256)

    attacked(folder, attack)
