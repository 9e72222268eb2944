"""Sources of every kind, and users' typical mistakes with them."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import platform
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from avatar_app.cameras import device as camera_device
from avatar_app.cameras import listing as camera_list
from avatar_app.cameras import live as camera_live
from avatar_app.cameras import mjpeg as camera_http
from avatar_app.cameras.device import DeviceFeed, StreamFeed, to_rgb
from avatar_app.cameras.listing import CameraInfo, find_camera, kind_of, linux_cameras
from avatar_app.cameras.live import LiveSource
from avatar_app.cameras.mjpeg import JpegCutter, MjpegFeed
from avatar_app.cameras.opening import Source, list_cameras, open_source
from avatar_app.errors import CameraError
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.types import Image
from avatar_app.v4l2 import Capabilities
from tests.support.media import make_clip, picture
from tests.support.mjpeg import HEADER, MjpegCamera, Server, encode, mark, part, read_mark
from tests.support.rtsp import RtspCamera

GROUND = picture(320, 240, shade=90)


def marked(number: int) -> Image:
    return mark(GROUND, number)


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(3)
        assert not thread.is_alive(), thread.name


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence counts after a third of a second, so that its tests are fast."""
    for module in (camera_live, camera_device, camera_http):
        monkeypatch.setattr(module, "SILENCE", 0.3)
    monkeypatch.setattr("avatar_app.cameras.opening.SILENCE", 0.3)


@contextmanager
def opened(text: str, fps: int = 30) -> Iterator[Source]:
    source = open_source(text, fps=fps)
    try:
        yield source
    finally:
        source.close()


def number_of(image: Image) -> int:
    number = read_mark(image)
    assert number is not None
    return number


def error_of(work: Callable[[], object]) -> str:
    with pytest.raises(CameraError) as caught:
        work()
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Marks


@pytest.mark.parametrize("number", [0, 1, 0x5555, 0xAAAA, 0xFFFF, 12345])
@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (100, 64)])
def test_mark_survives_compression_and_scaling(number: int, size: tuple[int, int]) -> None:
    image = mark(picture(640, 480), number)
    again = cv2.imdecode(np.frombuffer(encode(image), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert again is not None
    assert read_mark(np.asarray(cv2.resize(again, size), np.uint8)) == number


def test_what_is_not_marked_has_no_mark() -> None:
    assert read_mark(np.full((100, 200, 3), 120, np.uint8)) is None


# Webcams on the network


def test_webcam_gives_every_picture_in_order() -> None:
    with MjpegCamera(marked) as camera, opened(camera.url) as source:
        assert source.live
        assert source.name == f"{camera.url}, 320 x 240"
        numbers = [number_of(source.read()) for _ in range(20)]
        assert numbers == sorted(set(numbers))
        image = source.read()
        assert image.dtype == np.uint8
        assert np.abs(image[40:].astype(int) - GROUND[40:]).mean() < 4  # red and blue are not swapped


def test_slow_reader_gets_the_newest_picture() -> None:
    with MjpegCamera(marked, fps=60) as camera, opened(camera.url) as source:
        for _ in range(3):  # with a buffer of one picture per read, the last one would be 30 pictures old
            threading.Event().wait(0.2)
            sent = camera.sent_number
            assert number_of(source.read()) >= sent - 8


def test_pause_is_noticed_and_forgiven(impatient: None) -> None:
    with MjpegCamera(marked) as camera, opened(camera.url) as source:
        source.read()
        camera.pause()
        with pytest.raises(CameraError, match="no picture"):
            for _ in range(100):
                source.read()
        camera.resume()
        with opened(camera.url) as again:
            again.read()


def test_unplugged_and_plugged_in_again() -> None:
    with MjpegCamera(marked) as camera:
        with opened(camera.url) as source:
            last = number_of(source.read())
            camera.unplug()
            with pytest.raises(CameraError, match="ended the connection"):
                for _ in range(100):
                    source.read()
            assert "ended the connection" in error_of(source.read)
            assert "connection refused" in error_of(lambda: open_source(camera.url))
        camera.replug()
        with opened(camera.url) as source:
            assert number_of(source.read()) > last


def test_closed_source_says_so_and_a_waiting_reader_is_freed() -> None:
    with MjpegCamera(marked) as camera:
        source = open_source(camera.url)
        camera.pause()
        said: list[str] = []

        def read_on() -> None:
            try:
                while True:
                    source.read()
            except CameraError as problem:
                said.append(problem.message)

        reader = threading.Thread(target=read_on)
        reader.start()
        source.close()
        reader.join()
        assert "was closed" in said[0]
        source.close()


def sends(*pieces: bytes, stay: bool = True) -> Callable[[socket.socket], None]:
    """A server that sends these bytes, then keeps the connection open in silence until the client leaves."""

    def answer(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        while stay and connection.recv(4096):
            pass

    return answer


def floods(start: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return answer


JPEG = encode(marked(7))


def huge_picture() -> bytes:
    """A JPEG of a few bytes that declares 65,500 x 65,500 pixels."""
    place = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:place] + (65500).to_bytes(2) * 2 + JPEG[place + 4 :]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(sends(), "no picture", id="silent"),
        pytest.param(sends(HEADER), "no picture", id="header only"),
        pytest.param(sends(HEADER, part(JPEG)[:1000]), "no picture", id="stops within a picture"),
        pytest.param(
            sends(HEADER, part(JPEG)[:1000], stay=False), "ended the connection", id="dies within a picture"
        ),
        pytest.param(sends(stay=False), "reached", id="hangs up"),
        pytest.param(sends(b"hello\r\n\r\n", stay=False), "is not a webcam", id="no HTTP"),
        pytest.param(floods(b"", b"x" * 65536), "is not a webcam", id="endless status line"),
        pytest.param(floods(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), "is not a webcam", id="endless header"),
        pytest.param(floods(HEADER, bytes(65536)), "no picture", id="endless nothing"),
        pytest.param(floods(HEADER + part(JPEG)[:1000], b"\x00" * 65536), "no picture", id="endless picture"),
        pytest.param(
            floods(HEADER, part(b"\xff\xd8\xff\xda\x00\x08" + bytes(50) + b"\xff\xd9")),
            "damaged",
            id="damaged pictures",
        ),
        pytest.param(floods(HEADER, part(huge_picture())), "no picture", id="absurd size"),
        pytest.param(sends(b"HTTP/1.1 404 Not Found\r\n\r\n"), "nothing at this path", id="404"),
        pytest.param(sends(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), "user name", id="401"),
        pytest.param(sends(b"HTTP/1.1 500 Oh\r\n\r\n"), "status 500", id="500"),
        pytest.param(
            sends(b"HTTP/1.1 302 Found\r\nLocation: http://a:b@elsewhere/video\r\n\r\n"),
            "us to http://elsewhere/video",
            id="302",
        ),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"), "text/html", id="page"
        ),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG),
            "image/jpeg",
            id="one picture",
        ),
    ],
)
def test_lying_server_cannot_hold_us_up(
    impatient: None, answer: Callable[[socket.socket], None], said: str
) -> None:
    with Server(answer) as server:
        assert said in error_of(lambda: open_source(server.url))


def test_endless_picture_takes_bounded_memory() -> None:
    cutter = JpegCutter()
    cutter.add(part(JPEG)[:1000])
    for _ in range(2 * camera_http.LARGEST_BYTES // 65536):
        assert cutter.add(bytes(65536)) is None
        assert len(cutter._data) <= camera_http.LARGEST_BYTES
    assert cutter.add(part(JPEG)) == JPEG


@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: 5\r\n", b"Content-Length: 99999999\r\n", b"Content-Length: x\r\n"]
)
def test_wrong_lengths_and_boundaries_do_not_matter(length: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEADER)
        for number in range(1, 1000):
            connection.sendall(b"--other\r\n" + length + b"\r\n" + encode(marked(number)))

    with Server(answer) as server, opened(server.url) as source:
        assert number_of(source.read()) > 0


def test_chunked_stream() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEADER.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        while True:
            connection.sendall(b"%x\r\n%s\r\n" % (len(part(JPEG)), part(JPEG)))

    with Server(answer) as server, opened(server.url) as source:
        assert number_of(source.read()) == 7


@pytest.mark.parametrize("step", [1, 7, 100, 100_000])
def test_pictures_are_cut_out_whatever_the_pieces(step: int) -> None:
    small = encode(picture(16, 16))
    thumbnail = (
        b"\xff\xd8\xff\xe1" + (len(small) + 2).to_bytes(2) + small + small[2:]
    )  # contains an end marker within its header
    stream = b"junk\xff" + part(small) + part(small)[:-300] + part(thumbnail) + b"\xff\xd8\xff" + part(small)
    cutter = JpegCutter()
    found = [cutter.add(stream[place : place + step]) for place in range(0, len(stream), step)]
    whole = [jpeg for jpeg in found if jpeg]
    assert whole == ([small, thumbnail, small] if step <= 100 else [small])


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_pictures_whose_segments_have_filling_before_them_are_cut_out(step: int) -> None:
    small = encode(picture(16, 16))
    filled = small[:2] + b"\xff" * 500 + small[2:]
    stream = b"\xff\xd8\xff\xff" + filled + part(filled)
    cutter = JpegCutter()
    whole = [
        jpeg
        for jpeg in (cutter.add(stream[place : place + step]) for place in range(0, len(stream), step))
        if jpeg
    ]
    assert whole == ([filled, filled] if step < len(filled) else [filled])
    image = MjpegFeed("http://127.0.0.1/").decode(filled)
    assert image is not None and image.shape == (16, 16, 3)


def test_password_goes_to_the_camera_alone() -> None:
    with MjpegCamera(marked) as camera:
        with opened(camera.url.replace("http://", "http://me:s%40fe@") + "?token=hidden") as source:
            assert b"GET /video?token=hidden " in camera.request
            assert b"Authorization" not in camera.request, "only to a camera that asks"
            assert "s%40fe" not in source.name
            assert "hidden" not in source.name
        camera.unplug()
        for scheme in ("http", "rtsp"):
            url = camera.url.replace("http://", f"{scheme}://me:s%40fe@") + "?token=hidden"
            said = error_of(lambda url=url: open_source(url))  # type: ignore[misc]
            assert "fe@" not in said
            assert "hidden" not in said


class LoginCamera(Server):
    """Requires a log-in, and sends pictures to clients whose header is correct."""

    def __init__(self, challenge: bytes, right: Callable[[bytes], bool]) -> None:
        super().__init__(self._login)
        self._challenge, self._right = challenge, right

    def _login(self, connection: socket.socket) -> None:
        given = re.search(rb"Authorization: (.*)\r\n", self.request)
        if not given or not self._right(given[1]):
            head = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
            connection.sendall(head + self._challenge + b"\r\n")
            return
        connection.sendall(HEADER)
        for number in range(1000):
            connection.sendall(part(encode(marked(number))))


def digest_is_right(header: bytes, password: str = "pw") -> bool:
    """The response by RFC 7616, computed independently."""
    facts = dict(re.findall(r'(\w+)="?([^",]+)"?', header.decode().removeprefix("Digest ")))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    who = md5(f"user:{facts['realm']}:{password}")
    what = md5(f"GET:{facts['uri']}")
    middle = f"{facts['nonce']}:{facts['nc']}:{facts['cnonce']}:auth" if "qop" in facts else facts["nonce"]
    return header.startswith(b"Digest ") and facts["response"] == md5(f"{who}:{middle}:{what}")


LOGINS: dict[str, tuple[bytes, Callable[[bytes], bool]]] = {
    "digest": (b'WWW-Authenticate: Digest realm="cam", nonce="abc", qop="auth"\r\n', digest_is_right),
    "digest of old": (b'WWW-Authenticate: Digest realm="cam", nonce="abc"\r\n', digest_is_right),
    "both": (
        b'WWW-Authenticate: Basic realm="cam"\r\n'
        b'WWW-Authenticate: Digest realm="cam", nonce="x", algorithm=MD5, qop="auth"\r\n',
        digest_is_right,
    ),
    "basic": (
        b'WWW-Authenticate: Basic realm="cam"\r\n',
        lambda header: header == b"Basic " + base64.b64encode(b"user:pw"),
    ),
    "nothing said": (b"", lambda header: header == b"Basic " + base64.b64encode(b"user:pw")),
}


@pytest.mark.parametrize("kind", LOGINS)
def test_log_in(kind: str) -> None:
    with LoginCamera(*LOGINS[kind]) as server:
        with opened(server.url.replace("http://", "http://user:pw@") + "?a=1") as source:
            number_of(source.read())
        said = error_of(lambda: open_source(server.url.replace("http://", "http://user:no@")))
        assert "does not accept the user name or the password" in said and ":no@" not in said
        assert "asks for a user name" in error_of(lambda: open_source(server.url))


@pytest.mark.parametrize("ending", [".mp4", ".m3u8"])
def test_films_and_lists_of_their_pieces_are_read(tmp_path: Path, ending: str) -> None:
    write_film(tmp_path / f"film{ending}", [marked(number) for number in range(10)])
    handler = partial(QuietFiles, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with opened(f"http://127.0.0.1:{server.server_port}/film{ending}") as source:
                numbers = [number_of(source.read()) for _ in range(25)]
        finally:
            server.shutdown()
            thread.join()
    assert set(numbers) <= set(range(10))
    assert any(after < before for before, after in pairwise(numbers)), "it begins again at its end"


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


def write_film(path: Path, pictures: list[Image]) -> None:
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {"hls_list_size": "0", "hls_time": "1"}
    with av.open(str(path), "w", options=options) as film:
        stream = film.add_stream("h264", rate=25, options={"tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for image in pictures:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        film.mux(stream.encode())


@pytest.mark.parametrize(
    ("moments", "waits"),
    [
        ([0, 0.04, 0.08], [0, 0.04, 0.08]),
        ([5, 5.5, 0], [0, 0.5, 0]),  # the clip jumps backwards
        ([0, 0.5, 90], [0, 0.5, 0]),  # a gap
    ],
)
def test_a_film_is_seen_at_its_own_pace(
    moments: list[float], waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatar_app.cameras.device.time.monotonic", lambda: 100.0)
    pace = camera_device.Pace()
    assert [pace.wait(moment) for moment in moments] == pytest.approx(waits)


def test_stream_that_ffmpeg_reads(impatient: None) -> None:
    with MjpegCamera(marked) as camera:
        source = LiveSource(StreamFeed(camera.url), 5)
        try:
            threading.Event().wait(0.3)
            sent = camera.sent_number
            source.read()
            assert number_of(source.read()) >= sent - 8
            camera.unplug()
            with pytest.raises(CameraError, match="stopped sending"):
                for _ in range(100):
                    source.read()
        finally:
            source.close()


def test_rtsp_camera(impatient: None) -> None:
    with RtspCamera(marked) as camera, opened(camera.url) as source:
        assert source.live
        assert source.name == f"{camera.url}, 320 x 240"
        threading.Event().wait(0.3)
        number_of(source.read())
        sent = camera.sent_number
        image = source.read()
        assert number_of(image) >= sent - 8
        assert np.abs(image[40:].astype(int) - GROUND[40:]).mean() < 4
        camera.silent.set()
        with pytest.raises(CameraError, match=r"stopped sending|no picture"):
            for _ in range(100):
                source.read()


def test_a_stream_that_is_sent_to_a_port(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{probe.getsockname()[1]}"
    stop, sent = threading.Event(), [0]

    def send() -> None:
        with av.open(f"{url}?pkt_size=1316", "w", format="mpegts") as container:
            options = {"tune": "zerolatency", "preset": "ultrafast", "g": "10"}
            stream = container.add_stream("h264", rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            while not stop.wait(0.04):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(marked(sent[0]), "rgb24")))
                sent[0] += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with opened(url) as source:
            assert source.live
            threading.Event().wait(0.3)  # what was kept while the format was found is decoded
            source.read()
            before = sent[0]
            assert number_of(source.read()) >= before - 8
            stop.set()
            with pytest.raises(CameraError, match=r"stopped sending|no picture"):
                for _ in range(100):
                    source.read()
    finally:
        stop.set()
        sender.join()
    monkeypatch.setattr(camera_device, "OPENING", 0.3)
    assert "has sent no picture" in error_of(lambda: open_source(url))
    assert "has no port" in error_of(lambda: open_source("udp://127.0.0.1"))


def test_a_port_in_use_receives_no_stream(impatient: None) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(CameraError, match=f"No video could be received on {url}") as refusal:
            open_source(url)
    assert "other programs" in refusal.value.hint


def test_rtsp_server_that_is_none(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_device, "OPENING", 0.3)
    with Server(sends()) as server:
        assert error_of(lambda: open_source(server.url.replace("http", "rtsp")))


# Files and folders


def write_clip(path: Path, numbers: range, fps: int, times: list[float] | None = None) -> Path:
    with ClipWriter(path, Fraction(fps), (320, 240)) as writer:
        for place, number in enumerate(numbers):
            writer.write(
                marked(number),
                Fraction(times[place]).limit_denominator(1000) if times else Fraction(place, fps),
            )
    return path


def test_clip_is_looped_without_a_seam(tmp_path: Path) -> None:
    with opened(str(write_clip(tmp_path / "a.mp4", range(1, 6), 15))) as source:
        assert not source.live
        assert source.name == "a.mp4, 320 x 240"
        numbers = [number_of(source.read()) for _ in range(11)]
    assert set(numbers) == {1, 2, 3, 4, 5}
    assert all((after - before) % 5 in (1, 2) for before, after in pairwise(numbers))


def test_late_reader_of_a_clip_misses_frames(tmp_path: Path) -> None:
    with opened(str(write_clip(tmp_path / "a.mp4", range(100), 50))) as source:
        first = number_of(source.read())
        threading.Event().wait(0.5)
        assert number_of(source.read()) >= first + 24


def test_long_pause_in_a_clip_repeats_the_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.cameras.files.LONGEST_WAIT", 0.05)
    clip = write_clip(tmp_path / "a.mp4", range(1, 3), 10, [0.0, 0.3])
    with opened(str(clip)) as source:
        numbers = [number_of(source.read()) for _ in range(8)]
    assert numbers[:3] == [1, 1, 1]
    assert 2 in numbers


def test_clip_that_ends_too_early(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 50)
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    assert str(clip) in error_of(lambda: open_source(str(clip)))


def test_clip_that_is_deleted_while_it_plays(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", range(3), 25)
    with opened(str(clip)) as source:
        source.read()
        clip.unlink()
        with pytest.raises(CameraError):
            for _ in range(10):
                source.read()


def test_folder_in_natural_order(tmp_path: Path) -> None:
    for number in range(1, 12):
        (tmp_path / f"Bild {number}.JPG").write_bytes(encode(marked(number)))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._Bild 1.jpg").write_text("no picture")
    with opened(str(tmp_path), fps=40) as source:
        assert not source.live
        numbers = [number_of(source.read()) for _ in range(15)]
    assert numbers[0] == 1
    assert all((after - before) % 11 <= 5 for before, after in pairwise(numbers))


def test_folder_of_all_kinds_of_picture_is_rgb(tmp_path: Path) -> None:
    grey = np.full((40, 60), 77, np.uint8)
    cv2.imwrite(str(tmp_path / "0.png"), grey)
    cv2.imwrite(str(tmp_path / "1.png"), np.dstack([grey, grey, grey, np.full_like(grey, 255)]))
    cv2.imwrite(str(tmp_path / "2.png"), grey.astype(np.uint16) * 257)
    with opened(str(tmp_path), fps=50) as source:
        for _ in range(3):
            image = source.read()
            assert image.shape == (40, 60, 3)
            assert image.dtype == np.uint8
            assert (image == 77).all()


def test_folder_with_a_damaged_picture(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(JPEG)
    (tmp_path / "2.jpg").write_bytes(b"no picture")
    with opened(str(tmp_path)) as source:
        source.read()
        assert "2.jpg" in error_of(source.read)


# Wrong inputs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "No camera is connected."),
        ("0", 'There is no camera "0".'),
        ("99999999999999999999", "There is no camera"),
        ("/dev/video0", 'There is no camera, file or folder "/dev/video0".'),
        ("/dev/null", "neither a file nor a folder"),
        ("Webcam", 'There is no camera, file or folder "Webcam". No camera is connected.'),
        ("no/such/clip.mp4", "no/such/clip.mp4"),
        ("x" * 5000, "There is no camera"),
        ("a\0b", "There is no camera"),
        ("192.168.0.23:4747", "Write http:// before it"),
        ("192.168.0.23", "Write http:// before it"),
        ("192.168.0.23:8080/video", "Write http:// before it"),
        ("phone.local:8080/video", "Write http:// before it"),
        ("[fe80::1]:8080/video", "Write http:// before it"),
        ("me:s3cret@192.168.0.23:8080/video", "Write http:// before it"),
        ("12:30", "There is no camera"),
        ("ftp://host/clip.mp4", "ftp://"),
        ("file:///etc/passwd", "file://"),
        ("http://", "no host"),
        ("rtsp://", "no host"),
        ("http://[::", "reached"),
        ("http://host:99999/", "reached"),
        ("http://127.0.0.1:1/a b\u00e9\r\nX: y", "reached"),
    ],
)
def test_wrong_text(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.cameras.opening.list_cameras", list)
    with pytest.raises(CameraError) as caught:
        open_source(text)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("name", "content"), [("a.mp4", b""), ("a.mp4", b"no video"), ("a.jpg", JPEG)])
def test_file_that_is_no_video(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in error_of(lambda: open_source(str(tmp_path / name)))


def test_empty_folder(tmp_path: Path) -> None:
    assert "no pictures" in error_of(lambda: open_source(str(tmp_path)))


# Cameras of this computer


def test_listing_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(list_cameras(), list)
    monkeypatch.setattr("platform.system", lambda: 1 / 0)
    assert list_cameras() == []


def test_linux_list_has_cameras_alone(tmp_path: Path) -> None:
    nodes = {
        10: Capabilities("uvcvideo", " Zweite\n  Kamera ", 0x1),
        2: Capabilities("uvcvideo", "HD Webcam C920: HD Web", 0x1),
        3: Capabilities("uvcvideo", "HD Webcam C920: HD Web", 0x0080_0000),  # metadata
        4: Capabilities("v4l2 loopback", "Avatar", 0x3),
        5: Capabilities("bcm2835-codec", "decoder", 0x4000),
        6: Capabilities("isys", "Intel IPU6 ISYS Capture 0", 0x2000_0001),
        7: Capabilities("uvcvideo", "HD Webcam C920: HD Web", 0x1),
        8: None,  # the app has no permission to query it
        9: None,
    }
    devices, sysfs = tmp_path / "dev", tmp_path / "sys"
    for number in nodes:
        (sysfs / f"video{number}").mkdir(parents=True)
        (sysfs / f"video{number}" / "name").write_text("Locked\n")
        (sysfs / f"video{number}" / "index").write_text(f"{number - 8}\n")
    devices.mkdir()
    for name in [*(f"video{number}" for number in nodes), "video1", "video_x", "video11", "audio"]:
        (devices / name).touch()

    def query(path: Path) -> Capabilities | None:
        number = int(path.name[5:])
        if number not in nodes:
            raise OSError("gone")
        return nodes[number]

    found = linux_cameras(devices, sysfs, query, lambda path: ["MJPG up to 1280 x 720"])
    assert [(camera.index, camera.name) for camera in found] == [
        (2, "HD Webcam C920"),
        (7, "HD Webcam C920"),
        (8, "Locked"),
        (10, "Zweite Kamera"),
    ]
    assert found[0].backend == cv2.CAP_V4L2
    assert found[0].path == str(devices / "video2")
    assert [camera.name for camera in camera_list._with_unique_names(found)][:2] == [
        "HD Webcam C920",
        "HD Webcam C920 (2)",
    ]


@pytest.mark.parametrize(
    ("name", "formats", "kind"),
    [
        ("Integrated Webcam", ["MJPG up to 1280 x 720", "YUYV"], "camera"),
        ("Integrated IR Camera", ["YUYV"], "infrared"),
        ("HP IR Camera", [], "infrared"),
        ("Intel(R) RealSense(TM) Depth Camera 435", [], "infrared"),
        ("Integrated Webcam", ["GREY up to 640 x 360"], "infrared"),
        ("Chicony", ["Z16", "Y8I up to 640 x 480"], "infrared"),
        ("AIR Camera", ["GREY", "YUYV"], "camera"),
        ("Mirage", [], "camera"),
    ],
)
def test_infrared_and_depth_cameras_are_known(name: str, formats: list[str], kind: str) -> None:
    assert kind_of(name, formats) == kind


def test_infrared_comes_last_and_fed_devices_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = {
        0: ("uvcvideo", "IR Camera", 1),
        2: ("v4l2 loopback", "DSLR", 1),
        4: ("uvcvideo", "HD Camera", 1),
    }
    for number in nodes:
        (tmp_path / f"video{number}").touch()
    found = linux_cameras(
        tmp_path, tmp_path, lambda path: Capabilities(*nodes[int(path.name[5:])]), lambda path: ["YUYV"]
    )
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(camera_list, "linux_cameras", lambda: found)
    assert [(camera.name, camera.kind) for camera in list_cameras()] == [
        ("HD Camera", "camera"),
        ("DSLR", "virtual"),
        ("IR Camera", "infrared"),
    ]
    assert find_camera("", list_cameras()).name == "HD Camera"
    assert find_camera("dslr", list_cameras()).name == "DSLR"


CAPTURE, BOTH, OUTPUT = 0x1, 0x3, 0x2


@pytest.mark.parametrize(
    ("card", "flags", "users", "listed"),
    [
        ("DSLR", CAPTURE, [], True),  # exclusive, fed by a process of another user
        ("DSLR", CAPTURE, [1], True),
        ("DSLR", OUTPUT, [], False),  # nobody feeds it
        ("OBS Camera", BOTH, [1], True),  # not exclusive, open in another program
        ("OBS Camera", BOTH, [], False),
        ("OBS Camera", BOTH, [1, os.getpid()], False),  # we send to it
        ("DSLR", CAPTURE, [os.getpid()], False),
        ("Avatar Camera", CAPTURE, [1], False),  # the app's own, by name
    ],
)
def test_a_loopback_device_that_another_program_feeds_is_a_camera(
    card: str, flags: int, users: list[int], listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video7").touch()
    monkeypatch.setattr(camera_list, "_holders", lambda path: [(user, "program") for user in users])
    found = linux_cameras(
        tmp_path, tmp_path, lambda path: Capabilities("v4l2 loopback", card, flags), lambda path: []
    )
    assert bool(found) == listed
    assert all(camera.kind == "virtual" for camera in found)


def test_a_camera_that_a_program_feeds_is_never_taken_unasked() -> None:
    fed = CameraInfo("OBS Virtual Camera", 0, cv2.CAP_DSHOW, kind="virtual")
    assert "OBS Virtual Camera" in error_of(lambda: find_camera("", [fed]))
    assert find_camera("OBS", [fed]) is fed


def test_the_two_names_of_our_own_camera_agree() -> None:
    from avatar_app.outputs.virtual_cameras import NAME

    assert camera_list.OWN_NAME == NAME


@dataclass(frozen=True)
class Enumerated:
    name: str
    index: int


@pytest.mark.parametrize("broken", [cv2.CAP_DSHOW, cv2.CAP_MSMF])
def test_a_backend_of_windows_fails_alone(broken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def enumerate_cameras(backend: int) -> list[Enumerated]:
        if backend == broken:
            raise OSError("no such interface")
        return [Enumerated("OBS Virtual Camera", 0), Enumerated("Webcam IR", 1), Enumerated("Webcam", 2)]

    module = SimpleNamespace(enumerate_cameras=enumerate_cameras)
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", module)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert [camera.name for camera in list_cameras()] == ["Webcam", "OBS Virtual Camera", "Webcam IR"]


def test_cameras_that_cannot_be_listed_are_said_to_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(backend: int) -> list[Enumerated]:
        raise OSError("no such interface")

    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", SimpleNamespace(enumerate_cameras=broken))
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert list_cameras() == []
    with pytest.raises(OSError):
        camera_list.look_for_cameras()


def test_camera_is_found_by_number_name_and_part() -> None:
    cameras = [
        CameraInfo(name, index, 200) for index, name in [(0, "Front"), (2, "Front Left"), (4, "USB Camera")]
    ]
    assert find_camera("", cameras).index == 0
    assert find_camera("2", cameras).index == 2
    assert find_camera("Front", cameras).index == 0
    assert find_camera("usb", cameras).index == 4
    assert "fits 2 cameras" in error_of(lambda: find_camera("front", cameras))
    assert "0 Front, 2 Front Left, 4 USB Camera" in error_of(lambda: find_camera("Back", cameras))
    assert "0 Front" in error_of(lambda: find_camera("1", cameras))


def test_device_without_permission_or_gone(tmp_path: Path) -> None:
    gone = CameraInfo("Webcam", 0, cv2.CAP_V4L2, str(tmp_path / "video0"))
    said = error_of(lambda: LiveSource(DeviceFeed(gone, (640, 480), 30), 5))
    assert "Webcam" in said
    assert "no such file" in said
    locked = tmp_path / "video1"
    locked.touch(0)
    if not os.access(locked, os.R_OK):  # root may read everything
        assert "group" in error_of(
            lambda: camera_device.require_device(CameraInfo("Webcam", 1, cv2.CAP_V4L2, str(locked)))
        )


def test_device_that_cannot_be_opened_names_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "video63"  # not a device: OpenCV cannot open it
    device.touch()
    camera = CameraInfo("Webcam", 63, cv2.CAP_V4L2, str(device))
    assert "cannot be opened" in error_of(lambda: LiveSource(DeviceFeed(camera, (640, 480), 30), 5))
    monkeypatch.setattr(camera_device, "user_of", lambda path: "zoom")
    assert "in use by zoom" in error_of(lambda: LiveSource(DeviceFeed(camera, (640, 480), 30), 5))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux alone says who has a file open")
def test_program_that_has_a_device_open_is_named(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "video0"
    path.touch()
    assert camera_list.user_of(str(path)) == ""
    assert camera_list.users_of(str(path)) == []
    with (
        path.open() as file,
        subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, stdout=file.fileno(), pass_fds=[file.fileno()]
        ) as other,
    ):
        assert camera_list.user_of(str(path)) == "cat"
        assert camera_list.users_of(str(path)) == sorted({"cat", Path("/proc/self/comm").read_text().strip()})
        other.communicate(b"")


@pytest.mark.parametrize(
    "frame",
    [
        np.full((4, 6), 9, np.uint8),
        np.full((4, 6, 1), 9, np.uint8),
        np.full((4, 6, 3), 9, np.uint8),
        np.full((4, 6, 4), 9, np.uint8),
        np.full((4, 6), 9 * 257, np.uint16),
    ],
)
def test_every_kind_of_frame_becomes_rgb(frame: Image) -> None:
    image = to_rgb(frame)
    assert image is not None
    assert image.shape == (4, 6, 3)
    assert image.dtype == np.uint8
    assert (image == 9).all()


def test_blue_and_red_are_swapped_once() -> None:
    image = to_rgb(np.dstack([np.full((2, 2), shade, np.uint8) for shade in (1, 2, 3)]))
    assert image is not None
    assert image[0, 0].tolist() == [3, 2, 1]
    assert to_rgb(np.zeros((0, 0, 3), np.uint8)) is None
    assert to_rgb(np.zeros((2, 2, 2), np.uint8)) is None


def test_a_stream_of_huge_pictures_is_refused_before_it_takes_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes can declare a picture of 15360 x 15360, which takes gigabytes."""
    monkeypatch.setattr("avatar_app.media.video.LARGEST", 320 * 240 - 1)
    with RtspCamera(lambda _: np.full((240, 320, 3), 90, np.uint8)) as camera:
        with pytest.raises(CameraError):
            open_source(camera.url).read()
