"""Clips of every kind are read, and are written whole or not at all."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from avatar_app.errors import ClipError, OutputError
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.live_writer import LiveWriter
from avatar_app.media.video import Clip, read_clip
from tests.support.media import clip_facts, make_clip, picture


def copy(clip: Clip, output: Path, sound: bool = False) -> None:
    with ClipWriter(output, clip.fps, (clip.width, clip.height), clip.sound if sound else None) as writer:
        for image, time in clip.timed_frames():
            writer.write(image, time)


def test_frames_are_rgb_in_order(tmp_path: Path) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 12))
    images = list(clip.frames())
    assert (clip.width, clip.height, clip.fps, clip.frame_count, len(images)) == (96, 64, 25, 12, 12)
    assert not clip.has_sound
    for index, image in enumerate(images):
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - picture(shade=8 * index)).mean() < 4


@pytest.mark.parametrize("turned", [90, 180, -90])
def test_turned_clip_is_shown_upright(tmp_path: Path, turned: int) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 1, turned=turned))
    (image,) = clip.frames()
    upright = np.rot90(picture(), turned // 90)
    assert (clip.height, clip.width) == image.shape[:2] == upright.shape[:2]
    assert np.abs(image.astype(int) - upright).mean() < 4


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
        ("a.mkv", "libx264", "yuv444p"),
    ],
)
def test_other_kinds_of_clip(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    clip = read_clip(make_clip(tmp_path / name, 4, codec=codec, pixels=pixels))
    assert len(list(clip.frames())) == 4


def test_copy_keeps_count_rate_and_times(tmp_path: Path) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 10, fps=Fraction(30_000, 1001)))
    copy(clip, tmp_path / "out.mp4")
    before, after = clip_facts(clip.path), clip_facts(tmp_path / "out.mp4")
    assert before == after
    assert (after["codec"], after["pixels"]) == ("h264", "yuv420p")


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 0.04, 0.14, 0.16, 0.5, 0.54, 0.9]
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 7, times=times))
    copy(clip, tmp_path / "out.mp4")
    assert clip_facts(tmp_path / "out.mp4")["times"] == times
    assert [round(float(time), 3) for _, time in clip.timed_frames()] == times


def test_name_that_looks_like_an_address(tmp_path: Path) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 2).rename(tmp_path / "pipe:0 %d.mp4"))
    copy(clip, tmp_path / "http:out.mp4")
    assert len(list(read_clip(tmp_path / "http:out.mp4").frames())) == 2


def test_players_need_not_guess_colours(tmp_path: Path) -> None:
    """From 720 rows on, players would assume the colours of high definition, which differ."""
    red = np.full((720, 1280, 3), (200, 60, 60), np.uint8)
    with ClipWriter(tmp_path / "out.mp4", Fraction(25), (1280, 720)) as writer:
        writer.write(red, Fraction(0))
    live = LiveWriter(tmp_path / "live.mp4", 25, (1280, 720))
    live.write(cv2.cvtColor(red, cv2.COLOR_RGB2YUV_I420).astype(np.uint8), 0)
    live.close()
    for name in ("out.mp4", "live.mp4"):
        with av.open(str(tmp_path / name)) as container:
            frame = next(container.decode(video=0))
            assert (frame.colorspace, frame.color_range) == (Colorspace.ITU601, ColorRange.MPEG)
            assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - red).max() <= 4


def test_one_frame(tmp_path: Path) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 1))
    copy(clip, tmp_path / "out.mp4")
    assert len(list(read_clip(tmp_path / "out.mp4").frames())) == 1


def test_odd_size_is_padded_to_even(tmp_path: Path) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mkv", 2, size=(97, 63), pixels="yuv444p"))
    assert (clip.width, clip.height) == (97, 63)
    copy(clip, tmp_path / "out.mp4")
    assert clip_facts(tmp_path / "out.mp4")["size"] == (98, 64)


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.mp4", "libmp3lame", "mp3float"),
        ("a.webm", "libopus", "aac"),
        ("a.mkv", "pcm_s16le", "aac"),
    ],
)
def test_sound_is_copied_or_made_aac(tmp_path: Path, name: str, codec: str, kept: str) -> None:
    video = {"codec": "libvpx-vp9"} if name.endswith("webm") else {}
    clip = read_clip(make_clip(tmp_path / name, 10, sound=codec, seconds=0.4, **video))  # type: ignore[arg-type]
    assert clip.has_sound
    copy(clip, tmp_path / "out.mp4", sound=True)
    facts = clip_facts(tmp_path / "out.mp4")
    assert facts["sound"] == kept
    assert facts["sound_seconds"] == pytest.approx(0.4, abs=0.08)
    assert len(facts["times"]) == 10  # type: ignore[arg-type]


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "clip.mp4"
    if kind == "empty":
        path.touch()
    elif kind == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif kind == "text":
        path = tmp_path / "clip.txt"
        path.write_text("this is no clip\n" * 50)
    elif kind == "playlist":
        make_clip(tmp_path / "other.ts", 30)
        path = tmp_path / "clip.m3u8"
        path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\nother.ts\n#EXT-X-ENDLIST\n")
    elif kind == "folder":
        path.mkdir()
    elif kind == "cut short, index lost":
        data = make_clip(path, 30, size=(320, 240)).read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif kind == "cut short, index kept":
        data = make_clip(path, 30, size=(320, 240), options={"movflags": "faststart"}).read_bytes()
        path.write_bytes(data[: len(data) * 3 // 4])
    elif kind == "no frame":
        make_clip(path, 0)
    elif kind == "sound only":
        import av

        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=48_000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 48_000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    elif kind == "picture":
        import cv2

        path = tmp_path / "clip.png"
        cv2.imwrite(str(path), picture())
    elif kind == "animated webp":
        import PIL.Image

        path = tmp_path / "clip.webp"
        steps = [PIL.Image.fromarray(picture(shade=shade)) for shade in (20, 90)]
        steps[0].save(path, save_all=True, append_images=steps[1:])
    elif kind == "text named as a picture":
        path = tmp_path / "clip.jpg"
        path.write_text("this is no picture\n" * 50)
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "There is no clip"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("garbage", "cannot be read as a video"),
        ("text", "cannot be read as a video"),
        ("playlist", "cannot be read as a video"),
        ("cut short, index lost", "cannot be read as a video"),
        ("cut short, index kept", "is cut short"),
        ("sound only", "no video in it, only sound"),
        ("picture", "is a picture"),
        ("animated webp", "an animated WEBP picture"),
        ("text named as a picture", "cannot be read as a video"),
        ("no frame", "no "),
    ],
)
def test_unusable_clip_is_named(tmp_path: Path, kind: str, says: str) -> None:
    path = damaged(tmp_path, kind)
    with pytest.raises(ClipError, match=says) as caught:
        read_clip(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_failure_leaves_nothing_and_keeps_the_old_file(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("the old one")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), ClipWriter(output, Fraction(25), (64, 64)) as writer:
            for index in range(60):
                writer.write(picture(64, 64), Fraction(index, 25))
            raise error
    assert output.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    "name", ["no-folder/out.mp4", "plain-file/out.mp4", "folder.mp4", "out.avi", "out", "/proc/out.mp4"]
)
def test_impossible_output(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain-file").touch()
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError) as caught:
        ClipWriter(tmp_path / name, Fraction(25), (64, 64))
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.mp4", "plain-file"]


@contextmanager
def disk_with(size: int) -> Iterator[None]:
    """No file can grow beyond ``size`` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 100, 40_000])
def test_full_disk(tmp_path: Path, size: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    with pytest.raises(OutputError, match="cannot be written"), disk_with(size):
        with ClipWriter(tmp_path / "out.mp4", Fraction(25), (64, 64)) as writer:
            for index in range(50):
                writer.write(np.roll(noise, index * 7, 0), Fraction(index, 25))
    assert not list(tmp_path.iterdir())
