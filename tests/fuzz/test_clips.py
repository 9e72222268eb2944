"""Clips with wrong headers or an early end give frames or a ClipError, nothing else.

A copy of them is whole or absent.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_app.errors import ClipError, OutputError
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.video import read_clip
from tests.fuzz.bounds import bounded, fuzz
from tests.fuzz.material import HARD_NUMBERS, damaged
from tests.support.media import make_clip, picture

KINDS = {
    "clip.mp4": ("libx264", "yuv420p", "aac"),
    "clip.webm": ("libvpx", "yuv420p", "libopus"),
    "clip.avi": ("mjpeg", "yuvj420p", "mp3"),
    "clip.mkv": ("libx264", "yuv420p", "flac"),
    "clip.gif": ("gif", "rgb8", None),
    "clip.ts": ("mpeg2video", "yuv420p", "mp2"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for name, (codec, pixels, sound) in KINDS.items():
        turned = 90 if name == "clip.mp4" else 0
        with suppress(av.codec.codec.UnknownCodecError):
            clip = make_clip(
                folder / name,
                4,
                size=(64, 48),
                codec=codec,
                pixels=pixels,
                turned=turned,
                sound=sound,
                seconds=0.2,
            )
            made.append(clip.read_bytes())
    assert len(made) >= 4
    return made


def attempt(path: Path, copy: Path) -> None:
    with bounded(), suppress(ClipError):
        clip = read_clip(path)
        assert clip.width > 0
        assert clip.height > 0
        assert clip.fps > 0
        assert clip.frame_count >= 0
        last = Fraction(-1)
        with (
            suppress(OutputError),
            ClipWriter(copy, clip.fps, (clip.width, clip.height), clip.sound) as writer,
        ):
            for image, time in islice(clip.timed_frames(), 8):
                assert image.shape == (clip.height, clip.width, 3)
                assert time > last
                last = time
                writer.write(image, time)
    assert not list(copy.parent.glob(".*.part"))
    copy.unlink(missing_ok=True)


@fuzz(60)
@given(data=st.data())
def test_damaged_clips(whole: list[bytes], tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(data.draw(st.sampled_from(whole).flatmap(damaged)))
    attempt(path, tmp_path / "copy.mp4")


@fuzz(60)
@given(
    box=st.sampled_from(
        [b"stts", b"tkhd", b"mvhd", b"mdhd", b"stsd", b"pasp", b"avcC", b"stsz", b"elst", b"ctts"]
    ),
    at=st.integers(4, 104),
    number=st.sampled_from(HARD_NUMBERS),
)
def test_an_index_that_lies(whole: list[bytes], tmp_path: Path, box: bytes, at: int, number: int) -> None:
    """One number in the description of an MP4 becomes extreme."""
    clip = bytearray(whole[0])
    start = clip.find(box)
    if start >= 0:
        clip[start + at : start + at + 4] = number.to_bytes(4)
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    attempt(path, tmp_path / "copy.mp4")


@pytest.mark.parametrize("aspect", [Fraction(65535), Fraction(1, 65535), Fraction(3000, 1)])
def test_pixels_that_are_said_to_be_very_wide(tmp_path: Path, aspect: Fraction) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        frame = av.VideoFrame.from_ndarray(picture(640, 480), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    attempt(path, tmp_path / "copy.mp4")


def test_pictures_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "clip.mp4", 1, size=(96, 64))
    assert read_clip(path).width == 96
    monkeypatch.setattr("avatar_app.media.video.LARGEST", 96 * 64 - 1)
    with pytest.raises(ClipError, match="96 x 64 pixels, which is too large"):
        read_clip(path)


def test_a_clock_that_jumps_by_centuries(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mkv", 4, times=[0, 0.04, 9e12, 9.1e12])
    attempt(path, tmp_path / "copy.mp4")


@pytest.mark.parametrize("name", ["ffconcat", "m3u8", "sdp", "mpd"])
def test_a_list_of_other_files_is_not_followed(tmp_path: Path, name: str) -> None:
    make_clip(tmp_path / "secret.mp4")
    texts = {
        "ffconcat": "ffconcat version 1.0\nfile secret.mp4\n",
        "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP "
        "96\na=rtpmap:96 H264/90000\n",
        "mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'type="static"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="0" '
        'bandwidth="1"><BaseURL>secret.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>',
    }
    path = tmp_path / "clip.mp4"
    path.write_text(texts[name])
    with bounded(), pytest.raises(ClipError):
        read_clip(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among the files")
def test_a_pipe_in_place_of_a_clip_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    os.mkfifo(path)
    with bounded(), pytest.raises(ClipError, match="is no ordinary file"):
        read_clip(path)
