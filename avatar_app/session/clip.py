"""The offline path: a photo and a whole clip in, a video out.

    photo -> crop -> encode ------------------------.
    clip -> read -> track, crop -> detect -> smooth -> transfer -> render -> write

The clip is read twice: the first pass finds every frame's key points, which are small. Then, with the whole
motion known, the neutral pose is chosen, the motion is smoothed without lag, and the pictures are rendered.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from avatar_app.engines import Engine, JoinsPhotos
from avatar_app.errors import ClipError, EngineError
from avatar_app.faces.choice import FaceChoice
from avatar_app.faces.detector import BoxSmoother, FaceDetector, crop_face, crop_picture, square_box
from avatar_app.faces.portrait import PhotoChoice, find_portrait
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.driving import Driving, is_picture
from avatar_app.media.formats import OPAQUE
from avatar_app.media.picture_writer import PictureWriter
from avatar_app.media.video import Sound
from avatar_app.motion.head import Strength
from avatar_app.motion.settling import with_usual_lids
from avatar_app.motion.smoothing import STRENGTHS, smooth_track
from avatar_app.motion.transfer import best_frame, motion_transfer
from avatar_app.session.clip_frames import ClipFrames, ClipStyle
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.text import Text
from avatar_app.types import Avatar, Box, Crop, Image, KeyPoints

CROPS = ("auto", "center", "none")
"""``auto`` follows the face, ``center`` takes the largest square in the middle, ``none`` the whole picture
padded to a square.
"""

AS_THE_MODEL = ClipStyle()
AS_SEEN = Strength()

Item = TypeVar("Item")


class Progress(Protocol):
    """Passes items on and shows the progress."""

    def __call__(self, items: Iterable[Item], title: str, total: int | None) -> Iterable[Item]: ...


def silent(items: Iterable[Item], title: str, total: int | None) -> Iterable[Item]:
    """Show nothing."""
    return items


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """The user's choices for an animated clip.

    Attributes:
        relative: apply the driver's motion since the neutral frame; False: the driver's pose itself.
        adapt_scale: scale motion by the ratio of the faces' sizes.
        neutral: index of the driver's neutral frame, "first" for the first with a face, "best" for the most
            portrait-like.
        crop: one of ``CROPS``, for photo and clip.
        look: size, background and framing of the result.
        side_by_side: show the driver's crop to the left of the result, which is not transparent then.
        sound: copy the clip's sound.
        other_sound: take this sound instead.
        strength: factors on the motion of head, face and eyes.
        more_photos: further photos of the same person, for models that take several (X2Face).
        adapt_variance: apply the change of the driver's covariances to the photo's, instead of taking the
            driver's (Monkey-Net).
        smoothing: a key of ``smooth.STRENGTHS``.
        face: number of the photo's face, counted from the left, from 1; 0: the largest.
    """

    relative: bool = True
    adapt_scale: bool = True
    neutral: int | str = "first"
    crop: str = "auto"
    look: ClipStyle = AS_THE_MODEL
    side_by_side: bool = False
    sound: bool = False
    other_sound: Sound | None = None
    strength: Strength = AS_SEEN
    smoothing: str = "light"
    more_photos: tuple[Image, ...] = ()
    adapt_variance: bool = False
    face: int = 0


@dataclass(frozen=True, slots=True)
class Track:
    """The driver's motion, one entry for each frame.

    Attributes:
        times: seconds since the first frame.
        boxes: the square around the face. It moves slowly, so that a moving camera or a walking driver does
            not push the avatar out of its picture, while the head's own motion stays.
        poses: key points in that square, None without a face.
    """

    times: list[Fraction]
    boxes: list[Box]
    poses: list[KeyPoints | None]


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of a finished clip.

    Attributes:
        size: width and height of the pictures.
        held: frames without a face, in which the last pose was kept.
        neutral: index of the neutral frame.
        seconds: from the photo to the finished file.
        notes: warnings for the user, one sentence each.
    """

    frames: int
    size: tuple[int, int]
    held: int
    neutral: int
    seconds: float
    stages_ms: dict[str, dict[str, float]]
    notes: list[Text]


def animate_clip(
    engine: Engine,
    detector: FaceDetector | None,
    photo: Image,
    clip: Driving,
    output: Path,
    options: ClipOptions,
    progress: Progress = silent,
    track: Track | None = None,
) -> Report:
    """Make the photo move like the face in the clip.

    Args:
        detector: finds faces; None animates the crop as it is, for models of other things than faces.
        track: result of `track_driver` for the clip and this engine, if known.

    Raises:
        PortraitError: no face in the photo.
        ClipError: no face in the clip or in the chosen neutral frame, or the clip is damaged.
        OutputError: the output cannot be written; nothing is left of it.
    """
    begin = time.perf_counter()
    stopwatch = Stopwatch()
    notes: list[Text] = []
    look = options.look
    crop = portrait_crop(photo, detector, options.crop, engine.size, notes, look.framing.whole, options.face)
    width, height = look.shape(engine.size, photo)
    size = (width + height * options.side_by_side, height)
    with writer_of(clip, output, size, options, notes) as writer:
        with stopwatch.time("encode"):
            further = (
                portrait_crop(more, detector, options.crop, engine.size, notes)
                for more in options.more_photos
            )
            avatar = joined(engine, [crop, *further])
        notes += motion_notes(avatar.key_points, options)
        frames = ClipFrames(engine, avatar, photo, look)
        track = track or track_driver(engine, detector, clip, options.crop, stopwatch, progress)
        neutral = choose_neutral(avatar.key_points, track, options.neutral, clip)
        held = track.poses.count(None)
        if held:
            notes.append(
                Text("no face in {} of {} frames; the last pose was held there", held, len(track.poses))
            )
        drivers = (image for image, _ in clip.timed_frames()) if options.side_by_side else repeat(None)
        pictures = render(frames, avatar.key_points, track, neutral, options, stopwatch)
        steps = zip(pictures, track.times, track.boxes, drivers, strict=False)
        for picture, moment, box, driver in progress(steps, "rendering", len(track.times)):
            shown = picture
            if driver is not None:
                shown = np.hstack([crop_picture(driver, box, height), picture])
            with stopwatch.time("write"):
                writer.write(shown, moment)
    seconds = time.perf_counter() - begin
    return Report(len(track.times), size, held, neutral, seconds, stopwatch.summary(), notes)


def writer_of(
    clip: Driving, output: Path, size: tuple[int, int], options: ClipOptions, notes: list[Text]
) -> ClipWriter | PictureWriter:
    """Return the writer of this clip's result; add to ``notes``. Raises OutputError."""
    if is_picture(clip):
        return PictureWriter(output, options.look.alpha)
    encoding = OPAQUE.get(output.suffix.lower())
    if options.sound and clip.sound is None:
        notes.append(Text("the clip has no sound to copy"))
    sound = clip.sound if options.sound else options.other_sound
    if sound and encoding and not encoding.sound:
        notes.append(Text("a file that ends in {} has no sound", output.suffix))
    return ClipWriter(output, clip.fps, size, sound, options.look.alpha)


def motion_notes(portrait: KeyPoints, options: ClipOptions) -> list[Text]:
    """Return the options that this model cannot follow, one sentence each."""
    notes: list[Text] = []
    if options.relative and portrait.code is not None:
        notes.append(Text("X2Face has no relative motion; the driver's pose is shown as it is"))
    absolute = portrait.code is not None or not options.relative
    if portrait.depth is None and absolute and options.strength != AS_SEEN:
        notes.append(Text("this model passes a pose on as it is, at full strength"))
    elif portrait.depth is None and options.strength.gaze != 1:
        notes.append(Text("this model does not tell eyes from the face: --gaze does nothing"))
    return notes


def joined(engine: Engine, crops: Sequence[Crop]) -> Avatar:
    """Return one avatar of one or several photos.

    Raises EngineError if the model takes only one.
    """
    avatars = [engine.encode(crop) for crop in crops]
    if len(avatars) == 1:
        return avatars[0]
    if not isinstance(engine, JoinsPhotos):
        raise EngineError(Text("{} takes one photo.", engine.name), Text("Give one, or use an X2Face model."))
    return engine.join(avatars)


def portrait_crop(
    photo: Image,
    detector: FaceDetector | None,
    crop: str,
    size: int,
    notes: list[Text],
    whole: bool = False,
    face: int = 0,
) -> Crop:
    """Return the photo's crop for the engine; add to ``notes``.

    Raises PortraitError without a face.

    Args:
        whole: keep all of the photo around the crop.
    """
    if detector is None:
        return Crop(crop_picture(photo, fixed_box(photo, crop), size))
    portrait = find_portrait(photo, detector, PhotoChoice(face=face))
    if crop != "auto":
        portrait = replace(portrait, box=fixed_box(portrait.photo, crop))
    notes += portrait.notes
    return portrait.crop(size, whole)


def fixed_box(image: Image, crop: str) -> Box:
    """Return the square that ``center`` or ``none`` means in this picture."""
    height, width = image.shape[:2]
    side = max(height, width) if crop == "none" else min(height, width)
    return Box((width - 1) / 2, (height - 1) / 2, side)


def track_driver(
    engine: Engine,
    detector: FaceDetector | None,
    clip: Driving,
    crop: str,
    stopwatch: Stopwatch,
    progress: Progress,
) -> Track:
    """Find the driver's key points in every frame.

    Raises ClipError if there is no face in any.
    """
    faces = FaceChoice(detector) if detector else None
    smoother = BoxSmoother()
    track = Track([], [], [])
    for image, moment in progress(
        stopwatch.each("read", clip.timed_frames()), "tracking", clip.frame_count or None
    ):
        with stopwatch.time("track"):
            face = faces.track(image, float(moment)) if faces else None
            if crop != "auto" or not (face or track.boxes):
                box = fixed_box(image, crop)
            elif face:
                box = smoother.follow(
                    square_box(face), float(moment - track.times[-1]) if track.times else 0.0
                )
        track.times.append(moment)
        track.boxes.append(box)
        if faces and not face:
            track.poses.append(None)
            continue
        with stopwatch.time("detect"):
            seen = (
                crop_face(image, face, box, engine.size)
                if face
                else Crop(crop_picture(image, box, engine.size))
            )
            track.poses.append(engine.detect(seen))
    if not any(track.poses):
        raise ClipError(
            Text("No face was found in the clip {}.", clip.path),
            Text("Use a clip of one face, seen from the front and well lit."),
        )
    return track


def choose_neutral(portrait: KeyPoints, track: Track, wish: int | str, clip: Driving) -> int:
    """Return the index of the neutral frame.

    Raises ClipError if the requested frame does not exist or shows no face.
    """
    if wish == "best":
        return best_frame(portrait, track.poses)
    if wish == "first":
        return next(index for index, pose in enumerate(track.poses) if pose is not None)
    index = int(wish)
    if not 0 <= index < len(track.poses):
        last = len(track.poses) - 1
        raise ClipError(
            Text("The clip {} has no frame {}.", clip.path, index), Text("Frames count from 0 to {}.", last)
        )
    if track.poses[index] is None:
        raise ClipError(
            Text("No face was found in frame {} of the clip {}.", index, clip.path),
            Text("Choose another frame, or --find-best-frame."),
        )
    return index


def render(
    frames: ClipFrames,
    portrait: KeyPoints,
    track: Track,
    neutral: int,
    options: ClipOptions,
    stopwatch: Stopwatch,
) -> Iterator[Image]:
    """Render one picture for every frame.

    Without a face the last pose is held; before the first face, that first pose.
    """
    poses = smooth_track(track.poses, [float(moment) for moment in track.times], STRENGTHS[options.smoothing])
    at_rest = poses[neutral]
    assert at_rest is not None
    transfer = motion_transfer(
        portrait,
        with_usual_lids(at_rest, poses),
        relative=options.relative,
        adapt_scale=options.adapt_scale,
        # None: as in the model's paper.
        strength=None if options.strength == AS_SEEN else options.strength,
        adapt_variance=options.adapt_variance,
    )
    last = next(pose for pose in poses if pose is not None)
    for pose in poses:
        last = pose or last
        with stopwatch.time("transfer"):
            moved = transfer(last)
        with stopwatch.time("render"):
            picture = frames.render(moved)
        yield picture
