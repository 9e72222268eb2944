"""Measure the accuracy of the face networks.

On labelled clips that they never saw, on scenes with small faces, and on pictures without a face.

python tests/bench/faces_accuracy.py DATA [--bundle models/faces] [--clips DIR] [--negatives DIR] [--json
FILE] [--sheets DIR]
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from avatar_app.faces.crop import Region, cut, region_of
from avatar_app.faces.detector import FaceDetector, FaceTracker
from avatar_app.training.faces.data import decode, read_points
from avatar_app.types import Image

Floats = npt.NDArray[np.float64]
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
LIPS = ((61, 67), (62, 66), (63, 65))
GROUPS = {
    "jaw": range(0, 17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "lids": range(36, 48),
    "lips": range(48, 68),
    "irises": range(68, 78),
    "forehead": range(78, 88),
}


def rows(data: Path, split: str) -> list[dict[str, str]]:
    with (data / "manifest.csv").open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["split"] == split]


def heights(points: Any) -> Any:
    return np.linalg.norm(points[..., 78, :2] - points[..., 8, :2], axis=-1)


def gaps(points: Any, pairs: tuple[tuple[int, int], ...]) -> Any:
    first, second = np.array(pairs).T
    return np.linalg.norm(points[..., second, :2] - points[..., first, :2], axis=-1).mean(-1)


def correlation(first: Floats, second: Floats) -> float | None:
    if np.std(second) < 0.004:
        return None
    return round(float(np.corrcoef(first, second)[0, 1]), 3)


def unrest(points: Any, height: Any) -> float:
    """Median size of the second difference over time, in thousandths of the face's height.

    Small if motion is smooth.
    """
    second = points[2:, :, :2] - 2 * points[1:-1, :, :2] + points[:-2, :, :2]
    return float(np.median(np.linalg.norm(second, axis=-1).mean(-1) / height[1:-1]) * 1000)


def clip_report(detector: FaceDetector, data: Path, row: dict[str, str]) -> tuple[dict[str, Any], list[Any]]:
    points, usable, _ = read_points(data / "labels" / f"{row['stem']}.npz")
    tracker = FaceTracker(detector)
    read, scores, spent, shown = [], [], [], []
    for index, frame in enumerate(decode(data, row["stem"])):
        begin = time.perf_counter()
        face = tracker.track(frame)
        spent.append(time.perf_counter() - begin)
        read.append(face.points if face else np.full((88, 3), np.nan, np.float32))
        scores.append(face.score if face else 0.0)
        if index % max(1, len(points) // 6) == 0:
            shown.append((frame, read[-1], points[index]))
    found = np.array(read)[: len(points)]
    height = heights(points)
    missed = np.isnan(found[:, 0, 0])
    good = usable & ~missed
    error = np.linalg.norm(found[..., :2] - points[..., :2], axis=-1) / height[:, None]
    lid, lid_truth = gaps(found, LIDS) / height, gaps(points, LIDS) / height
    lip, lip_truth = gaps(found, LIPS) / height, gaps(points, LIPS) / height
    depth = found[..., 2] - points[..., 2]
    report: dict[str, Any] = {
        "frames": len(points),
        "missed": int((usable & missed).sum()),
        "error_percent": round(float(error[good].mean() * 100), 3),
        "groups": {
            name: round(float(error[good][:, list(part)].mean() * 100), 3) for name, part in GROUPS.items()
        },
        "depth_percent": round(float((np.abs(depth) / height[:, None])[good].mean() * 100), 3),
        "lid_error_percent": round(float(np.abs(lid - lid_truth)[good].mean() * 100), 3),
        "lid_r": correlation(lid[good], lid_truth[good]),
        "lid_sd": round(float(lid_truth[good].std() * 100), 3),
        "lip_error_percent": round(float(np.abs(lip - lip_truth)[good].mean() * 100), 3),
        "lip_r": correlation(lip[good], lip_truth[good]),
        "lip_sd": round(float(lip_truth[good].std() * 100), 3),
        "lowest_score": round(float(np.min(np.array(scores)[: len(points)][usable])), 3),
        "ms": round(float(np.median(spent)) * 1000, 2),
    }
    if good.all() and len(points) > 3:
        report["unrest"] = round(unrest(found, height), 3)
        report["unrest_labels"] = round(unrest(points, height), 3)
        still = slice(27, 48)
        report["unrest_eyes_nose"] = round(unrest(found[:, still], height), 3)
        report["unrest_eyes_nose_labels"] = round(unrest(points[:, still], height), 3)
    return report, shown


def drawn(frame: Image, *several: Any, side: int = 320) -> Image:
    """Draw predicted landmarks in green and labels in red."""
    scale = side / frame.shape[0]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    out = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=method), np.uint8)
    for points, colour in reversed(list(zip(several, ((0, 255, 0), (255, 0, 0)), strict=False))):
        if points is None or np.isnan(points).any():
            continue
        for x, y in (points[:, :2] + 0.5) * scale - 0.5:
            cv2.circle(out, (round(float(x) * 8), round(float(y) * 8)), 10, colour, -1, cv2.LINE_AA, 3)
    return out.astype(np.uint8)


def scenes(data: Path, negatives: list[Image], count: int) -> Iterator[tuple[str, Image, Any]]:
    """Paste unseen faces into larger pictures.

    The face is 1/4 to 1/14 of the picture's width, and rotated by up to 30 degrees.
    """
    random = np.random.default_rng(5)
    names = [row["stem"] for row in rows(data, "val")]
    for index in range(count):
        stem = names[index % len(names)]
        points, usable, _ = read_points(data / "labels" / f"{stem}.npz")
        chosen = int(random.choice(np.flatnonzero(usable))) if usable.any() else 0
        frame = next(frame for place, frame in enumerate(decode(data, stem)) if place == chosen)
        share = (1 / 4, 1 / 7, 1 / 10, 1 / 12, 1 / 14)[index % 5]
        canvas = np.full((480, 640, 3), random.integers(0, 256, 3).astype(np.uint8), np.uint8)
        if negatives:
            canvas = np.asarray(
                cv2.resize(negatives[index % len(negatives)], (640, 480), interpolation=cv2.INTER_AREA),
                np.uint8,
            )
        width = np.ptp(points[chosen][:, 0])
        scale = share * 640 / width
        roll = np.radians(30) * random.choice([-1, 0, 1])
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) * scale
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        middle = points[chosen][:, :2].mean(0)
        reach = 0.9 * heights(points[chosen]) * scale
        place = (
            random.uniform([reach, reach], [640 - reach, 480 - reach])
            if 2 * reach < 470
            else np.array([320.0, 240.0])
        )
        matrix = np.concatenate([turn / scale, (place - turn @ middle)[:, None]], 1)
        cv2.warpAffine(small, matrix, (640, 480), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT)
        yield f"1/{round(1 / share)}", canvas, points[chosen][:, :2] @ turn.T + matrix[:, 2]


def scene_report(
    detector: FaceDetector, data: Path, negatives: list[Image], count: int
) -> tuple[dict[str, Any], list[Image]]:
    tally: dict[str, list[int]] = {}
    false, shown = 0, []
    for share, canvas, truth in scenes(data, negatives, count):
        found = detector.find(canvas)
        height = np.linalg.norm(truth[78] - truth[8])
        right = [np.linalg.norm(face.points[:, :2] - truth, axis=1).mean() < 0.1 * height for face in found]
        hits = tally.setdefault(share, [0, 0])
        hits[0] += any(right)
        hits[1] += 1
        false += sum(not each for each in right)
        if not any(right) or not all(right):
            shown.append(drawn(canvas, *(face.points for face in found[:2]), side=480))
    return {
        "found": {share: f"{hit}/{total}" for share, (hit, total) in sorted(tally.items())},
        "false": false,
    }, shown


def presence_report(detector: FaceDetector, data: Path, negatives: list[Image]) -> dict[str, Any]:
    """Scores of the landmark network on unseen faces, slightly off centre, and on areas without a face."""
    random = np.random.default_rng(7)
    faces, others = [], []
    for row in rows(data, "val"):
        points, usable, _ = read_points(data / "labels" / f"{row['stem']}.npz")
        for index, frame in enumerate(decode(data, row["stem"])):
            if index % 40 or not usable[index]:
                continue
            region = region_of(points[index])
            shift, zoom = random.normal(0, 0.06), np.exp(random.normal(0, 0.12))
            off = Region(region.x + shift * region.side, region.y, region.side * zoom, region.roll)
            faces.append(detector.read(frame, [off])[0].score)
            angle = random.uniform(0, 2 * np.pi)
            far = 0.8 * region.side
            away = Region(
                region.x + np.cos(angle) * far, region.y + np.sin(angle) * far, region.side * 0.7, 0.0
            )
            others.append(detector.read(frame, [away])[0].score)
    for picture in negatives:
        for _ in range(8):
            side = random.uniform(60, 400)
            place = random.uniform([0, 0], [picture.shape[1], picture.shape[0]])
            others.append(
                detector.read(picture, [Region(float(place[0]), float(place[1]), side, 0.0)])[0].score
            )
    high, low = np.array(faces), np.array(others)
    ranks = np.concatenate([high, low]).argsort().argsort()[: len(high)] + 1
    area = (ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low))
    return {
        "faces": len(high),
        "others": len(low),
        "area_under_curve": round(float(area), 5),
        "faces_above_half": round(float((high > 0.5).mean()), 4),
        "others_above_half": round(float((low > 0.5).mean()), 4),
    }


def clips_report(detector: FaceDetector, folder: Path, sheets: list[Image]) -> dict[str, Any]:
    """Detection rate on uncropped clips and photos.

    As they are, rotated by 30 degrees, and at a quarter of the size.
    """
    out: dict[str, Any] = {}
    for path in sorted([*folder.glob("*.mp4"), *folder.glob("*.jpg")]):
        frames = list(_frames(path))
        report: dict[str, Any] = {"frames": len(frames)}
        tracker = FaceTracker(detector)
        faces = [tracker.track(frame) for frame in frames]
        report["tracked"] = sum(face is not None for face in faces)
        some = frames[::10]
        for name, change in {"as it is": lambda x: x, "turned 30": _turned, "a quarter": _quarter}.items():
            found = [detector.find(change(frame)) for frame in some]
            report[f"found {name}"] = f"{sum(len(each) > 0 for each in found)}/{len(some)}"
            report[f"faces {name}"] = round(float(np.mean([len(each) for each in found])), 2)
            if found[0]:
                sheets.append(_square(drawn(change(some[0]), found[0][0].points, side=480)))
        out[path.name] = report
    return out


def _square(picture: Image, side: int = 480) -> Image:
    out = np.zeros((side, side, 3), np.uint8)
    part = picture[:side, max(0, (picture.shape[1] - side) // 2) :][:, :side]
    out[: part.shape[0], : part.shape[1]] = part
    return out


def _frames(path: Path) -> Iterator[Image]:
    if path.suffix == ".jpg":
        picture = cv2.imread(str(path))
        assert picture is not None
        yield np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8)
        return
    clip = cv2.VideoCapture(str(path))
    while True:
        more, frame = clip.read()
        if not more:
            return
        yield np.ascontiguousarray(frame[..., ::-1]).astype(np.uint8)


def _turned(frame: Image) -> Image:
    side = max(frame.shape[:2]) * 1.2
    return cut(
        frame,
        Region(frame.shape[1] / 2, frame.shape[0] / 2, side, np.radians(-30)),
        int(min(side, 1000)),
        cv2.BORDER_CONSTANT,
    )


def _quarter(frame: Image) -> Image:
    return np.asarray(cv2.resize(frame, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), np.uint8)


def grid(pictures: list[Image], columns: int) -> Image:
    side = max(picture.shape[1] for picture in pictures)
    tall = max(picture.shape[0] for picture in pictures)
    padded = [
        cv2.copyMakeBorder(p, 0, tall - p.shape[0], 0, side - p.shape[1], cv2.BORDER_CONSTANT)
        for p in pictures
    ]
    while len(padded) % columns:
        padded.append(np.zeros_like(padded[0]))
    return np.vstack([np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--bundle", type=Path, default=Path(__file__).resolve().parents[2] / "models" / "faces"
    )
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--negatives", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--quick", action="store_true", help="clips only, every landmark measure")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = FaceDetector.open(arguments.bundle)
    negatives = []
    for path in sorted(arguments.negatives.iterdir()) if arguments.negatives else []:
        negatives.append(next(_frames(path)))
    report: dict[str, Any] = {}
    shown: list[Image] = []
    clips, stills = {}, []
    for row in rows(arguments.data, "val"):
        result, frames = clip_report(detector, arguments.data, row)
        if row["type"] == "video":
            clips[row["stem"]] = result
            shown.extend(drawn(*each) for each in frames[1:6])
        else:
            stills.append(result)
    report["clips"] = clips
    report["clips_mean"] = {
        key: round(float(np.mean([clip[key] for clip in clips.values() if clip.get(key) is not None])), 3)
        for key in next(iter(clips.values()))
        if key != "groups"
    }
    report["groups"] = {
        name: round(float(np.mean([c["groups"][name] for c in clips.values()])), 3) for name in GROUPS
    }
    report["stills"] = {"count": len(stills), "missed": sum(s["missed"] for s in stills)}
    for key in ("error_percent", "lid_error_percent", "lip_error_percent"):
        report["stills"][key] = round(float(np.mean([s[key] for s in stills if s["missed"] == 0])), 3)
    if not arguments.quick:
        report["presence"] = presence_report(detector, arguments.data, negatives)
        report["scenes"], wrong = scene_report(detector, arguments.data, negatives, 200)
        false = [(detector.find(picture)) for picture in negatives]
        report["negatives"] = {"pictures": len(negatives), "with_a_face": sum(bool(each) for each in false)}
        sheets: list[Image] = []
        if arguments.clips:
            report["pictures"] = clips_report(detector, arguments.clips, sheets)
        if arguments.sheets and wrong:
            cv2.imwrite(str(arguments.sheets / "wrong.png"), grid(wrong[:24], 6)[..., ::-1])
        if arguments.sheets and sheets:
            cv2.imwrite(str(arguments.sheets / "pictures.png"), grid(sheets, 6)[..., ::-1])
    if arguments.sheets:
        cv2.imwrite(str(arguments.sheets / "clips.png"), grid(shown, 5)[..., ::-1])
    text = json.dumps(report, indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
