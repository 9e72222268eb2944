"""The expression network and the painters learn from pairs, and their checkpoints become parts of bundles."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_app.faces.crop import Region as FaceRegion
from avatar_app.faces.detector import FaceDetector
from avatar_app.networks.regions import CODES, EYE, MOUTH, Region, frames, region_points, sketch_of
from avatar_app.training.checkpoint import save_checkpoint
from avatar_app.training.expression import crops, loop
from avatar_app.training.expression.crops import CropStore, as_seen, changed, near_opening
from avatar_app.training.expression.export import main as export
from avatar_app.training.expression.loop import Recipe, Trainer, train
from avatar_app.training.expression.pairs import Mover
from tests.support.heads import make_head
from tests.support.training import write_features

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT / "models" / "faces"
LITE = ROOT / "models" / "lite"
REGIONS = {"mouth": MOUTH, "eye": EYE}
PAIRS, PHOTOS = 8, 3


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_features(tmp_path_factory.mktemp("features") / "vgg.pth")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of `pairs.py`, made of noise."""
    folder, random = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    head = make_head()[:, :2] * 0.7

    def points(count: int) -> np.ndarray:
        return (head + random.normal(0, 0.02, (count, 88, 2))).astype(np.float16)

    for place, region in (("mouth", MOUTH), ("eye", EYE), ("eye-left", EYE)):
        shape = region.height, region.width, 3
        for name, count in (("photo", PHOTOS), ("moved", PAIRS), ("truth", PAIRS)):
            np.save(folder / f"{place}.{name}.npy", random.integers(0, 256, (count, *shape), np.uint8))
        for name, count in (("photo_points", PHOTOS), ("points", PAIRS), ("seen_points", PAIRS)):
            np.save(folder / f"{place}.{name}.npy", points(count))
    np.save(folder / "source.npy", random.integers(0, PHOTOS, PAIRS))
    np.save(folder / "crossed.npy", np.arange(PAIRS) % 2 == 1)
    for name in ("blinks", "lips"):
        np.save(folder / f"{name}.npy", random.random(PAIRS))
    np.save(folder / "clip.npy", np.full(PAIRS, "clip"))
    return folder


def recipe(**changes: float) -> Recipe:
    values = {
        "minutes": 1.0,
        "batch": 2,
        "learning_rate": 1e-3,
        "finish": 0.5,
        "crossed": 2,
        "odd": 0.5,
        "l1": 2.0,
        "perceptual": 0.5,
        "adversarial": 0.05,
        "matching": 0.5,
        "read_back": 0.3,
        "aside": 6.0,
        "code_noise": 0.05,
        "unknown": 0.04,
        "ema": 0.9,
    }
    return Recipe(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REGIONS)
def test_a_run_goes_on_from_its_checkpoint_into_the_finish(
    name: str, pairs: Path, features: Path, tmp_path: Path
) -> None:
    trainer = Trainer(name, recipe(), CropStore(pairs, name), features)
    assert trainer.step().keys() == {"l1", "perceptual"}
    trainer.elapsed = 45.0
    save_checkpoint(tmp_path / "checkpoint.pt", trainer.state())
    again = Trainer(name, recipe(), CropStore(pairs, name), features, seed=1)
    again.load_state(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    terms = again.step()
    assert terms.keys() == {"l1", "perceptual", "adversarial", "matching", "read_back", "aside"}
    assert all(np.isfinite(value) for value in terms.values())
    again.elapsed = 60.0
    train(again, tmp_path / "run", CropStore(pairs, name))
    assert (tmp_path / "run" / "checkpoint.pt").is_file()
    assert (tmp_path / "run" / "sheet.png").is_file()


@pytest.mark.parametrize("name", REGIONS)
def test_what_is_read_has_other_colours_than_what_is_wanted(name: str, pairs: Path) -> None:
    torch.manual_seed(0)
    batch = CropStore(pairs, name).draw(4, False, np.random.default_rng(0))
    other, (seen, points) = changed(batch, REGIONS[name]), as_seen(batch, REGIONS[name])
    assert other.truth.shape == batch.truth.shape
    width, height = REGIONS[name].read
    assert seen.shape == (4, 3, height, width)
    assert points.shape == batch.seen_points.shape
    means = seen.mean((2, 3)) - batch.truth.mean((2, 3))
    assert means.abs().max() > 0.05


@pytest.mark.parametrize("name", REGIONS)
def test_teeth_and_eyes_stay_bright_when_skin_becomes_dark(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crops, "OTHER_SKIN", 2.0)
    monkeypatch.setattr(torch, "rand", torch.ones)
    region, opened, shut = REGIONS[name], *(_face(REGIONS[name], amount) for amount in (1.0, 0.0))
    teeth = sketch_of(region, region.width, region.height).opening(opened) > 0.99
    skin = torch.tensor([0.7, 0.5, 0.4])[:, None, None].expand(1, 3, region.height, region.width)
    seen = torch.where(teeth, torch.tensor(0.9), skin)
    dark = crops.with_other_skin(crops.Batch(skin, shut, seen, opened, seen, opened), region)
    inside = teeth.expand(1, 3, -1, -1)
    assert torch.allclose(dark.truth[inside], seen[inside], atol=0.01)
    assert dark.truth[~inside].max() < 0.4
    assert (dark.moved[inside] < 0.85).all()  # the photo's mouth is shut: what moved there is skin
    assert dark.photo.max() < 0.4


def test_a_tongue_is_as_light_on_dark_skin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "OTHER_SKIN", 2.0)
    monkeypatch.setattr(torch, "rand", torch.ones)
    opened = _face(MOUTH, 1.0)
    opening = sketch_of(MOUTH, MOUTH.width, MOUTH.height).opening(opened)
    red = torch.tensor([0.8, 0.3, 0.35])[:, None, None].expand(1, 3, MOUTH.height, MOUTH.width)
    dark = crops.with_other_skin(crops.Batch(red, opened, red, opened, red, opened), MOUTH).truth
    middle = (-torch.nn.functional.max_pool2d(-opening, 11, 1, 5) > 0.99).expand(1, 3, -1, -1)
    assert middle.sum() > 100
    assert torch.allclose(dark[middle], red[middle], atol=0.01)
    outside = (opening < 0.01).expand(1, 3, -1, -1)
    assert (dark[outside] < 0.7 * red[outside]).all()


def _face(region: Region, amount: float) -> torch.Tensor:
    """Landmarks in the region of a face with mouth and lids so far open."""
    points = torch.from_numpy(make_head(lids=0.3 * amount, mouth=0.4 * amount)[None, :, :2] * 0.7).float()
    return region_points(points, frames(region, points))


@pytest.mark.parametrize("name", REGIONS)
def test_shut_lids_and_closed_lips_are_still_where_the_painter_paints(name: str) -> None:
    shut = torch.from_numpy(make_head(lids=0.0, mouth=0.0)[None, :, :2] * 0.7).float()
    region = REGIONS[name]
    inside, around = near_opening(region, region_points(shut, frames(region, shut)))
    assert inside.max() < 0.6
    assert around.max() > 0.8
    assert around.mean() < 0.5


@pytest.mark.skipif(not LITE.is_dir(), reason="the bundle models/lite is not there")
def test_pairs_are_moved_by_a_bundle_that_has_painters() -> None:
    mover = Mover(LITE, seed=0)
    points = torch.from_numpy(make_head()[:, :2] * 0.7).float()
    photo = mover.encode(torch.rand(1, 3, 64, 64), points[None])
    assert mover.flow(photo, points.expand(3, -1, -1)).shape == (3, 2, 64, 64)


@pytest.mark.skipif(not FACES.is_dir(), reason="the bundle models/faces is not there")
def test_checkpoints_become_a_network_that_reads_codes_of_faces(
    pairs: Path, features: Path, tmp_path: Path
) -> None:
    shutil.copytree(FACES, tmp_path / "faces")
    for name in REGIONS:
        trainer = Trainer(name, recipe(), CropStore(pairs, name), features)
        save_checkpoint(tmp_path / f"{name}.pt", trainer.state())
    assert (
        export([str(tmp_path / "mouth.pt"), str(tmp_path / "eye.pt"), "--output", str(tmp_path / "faces")])
        == 0
    )
    described = json.loads((tmp_path / "faces" / "bundle.json").read_text())
    assert "expression.onnx" in described["files"]
    detector = FaceDetector.open(tmp_path / "faces")
    picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    first, second = detector.read(picture, [FaceRegion(100, 100, 180, 0.0), FaceRegion(90, 90, 120, 0.3)])
    assert first.expression is not None
    assert second.expression is not None
    assert first.expression.shape == (CODES,)
    assert not np.array_equal(first.expression, second.expression)
    assert loop.REGIONS.keys() == REGIONS.keys()
