"""Unusual clips that other programs play: joined ones, repeated time stamps, any sound."""

from __future__ import annotations

import os
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest

from avatar_app.errors import ClipError
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.video import READ, _Clock, read_clip
from tests.fuzz.bounds import bounded
from tests.media.test_video import copy
from tests.support.media import clip_facts, make_clip, picture


def add_sound(
    path: Path, codec: str, rate: int, layout: str = "mono", count: int = 10, size: tuple[int, int] = (96, 64)
) -> Path:
    """A clip of ``count`` frames at 25 fps with a tone of the same length."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg2video" if path.suffix == ".ts" else "libx264", rate=25)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        sound = container.add_stream(codec, rate=rate)
        assert isinstance(video, av.VideoStream) and isinstance(sound, av.AudioStream)
        sound.codec_context.layout = layout
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(*size, shade=8 * index), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = (np.sin(np.arange(rate * count // 25) * 0.1) * 8000).astype(np.int16)
        tone = av.AudioFrame.from_ndarray(
            np.stack([samples] * (2 if layout == "stereo" else 1), 1).reshape(1, -1), "s16", layout
        )
        tone.sample_rate, tone.pts, tone.time_base = rate, 0, Fraction(1, rate)
        context = sound.codec_context
        resampler = av.AudioResampler(context.format, layout, rate, frame_size=context.frame_size or None)
        for piece in [*resampler.resample(tone), *resampler.resample(None)]:
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    return path


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("codec", ["mp2", "aac"])
@pytest.mark.parametrize(
    "second", [("mono", 48_000, (96, 64)), ("stereo", 44_100, (96, 64)), ("mono", 48_000, (128, 96))], ids=str
)
def test_two_clips_joined(tmp_path: Path, codec: str, second: tuple[str, int, tuple[int, int]]) -> None:
    """The time stamps restart in the middle, and sound or pictures may change their format there."""
    layout, rate, size = second
    one = add_sound(tmp_path / "1.ts", codec, 48_000)
    two = add_sound(tmp_path / "2.ts", codec, rate, layout, size=size)
    clip = read_clip(joined(tmp_path / "both.ts", one, two))
    times = [float(moment) for _, moment in clip.timed_frames()]
    assert len(times) >= 18
    assert max(np.diff(times)) < 0.3 and min(np.diff(times)) > 0.01, (
        "neither a gap nor frames that are never seen"
    )
    copy(clip, tmp_path / "out.mp4", sound=True)
    facts = clip_facts(tmp_path / "out.mp4")
    assert len(facts["times"]) == len(times)  # type: ignore[arg-type]
    assert 0.3 < float(str(facts["sound_seconds"])) < 1.2
    assert [entry.name for entry in tmp_path.glob(".*")] == []


def test_one_frame_with_a_wrong_time_moves_no_other() -> None:
    clock = _Clock(Fraction(1, 25))
    given = [0, 1, 2, 3, -50, 5, 6, 7]
    read = [round(float(clock.read(Fraction(time, 25))) * 25) for time in given]
    assert read == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_clock_that_stands(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "clip.mkv", 30, times=[0.04 * min(index, 5) + 0.00001 * index for index in range(30)]
    )
    times = [float(moment) for _, moment in read_clip(path).timed_frames()]
    assert len(times) == 30
    assert times[-1] > 0.8, "each frame is seen"
    assert times == sorted(set(times))
    copy(read_clip(path), tmp_path / "out.mp4")
    assert len(clip_facts(tmp_path / "out.mp4")["times"]) == 30  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [192_000, 12_345, 8_000, 96_000, 5_512])
def test_sound_of_any_rate(tmp_path: Path, rate: int) -> None:
    clip = read_clip(add_sound(tmp_path / "clip.mkv", "pcm_s16le", rate, count=20))
    copy(clip, tmp_path / "out.mp4", sound=True)
    facts = clip_facts(tmp_path / "out.mp4")
    assert facts["sound"] == "aac"
    assert facts["sound_seconds"] == pytest.approx(0.8, abs=0.15)


def test_sound_of_an_unknown_kind_is_left_out(tmp_path: Path) -> None:
    path = add_sound(tmp_path / "clip.mkv", "pcm_s16le", 48_000)
    data = path.read_bytes()
    assert data.count(b"A_PCM/INT/LIT") == 1
    path.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_XYZ/INT/LIT"))
    clip = read_clip(path)
    assert not clip.has_sound
    copy(clip, tmp_path / "out.mp4", sound=True)
    assert clip_facts(tmp_path / "out.mp4")["sound"] is None


LISTS = {
    "concat": "ffconcat version 1.0\nfile {pipe}\nduration 1\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n{pipe}\n#EXT-X-ENDLIST\n",
    "mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="video/mp4">'
    "<Representation id='1' "
    "bandwidth='1'><BaseURL>{pipe}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "idx": "# VobSub index file, v7 (do not modify this line!)\nsize: 720x480\nid: en, index: 0\n"
    "timestamp: 00:00:01:000, filepos: 000000000\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP "
    "96\na=rtpmap:96 H264/90000\n",
}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among the files")
@pytest.mark.parametrize("kind", LISTS)
def test_lists_that_name_a_pipe_are_refused_unopened(tmp_path: Path, kind: str) -> None:
    """Opening the pipe would block for ever; so would a camera's stream."""
    pipe = tmp_path / ("list.sub" if kind == "idx" else "pipe.mp4")
    os.mkfifo(pipe)
    path = tmp_path / f"list.{kind}"
    path.write_text(LISTS[kind].format(pipe=pipe.name))
    with bounded(), pytest.raises(ClipError, match="cannot be read as a video"):
        read_clip(path)


def test_every_container_in_the_list_is_known() -> None:
    known = {name for entry in av.formats_available for name in entry.split(",")}
    assert not [name for name in READ.split() if name not in known]


@pytest.mark.parametrize("name", ["moving.webp", "moving.png"])
def test_animated_pictures_are_named_as_what_they_are(tmp_path: Path, name: str) -> None:
    frames = [PIL.Image.fromarray(picture(shade=shade)) for shade in (0, 100, 200)]
    path = tmp_path / name
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    if name.endswith("png"):  # FFmpeg supports these
        assert len(list(read_clip(path).frames())) == 3
        return
    with pytest.raises(ClipError, match="animated WEBP picture") as caught:
        read_clip(path)
    assert "MP4" in caught.value.hint


def test_half_written_files_of_killed_programs_go(tmp_path: Path) -> None:
    old, new, other = (
        tmp_path / name for name in (".out.mp4.123.part", ".out.mp4.456.part", ".else.mp4.1.part")
    )
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    with ClipWriter(tmp_path / "out.mp4", Fraction(25), (64, 64)) as writer:
        writer.write(picture(64, 64), Fraction(0))
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", new.name, other.name}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_in_place_of_the_half_written_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    for guess in (os.getpid(), os.getpid() + 1):
        (tmp_path / f".out.mp4.{guess}.part").symlink_to(victim)
    with ClipWriter(tmp_path / "out.mp4", Fraction(25), (64, 64)) as writer:
        writer.write(picture(64, 64), Fraction(0))
    assert victim.read_text() == "kept"
    assert (tmp_path / "out.mp4").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
