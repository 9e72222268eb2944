"""Clients whose server ends, and photos that take long, while pictures are wanted."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from avatar_app.engines import remote_engine
from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.errors import DeviceError
from avatar_app.remote.link import digest_of
from avatar_app.remote.pairing import Pairing
from avatar_app.types import Layer
from tests.remote.serving import TOKEN, Painted, free_port, serving, until
from tests.remote.test_remote_engine import client, crop, pose


def test_a_picture_is_waited_for_while_a_server_restarts() -> None:
    port = free_port()
    with serving(port=port) as pairing:
        engine = client(pairing)
        avatar = engine.encode(crop(120))
    pictures: list[Any] = []
    try:
        until(lambda: not engine.connected)
        waiting = threading.Thread(target=lambda: pictures.append(engine.render(avatar, pose(0, avatar))))
        waiting.start()
        with serving(port=port):
            waiting.join(10)
        assert pictures[0][-8, 8].mean() == pytest.approx(120, abs=6)
    finally:
        engine.close()


def test_a_call_waits_while_another_server_encodes_its_photo() -> None:
    """Leaving for the local avatar would last far longer."""
    port = free_port()
    shown: list[Layer] = []

    def stream() -> None:
        engine.stream(avatar, pose(0, avatar), None, 0.0, lambda layer, _: shown.append(layer))
        time.sleep(0.02)

    with serving(port=port) as pairing:
        engine = client(pairing)
        avatar = engine.encode(crop(120))
        engine.render(avatar, pose(0, avatar))
    try:
        with serving(Painted(encoding=1.0), port=port):
            until(lambda: engine.connected)
            while not shown:
                stream()
    finally:
        engine.close()


def test_a_photo_stops_nobody_elses_pictures() -> None:
    with serving(Painted(encoding=1.5)) as pairing:
        engines = [client(pairing), client(pairing)]
        try:
            avatar = engines[0].encode(crop())
            encoding = threading.Thread(target=lambda: engines[1].encode(crop()))
            encoding.start()
            longest = 0.0
            while encoding.is_alive():
                began = time.monotonic()
                engines[0].render(avatar, pose(0, avatar))
                longest = max(longest, time.monotonic() - began)
            assert longest < 1.0
        finally:
            for engine in engines:
                engine.close()


def test_a_detector_is_opened_only_for_a_server_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call tries an absent server every few seconds; a large detector takes seconds to open."""
    opened: list[str] = []
    monkeypatch.setattr(remote_engine, "WELCOME", 0.5)
    monkeypatch.setattr(remote_engine, "open_session", lambda path, threads: opened.append(path))
    bundle: Any = SimpleNamespace(name="lite", hashes={"detect.onnx": "0"}, file=lambda name: name)
    with pytest.raises(DeviceError, match="cannot be reached"):
        RemoteEngine(bundle, Pairing("127.0.0.1", free_port(), TOKEN), ["jpeg"])
    assert not opened
    monkeypatch.setattr(remote_engine, "digest_of", lambda hashes: digest_of({}))
    with serving() as pairing:
        engine = RemoteEngine(bundle, pairing, ["jpeg"])
        engine.close()
    assert opened == ["detect.onnx"]
