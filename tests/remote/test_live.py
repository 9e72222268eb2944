"""A call whose pictures another computer renders: the data sent, and the behaviour on failure."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from avatar_app.engines import Engine, remote_engine
from avatar_app.engines.landmarks import landmark_points
from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.remote.pairing import Pairing, parse_pairing
from avatar_app.session import fallback
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from tests.remote.serving import TOKEN, Painted, free_port, serving
from tests.session.live import PATTERN, Bench, KeepingSink, MarkedCamera, wait_for, write_photo
from tests.session.stand_ins import DiscDetector

FAR, NEAR = (30, 200, 60), (200, 60, 30)


class Coloured(Painted):
    """Paints everything in one colour."""

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()
        self.colour = colour

    def detect(self, crop: Any) -> Any:
        return landmark_points(crop)

    def render(self, avatar: Any, pose: Any) -> Any:
        return np.full((self.size, self.size, 3), self.colour, np.uint8)


def opened(model: str, device: str) -> Engine:
    if device == "cpu":
        return Coloured(NEAR)
    bundle: Any = SimpleNamespace(name="lite", hashes={}, file=None)
    return RemoteEngine(bundle, parse_pairing(device), ["jpeg"])


@contextmanager
def calling(bench: Bench, folder: Path, pairing: Pairing, background: str = "#000000") -> Iterator[Session]:
    photo = write_photo(folder)
    controls = Controls(
        avatar=photo, model="lite", device=pairing.line, background=background, calibrations=0
    )
    session = Session(
        controls,
        open_source=lambda text: MarkedCamera(bench),
        open_engine=opened,
        open_detector=DiscDetector,
        open_sink=lambda kind, device, size, fps: KeepingSink(bench),
    )
    session.start()
    try:
        wait_for(lambda: session.status().match is not None, "a match")
        session.change(calibrations=1)
        yield session
    finally:
        assert not session.stop()


def sees(bench: Bench, colour: tuple[int, int, int]) -> bool:
    picture = bench.newest
    if picture is None:
        return False
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2].astype(int)
    return bool(np.abs(middle - colour).max() < 30)


def test_the_call_goes_on_without_the_other_computer_and_returns_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "AGAIN", (0.3, 0.3))
    bench, port = Bench(), free_port()
    with serving(Coloured(FAR), port=port) as pairing:
        call = calling(bench, tmp_path, pairing)
        session = call.__enter__()
        wait_for(lambda: sees(bench, FAR), "pictures of the other computer")
    try:
        wait_for(lambda: sees(bench, NEAR), "pictures of this one")
        assert any("does not answer" in notice.message for notice in session.status().notices)
        with serving(Coloured(FAR), port=port):
            wait_for(lambda: sees(bench, FAR), "the other computer again")
            wait_for(lambda: not session.status().notices, "no notice")
    finally:
        call.__exit__(None, None, None)
    assert bench.leaks == 0


def test_the_avatar_fills_the_frame_as_a_near_one_does(tmp_path: Path) -> None:
    """A square that does not separate person and background would continue its own colour at its sides."""
    bench = Bench()
    with serving(Coloured(FAR)) as pairing, calling(bench, tmp_path, pairing, "photo") as session:
        wait_for(lambda: sees(bench, FAR), "pictures of the other computer")
        picture = bench.newest
        assert picture is not None
        corners = picture[[5, 5, -5, -5], [5, -5, 5, -5]].astype(int)
        assert (np.abs(corners - FAR).max(1) > 60).all()
        other = session.status().other
        assert other is not None
        assert other.connected
        assert other.fps > 0


def test_a_call_begins_without_the_other_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_engine, "WELCOME", 1.0)
    bench = Bench()
    with calling(bench, tmp_path, Pairing("127.0.0.1", free_port(), TOKEN)) as session:
        wait_for(lambda: sees(bench, NEAR), "pictures of this one")
        assert any("cannot be reached" in notice.message for notice in session.status().notices)


def test_no_camera_pixel_is_on_the_wire(tmp_path: Path) -> None:
    bench = Bench()
    with serving(Coloured(FAR)) as pairing, Tap(pairing.port) as tap:
        with calling(bench, tmp_path, replace(pairing, port=tap.port)):
            wait_for(lambda: sees(bench, FAR))
            frames = bench.frames
            wait_for(lambda: bench.frames > frames + 50)
    sent = bytes(tap.sent)
    assert len(sent) > 20_000  # the photo, and tens of poses
    assert bytes(PATTERN) * 4 not in sent
    assert bytes(PATTERN[::-1]) * 4 not in sent
    pictures = [picture for picture in decodable(sent) if min(picture.shape[:2]) > 8]
    assert len(pictures) == 2  # only the photo: its square and surroundings
    assert not [
        picture for picture in pictures if (np.abs(picture.astype(int) - PATTERN[::-1]).max(2) < 60).any()
    ]


def decodable(data: bytes) -> Iterator[np.ndarray[Any, Any]]:
    """Every JPEG and PNG picture in the bytes."""
    for mark in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        place = data.find(mark)
        while place >= 0:
            picture = cv2.imdecode(np.frombuffer(data[place:], np.uint8), cv2.IMREAD_COLOR)
            if picture is not None:
                yield picture
            place = data.find(mark, place + 1)


class Tap:
    """Relays between a client and a server, and stores the client's data without the WebSocket mask."""

    def __init__(self, port: int) -> None:
        self._to, self.sent = port, bytearray()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Tap:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._thread.join(5)
        self.sent = unmasked(bytes(self.sent))

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._pass, args=(client, there, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(there, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    self.sent += data
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def unmasked(data: bytes) -> bytearray:
    """The payloads of a client's WebSocket frames (RFC 6455, section 5.2)."""
    place, payloads = data.index(b"\r\n\r\n") + 4, bytearray()
    while place + 2 <= len(data):
        length, place = data[place + 1] & 127, place + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, place = int.from_bytes(data[place : place + size]), place + size
        mask, body = data[place : place + 4], data[place + 4 : place + 4 + length]
        payloads += np.bitwise_xor(
            np.frombuffer(body, np.uint8), np.resize(np.frombuffer(mask, np.uint8), len(body))
        ).tobytes()
        place += 4 + length
    return payloads
