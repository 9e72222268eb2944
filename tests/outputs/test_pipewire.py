"""A private PipeWire, real GStreamer, and a reader that treats the camera as a webcam."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar_app.errors import OutputError
from avatar_app.outputs import pipewire as pipewire_camera
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.pipewire import PipeWireCamera
from avatar_app.types import Image
from tests.support.media import outgoing

PROGRAMS = ("gst-launch-1.0", "gst-inspect-1.0", "pipewire", "wireplumber", "dbus-run-session", "pw-dump")
missing = [program for program in PROGRAMS if not shutil.which(program)]
if (
    not missing
    and subprocess.run(["gst-inspect-1.0", "pipewiresink"], capture_output=True, check=False).returncode
):
    missing.append("pipewiresink")
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")

WIDTH, HEIGHT, FPS = 320, 240, 30
COLOR = (200, 40, 90)


@pytest.fixture
def pipewire(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """PipeWire and WirePlumber in folders of their own, with ``XDG_RUNTIME_DIR`` set to them."""
    folder = Path(tempfile.mkdtemp(prefix="pw-"))  # short, because a socket's path has at most 107 characters
    for name in ("RUNTIME_DIR", "STATE_HOME", "CONFIG_HOME", "DATA_HOME"):
        monkeypatch.setenv(f"XDG_{name}", str(folder))
    for name in ("PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    command = [
        "dbus-run-session",
        "--",
        "sh",
        "-c",
        "pipewire & until pw-dump; do :; done >/dev/null 2>&1; wireplumber & wait",
    ]
    with (folder / "log").open("wb") as log:
        session = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: any("WirePlumber" in str(item) for item in dump()), session)
        yield session
    finally:
        os.killpg(session.pid, signal.SIGTERM)
        session.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(happens: object, process: subprocess.Popen[bytes], tries: int = 100) -> None:
    """Poll as long as ``process`` lives."""
    assert callable(happens)
    for _ in range(tries):
        if happens():
            return
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
    raise AssertionError("it has not happened")


def dump() -> list[dict[str, object]]:
    """PipeWire's objects; none while it does not run."""
    said = subprocess.run(["pw-dump"], capture_output=True, check=False).stdout.decode()
    items: list[dict[str, object]] = []
    while said.strip():  # it prints several lists while things change
        found, end = json.JSONDecoder().raw_decode(said.strip())
        said = said.strip()[end:]
        items += found
    return items


def cameras() -> list[str]:
    properties = [item["info"]["props"] for item in dump() if item.get("info") and item["info"].get("props")]  # type: ignore[index,attr-defined]
    return [each["node.description"] for each in properties if each.get("media.class") == "Video/Source"]


def numbered(number: int) -> Outgoing:
    """A plain picture with its number in 16 black and white blocks at the top."""
    picture = np.full((HEIGHT, WIDTH, 3), COLOR, np.uint8)
    for bit in range(16):
        picture[:40, bit * WIDTH // 16 : (bit + 1) * WIDTH // 16] = 255 if number >> bit & 1 else 0
    return outgoing(picture)


def read_number(picture: Image) -> int:
    return sum(int(picture[20, (2 * bit + 1) * WIDTH // 32].mean() > 128) << bit for bit in range(16))


def start_reader(path: Path, count: int) -> subprocess.Popen[bytes]:
    shape = f"video/x-raw,format=YUY2,width={WIDTH},height={HEIGHT}"
    source = ["pipewiresrc", "target-object=avatar-camera", f"num-buffers={count}"]
    return subprocess.Popen(
        ["gst-launch-1.0", "-q", *source, "!", shape, "!", "filesink", f"location={path}"]
    )


def send_paced(camera: PipeWireCamera, number: int, beside: subprocess.Popen[bytes]) -> bool:
    """Send one picture and give the reading process a frame's time.

    Returns whether it still runs.
    """
    camera.send(numbered(number))
    try:
        beside.wait(1 / FPS)
    except subprocess.TimeoutExpired:
        return True
    return False


def test_reader_sees_every_picture_in_order(pipewire: subprocess.Popen[bytes], tmp_path: Path) -> None:
    camera = PipeWireCamera((WIDTH, HEIGHT), FPS)
    number = 0
    while number < 10 or "Avatar Camera" not in cameras():
        assert send_paced(camera, number, pipewire)
        number += 1
        assert number < 200
    reader = start_reader(tmp_path / "got", 40)
    while send_paced(camera, number, reader):
        number += 1
        assert number < 500
    assert reader.returncode == 0
    data = np.fromfile(tmp_path / "got", np.uint8).reshape(-1, HEIGHT, WIDTH, 2)
    got = [np.asarray(cv2.cvtColor(each, cv2.COLOR_YUV2RGB_YUY2), np.uint8) for each in data]
    numbers = [read_number(each) for each in got]
    assert len(numbers) == 40
    assert numbers == sorted(set(numbers)), "each once and in order"
    assert numbers[-1] - numbers[0] < 80, "hardly one is missing"
    for picture in got:
        assert np.abs(picture[60:].reshape(-1, 3).mean(0) - COLOR).max() < 5
    camera.close()
    camera.close()
    assert cameras() == []
    again = PipeWireCamera((WIDTH, HEIGHT), FPS)
    again.send(numbered(1))
    again.close()


def test_jam_drops_pictures_then_is_reported(
    pipewire: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipewire_camera, "STUCK_SECONDS", 0.5)
    camera = PipeWireCamera((WIDTH, HEIGHT), FPS)
    camera.send(numbered(0))
    camera._process.send_signal(signal.SIGSTOP)
    with pytest.raises(OutputError, match="taken no picture") as caught:
        for number in range(1000):
            send_paced(camera, number, pipewire)
    assert caught.value.hint
    camera.close()
    assert camera._process.returncode == -signal.SIGKILL


def test_gstreamer_dies(pipewire: subprocess.Popen[bytes]) -> None:
    camera = PipeWireCamera((WIDTH, HEIGHT), FPS)
    camera._process.kill()
    camera._process.wait()
    with pytest.raises(OutputError, match="has stopped") as caught:
        for number in range(100):
            camera.send(numbered(number))
    assert caught.value.hint
    camera.close()


def test_pipewire_dies(pipewire: subprocess.Popen[bytes]) -> None:
    camera = PipeWireCamera((WIDTH, HEIGHT), FPS)
    camera.send(numbered(0))
    os.killpg(pipewire.pid, signal.SIGTERM)
    pipewire.wait(10)
    with pytest.raises(OutputError, match="PipeWire has stopped") as caught:
        for number in range(1000):
            camera.send(numbered(number))
    assert "systemctl" in caught.value.hint
    camera.close()
    with pytest.raises(OutputError, match="does not run"):
        PipeWireCamera((WIDTH, HEIGHT), FPS)


KILLED = """
import os, select, sys
import numpy as np
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.pipewire import PipeWireCamera
camera = PipeWireCamera((320, 240), 30)
picture = Outgoing(np.zeros((360, 320), np.uint8), 0.0)
while not select.select([sys.stdin], [], [], 1 / 30)[0]:
    camera.send(picture)
while "jammed" in sys.argv and camera._jammed_since is None:
    camera.send(picture)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("state", ["free", "jammed"])
def test_camera_leaves_with_a_killed_program(
    pipewire: subprocess.Popen[bytes], tmp_path: Path, state: str
) -> None:
    if state == "jammed" and not shutil.which("setpriv"):
        pytest.skip("not installed: setpriv")
    root = Path(__file__).parents[2]
    program = subprocess.Popen([sys.executable, "-c", KILLED, state], cwd=root, stdin=subprocess.PIPE)
    wait_for(lambda: cameras() == ["Avatar Camera"], program)
    reader = start_reader(tmp_path / "got", 1000)
    wait_for(lambda: (tmp_path / "got").exists() and (tmp_path / "got").stat().st_size > 0, program)
    if state == "jammed":
        reader.send_signal(signal.SIGSTOP)
    program.communicate(b"\n")
    assert program.returncode == -signal.SIGKILL
    wait_for(lambda: cameras() == [], pipewire)
    reader.kill()
    reader.wait()
