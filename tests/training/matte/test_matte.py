"""Labels of synthetic people, and a network that learns to find them."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from avatar_app.errors import ConfigError
from avatar_app.networks.anchored.matte import PersonMatte
from avatar_app.training.checkpoint import load_checkpoint
from avatar_app.training.data import list_clips
from avatar_app.training.matte.labels import one_piece, person, without_holes
from avatar_app.training.matte.loop import main
from avatar_app.training.matte.people import label, mark_doubtful_labels, people_from_masks
from avatar_app.training.matte.teacher import frames_of
from avatar_app.training.matte.teacher import main as ask_teacher
from tests.support.heads import make_head

SIDE = 160


def portrait(seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """A blob of a person before a plain wall: picture, mask and landmarks in pixels."""
    random = np.random.default_rng(seed)
    points = (make_head()[:, :2] * 0.55 + [0, -0.1] + 1) / 2 * (SIDE - 1)
    chin, top = points[8], points[78]
    mask = np.zeros((SIDE, SIDE), np.uint8)
    middle, width = (chin + top) / 2, points[16, 0] - points[0, 0]
    cv2.ellipse(
        mask,
        (round(middle[0]), round(middle[1])),
        (round(0.6 * width), round(0.65 * (chin - top)[1])),
        0,
        0,
        360,
        1,
        -1,
    )
    cv2.rectangle(
        mask, (round(chin[0] - 0.9 * width), round(chin[1] + 8)), (round(chin[0] + 0.9 * width), SIDE), 1, -1
    )
    wall, skin = random.integers(150, 250, 3), random.integers(20, 110, 3)
    picture = np.where(mask[..., None] > 0, skin, wall) + random.normal(0, 4, (SIDE, SIDE, 3))
    return np.clip(picture, 0, 255).astype(np.uint8), mask, points


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_people_before_a_plain_wall_are_cut_out(seed: int) -> None:
    picture, mask, points = portrait(seed)
    found = person(picture, points)
    assert (found & mask).sum() / (found | mask).sum() > 0.93


def test_only_the_piece_with_the_face_is_kept_and_its_holes_are_filled() -> None:
    mask = np.zeros((50, 50), np.uint8)
    mask[10:40, 10:30] = 1
    mask[20:22, 20:22] = 0
    mask[5:9, 40:45] = 1
    whole = without_holes(one_piece(mask, np.array([12.0, 12.0])))
    assert whole[21, 21] == 1
    assert whole[6, 42] == 0
    assert whole[0, 0] == 0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name in ("stills", "labels", "walls"):
        (folder / name).mkdir(parents=True)
    columns = ("stem", "type", "identity", "split", "kind", "fill_rect")
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        for seed in range(4):
            picture, _, points = portrait(seed)
            stem = f"p{seed}"
            cv2.imwrite(str(folder / "stills" / f"{stem}.jpg"), picture)
            place = np.round(((points + 0.5) / SIDE + 0.25) / 1.5 * 65535).astype(np.uint16)[None]
            np.savez(folder / "labels" / f"{stem}.npz", points=place, ok=np.array([True]))
            table.writerow(dict(zip(columns, (stem, "still", stem, "train", "real", ""), strict=True)))
    random = np.random.default_rng(0)
    for index in range(2):
        cv2.imwrite(
            str(folder / "walls" / f"{index}.png"), random.integers(0, 255, (90, 120, 3), dtype=np.uint8)
        )
    return folder


def test_command_writes_weights_that_fit(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    assert (
        main(
            [
                "--data",
                str(data),
                "--backgrounds",
                str(data / "walls"),
                "--output",
                str(output),
                "--steps",
                "2",
                "--batch",
                "2",
            ]
        )
        == 0
    )
    network = PersonMatte()
    network.load_state_dict(load_checkpoint(output / "matte.pt")["networks"]["matte"])
    assert all(torch.isfinite(value.float()).all() for value in network.state_dict().values())


def test_second_run_doubts_what_the_first_sees_otherwise(data: Path, tmp_path: Path) -> None:
    people = label(list_clips(data, "train"))

    class Seer(PersonMatte):
        """Agrees with the labels except in a corner of the first picture."""

        calls = 0

        def forward(self, picture: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
            index, mirrored = divmod(self.calls, 2)
            self.calls += 1
            seen = people.persons[index : index + 1].clone()
            if index == 0:
                seen[..., :40, :40] = 1 - seen[..., :40, :40]
            logits = (torch.nn.functional.interpolate(seen, picture.shape[-1]) - 0.5) * 20
            return logits.flip(3) if mirrored else logits

    again = mark_doubtful_labels(people, Seer())
    assert not again.clean[0]
    assert again.clean[1:].all()
    assert again.trust[0, 0, :36, :36].max() == 0
    assert again.trust[0, 0, 60:, 60:].min() == 1
    assert again.trust[1:].min() == 1


def test_second_run_starts_from_the_first(data: Path, tmp_path: Path) -> None:
    words = ["--data", str(data), "--backgrounds", str(data / "walls"), "--steps", "1", "--batch", "2"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert main([*words, "--output", str(first)]) == 0
    assert main([*words, "--output", str(second), "--start", str(first / "matte.pt")]) == 0
    one, other = (load_checkpoint(folder / "matte.pt")["networks"]["matte"] for folder in (first, second))
    assert all(
        (one[name].float() - other[name].float()).abs().max() < 0.1 for name in one if name.endswith("weight")
    )


def test_folder_without_backgrounds_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert (
        main(
            ["--data", str(data), "--backgrounds", str(tmp_path / "empty"), "--output", str(tmp_path / "run")]
        )
        == 2
    )
    assert "no picture" in capsys.readouterr().err


@pytest.fixture
def masks(data: Path, tmp_path: Path) -> Path:
    """A teacher's masks; the last one is completely uncertain."""
    folder = tmp_path / "masks"
    folder.mkdir()
    for seed in range(4):
        share = portrait(seed)[1] * 255 if seed < 3 else np.full((SIDE, SIDE), 128, np.uint8)
        np.savez(folder / f"p{seed}.npz", frames=np.array([0]), masks=cv2.resize(share, (256, 256))[None])
    return folder


def test_a_teacher_says_who_the_person_is(data: Path, masks: Path) -> None:
    people = people_from_masks(list_clips(data, "train"), masks)
    assert people.clean.tolist() == [True, True, True, False]
    assert people.as_is == 1
    for seed in range(3):
        assert np.abs(people.persons[seed, 0].numpy() - portrait(seed)[1]).mean() < 0.02


def test_a_second_run_learns_from_a_teacher(data: Path, masks: Path, tmp_path: Path) -> None:
    common = ["--data", str(data), "--backgrounds", str(data / "walls"), "--steps", "2", "--batch", "2"]
    assert main([*common, "--output", str(tmp_path / "first")]) == 0
    start = tmp_path / "first" / "matte.pt"
    assert (
        main([*common, "--output", str(tmp_path / "second"), "--start", str(start), "--masks", str(masks)])
        == 0
    )
    assert (tmp_path / "second" / "matte.pt").exists()


def test_masks_that_are_missing_are_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "--data",
        str(data),
        "--backgrounds",
        str(data / "walls"),
        "--output",
        str(tmp_path / "run"),
        "--masks",
        str(tmp_path),
    ]
    assert main(options) == 2
    assert "no mask of p0" in capsys.readouterr().err


def test_the_teacher_reads_frames_that_are_spread_over_a_clip(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 64))
    for level in range(20):
        writer.write(np.full((64, 64, 3), 10 * level, np.uint8))
    writer.release()
    found = list(frames_of(tmp_path / "clip.avi", 20))
    assert [number for number, _ in found] == [0, 3, 6, 9, 12, 15, 18]
    assert all(abs(float(picture.mean()) - 10 * number) < 4 for number, picture in found)


def test_a_teacher_is_asked_for_what_is_no_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(tmp_path), "--output", str(tmp_path / "masks")]
    assert ask_teacher(words) == 2
    assert "manifest.csv" in capsys.readouterr().err
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize("damaged", [b"", b"not a file of arrays", b"PK\x03\x04"])
def test_damaged_labels_and_masks_are_named(data: Path, masks: Path, damaged: bytes) -> None:
    (masks / "p1.npz").write_bytes(damaged)
    with pytest.raises(ConfigError, match="no mask of p1"):
        people_from_masks(list_clips(data, "train"), masks)
    (data / "labels" / "p0.npz").write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"p0\.npz"):
        label(list_clips(data, "train"))
