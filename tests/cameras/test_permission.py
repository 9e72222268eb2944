"""Camera permission on macOS, with a fake library."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from sys import modules

import cv2
import pytest

from avatar_app.cameras import permission as camera_permission
from avatar_app.cameras.device import DeviceFeed
from avatar_app.cameras.listing import CameraInfo
from avatar_app.cameras.permission import (
    DENIED,
    GIVEN,
    NOT_ASKED,
    RESTRICTED,
    ask_for_camera,
    require_camera_permission,
)
from avatar_app.errors import CameraError


class Mac:
    """Replaces the module AVFoundation and its class AVCaptureDevice."""

    AVMediaTypeVideo = "vide"

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[Callable[[bool], None]] = []
        self.AVCaptureDevice = self

    def authorizationStatusForMediaType_(self, media: str) -> int:
        assert media == "vide"
        return self.status

    def requestAccessForMediaType_completionHandler_(
        self, media: str, answered: Callable[[bool], None]
    ) -> None:
        assert media == "vide"
        self.asked.append(answered)

    def answer(self, given: bool) -> None:
        self.status = GIVEN if given else DENIED
        self.asked[0](given)


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    made = Mac(NOT_ASKED)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setitem(modules, "AVFoundation", made)
    camera_permission._ask.cache_clear()
    return made


def problem() -> CameraError:
    with pytest.raises(CameraError) as caught:
        require_camera_permission()
    return caught.value


def test_it_is_asked_for_once_and_the_camera_waits_for_the_answer(mac: Mac) -> None:
    ask_for_camera("")
    assert len(mac.asked) == 1
    assert "macOS asks" in problem().message
    assert "by itself" in problem().hint
    ask_for_camera("FaceTime")
    assert len(mac.asked) == 1
    mac.answer(True)
    require_camera_permission()


def test_opening_asks_where_nobody_has(mac: Mac) -> None:
    feed = DeviceFeed(CameraInfo("FaceTime", 0, cv2.CAP_AVFOUNDATION), (640, 480), 30)
    for _ in range(3):
        with pytest.raises(CameraError, match="macOS asks"):
            feed.open()
    assert len(mac.asked) == 1
    mac.answer(False)
    with pytest.raises(CameraError, match="does not let this program use the camera") as caught:
        feed.open()
    assert "Privacy & Security, Camera" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "says"), [(DENIED, "macOS does not let"), (RESTRICTED, "rules of this Mac")]
)
def test_a_refusal_is_said_and_not_asked_again(mac: Mac, status: int, says: str) -> None:
    mac.status = status
    ask_for_camera("")
    assert says in problem().message
    assert problem().hint
    assert mac.asked == []


def test_what_is_no_camera_needs_no_permission(mac: Mac, tmp_path: Path) -> None:
    for source in (str(tmp_path), "rtsp://10.0.0.2/live", "http://10.0.0.2/video"):
        ask_for_camera(source)
    assert mac.asked == []
    ask_for_camera("x" * 5000)  # no file can have this name, so it must mean a camera
    assert len(mac.asked) == 1


def test_without_its_library_opencv_may_try(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(modules, "AVFoundation", None)
    ask_for_camera("")
    require_camera_permission()
    assert mac.asked == []


@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_other_systems_ask_nothing(mac: Mac, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    ask_for_camera("")
    require_camera_permission()
    assert mac.asked == []
