"""Opening outputs, and the message if one cannot be opened."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from avatar_app import v4l2
from avatar_app.errors import OutputError
from avatar_app.outputs import packages, virtual_cameras
from avatar_app.outputs import pipewire as pipewire_camera
from avatar_app.outputs import v4l2loopback as loopback
from avatar_app.outputs.sinks import VirtualCameraSink, cannot_open, list_virtual_cameras, open_sink
from avatar_app.outputs.v4l2loopback import Answer
from avatar_app.outputs.virtual_cameras import VirtualCamera, free_virtual_camera, require_virtual_camera
from avatar_app.types import Image
from avatar_app.v4l2 import CAPTURE, OUTPUT
from tests.support.media import outgoing, picture

SIZE = (64, 48)

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="device files are Linux's")


class Device:
    """A virtual camera that stores its input."""

    def __init__(self, path: str = "Stand-in") -> None:
        self.device = path
        self.got: list[Image] = []
        self.closed = 0
        self.fault: Exception | None = None

    def send(self, frame: Image) -> None:
        if self.fault:
            raise self.fault
        self.got.append(frame.copy())

    def close(self) -> None:
        self.closed += 1


def test_none_takes_everything() -> None:
    sink = open_sink("none", "", (640, 480), 30)
    sink.send(outgoing(picture(640, 480)))
    sink.close()
    assert sink.name == "none"


def test_virtual_camera_gets_planes_of_the_right_colours() -> None:
    device = Device()
    sink = VirtualCameraSink(device, SIZE, "Stand-in")
    for shade in (0, 200):
        sink.send(outgoing(picture(*SIZE, shade=shade)))
    sink.close()
    assert (len(device.got), device.closed, sink.name) == (2, 1, "Stand-in")
    for planes, shade in zip(device.got, (0, 200), strict=True):
        assert planes.size == SIZE[0] * SIZE[1] * 3 // 2
        assert planes.flags.c_contiguous
        back = cv2.cvtColor(planes.reshape(SIZE[1] * 3 // 2, SIZE[0]), cv2.COLOR_YUV2RGB_I420)
        assert np.abs(back.astype(int) - picture(*SIZE, shade=shade)).mean() < 4
        # Planar, not interleaved: the first plane is the brightness, which grows downwards with green.
        assert np.diff(planes.reshape(-1, SIZE[0])[: SIZE[1], 0].astype(int)).min() >= 0


def test_picture_of_another_size_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not for a picture of"):
        VirtualCameraSink(Device(), SIZE, "Stand-in").send(outgoing(picture(32, 48)))


def test_device_that_disappears_is_noticed(tmp_path: Path) -> None:
    device = Device("/dev/video-that-is-not")
    with pytest.raises(OutputError, match="video-that-is-not is gone"):
        VirtualCameraSink(device, SIZE, "Avatar Camera").send(outgoing(picture(*SIZE)))
    device = Device()
    device.fault = RuntimeError("no more")
    with pytest.raises(OutputError, match="no more") as caught:
        VirtualCameraSink(device, SIZE, "Stand-in").send(outgoing(picture(*SIZE)))
    assert caught.value.hint


def test_mistaken_calls() -> None:
    with pytest.raises(ValueError, match="unknown output"):
        open_sink("fax", "", (640, 480), 30)
    with pytest.raises(ValueError, match="even"):
        open_sink("none", "", (641, 480), 30)


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Linux computer's folders without any camera."""
    monkeypatch.setattr(virtual_cameras, "SYSFS", tmp_path / "sysfs")
    monkeypatch.setattr(virtual_cameras, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(virtual_cameras, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(virtual_cameras, "LOADED", tmp_path / "loaded")
    (tmp_path / "dev").mkdir()
    return tmp_path


def add_camera(computer: Path, number: int, name: str, bus: str = "virtual") -> Path:
    """A device file and its entry in sysfs."""
    place = computer / "devices" / bus / "video4linux" / f"video{number}"
    place.mkdir(parents=True)
    (place / "name").write_text(name + "\n")
    (computer / "sysfs").mkdir(exist_ok=True)
    (computer / "sysfs" / place.name).symlink_to(place)
    device = computer / "dev" / place.name
    device.touch()
    return device


@linux
def test_cameras_are_listed_without_the_real_ones(computer: Path) -> None:
    assert list_virtual_cameras() == []
    add_camera(computer, 10, "Avatar Camera")
    add_camera(computer, 2, "Second")
    add_camera(computer, 0, "Webcam", bus="pci0000:00/usb1")
    dev = computer / "dev"
    assert list_virtual_cameras() == [
        VirtualCamera("Second", str(dev / "video2"), None, True),
        VirtualCamera("Avatar Camera", str(dev / "video10"), None, True),
    ]


def test_capabilities_say_whether_a_camera_is_exclusive() -> None:
    both, screen, camera, stranded = (
        Answer("v4l2 loopback", bits) for bits in (0x85208003, 0x85208002, 0x85208001, 0x85208000)
    )
    assert [each.is_exclusive(True) for each in (both, screen, camera, stranded)] == [None, True, True, True]
    assert both.is_exclusive(False) is False


@linux
def test_camera_that_is_taken_is_passed_over(computer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = add_camera(computer, 3, "First"), add_camera(computer, 4, "Second")
    answers = {taken: Answer("v4l2 loopback", CAPTURE), free: Answer("v4l2 loopback", OUTPUT)}
    monkeypatch.setattr(loopback, "ask", answers.get)
    assert require_virtual_camera("").name == "First"
    assert free_virtual_camera("") == VirtualCamera("Second", str(free), True, True)
    with pytest.raises(OutputError, match="Another program") as caught:
        open_sink("virtual-camera", "First", (640, 480), 30)
    assert f"fuser {taken}" in caught.value.hint


@linux
def test_camera_that_a_killed_writer_left_is_released(
    computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = add_camera(computer, 3, "First")
    answers = {left: Answer("v4l2 loopback", 0)}
    monkeypatch.setattr(loopback, "ask", answers.get)
    monkeypatch.setattr(
        loopback, "end_stream", lambda path: answers.update({path: Answer("v4l2 loopback", OUTPUT)})
    )
    assert free_virtual_camera("").path == str(left)


def test_kernel_structures_have_the_sizes_in_their_calls() -> None:
    for call, structure in (
        (v4l2.QUERY_CAPABILITIES, v4l2.CAPABILITIES),
        (v4l2.GET_FORMAT, v4l2.FORMAT),
        (v4l2.ENUM_FORMATS, v4l2.FORMAT_ENTRY),
        (v4l2.ENUM_SIZES, v4l2.SIZE_ENTRY),
    ):
        assert call >> 16 & 0x3FFF == structure.size


@linux
def test_what_is_no_video_device_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "missing", tmp_path, Path("/dev/null")):
        assert loopback.ask(path) is None
        assert loopback.shown_format(path) is None
        loopback.end_stream(path)


@linux
@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("nothing", "sudo apt install v4l2loopback-dkms`, then `sudo modprobe v4l2loopback exclusive_caps=1"),
        ("installed", 'Run `sudo modprobe v4l2loopback exclusive_caps=1 card_label="Avatar Camera"`.'),
        ("loaded", "sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback exclusive_caps=1"),
    ],
)
def test_no_virtual_camera(computer: Path, monkeypatch: pytest.MonkeyPatch, state: str, hint: str) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "ubuntu", "ID_LIKE": "debian"})
    release = computer / "modules" / platform.release()
    release.mkdir(parents=True)
    if state != "nothing":
        (release / "modules.dep").write_text(
            "updates/dkms/v4l2loopback.ko.zst: kernel/drivers/media/videodev.ko\n"
        )
    if state == "loaded":
        (computer / "loaded").mkdir()
    with pytest.raises(OutputError, match="no virtual camera") as caught:
        open_sink("virtual-camera", "", (640, 480), 30)
    assert hint in caught.value.hint


@pytest.mark.parametrize(("system", "said"), [("win32", "OBS Studio"), ("darwin", "OBS Studio 30")])
def test_without_a_virtual_camera_other_systems_are_told_what_to_install(
    system: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatar_app.outputs.virtual_cameras.sys.platform", system)
    monkeypatch.setattr("avatar_app.outputs.virtual_cameras.list_virtual_cameras", list)
    monkeypatch.delattr("os.uname")  # Windows has none
    with pytest.raises(OutputError, match="no virtual camera") as caught:
        require_virtual_camera("")
    assert said in caught.value.hint


@linux
def test_wrong_camera_is_answered_with_the_right_ones(computer: Path) -> None:
    device = add_camera(computer, 3, "Avatar Camera")
    with pytest.raises(OutputError, match="no virtual camera /dev/video99") as caught:
        open_sink("virtual-camera", "/dev/video99", (640, 480), 30)
    assert f"{device} (Avatar Camera)" in caught.value.hint


@linux
def test_camera_that_may_not_be_written_to(computer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = add_camera(computer, 3, "Avatar Camera")
    monkeypatch.setattr(
        "os.access", lambda path, mode: False
    )  # tests may run as root, who may write anywhere
    with pytest.raises(OutputError, match="may not write") as caught:
        open_sink("virtual-camera", "Avatar Camera", (640, 480), 30)
    assert str(device) in caught.value.message
    assert "usermod -aG video" in caught.value.hint


@linux
@pytest.mark.parametrize("device", ["", "Avatar Camera"])
def test_library_refuses_what_is_no_camera(computer: Path, device: str) -> None:
    pytest.importorskip("pyvirtualcam")
    path = add_camera(computer, 3, "Avatar Camera")  # a plain file
    with pytest.raises(OutputError, match="cannot be opened") as caught:
        open_sink("virtual-camera", device, (640, 480), 30)
    assert str(path) in caught.value.message
    assert "backend" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("system", "said", "hint"),
    [
        ("linux", "'v4l2loopback' backend: Device /dev/video20 is already in use.", "fuser /dev/video20"),
        (
            "linux",
            "'v4l2loopback' backend: Device /dev/video20 could not be opened: Device or resource busy",
            "fuser /dev/video20",
        ),
        ("linux", "'v4l2loopback' backend: something else", "modprobe -r"),
        ("win32", "'obs' backend: OBS is missing\n'unitycapture' backend: Unity is missing", "OBS Studio"),
        ("darwin", "'obs' backend: not found", "OBS Studio 30"),
    ],
)
def test_refusals_are_explained(system: str, said: str, hint: str) -> None:
    error = cannot_open("/dev/video20", said, system)
    assert hint in error.hint
    assert "backend" not in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("release", "says"),
    [
        ({"ID": "debian"}, "`sudo apt install a`"),
        ({"ID": "fedora"}, "`sudo dnf install b`"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "`sudo pacman -S c`"),
        (
            {"ID": "other"},
            "`sudo apt install a` (Debian, Ubuntu), `sudo dnf install b` (Fedora), `sudo pacman -S c` (Arch)",
        ),
    ],
)
def test_install_command_of_the_distribution(
    monkeypatch: pytest.MonkeyPatch, release: dict[str, str], says: str
) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    assert packages.install_command("a", "b", "c") == says


@linux
def test_pipewire_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutputError, match=r"gst-launch-1\.0 is not installed") as caught:
        open_sink("pipewire", "", (640, 480), 30)
    assert "install" in caught.value.hint
    (tmp_path / "gst-launch-1.0").write_text("#!/bin/sh\n")
    (tmp_path / "gst-launch-1.0").chmod(0o755)
    for name in ("XDG_RUNTIME_DIR", "PIPEWIRE_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(OutputError, match="PipeWire does not run") as caught:
        open_sink("pipewire", "", (640, 480), 30)
    assert "systemctl --user start pipewire" in caught.value.hint


def test_pipewire_is_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipewire_camera, "sys", SimpleNamespace(platform="win32"))
    with pytest.raises(OutputError, match="only on Linux"):
        open_sink("pipewire", "", (640, 480), 30)
