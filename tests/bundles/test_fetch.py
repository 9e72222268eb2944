"""Downloads from a local server."""

from __future__ import annotations

import functools
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from avatar_app.bundles import fetch as fetching
from avatar_app.bundles.fetch import Download, fetch
from avatar_app.errors import BundleError

CONTENT = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves ``CONTENT``.

    ``ranges`` False ignores Range; ``breaks`` is the number of bytes after which the next answer breaks off.
    """

    ranges = True
    breaks: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.dripping = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        if self.path != "/model":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.server.breaks])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def download(server: Server, path: str = "/model", md5: str | None = None) -> Download:
    right = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    return Download(f"http://127.0.0.1:{server.server_port}{path}", md5 or right, "x.yaml", "MIT")


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "model"
    for _ in range(2):
        assert fetch(download(server), target, lambda done, total: seen.append((done, total))) == target
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert server.asked == [None]
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.breaks = 300_000
    with pytest.raises(BundleError, match="broke off") as caught:
        fetch(download(server), tmp_path / "model")
    assert str(tmp_path / "model") in caught.value.hint
    assert (tmp_path / "model.part").stat().st_size == 300_000
    server.breaks = None
    fetch(download(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_a_server_that_cannot_resume_sends_all(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    fetch(download(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"of another file" * 100, CONTENT + b"more"])
def test_a_wrong_part_is_thrown_away(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "model.part").write_bytes(left)
    fetch(download(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == CONTENT


def test_a_complete_part_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model.part").write_bytes(CONTENT)
    fetch(download(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_wrong_hash_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="MD5 is not 0000"):
        fetch(download(server, md5="0000"), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_dead_link_says_where_to_put_the_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="404") as caught:
        fetch(download(server, "/gone"), tmp_path / "model")
    assert f"put it at {tmp_path / 'model'}" in caught.value.hint


def test_the_next_address_is_tried(server: Server, tmp_path: Path) -> None:
    """A dead link and a wrong file are reported in one sentence each.

    The partial file from before is kept.
    """
    good = download(server)
    first = f"http://127.0.0.1:{server.server_port}/gone"
    notes: list[str] = []
    several = Download(first, good.md5, "x.yaml", "MIT", (good.url,))
    (tmp_path / "model.part").write_bytes(CONTENT[:1000])
    fetch(several, tmp_path / "model", note=notes.append)
    assert (tmp_path / "model").read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", "bytes=1000-"]
    assert len(notes) == 1
    assert "404" in notes[0]


def test_when_all_addresses_are_dead_the_last_is_told(server: Server, tmp_path: Path) -> None:
    notes: list[str] = []
    dead = [f"http://127.0.0.1:{server.server_port}/gone/{name}" for name in "ab"]
    with pytest.raises(BundleError, match="No other address is known") as caught:
        fetch(Download(dead[0], "0", "x.yaml", "MIT", (dead[1],)), tmp_path / "model", note=notes.append)
    assert f"put it at {tmp_path / 'model'}" in caught.value.hint
    assert len(notes) == 2


def test_a_dead_port_too(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/model"
        with pytest.raises(BundleError, match="connection refused") as caught:
            fetch(Download(url, "0", "x.yaml", "MIT"), tmp_path / "model")
    assert f"put it at {tmp_path / 'model'}" in caught.value.hint


def test_a_file_put_there_by_hand_is_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"wrong")
    with pytest.raises(BundleError, match="not the one expected"):
        fetch(download(server), tmp_path / "model")
    (tmp_path / "model").write_bytes(CONTENT)
    fetch(download(server), tmp_path / "model")
    assert server.asked == []


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        fetch(download(server), tmp_path / "file" / "new" / "model")


class Endless(Handler):
    """The server sends endlessly, hardly anything, or a redirect to an invalid address."""

    def do_GET(self) -> None:
        if self.path == "/nowhere":
            self.send_response(302)
            self.send_header("Location", "http://[::1")
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/boasts":
            self.send_header("Content-Length", str(10**15))
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(b"x" * (1 if self.path == "/drips" else 1 << 16))
                if self.path == "/drips":
                    self.server.dripping.wait(0.01)


@pytest.fixture
def hostile() -> Iterator[Server]:
    server = Server()
    server.RequestHandlerClass = Endless
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
    yield server
    server.dripping.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/endless", "/boasts"])
def test_more_than_any_model_has_is_given_up(
    hostile: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(fetching, "LARGEST", 3 << 20)
    with pytest.raises(BundleError, match="sends more than"):
        fetch(download(hostile, path), tmp_path / "model")
    assert list(tmp_path.iterdir()) == [], "and nothing of it stays on the disk"


def test_a_byte_now_and_then_is_given_up(
    hostile: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LOOKS", 0.3)
    with pytest.raises(BundleError, match="far too slowly"):
        fetch(download(hostile, "/drips"), tmp_path / "model")


def test_a_redirect_that_makes_no_sense_is_told(hostile: Server, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="could not be fetched"):
        fetch(download(hostile, "/nowhere"), tmp_path / "model")
