"""A map of creases is measured on people of whom it is known what their smiles do to the light."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_app.compositing.creases import NONE, mean_creases
from avatar_app.landmarks import LIPS
from avatar_app.motion.smile import MOVES
from avatar_app.training.creases import main

SIDE = 320

Floats = npt.NDArray[np.float32]


def face(smile: float) -> Floats:
    """Landmarks (88, 2) in pixels."""
    points = 0.6 * mean_creases()[1]
    points[LIPS] += smile * np.linalg.norm(points[27] - points[33]) * MOVES[:, :2]
    return np.asarray((points + 1) * ((SIDE - 1) / 2), np.float32)


def write(folder: Path, people: int, smiles: tuple[float, ...]) -> None:
    """Stills of people in whom smiles darken a spot on each cheek."""
    for name in ("stills", "labels"):
        (folder / name).mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("stem", "type", "identity", "split", "kind", "fill_rect"))
        for person in range(people):
            for smile in smiles:
                points, light = face(smile), np.ones((SIDE, SIDE))
                for cheek in ((31, 48), (35, 54)):
                    x, y = points[list(cheek)].mean(0) + 0.25 * (points[list(cheek)].mean(0) - points[33])
                    row, column = np.mgrid[:SIDE, :SIDE]
                    light -= 0.3 * smile * np.exp(-((row - y) ** 2 + (column - x) ** 2) / 60)
                stem = f"p{person}_{smile}"
                cv2.imwrite(
                    str(folder / "stills" / f"{stem}.jpg"),
                    (light[..., None] * (110, 140 + 10 * person, 190)).astype(np.uint8),
                )
                place = np.round(((points + 0.5) / SIDE + 0.25) / 1.5 * 65535).astype(np.uint16)[None]
                np.savez(folder / "labels" / f"{stem}.npz", points=place, ok=np.array([True]))
                table.writerow((stem, "still", f"p{person}", "train", "real", ""))


def test_the_map_is_dark_where_smiles_darken(tmp_path: Path) -> None:
    write(tmp_path / "data", 3, (0.0, 0.4, 0.8))
    assert main(["--data", str(tmp_path / "data"), "--output", str(tmp_path / "map.npz")]) == 0
    with np.load(tmp_path / "map.npz") as found:
        light, points = found["light"].astype(int), found["points"]
    assert np.array_equal(light, light[:, ::-1])
    row, column = np.unravel_index(light.argmin(), light.shape)
    assert light.min() < NONE - 30
    middle = (points[[31, 48]].mean(0) + 1) * (len(light) - 1) / 2
    assert min(abs(column - middle[0]), abs(len(light) - 1 - column - middle[0])) < 12
    assert abs(row - middle[1]) < 8
    assert np.abs(light - NONE).mean() < 3


@pytest.mark.parametrize(("smiles", "told"), [((0.5,), "two stills"), ((), "No train clips")])
def test_people_of_whom_nothing_can_be_told(
    tmp_path: Path, smiles: tuple[float, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "data", 2, smiles)
    assert main(["--data", str(tmp_path / "data"), "--output", str(tmp_path / "map.npz")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "map.npz").exists()


def test_a_missing_folder_is_told_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--output", str(tmp_path / "none" / "map.npz")]) == 2
    assert "no folder" in capsys.readouterr().err
