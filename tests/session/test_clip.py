"""The offline path from a photo and a clip to a video, with stand-ins for the networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avatar_app.errors import ClipError, OutputError, PortraitError
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.video import Clip, read_clip
from avatar_app.motion.head import Limits
from avatar_app.session.clip import ClipOptions, animate_clip
from avatar_app.session.clip_frames import ClipStyle
from avatar_app.types import Image, KeyPoints
from tests.session.stand_ins import DiscDetector, DrawingEngine, draw_face, draw_ground
from tests.support.media import clip_facts

PHOTO = draw_face(300, 300, 150, 150, 60)


def write(path: Path, images: Sequence[Image], times: Iterable[Fraction] | None = None) -> Clip:
    with ClipWriter(path, Fraction(25), (images[0].shape[1], images[0].shape[0])) as writer:
        for image, time in zip(
            images, times or [Fraction(index, 25) for index in range(len(images))], strict=True
        ):
            writer.write(image, time)
    return read_clip(path)


def walk(count: int = 10) -> list[Image]:
    """A face that moves two pixels to the right per frame."""
    return [draw_face(x=60 + 2 * index) for index in range(count)]


def test_frames_times_and_motion_are_the_clips(tmp_path: Path) -> None:
    times = [Fraction(number, 100) for number in (0, 4, 14, 16, 50)]
    clip, engine = write(tmp_path / "clip.mp4", walk(5), times), DrawingEngine()
    report = animate_clip(
        engine, DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions(smoothing="off")
    )
    assert clip_facts(tmp_path / "out.mp4")["times"] == [float(time) for time in times]
    assert clip_facts(tmp_path / "out.mp4")["size"] == (64, 64)
    assert (report.frames, report.held, report.neutral, report.notes) == (5, 0, 0, [])
    assert list(report.stages_ms) == ["encode", "read", "track", "detect", "transfer", "render", "write"]
    across = [pose.value[30, 0] for pose in engine.poses]
    # The face is 48 pixels high in a crop of about 96, so two pixels are about 0.04 of half its side.
    np.testing.assert_allclose(np.diff(across), 0.04, atol=0.015)


def test_lost_face_holds_the_last_pose(tmp_path: Path) -> None:
    images = walk(10)
    images[0] = images[4] = images[5] = draw_ground()
    clip, engine = write(tmp_path / "clip.mp4", images), DrawingEngine()
    report = animate_clip(engine, DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions())
    assert (report.frames, report.held, report.neutral) == (10, 3, 1)
    assert "no face in 3 of 10 frames" in report.notes[0]
    for held, shown in ((0, 1), (4, 3), (5, 3)):
        np.testing.assert_array_equal(engine.poses[held].value, engine.poses[shown].value)
    assert (engine.poses[6].value != engine.poses[5].value).any()


def test_no_face_at_all(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.mp4", [draw_ground()] * 3)
    with pytest.raises(ClipError, match="No face was found in the clip"):
        animate_clip(DrawingEngine(), DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions())
    with pytest.raises(PortraitError, match="No face was found in the photo"):
        animate_clip(
            DrawingEngine(), DiscDetector(), draw_ground(), clip, tmp_path / "out.mp4", ClipOptions()
        )
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_neutral_frame_by_number(tmp_path: Path) -> None:
    images = walk(6)
    images[2] = draw_ground()
    clip, engine = write(tmp_path / "clip.mp4", images), DrawingEngine()
    report = animate_clip(
        engine, DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions(neutral=3, smoothing="off")
    )
    assert report.neutral == 3
    across = [pose.value[30, 0] for pose in engine.poses]
    assert across[0] < 0.0 < across[5] or abs(across[3]) < 0.02
    for frame, says in ((6, "has no frame 6"), (2, "No face was found in frame 2")):
        with pytest.raises(ClipError, match=says):
            animate_clip(
                DrawingEngine(), DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions(neutral=frame)
            )


def test_one_frame_size_and_driver_beside_it(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.mp4", walk(1))
    options = ClipOptions(look=ClipStyle(100), side_by_side=True, neutral="best")
    report = animate_clip(DrawingEngine(), DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", options)
    assert report.frames == 1
    (image,) = read_clip(tmp_path / "out.mp4").frames()
    assert image.shape == (100, 200, 3)
    assert image[50, 50].min() > 200  # the driver's face, in the middle of its half
    assert image[50, 150].max() < 30


def test_driver_who_walks_away_stays_in_the_picture(tmp_path: Path) -> None:
    clip, engine = (
        write(tmp_path / "clip.mp4", [draw_face(400, 120, x=60 + 2 * index) for index in range(120)]),
        DrawingEngine(),
    )
    animate_clip(engine, DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions(side_by_side=True))
    assert max(abs(pose.value[30, 0]) for pose in engine.poses) <= Limits().shift + 1e-3
    assert all(
        (image[:, :64].min(2) > 200).sum() > 500 for image in read_clip(tmp_path / "out.mp4").frames()
    )  # the crop beside it follows


@pytest.mark.parametrize(
    ("crop", "detector"),
    [("center", DiscDetector()), ("none", DiscDetector()), ("center", None), ("none", None)],
)
def test_fixed_crops(tmp_path: Path, crop: str, detector: DiscDetector | None) -> None:
    clip = write(tmp_path / "clip.mp4", walk(3))
    report = animate_clip(
        DrawingEngine(), detector, PHOTO, clip, tmp_path / "out.mp4", ClipOptions(crop=crop)
    )
    assert (report.frames, report.held) == (3, 0)


def test_sound_that_is_not_there_is_mentioned(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.mp4", walk(1))
    report = animate_clip(
        DrawingEngine(), DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions(sound=True)
    )
    assert report.notes == ["the clip has no sound to copy"]


def test_small_face_in_the_photo_is_mentioned(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.mp4", walk(1))
    report = animate_clip(
        DrawingEngine(), DiscDetector(), draw_face(radius=15), clip, tmp_path / "out.mp4", ClipOptions()
    )
    assert "face in the photo is only 30 pixels high" in report.notes[0]


def test_nothing_is_left_when_interrupted(tmp_path: Path) -> None:
    class Interrupted(DrawingEngine):
        def render(self, avatar: object, pose: KeyPoints) -> Image:
            raise KeyboardInterrupt

    clip = write(tmp_path / "clip.mp4", walk(3))
    with pytest.raises(KeyboardInterrupt):
        animate_clip(Interrupted(), DiscDetector(), PHOTO, clip, tmp_path / "out.mp4", ClipOptions())
    with pytest.raises(OutputError):
        animate_clip(
            DrawingEngine(), DiscDetector(), PHOTO, clip, tmp_path / "nowhere" / "out.mp4", ClipOptions()
        )
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
