"""Input from strangers: network cameras that declare wrong sizes, and the control socket."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avatar_app.cameras import mjpeg as camera_http
from avatar_app.cameras.mjpeg import LARGEST_BYTES, JpegCutter, MjpegFeed
from avatar_app.cameras.opening import open_source
from avatar_app.control.address import connect
from avatar_app.control.server import LONGEST_LINE, ControlServer, send_command
from avatar_app.errors import AvatarError, CameraError
from tests.fuzz.bounds import bounded, fuzz
from tests.fuzz.material import NASTY, VALUES, as_json, damaged
from tests.fuzz.test_pictures import saved
from tests.support.media import picture
from tests.support.mjpeg import HEADER, Server, encode, part

JPEG = encode(picture(64, 48))
PROGRESSIVE = saved("JPEG", progressive=True)
STREAM = b"".join(part(JPEG) for _ in range(3))


@fuzz(20)
@given(
    stream=damaged(STREAM) | damaged(part(PROGRESSIVE) + STREAM) | st.binary(max_size=300),
    steps=st.lists(st.integers(1, 2000), max_size=8),
)
@example(stream=b"\xff\xd8\xff" * 300_000, steps=[])
@example(stream=b"\xff\xd8\xff\xc0\x00\x00" * 150_000, steps=[])
@example(stream=b"\xff\xd8\xff\xe0\xff\xff" + b"\xff\xd8" * 500_000, steps=[])
@example(stream=b"\xff\xd8\xff\xda\x00\x00\xff\xd9" * 100_000, steps=[])
def test_pictures_cut_from_any_stream(stream: bytes, steps: list[int]) -> None:
    with bounded():
        cutter, feed, rest = JpegCutter(), MjpegFeed("http://127.0.0.1/"), stream
        while rest:
            step = steps.pop() if steps else camera_http.CHUNK
            raw, rest = cutter.add(rest[:step]), rest[step:]
            assert len(cutter._data) <= LARGEST_BYTES
            if raw is not None:
                image = feed.decode(raw)
                assert image is None or (image.ndim == 3 and image.shape[2] == 3)


@pytest.mark.parametrize("sides", [(65_500, 65_500), (7000, 7000), (65_535, 700)])
def test_a_camera_whose_pictures_say_they_are_giant(sides: tuple[int, int]) -> None:
    for whole, mark in ((JPEG, b"\xff\xc0"), (PROGRESSIVE, b"\xff\xc2")):
        place = whole.index(mark) + 5
        raw = whole[:place] + b"".join(side.to_bytes(2) for side in sides) + whole[place + 4 :]
        with bounded():
            cut = JpegCutter().add(raw + JPEG)
            assert cut is None or MjpegFeed("http://127.0.0.1/").decode(cut) is not None or cut == raw


def test_a_picture_of_endless_passes() -> None:
    """Each scan of a progressive JPEG takes a few bytes in the file, but decoding it touches all pixels."""
    start = PROGRESSIVE.index(b"\xff\xc2") + 5
    big = PROGRESSIVE[:start] + (5000).to_bytes(2) * 2 + PROGRESSIVE[start + 4 :]
    first = big.index(b"\xff\xda")
    passes = big[first:-2] * 400
    with bounded():
        MjpegFeed("http://127.0.0.1/").decode(big[:first] + passes + b"\xff\xd9")


@fuzz(15)
@given(
    answer=damaged(HEADER + STREAM)
    | damaged(HEADER.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n") + STREAM)
)
@example(answer=HEADER.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"f" * 4000)
@example(answer=HEADER.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n") + STREAM)
@example(answer=HEADER.replace(b"\r\n\r\n", b"\r\nContent-Length: -5\r\n\r\n") + STREAM)
@example(answer=HEADER.replace(b"\r\n\r\n", b"\r\nContent-Length: 9" + b"9" * 5000 + b"\r\n\r\n") + STREAM)
@example(answer=b"HTTP/1.1 302 \xff\r\nLocation: \xff\xfe\x00http://[\r\n\r\n")
def test_servers_that_answer_anything(answer: bytes) -> None:
    def say(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)

    with bounded(), Server(say) as server, suppress(CameraError):
        source = open_source(server.url)
        try:
            for _ in range(5):
                source.read()
        finally:
            source.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if sys.platform == "win32":
        pytest.skip("looks at socket files")
    path = tmp_path_factory.mktemp("control") / "run" / "control.socket"
    server = ControlServer(lambda command: f"Done: {command}.", path)
    server.start()
    yield path
    server.close()


def speak(path: Path, pieces: list[bytes]) -> bytes:
    """The answer to pieces that are sent one by one before the connection is closed."""
    other = socket.socket(socket.AF_UNIX)
    heard = b""
    with other, suppress(ConnectionError, BrokenPipeError):
        other.settimeout(10)
        other.connect(str(path))
        for piece in pieces:
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)
        while said := other.recv(65536):
            heard += said
    return heard


@fuzz(20)
@given(
    pieces=st.lists(
        st.binary(max_size=LONGEST_LINE)
        | st.sampled_from([b"pause", b"status\n", b" ", b"\n", b"avatar ", *NASTY]),
        max_size=5,
    )
)
def test_anything_said_to_the_app(path: Path, pieces: list[bytes]) -> None:
    with bounded():
        heard = speak(path, pieces)
        if heard:
            assert isinstance(json.loads(heard)["ok"], bool)
        assert send_command("pause", 10, path)["ok"]


def test_a_flood_from_many_sides(path: Path) -> None:
    def shout() -> None:
        for _ in range(30):
            speak(path, [b"x" * 100_000])

    threads = [threading.Thread(target=shout) for _ in range(8)]
    with bounded(seconds=6):
        for thread in threads:
            thread.start()
        answers = [send_command("status", 10, path)["ok"] for _ in range(5)]
        for thread in threads:
            thread.join()
    assert all(answers)


@fuzz(40)
@given(answer=VALUES.map(as_json) | st.sampled_from(NASTY) | st.binary(max_size=50))
@example(answer=b"[" * 500_000)
def test_anything_the_app_might_answer(tmp_path_factory: pytest.TempPathFactory, answer: bytes) -> None:
    if sys.platform == "win32":
        pytest.skip("looks at socket files")
    folder = tmp_path_factory.mktemp("answer")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "a"))
    listener.listen()

    def serve() -> None:
        other, _ = listener.accept()
        with other, suppress(OSError):
            other.recv(1000)
            other.sendall(answer.replace(b"\n", b" ") + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    with bounded(), listener:
        with suppress(AvatarError):
            reply = send_command("status", 5, folder / "a")
            assert isinstance(reply["message"], str)
        thread.join()


@pytest.mark.parametrize(
    "text",
    [
        '{"port": 1e999, "token": ""}',
        '{"port": 99999999, "token": "x"}',
        '{"port": -1, "token": 5}',
        "[" * 99_999,
    ],
)
def test_an_address_file_that_lies(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where port and token are in a file."""
    monkeypatch.setattr("avatar_app.control.address.SOCKET_FILES", False)
    file = tmp_path / "control.json"
    file.write_text(text)
    with bounded(), pytest.raises(OSError):
        connect(file, 0)
