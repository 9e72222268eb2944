"""No message contains a secret of an address, however it is written."""

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
        ("me:s3cret@cam/live", "cam/..."),
        ("rtsp:/me:s3cret@cam/live", "cam/..."),
    ],
)
def test_titles(source: str, title: str) -> None:
    assert source_title(source) == title


PLACES = [
    "{scheme}cam/v?password={secret}",
    "{scheme}cam/user=a&password={secret}",
    "{scheme}cam/user=a&password={secret}/video",
    "{scheme}cam/video%3Fpwd%3D{secret}",
    "{scheme}cam/video;{secret}",
    "{scheme}cam;{secret}/video",
    "{scheme}cam/{secret}/video",
    "{scheme}cam/live/me/{secret}",
    "{scheme}cam/{secret}",
    "{scheme}cam/video\n{secret}",
    "{scheme}cam\r\n{secret}/video",
    "{scheme}cam/video#{secret}",
    "{scheme}me:{secret}@cam/video",
    "{scheme}me:a@{secret}@cam/video",
    "{scheme}me:{secret}/@cam/video",
    "{scheme}cam:{secret}/video",
    "{scheme}cam/video?a=b&c={secret}#d",
    "{scheme}cam//{secret}//",
]


@pytest.mark.parametrize("scheme", ["", "http://", "rtsp://", "//", "rtsp:/", "HTTP://"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", ["s3cret", "p%40ss3cret", "s3cret=x", "s3cret x", "0xs3cret"])
def test_no_secret_is_told_wherever_it_stands(scheme: str, place: str, secret: str) -> None:
    if not scheme and place in UNKNOWABLE:
        pytest.skip("without a scheme or any mark this is as good a file's name")
    title = source_title(place.format(scheme=scheme, secret=secret))
    assert "s3cret" not in title
    assert title.isprintable() and "\n" not in title


UNKNOWABLE = (
    "{scheme}cam/{secret}/video",
    "{scheme}cam/live/me/{secret}",
    "{scheme}cam/{secret}",
    "{scheme}cam//{secret}//",
    "{scheme}cam:{secret}/video",
)


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
