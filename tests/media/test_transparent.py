"""Clips with transparent pictures, read back with their alpha."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from avatar_app.errors import OutputError
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.formats import TRANSPARENT, require_clip_output
from avatar_app.media.video import read_clip
from avatar_app.types import Image
from tests.support.media import clip_facts, make_clip

FRAMES = 4


def person(index: int) -> Image:
    """An orange square that moves to the right, on nothing."""
    frame = np.zeros((64, 96, 4), np.uint8)
    frame[16:48, 16 + 8 * index : 48 + 8 * index] = (230, 120, 40, 255)
    frame[48:56, 16:48] = (230, 120, 40, 128)
    return frame


def write(path: Path, sound_from: Path | None = None) -> None:
    sound = read_clip(sound_from).sound if sound_from else None
    with ClipWriter(path, Fraction(25), (96, 64), sound, alpha=True) as writer:
        for index in range(FRAMES):
            writer.write(person(index), Fraction(index, 25))


def read_alpha(path: Path) -> list[Image]:
    """With the decoder that supports alpha: FFmpeg's own for VP9 ignores it."""
    if path.suffix == ".webp":  # FFmpeg cannot read animated ones
        with PIL.Image.open(path) as picture:
            return [np.asarray(frame.convert("RGBA")) for frame in PIL.ImageSequence.Iterator(picture)]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        name = "libvpx-vp9" if path.suffix == ".webm" else stream.codec_context.name
        decoder = av.CodecContext.create(name, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        if stream.codec_context.extradata:
            decoder.extradata = stream.codec_context.extradata
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        return [np.asarray(frame.to_ndarray(format="rgba"), np.uint8) for frame in frames]


@pytest.mark.parametrize("suffix", TRANSPARENT)
def test_alpha_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"person{suffix}"
    write(path)
    found = read_alpha(path)
    assert len(found) == FRAMES
    for index, frame in enumerate(found):
        wanted = person(index)
        if suffix == ".gif":  # there or not
            wanted[..., 3] = np.where(wanted[..., 3] < 128, 0, 255)
        assert np.abs(frame[..., 3].astype(int) - wanted[..., 3]).mean() < 4
        inside = wanted[..., 3] == 255
        assert np.abs(frame[inside][:, :3].astype(int) - wanted[inside][:, :3]).mean() < 12


def test_sound_comes_along_in_webm_and_mov_but_not_in_a_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 10, sound="aac", seconds=0.4)
    for suffix, sound in (
        (".webm", True),
        (".mov", True),
        (".png", False),
        (".webp", False),
        (".gif", False),
    ):
        path = tmp_path / f"person{suffix}"
        write(path, clip)
        if suffix == ".webp":
            assert len(read_alpha(path)) == FRAMES
            continue
        with av.open(str(path)) as container:
            assert bool(container.streams.audio) == sound
    assert clip_facts(tmp_path / "person.mov")["size"] == (96, 64)


@pytest.mark.parametrize(("name", "says"), [("a.mp4", "cannot be transparent"), ("a.txt", "has an ending")])
def test_file_that_cannot_be_transparent_is_refused(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(OutputError, match=says) as caught:
        require_clip_output(tmp_path / name, alpha=True)
    assert ".webm" in caught.value.hint
