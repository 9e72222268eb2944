"""Pictures sent to an address, received as a viewer would."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from avatar_app.errors import OutputError
from avatar_app.media import stream_writer
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.sinks import Sink, open_sink
from avatar_app.session.controls import Controls
from avatar_app.session.sink_keeper import SinkKeeper
from avatar_app.session.stage import Notices
from tests.support.media import outgoing, picture


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


RECEIVER = """
import sys, av
for _ in range(20):
    try:
        with av.open(sys.argv[1], "r", options={"listen": "1"} if sys.argv[2:] else {}) as container:
            frames = [frame for frame, _ in zip(container.decode(video=0), range(3))]
            for frame in frames:
                print(frame.to_ndarray(format="rgb24").mean((0, 1)).round().astype(int).tolist())
            break
    except av.FFmpegError:  # the first connection only asks whether somebody is there
        pass
"""


@pytest.mark.parametrize("kind", ["udp", "rtmp"])
def test_pictures_arrive(kind: str) -> None:
    port = free_port(socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    url = f"{kind}://127.0.0.1:{port}" + "/live/key" * (kind == "rtmp")
    words = [sys.executable, "-c", RECEIVER, url, *["listen"] * (kind == "rtmp")]
    sent, sink = outgoing(picture(96, 64, 90)), None
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as receiver:
        for _ in range(3000):
            if receiver.poll() is not None:
                break
            try:
                sink = sink or open_sink("stream", url, (96, 64), 30)
                sink.send(sent)
            except OutputError:  # it does not listen yet, or has seen enough
                sink = None
            with suppress(subprocess.TimeoutExpired):
                receiver.wait(0.02)
        receiver.kill()
        said = receiver.stdout.read() if receiver.stdout else ""
    if sink is not None:
        sink.close()
        sink.close()
    wanted = picture(96, 64, 90).mean((0, 1))
    colours = np.array([json.loads(line) for line in said.splitlines()])
    assert colours.shape == (3, 3)
    np.testing.assert_allclose(colours, np.tile(wanted, (3, 1)), atol=8)


def test_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_writer, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live/key"
        with pytest.raises(OutputError, match="timed out"):
            open_sink("stream", url, (96, 64), 30)


def reading_server(port: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", RECEIVER.replace("range(3)", "range(10**9)"), stream_url(port), "listen"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, text=True)


def stream_url(port: int) -> str:
    return f"rtmp://127.0.0.1:{port}/live/key"


def connected(url: str, size: tuple[int, int]) -> Sink:
    """Wait for the server, which may need a moment."""
    until = time.monotonic() + 60
    while True:
        try:
            return open_sink("stream", url, size, 30)
        except OutputError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def noise(size: tuple[int, int]) -> Outgoing:
    """A picture that needs many bytes."""
    width, height = size
    planes = np.random.default_rng().integers(0, 255, (height * 3 // 2, width), np.uint8)
    return Outgoing(planes, time.monotonic())


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a program cannot be stopped here")
def test_server_that_stops_reading_holds_nobody_up_and_is_connected_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_writer, "STALLED", 0.5)
    size, port, said = (640, 480), free_port(socket.SOCK_STREAM), list[Exception]()
    keeper = SinkKeeper(lambda *key: connected(stream_url(port), size), Notices(), said.append)
    controls = Controls(output="stream", output_device=stream_url(port), size=size)
    with reading_server(port) as server:
        keeper.follow(controls)
        os.kill(server.pid, signal.SIGSTOP)
        until = time.monotonic() + 60
        while not said and time.monotonic() < until:
            keeper.send(noise(size))
            time.sleep(0.01)
        server.kill()
    assert [str(problem).partition(" at ")[0] for problem in said] == ["The server"]
    assert "takes no more pictures" in str(said[0])
    keeper.close()
    assert not multiprocessing.active_children(), "a retry would leave one more"
    assert "stream" not in [thread.name for thread in threading.enumerate()]
    with reading_server(port) as server:
        keeper.hurry()
        keeper.follow(controls)
        assert keeper.send(noise(size))
        keeper.close()
        server.kill()


def test_nobody_there_is_said_without_the_key() -> None:
    port = free_port(socket.SOCK_STREAM)
    with pytest.raises(
        OutputError, match=rf"Nobody takes the pictures at rtmp://127\.0\.0\.1:{port}/\.\.\.:"
    ) as caught:
        open_sink("stream", f"rtmp://127.0.0.1:{port}/live/s3cret", (96, 64), 30)
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint
