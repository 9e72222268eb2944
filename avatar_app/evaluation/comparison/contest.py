"""Judge the trained methods on held-out clips: figures, sizes and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines import Engine
from avatar_app.errors import ClipError
from avatar_app.evaluation.benchmark.arithmetic import count_graphs
from avatar_app.evaluation.outside_judge import OutsideJudge
from avatar_app.evaluation.reconstruction import Embedding, Evaluator, means
from avatar_app.faces.crop import crop_face, crop_picture, square_box
from avatar_app.faces.detector import FaceDetector, FaceTracker
from avatar_app.faces.portrait import find_portrait
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.motion.transfer import motion_transfer
from avatar_app.networks.graphs import build_graphs
from avatar_app.paths import assets_folder
from avatar_app.session.clip import fixed_box
from avatar_app.session.clip_frames import resized
from avatar_app.text import Text
from avatar_app.training.data import ClipEntry, read_frames
from avatar_app.types import Crop, Image

SHEET_SIDE, LABEL = 144, 22
"""Side of a picture on the contact sheet, and height of the names above, in pixels."""

ROWS, ROW_SIDE = 6, 256
LATE = 0.7
"""Position in a clip of the frame that drives a row of the sheet, as a fraction."""


@dataclass(frozen=True, slots=True)
class Size:
    """Size and cost of a model's networks.

    Attributes:
        parameters: of all networks but a discriminator.
        frame_macs, photo_macs: multiplications for one frame, and once for a photo.
    """

    parameters: int
    frame_macs: int
    photo_macs: int


class Progress(Protocol):
    """Passes items on and shows the progress."""

    def __call__(self, items: Iterable[Any], title: str) -> Iterable[Any]: ...


def size_of(bundle: Bundle) -> Size:
    """Count parameters and multiplications of the PyTorch networks."""
    graphs = build_graphs(bundle.kind, bundle.config, bundle.size)
    work = count_graphs(graphs)
    parameters = sum(weights.numel() for weights in graphs.model.parameters())
    return Size(parameters, (work["detect"].flop + work["render"].flop) // 2, work["encode"].flop // 2)


def judge_method(
    engine: Engine,
    entries: Sequence[ClipEntry],
    limit: int | None,
    embedding: Embedding | None,
    judge: OutsideJudge | None,
    progress: Progress,
) -> dict[str, Any]:
    """Rebuild every clip from its first usable frame.

    Returns:
        the number of ``frames``, the ``mean`` of each figure for each of `reconstruction.WAYS`, and all
        ``clips``.
    """
    evaluator = Evaluator(engine, FaceDetector.open(), embedding, limit, judge)
    clips = [evaluator.reconstruct(entry) for entry in progress(entries, engine.name)]
    return {"frames": sum(clip["frames"] for clip in clips), "mean": means(clips), "clips": clips}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the sheet: photo, driver at rest, driver's frame; all square."""

    photo: Image
    neutral: Image
    driver: Image


def choose_rows(entries: Sequence[ClipEntry], size: int, count: int = ROWS) -> list[Row]:
    """Choose rows from held-out clips: half by their own driver, half by another.

    Clips of AI-made people are preferred.
    """
    shown = [entry for entry in entries if entry.kind == "ai"] or list(entries)
    clips = [read_frames(entry.path, size) for entry in shown[: max(1, count // 2)]]
    pairs = [
        (clip, driver)
        for index, clip in enumerate(clips)
        for driver in (clip, clips[(index + 1) % len(clips)])
    ]
    rows = [Row(clip[0], driver[0], driver[int(LATE * (len(driver) - 1))]) for clip, driver in pairs]
    detector = FaceDetector.open()
    seen = [
        row
        for row in rows
        if all(FaceTracker(detector).track(image) for image in (row.photo, row.neutral, row.driver))
    ]
    return seen or rows


def rows_of_app(count: int = ROWS) -> list[Row]:
    """Choose rows from the app's own photos and clip, which may be published.

    Raises:
        PortraitError: no face in one of the photos.
        ClipError: no face at the clip's beginning.
    """
    assets, detector = assets_folder(), FaceDetector.open()
    photos = sorted((assets / "avatars").glob("*.jpg"))[:count]
    frames = list(read_clip(assets / "driving.mp4").frames())
    face = FaceTracker(detector).track(frames[0])
    if face is None:
        raise ClipError(
            Text("No face was found in the clip that comes with the app."), Text("Install the app again.")
        )
    box = square_box(face)  # one square for all frames, in which the head moves
    moments = np.linspace(0, len(frames) - 1, count + 1).round().astype(int)[1:]
    neutral, *drivers = (crop_picture(frames[at], box, ROW_SIDE) for at in (0, *moments))
    shown = (find_portrait(read_portrait(path), detector).crop(ROW_SIDE).image for path in photos)
    return [Row(photo, neutral, driver) for photo, driver in zip(shown, drivers, strict=False)]


def draw_sheet(rows: Sequence[Row], engines: Mapping[str, Engine]) -> Image:
    """Draw photo, driver and one column for each engine, by its title."""
    columns = [[row.photo for row in rows], [row.driver for row in rows]]
    columns += [_column(rows, engine) for engine in engines.values()]
    names = ["photo", "driver", *engines]
    return np.hstack(
        [
            _labelled(name, [resized(picture, SHEET_SIDE) for picture in column])
            for name, column in zip(names, columns, strict=True)
        ]
    )


def _column(rows: Sequence[Row], engine: Engine) -> list[Image]:
    detector = FaceDetector.open()
    pictures = []
    for row in rows:
        avatar = engine.encode(_crop(row.photo, engine.size, detector))
        transfer = motion_transfer(
            avatar.key_points, engine.detect(_crop(row.neutral, engine.size, detector))
        )
        pictures.append(
            engine.render(avatar, transfer(engine.detect(_crop(row.driver, engine.size, detector))))
        )
    return pictures


def _crop(image: Image, size: int, detector: FaceDetector) -> Crop:
    """Return the whole picture, with the face's landmarks if there is one."""
    box = fixed_box(image, "none")
    face = FaceTracker(detector).track(image)
    return crop_face(image, face, box, size) if face else Crop(crop_picture(image, box, size))


def _labelled(name: str, pictures: Sequence[Image]) -> Image:
    line = np.full((LABEL, SHEET_SIDE, 3), 255, np.uint8)
    scale = min(
        0.42, 0.42 * (SHEET_SIDE - 8) / max(1, cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0])
    )
    cv2.putText(line, name, (4, LABEL - 7), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([line, *pictures])


def write_sheet(path: Path, sheet: Image) -> None:
    """Write the sheet as JPEG. Raises OSError."""
    done, data = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise OSError(f"the picture {path} cannot be encoded")
    path.write_bytes(data.tobytes())
