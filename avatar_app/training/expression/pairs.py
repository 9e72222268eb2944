"""Write training crops: the engine's moved photo, the truth, and the photo's own.

The photo is moved by the flow of a trained engine, and landmarks carry the errors of the landmark network, so
that painters learn on realistic input. Pairs are of one clip, or of two stills of one person. Crossed pairs
have another person's motion; their truth is unknown.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from avatar_app.bundles.bundle import read_bundle
from avatar_app.landmarks import LEFT_EYE, LEFT_EYE_OUTER, LIP_PAIRS, LIPS, RIGHT_EYE, RIGHT_EYE_OUTER
from avatar_app.motion.head import HeadTransfer
from avatar_app.networks.anchored.body_flow import whole_head
from avatar_app.networks.anchored.config import AnchoredConfig
from avatar_app.networks.anchored.features import Features
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.regions import EYE, MOUTH, Region, frames, region_points, sample, to_picture
from avatar_app.training.data import read_arrays

PHOTO_SIDE = 512
SHARP_SIDE = 448
"""Side of stills whose crops are cut from their large version."""

LEFT_OUT = ("none stated", "felixtaubner")
"""Parts of a licence or source whose rows are not used: models trained on them may not be published."""

CROSSED, CROSSED_STILLS = 12, 0.6
"""Frames of each crossed pair of people, and the share of those whose photo is a still."""

BLINKS = (9, 10)
REGIONS: tuple[tuple[str, Region, tuple[bool, ...]], ...] = (
    ("mouth", MOUTH, (False,)),
    ("eye", EYE, (False, True)),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames of one clip or still.

    Pictures (T, s, s, 3), landmarks (T, 88, 3) in [-1, 1], lip gaps and blinks (T,).
    """

    stem: str
    person: str
    real: bool
    pictures: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    lips: npt.NDArray[np.float32]
    blinks: npt.NDArray[np.float32]


def rows(folder: Path, split: str) -> Iterator[dict[str, str]]:
    """Return a split's rows whose licence permits publishing what is learned."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            stated = row["licence"] + row["source_repo"]
            if row["split"] == split and not any(part in stated for part in LEFT_OUT):
                yield row


def read_clip(folder: Path, row: dict[str, str], stride: int) -> Clip | None:
    """Read every ``stride``-th usable frame; None without any."""
    stem = row["stem"]
    points, depth, usable, shapes = read_arrays(
        folder / "labels" / f"{stem}.npz", "points", "z", "ok", "blendshapes"
    )
    flat = points.astype(np.float32) / 65535 * 3 - 1.5
    places = np.concatenate([flat, 2 * depth.astype(np.float32)[..., None]], 2)
    chosen = [index for index in range(0, len(usable), stride) if usable[index]]
    pictures = _pictures(folder, stem, row["type"] == "video", set(chosen))
    chosen = chosen[: len(pictures)]
    if not chosen:
        return None
    places = places[chosen]
    size = np.linalg.norm(places[:, LEFT_EYE_OUTER, :2] - places[:, RIGHT_EYE_OUTER, :2], axis=1)
    upper, lower = LIP_PAIRS[1]
    lips = np.linalg.norm(places[:, upper, :2] - places[:, lower, :2], axis=1) / size
    blinks = shapes[chosen][:, list(BLINKS)].min(1) / np.float32(255)
    return Clip(stem, row["identity"], row["kind"] == "real", pictures, places, lips, blinks)


def _pictures(folder: Path, stem: str, moving: bool, chosen: set[int]) -> npt.NDArray[np.uint8]:
    if not moving:
        sharp = folder / "stills_hd" / f"{stem}.jpg"
        picture = cv2.imread(str(sharp if sharp.exists() else folder / "stills" / f"{stem}.jpg"))
        assert picture is not None
        if len(picture) > SHARP_SIDE:
            picture = cv2.resize(picture, (SHARP_SIDE, SHARP_SIDE), interpolation=cv2.INTER_AREA)
        return np.asarray(picture[None, ..., ::-1], np.uint8)
    capture = cv2.VideoCapture(str(folder / "video" / f"{stem}.mp4"))
    found, index = [], 0
    while True:
        good, picture = capture.read()
        if not good:
            break
        if index in chosen:
            found.append(picture[..., ::-1])
        index += 1
    return np.stack(found).astype(np.uint8)


class Mover:
    """Moves photos as the engine does, and cuts regions."""

    def __init__(self, bundle: Path, seed: int) -> None:
        found = read_bundle(bundle)
        config = replace(AnchoredConfig.from_dict(dict(found.config)), regions=False)
        self.generator = AnchoredGenerator(config).eval()
        weights = load_file(found.file("weights.safetensors"))
        self.generator.load_state_dict(
            {name: values for name, values in weights.items() if not name.startswith("regions.")}
        )
        self.random = torch.Generator().manual_seed(seed)

    def noise(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.random)

    def shaken(self, points: Tensor) -> Tensor:
        """Add errors such as the landmark network's to landmarks (B, 88, 2)."""
        shaken = points + 0.002 * self.noise(*points.shape)
        for group in (LIPS, RIGHT_EYE, LEFT_EYE):
            shaken[:, group] += 0.004 * self.noise(len(points), 1, 2)
        return shaken

    def nudged(self, frame: Tensor) -> Tensor:
        """Move, turn and scale frames (B, 2, 3) slightly."""
        angle, scale = 0.06 * self.noise(len(frame)), torch.exp(0.06 * self.noise(len(frame)))
        turn = (
            torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).reshape(-1, 2, 2)
            * scale[:, None, None]
        )
        axes = frame[:, :, :2]
        shift = axes @ (0.05 * self.noise(len(frame), 2, 1))
        return torch.cat([axes @ turn, frame[:, :, 2:] + shift], 2)

    @torch.no_grad()
    def encode(self, picture: Tensor, points: Tensor) -> Features:
        """Encode one photo (1, 3, s, s) with landmarks (1, 88, 2)."""
        return self.generator.encode(
            F.interpolate(picture, size=(PHOTO_SIDE, PHOTO_SIDE), mode="bicubic").clamp(0, 1), points
        )

    @torch.no_grad()
    def flow(self, photo: Features, points: Tensor) -> Tensor:
        """Return the flow (B, 2, 64, 64) for poses (B, 88, 2) of one photo."""
        many = Features(*(part.expand(len(points), *part.shape[1:]) for part in photo))
        found: Tensor = self.generator.dense_motion(many, points)[0]
        return whole_head(found, many.body, many.skull, points, many.points)

    @torch.no_grad()
    def cut(
        self, region: Region, picture: Tensor, frame: Tensor, flow: Tensor | None = None
    ) -> npt.NDArray[np.uint8]:
        """Cut (B, h, w, 3) out of pictures (B or 1, 3, s, s), moved by the flow if given."""
        places = to_picture(coordinate_grid(region.height, region.width).reshape(-1, 2), frame)
        if flow is not None:
            places = sample(flow, places, region.width, region.height).flatten(2).transpose(1, 2)
        crops = sample(picture.expand(len(frame), *picture.shape[1:]), places, region.width, region.height)
        return np.asarray((crops.clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy())


class Pairs:
    """Collects crops of regions and writes them to a folder."""

    def __init__(self, mover: Mover) -> None:
        self.mover = mover
        self.photos: dict[str, list[npt.NDArray[np.generic]]] = {}
        self.drawn: dict[str, list[npt.NDArray[np.generic]]] = {}
        self.people: list[str] = []
        self.count = 0

    def add(
        self,
        clip: Clip,
        source: int,
        others: Clip,
        driving: Sequence[int],
        pose: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Add pairs of one photo with frames of the same person.

        Or, with ``pose`` (N, 88, 2), with another person's motion.
        """
        mover, rows = self.mover, list(driving)
        still = mover.shaken(torch.from_numpy(clip.points[[source], :, :2]))
        real = mover.shaken(torch.from_numpy(others.points[rows, :, :2]))
        points = real if pose is None else mover.shaken(torch.from_numpy(pose))
        pictures = _tensor(clip.pictures[[source]]), _tensor(others.pictures[rows])
        flow = mover.flow(mover.encode(pictures[0], still), points)
        for name, region, sides in REGIONS:
            for mirrored in sides:
                self._cut(
                    f"{name}-left" if mirrored else name,
                    region,
                    mirrored,
                    pictures,
                    (still, real, points),
                    flow,
                )
        facts = {
            "source": np.full(len(rows), self.count),
            "crossed": np.full(len(rows), pose is not None),
            "blinks": others.blinks[rows],
            "lips": others.lips[rows],
            "clip": np.full(len(rows), others.stem, "U40"),
        }
        for name, values in facts.items():
            self._keep(self.drawn, name, values)
        self.people.append(clip.person)
        self.count += 1

    def _cut(
        self,
        place: str,
        region: Region,
        mirrored: bool,
        pictures: tuple[Tensor, Tensor],
        landmarks: tuple[Tensor, Tensor, Tensor],
        flow: Tensor,
    ) -> None:
        """Cut one region out of photo and drivers.

        With landmarks of the photo, of the drivers and of the pose.
        """
        mover, (photo, truth), (still, real, points) = self.mover, pictures, landmarks
        own = frames(region, still, mirrored)
        frame = mover.nudged(frames(region, points, mirrored))
        seen = frame if points is real else frames(region, real, mirrored)
        self._keep(self.photos, f"{place}.photo", mover.cut(region, photo, own))
        self._keep(self.drawn, f"{place}.moved", mover.cut(region, photo, frame, flow))
        self._keep(self.drawn, f"{place}.truth", mover.cut(region, truth, seen))
        for kept, name, found, where in (
            (self.photos, "photo_points", still, own),
            (self.drawn, "points", points, frame),
            (self.drawn, "seen_points", real, seen),
        ):
            self._keep(kept, f"{place}.{name}", _half(region_points(found, where, mirrored)))

    @staticmethod
    def _keep(
        kept: dict[str, list[npt.NDArray[np.generic]]], name: str, values: npt.NDArray[np.generic]
    ) -> None:
        kept.setdefault(name, []).append(values)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, parts in (self.photos | self.drawn).items():
            np.save(folder / f"{name}.npy", np.concatenate(parts))
        np.save(folder / "people.npy", np.array(self.people))


def _tensor(pictures: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def _half(points: Tensor) -> npt.NDArray[np.float16]:
    return np.asarray(points.numpy(), np.float16)


def photos_of(clip: Clip, count: int, random: np.random.Generator) -> list[int]:
    """Choose frames to serve as photos.

    Half with closed lips and open eyes, as most portraits, half at random.
    """
    calm = np.argsort(clip.lips + clip.blinks)[: max(1, len(clip.lips) // 4)]
    some = random.choice(calm, min(len(calm), (count + 1) // 2), replace=False)
    rest = random.choice(len(clip.lips), min(len(clip.lips), count // 2), replace=False)
    return [int(index) for index in (*some, *rest)]


def frames_of(clip: Clip, count: int, random: np.random.Generator) -> list[int]:
    """Choose frames to be painted: open mouths and blinks more often than they occur."""
    weight = 0.15 + np.clip(clip.lips / 0.12, 0, 1.5) + 1.2 * (clip.blinks > 0.4)
    return [int(index) for index in random.choice(len(clip.lips), count, p=weight / weight.sum())]


def crossed_pose(photo: Clip, source: int, driver: Clip, driving: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return the photo's landmarks with another person's motion, (N, 88, 2).

    Transferred as the app does.
    """
    calm = driver.points[int(np.argmin(driver.lips + driver.blinks))]
    transfer = HeadTransfer(photo.points[source].astype(np.float64), calm.astype(np.float64))
    return np.stack([transfer(driver.points[index].astype(np.float64))[:, :2] for index in driving]).astype(
        np.float32
    )


def collect(folder: Path, bundle: Path, split: str, pairs: int, crossed: int, seed: int = 0) -> Pairs:
    """Collect balanced pairs of a split."""
    random, out = np.random.default_rng(seed), Pairs(Mover(bundle, seed))
    stride = 2 if split == "train" else 1
    clips = [clip for row in rows(folder, split) if (clip := read_clip(folder, row, stride))]
    moving, stills = ([clip for clip in clips if (len(clip.lips) > 1) == moves] for moves in (True, False))
    add_clips(out, moving, pairs, random)
    for still in stills:
        same = [other for other in stills if other.person == still.person]
        for other in same:
            out.add(still, 0, other, [0] * (1 if len(same) == 1 else 3))
    for _ in range(crossed // CROSSED):
        photos = stills if random.random() < CROSSED_STILLS else moving
        photo, driver = photos[random.integers(len(photos))], moving[random.integers(len(moving))]
        source, driving = int(random.integers(len(photo.lips))), frames_of(driver, CROSSED, random)
        out.add(photo, source, driver, driving, crossed_pose(photo, source, driver, driving))
    return out


def add_clips(out: Pairs, clips: list[Clip], pairs: int, random: np.random.Generator) -> None:
    """Add pairs within clips.

    Real people twice as often, and a person with little video less.
    """
    people = {clip.person: 0 for clip in clips}
    for clip in clips:
        people[clip.person] += len(clip.lips)
    worth = {
        clip.person: (2 if clip.real else 1) * min(1, people[clip.person] / 100) ** 0.5 for clip in clips
    }
    for clip in clips:
        wanted = pairs * worth[clip.person] / sum(worth.values()) * len(clip.lips) / people[clip.person]
        photos = photos_of(clip, max(2, round(wanted / 24)), random)
        for source in photos:
            out.add(clip, source, clip, frames_of(clip, max(1, round(wanted / len(photos))), random))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.expression.pairs", description=__doc__
    )
    parser.add_argument("data", type=Path, help="folder with manifest.csv")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument(
        "--bundle", type=Path, default=Path("models/lite"), help="engine whose flow moves the photos"
    )
    parser.add_argument("--split", default="train")
    parser.add_argument("--pairs", type=int, default=24000)
    parser.add_argument("--crossed", type=int, default=4800)
    options = parser.parse_args(arguments)
    collect(options.data, options.bundle, options.split, options.pairs, options.crossed).write(options.out)


if __name__ == "__main__":
    main()
