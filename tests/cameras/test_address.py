"""No secret of an address comes into a sentence, however it was written."""

from __future__ import annotations

import pytest

from avatar_app.cameras.address import address_title, source_title
from avatar_app.cameras.opening import open_source
from avatar_app.errors import CameraError


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("0", "0"),
        ("", ""),
        ("/dev/video0", "/dev/video0"),
        ("clips/me@work.mp4", "clips/me@work.mp4"),
        ("http://cam.local:8080/video", "http://cam.local:8080/video"),
        ("rtsp://me:s3cret@cam:554/live/1", "rtsp://cam:554/live/1"),
        ("https://me:s3cret@[::1]/video?token=s3cret#s3cret", "https://[::1]/video"),
        ("http://cam/video?user=me&password=s3cret", "http://cam/video"),
        ("rtsp://cam:554/user=me&password=s3cret&channel=1&stream=0.sdp?", "rtsp://cam:554/..."),
        ("rtsp://me:s3/cret@cam/live", "rtsp://..."),
        ("rtsp://me:3/s3cret@cam/live", "rtsp://..."),
        ("rtsp://me:s3?cret@cam/live", "rtsp://..."),
        ("rtsp://me:3#s3cret@cam/live", "rtsp://..."),
        ("rtsp://me:s3[cret@cam/live", "rtsp://..."),
        ("me:s3cret@cam/live", "...cam/live"),
        ("rtsp:/me:s3cret@cam/live", "...cam/live"),
    ],
)
def test_titles(source: str, title: str) -> None:
    assert source_title(source) == title


def test_an_address_that_a_camera_sends_us_to_may_be_a_path_alone() -> None:
    assert address_title("/login?back=video") == "/login"
    assert address_title("") == "..."


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
@pytest.mark.parametrize("secret", ["s3/cret", "s3?cret", "s3#cret", "s3[cret"])
def test_a_password_that_makes_an_address_unclear_is_not_said_but_how_to_write_it(
    scheme: str, secret: str
) -> None:
    with pytest.raises(CameraError) as caught:
        open_source(f"{scheme}://me:{secret}@127.0.0.1:1/video")
    said = str(caught.value)
    assert "s3" not in said and "cret" not in said
    assert f"{scheme}://..." in said and "%2f for /" in said


def test_a_stream_is_named_without_secrets() -> None:
    for address in ("rtsp://me:3/s3cret@127.0.0.1:1/live", "rtsp://127.0.0.1:1/user=me&password=s3cret"):
        with pytest.raises(CameraError, match="cannot be reached") as caught:
            open_source(address)
        assert "s3cret" not in str(caught.value)


def test_an_address_without_its_beginning_is_no_camera_and_not_said_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("avatar_app.cameras.opening.list_cameras", list)
    with pytest.raises(CameraError, match="There is no camera") as caught:
        open_source("me:s3cret@cam/video")
    assert "s3cret" not in str(caught.value)
