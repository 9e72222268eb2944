"""A server in this process, with a stand-in engine, on a free port of the loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn

from avatar_app.engines.landmarks import landmark_points
from avatar_app.remote.link import digest_of
from avatar_app.remote.pairing import Pairing, certificate_files, certificate_pin
from avatar_app.remote.server import Server, ServerConfig
from avatar_app.types import Avatar, Crop, Image, KeyPoints

TOKEN = "t" * 43
SIZE = 64


class Painted:
    """An engine whose pictures say which pose and which photo they show."""

    size, name, reads_pictures = SIZE, "stand-in", False

    def __init__(self, seconds: float = 0.0, encoding: float = 0.0) -> None:
        self.seconds, self.encoding = seconds, encoding
        self.rendered = self.encoded = 0

    def encode(self, crop: Crop) -> Avatar:
        assert crop.landmarks is not None
        time.sleep(self.encoding)
        self.encoded += 1
        points = landmark_points(crop)
        return Avatar(points, crop.image.mean(axis=(0, 1)))

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        time.sleep(self.seconds)
        self.rendered += 1
        picture = np.empty((SIZE, SIZE, 3), np.uint8)
        picture[:] = avatar.features
        picture[: SIZE // 2] = np.clip((pose.value[0, 0] + 1) * 127.5, 0, 255)
        return picture

    def close(self) -> None:
        pass


@contextmanager
def serving(
    engine: Painted | None = None, folder: Path | None = None, port: int | None = None, **wishes: float
) -> Iterator[Pairing]:
    """A running server; with a folder it uses TLS and keeps its certificate there."""
    config = ServerConfig("lite", digest_of({}), TOKEN, **wishes)  # type: ignore[arg-type]
    server = Server(config, lambda: engine or Painted())
    files = certificate_files(folder) if folder else (None, None)
    port = port or free_port()
    options = uvicorn.Config(
        server.app,
        host="127.0.0.1",
        port=port,
        ssl_certfile=files[0],
        ssl_keyfile=files[1],
        ws_max_size=9 << 20,
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(options)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    until(lambda: running.started)
    try:
        yield Pairing("127.0.0.1", port, TOKEN, certificate_pin(files[0]) if files[0] else "")
    finally:
        running.should_exit = True
        thread.join(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)
