"""A server in this process with a fake engine, on a free port of the loopback."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from avatar_app.engines.landmarks import landmark_points
from avatar_app.remote.link import digest_of
from avatar_app.remote.listening import listen_on
from avatar_app.remote.pairing import Pairing, certificate_files, certificate_pin
from avatar_app.remote.server import Server, ServerConfig
from avatar_app.types import Area, Avatar, Crop, Image, KeyPoints, Layer, Scene

TOKEN = "t" * 43
SIZE = 64


class Painted:
    """An engine whose pictures encode pose and photo."""

    size, name, reads_pictures, encodes_aside = SIZE, "stand-in", False, True

    def __init__(self, seconds: float = 0.0, encoding: float = 0.0) -> None:
        self.seconds, self.encoding = seconds, encoding
        self.rendered = self.encoded = 0

    def encode(self, crop: Crop) -> Avatar:
        assert crop.landmarks is not None
        time.sleep(self.encoding)
        self.encoded += 1
        points = landmark_points(crop)
        return Avatar(points, crop.image.mean(axis=(0, 1)), scene_around(crop))

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        time.sleep(self.seconds)
        self.rendered += 1
        picture = np.empty((SIZE, SIZE, 3), np.uint8)
        picture[:] = avatar.features
        picture[: SIZE // 2] = np.clip((pose.value[0, 0] + 1) * 127.5, 0, 255)
        return picture

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer:
        """The picture in the square, opaque; nothing around it."""
        assert avatar.scene is not None
        image = np.zeros((*area.shape, 3), np.uint8)
        alpha = np.zeros(area.shape, np.uint8)
        inner = Area(max(0, area.left), max(0, area.top), min(SIZE, area.right), min(SIZE, area.bottom))
        into = inner.moved(-area.left, -area.top).slices
        image[into], alpha[into] = self.render(avatar, pose)[inner.slices], 255
        return Layer(image, alpha, (area.left, area.top))

    def close(self) -> None:
        pass


def scene_around(crop: Crop) -> Scene | None:
    """A scene whose person is the square, before its surroundings."""
    around = crop.around
    if around is None:
        return None
    (x, y), (height, width) = around.corner, around.image.shape[:2]
    alpha = np.zeros((height, width), np.uint8)
    alpha[y : y + SIZE, x : x + SIZE] = 255
    person = np.dstack((around.image, alpha))
    photo = around.photo.moved(-x, -y)
    return Scene(person, around.image // 2, around.corner, SIZE, (4.0, 40.5), (None, 64.0), photo)


@contextmanager
def serving(
    engine: Painted | None = None, folder: Path | None = None, port: int | None = None, **wishes: float
) -> Iterator[Pairing]:
    """A running server; with a folder it uses TLS and stores its certificate there."""
    config = ServerConfig("lite", digest_of({}), TOKEN, **wishes)  # type: ignore[arg-type]
    server = Server(config, lambda: engine or Painted())
    files = certificate_files(folder) if folder else None
    port = port or free_port()
    running = listen_on(server.app, "127.0.0.1", port, files, 0.0)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    until(lambda: running.started)
    try:
        yield Pairing("127.0.0.1", port, TOKEN, certificate_pin(files[0]) if files else "")
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


def main() -> None:
    """Serve on a port until the process is killed."""
    with serving(port=int(sys.argv[1])):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
