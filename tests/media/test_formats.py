"""All formats that can be written, excerpts, sound from other files, and pictures as drivers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from avatar_app.errors import AvatarError, ClipError, OutputError
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.driving import is_picture, read_driving
from avatar_app.media.formats import OPAQUE, require_picture_output
from avatar_app.media.picture_writer import PictureWriter
from avatar_app.media.sound import read_sound
from avatar_app.media.video import Sound, read_clip
from avatar_app.types import Array, Image
from tests.support.media import make_clip, picture

MOMENTS = (0.0, 0.04, 0.1, 0.2)


def read_back(path: Path) -> tuple[list[Image], list[float]]:
    """Pictures and their start times in seconds."""
    if path.suffix == ".webp":
        with PIL.Image.open(path) as opened:
            frames, begin = [], [0.0]
            for frame in PIL.ImageSequence.Iterator(opened):
                frames.append(np.asarray(frame.convert("RGB")))
                begin.append(begin[-1] + frame.info["duration"] / 1000)
        return frames, begin[:-1]
    pairs = list(read_clip(path).timed_frames())
    return [image for image, _ in pairs], [float(time) for _, time in pairs]


@pytest.mark.parametrize("suffix", sorted(OPAQUE))
def test_pictures_and_their_times_are_read_back(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"out{suffix}"
    with ClipWriter(path, Fraction(25), (96, 64)) as writer:
        for index, moment in enumerate(MOMENTS):
            writer.write(picture(shade=60 * index), Fraction(moment).limit_denominator(1000))
    assert caplog.text == "", "options that the container does not have"
    frames, times = read_back(path)
    assert times == pytest.approx(MOMENTS, abs=0.002)
    for index, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - picture(shade=60 * index)).mean() < 12
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_gif_leaves_out_what_players_would_slow_down(tmp_path: Path) -> None:
    path = tmp_path / "out.gif"
    with ClipWriter(path, Fraction(100), (96, 64)) as writer:
        for index in range(9):
            writer.write(picture(shade=20 * index), Fraction(index, 100))
    frames, times = read_back(path)
    assert len(frames) == 5
    assert times == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])


def test_part_of_a_clip(tmp_path: Path) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 10)).part(Fraction(2, 25), Fraction(6, 25))
    frames = list(clip.timed_frames())
    assert [float(time) for _, time in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    assert clip.frame_count == 4
    for index, (image, _) in enumerate(frames):
        assert np.abs(image.astype(int) - picture(shade=8 * (2 + index))).mean() < 4


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
def test_part_far_into_a_clip_is_found(tmp_path: Path, name: str) -> None:
    clip = read_clip(make_clip(tmp_path / name, 32, codec="mpeg4", fps=4))
    far = list(clip.part(Fraction(6), None).frames())
    near = list(clip.frames())[24:]
    assert len(far) == len(near) == 8
    for one, other in zip(far, near, strict=True):
        np.testing.assert_array_equal(one, other)


def test_part_beyond_the_end_is_refused(tmp_path: Path) -> None:
    clip = read_clip(make_clip(tmp_path / "clip.mp4", 5))
    with pytest.raises(ClipError, match="has no frame from second 3 to 4") as caught:
        list(clip.part(Fraction(3), Fraction(4)).frames())
    assert "--start" in caught.value.hint


def heard(path: Path) -> tuple[Array, int]:
    """The samples of one channel from time 0 on, and their rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        samples = np.zeros(0, np.float32)
        for frame in container.decode(stream):
            begin = round(float((frame.pts or 0) * frame.time_base) * rate)  # type: ignore[operator]
            piece = frame.to_ndarray()[0].astype(np.float32)
            samples = np.pad(samples, (0, max(0, begin - len(samples))))
            samples = np.concatenate([samples[:begin], piece[max(0, -begin) :]])
    return samples, rate


def beep(path: Path, at: float, codec: str = "pcm_s16le") -> Path:
    """Two seconds of silence with a tone that begins at a given time."""
    rate = 48_000
    samples = np.zeros(2 * rate, np.int16)
    begin = round(at * rate)
    samples[begin : begin + 4800] = 12_000 * np.sin(np.arange(4800) * 0.2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=rate, frame_size=1024
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "output"),
    [("beep.wav", "pcm_s16le", "out.mp4"), ("beep.m4a", "aac", "out.mp4"), ("beep.flac", "flac", "out.webm")],
)
def test_sound_of_a_part_stays_in_step(tmp_path: Path, name: str, codec: str, output: str) -> None:
    source = beep(tmp_path / name, 1.25, codec)
    with ClipWriter(tmp_path / output, Fraction(25), (64, 64), Sound(source, Fraction(1))) as writer:
        for index in range(15):
            writer.write(picture(64, 64), Fraction(index, 25))
    samples, rate = heard(tmp_path / output)
    loud = np.flatnonzero(np.abs(samples) > 0.1 * np.abs(samples).max())
    assert loud[0] / rate == pytest.approx(0.25, abs=0.03)
    assert len(samples) / rate < 0.7  # as long as the pictures, though the sound is longer


def test_file_without_sound_is_refused(tmp_path: Path) -> None:
    silent = make_clip(tmp_path / "clip.mp4", 3)
    text = tmp_path / "text.txt"
    text.write_text("la la la " * 50)
    for path, says in (
        (silent, "There is no sound in"),
        (text, "cannot be read"),
        (tmp_path / "none.mp3", "There is no sound file"),
    ):
        with pytest.raises(ClipError, match=says) as caught:
            read_sound(path)
        assert caught.value.hint


def test_pictures_of_a_folder_are_a_clip(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture(shade=10 * number)[..., ::-1])
    (tmp_path / "notes.txt").write_text("no picture")
    driving = read_driving(tmp_path, 10, Fraction(0), None)
    assert (driving.frame_count, driving.fps, driving.sound, is_picture(driving)) == (3, 10, None, False)
    frames = list(driving.timed_frames())
    assert [(int(image[0, 0, 2]), float(time)) for image, time in frames] == [(10, 0), (20, 0.1), (100, 0.2)]
    later = read_driving(tmp_path, 10, Fraction(1, 10), Fraction(1, 5))
    assert [int(image[0, 0, 2]) for image, _ in later.timed_frames()] == [20]
    with pytest.raises(ClipError, match=r"are over after 0\.3 seconds"):
        read_driving(tmp_path, 10, Fraction(1), None)


def test_one_picture_is_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), picture())
    driving = read_driving(path, 25, Fraction(0), None)
    assert is_picture(driving)
    assert len(list(driving.timed_frames())) == 1
    with pytest.raises(ClipError, match="is one picture, which has no parts"):
        read_driving(path, 25, Fraction(1), None)


def test_folder_without_pictures_and_damaged_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="neither clips nor pictures"):
        read_driving(tmp_path, 25, Fraction(0), None)
    (tmp_path / "1.png").write_bytes(b"no picture at all")
    with pytest.raises(ClipError, match=r"1\.png"):
        list(read_driving(tmp_path, 25, Fraction(0), None).timed_frames())


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_single_picture_is_written_whole(tmp_path: Path, name: str) -> None:
    with PictureWriter(tmp_path / name) as writer:
        writer.write(picture(), Fraction(0))
    with PIL.Image.open(tmp_path / name) as opened:
        assert np.abs(np.asarray(opened.convert("RGB")).astype(int) - picture()).mean() < 4
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "alpha", "says"),
    [
        ("a.mp4", False, "gives one picture, not a clip"),
        ("a.jpg", True, "cannot be transparent"),
        ("a.txt", False, "has an ending"),
        ("none/a.png", False, "There is no folder"),
    ],
)
def test_impossible_picture_is_refused(tmp_path: Path, name: str, alpha: bool, says: str) -> None:
    with pytest.raises(OutputError, match=says) as caught:
        require_picture_output(tmp_path / name, alpha)
    assert isinstance(caught.value, AvatarError)
    assert caught.value.hint
