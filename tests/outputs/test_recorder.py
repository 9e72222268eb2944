"""Recordings: their length, and what is left of them after an interruption."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_app.commands.live import Tally
from avatar_app.errors import OutputError
from avatar_app.media.video import read_clip
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.recorder import Recorder
from avatar_app.session.controls import Controls, Status
from avatar_app.session.recorder_stage import RecorderStage
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices
from avatar_app.sound.timeline import RATE
from avatar_app.text import Text
from tests.media.test_video import disk_with
from tests.support.media import clip_facts, outgoing, picture
from tests.support.sound_server import heard

SIZE = (96, 64)


def record(path: Path, times: Sequence[float], fps: int = 25) -> Path:
    recorder = Recorder(path, SIZE, fps)
    for index, time in enumerate(times):
        recorder.write(outgoing(picture(*SIZE, shade=8 * index % 256)), time)
    recorder.close()
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_pictures_colours_and_length(tmp_path: Path, name: str) -> None:
    path = record(tmp_path / name, [index / 25 for index in range(50)])
    facts = clip_facts(path)
    assert (facts["codec"], facts["pixels"], facts["size"], facts["fps"]) == ("h264", "yuv420p", SIZE, 25)
    clip = read_clip(path)
    images = list(clip.frames())
    assert len(images) == 50
    for index in (0, 20, 30):
        assert np.abs(images[index].astype(int) - picture(*SIZE, shade=8 * index % 256)).mean() < 6
    assert length(path) == pytest.approx(2, abs=0.05)


def length(path: Path) -> float:
    """As players show it, in seconds."""
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_sound_stands_where_it_was_put(tmp_path: Path, name: str) -> None:
    recorder = Recorder(tmp_path / name, SIZE, 25, sound=True)
    moments = np.arange(3 * RATE) / RATE
    wave = np.where(moments % 1 < 0.1, np.sin(2000 * np.pi * moments) / 2, 0).astype(np.float32)
    wave[: RATE // 2] = 0
    for index in range(75):
        shade = 250 if index in (25, 50) else 5
        recorder.write(outgoing(picture(*SIZE, shade=shade)), index / 25)
        recorder.write_sound(wave[index * RATE // 25 : (index + 1) * RATE // 25])
    recorder.close()
    seen = [float(time) for image, time in read_clip(tmp_path / name).timed_frames() if image.mean() > 125]
    assert seen == pytest.approx([1, 2], abs=0.03)
    assert heard(tmp_path / name) == pytest.approx(seen, abs=0.002)


def test_times_rule(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", [0, 0.04, 0.5, 0.5, 0.5, 3])
    times = [float(time) for _, time in read_clip(path).timed_frames()]
    assert times == pytest.approx([0, 0.04, 0.5, 0.5, 0.5, 3], abs=0.001)
    assert times == sorted(set(times))
    assert length(path) == pytest.approx(3.04, abs=0.05)


def test_closed_file_is_an_ordinary_one(tmp_path: Path) -> None:
    data = record(tmp_path / "a.mp4", [index / 25 for index in range(60)]).read_bytes()
    kinds = []
    start = 0
    while start < len(data):
        size = int.from_bytes(data[start : start + 4], "big") or len(data)
        kinds.append(data[start + 4 : start + 8])
        start += size if size != 1 else int.from_bytes(data[start + 8 : start + 16], "big")
    assert b"moof" not in kinds
    assert kinds.count(b"moov") == 1


KILLED = """
import os, sys
from pathlib import Path
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.recorder import Recorder
from avatar_app.session.controls import Controls, Status
from avatar_app.session.recorder_stage import RecorderStage
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices
from tests.support.media import outgoing, picture
recorder = Recorder(Path(sys.argv[1]), (96, 64), 25)
for index in range(100):
    recorder.write(outgoing(picture(96, 64, shade=2 * index)), index / 25)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_killed_program_leaves_a_playable_file(tmp_path: Path, name: str) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / name], cwd=root, check=False, capture_output=True, text=True
    )
    assert done.returncode == -9, done.stderr
    images = list(read_clip(tmp_path / name).frames())
    assert 100 - 26 <= len(images) <= 100
    for index in (0, 50, 73):
        assert np.abs(images[index].astype(int) - picture(*SIZE, shade=2 * index)).mean() < 6


SLOW = KILLED.replace("index / 25)", "index / 6)")
"""A computer so busy that it writes six pictures a second instead of 25."""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_killed_on_a_busy_computer_a_second_is_lost_at_most(tmp_path: Path, name: str) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SLOW, tmp_path / name], cwd=root, check=False, capture_output=True, text=True
    )
    assert done.returncode == -9, done.stderr
    assert len(list(read_clip(tmp_path / name).frames())) >= 100 - 6


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_full_disk_keeps_what_was_recorded(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    recorder = Recorder(tmp_path / name, SIZE, 25)
    with pytest.raises(OutputError, match="cannot be written") as caught, disk_with(1_000_000):
        for index in range(1000):
            recorder.write(outgoing(np.roll(noise, index * 7, 0)), index / 25)
    assert str(tmp_path / name) in caught.value.message
    assert caught.value.hint
    recorder.close()
    with pytest.raises(ValueError, match="has ended"):
        recorder.write(outgoing(noise), 100)
    assert playable_pictures(tmp_path / name) >= 25


def playable_pictures(path: Path) -> int:
    """How many pictures a player shows of a truncated file."""
    count = 0
    with av.open(str(path)) as container, suppress(av.FFmpegError):
        for _ in container.decode(video=0):
            count += 1
    return count


def test_nothing_recorded_leaves_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mp4", SIZE, 25)
    recorder.close()
    recorder.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["no-folder/a.mp4", "there.mp4", "folder.mp4", "a.avi", "/proc/a.mp4"])
def test_impossible_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.mp4").write_text("kept")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError) as caught:
        Recorder(tmp_path / name, SIZE, 25)
    assert caught.value.hint
    assert (tmp_path / "there.mp4").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.mp4", "there.mp4"]


def test_picture_of_another_size_is_a_mistake(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mp4", SIZE, 25)
    with pytest.raises(ValueError, match="not for a picture of"):
        recorder.write(outgoing(picture(64, 64)), 0)
    recorder.close()


def test_a_recording_that_cannot_be_finished_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the first error may come when the file is closed at the end of the session."""
    notices, sent = Notices(), Slot[Outgoing]()
    stage = RecorderStage(lambda: Controls(recording=tmp_path / "a.mp4", size=SIZE), sent, notices)
    sent.put(outgoing(picture(*SIZE)))
    stage.step()

    def fail(_: Recorder) -> None:
        raise OutputError(
            Text("The recording cannot be written: no space left on device."), Text("Free some space.")
        )

    monkeypatch.setattr(Recorder, "close", fail)
    stage.close()
    (notice,) = notices.all()
    assert (notice.about, notice.level) == ("recording", "error")
    tally = Tally()
    tally.add(Status(notices=notices.all()))
    assert tally.recording_failed
