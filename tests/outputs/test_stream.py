"""Pictures sent to an address, received as a viewer would."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest

from avatar_app.errors import OutputError
from avatar_app.media import stream_writer
from avatar_app.outputs.sinks import open_sink
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


def test_nobody_there_is_said_without_the_key() -> None:
    port = free_port(socket.SOCK_STREAM)
    with pytest.raises(
        OutputError, match=rf"Nobody takes the pictures at rtmp://127\.0\.0\.1:{port}/\.\.\.:"
    ) as caught:
        open_sink("stream", f"rtmp://127.0.0.1:{port}/live/s3cret", (96, 64), 30)
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint
