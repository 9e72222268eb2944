"""The layouts of the published data sets, on tiny copies, read with every configuration for them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import torch

from avatar_app.media.clip_writer import ClipWriter
from avatar_app.training import config as training
from avatar_app.training.config_files import read_config
from avatar_app.training.data import PairSampler, list_clips, load_store, read_frames

CONFIGURATIONS = Path(training.__file__).parent / "configs"
FRAMES, SIDE = 12, 64


def picture(clip: int, frame: int) -> np.ndarray:
    """Its brightness encodes the frame."""
    image = np.full((SIDE, SIDE, 3), 20 * frame, np.uint8)
    image[: SIDE // 4] = 40 * clip
    return image


def video(path: Path, clip: int) -> None:
    with ClipWriter(path, Fraction(25), (SIDE, SIDE)) as writer:
        for frame in range(FRAMES):
            writer.write(picture(clip, frame), Fraction(frame, 25))


def gif(path: Path, clip: int) -> None:
    frames = [PIL.Image.fromarray(picture(clip, frame)) for frame in range(FRAMES)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)


def strip(path: Path, clip: int) -> None:
    cv2.imwrite(str(path), np.hstack([picture(clip, frame) for frame in range(FRAMES)]))


def folder(path: Path, clip: int) -> None:
    path.mkdir()
    for frame in range(FRAMES):
        cv2.imwrite(str(path / f"{frame}.png"), picture(clip, frame))


Layout = tuple[Callable[[Path, int], None], str, str]
SETS: dict[str, list[Layout]] = {
    "vox": [
        (video, "id1000{}#clip#000100#000112.mp4", "id10000"),
        (folder, "id1000{}#clip#000100#000112.mp4", "id10000"),
    ],
    "nemo": [
        (strip, "00{}_deliberate_smile_1.png", "000_deliberate_smile_1"),
        (video, "00{}_smile.mp4", "000_smile"),
    ],
    "bair": [(folder, "0000{}", "00000"), (strip, "0000{}.png", "00000")],
    "taichi": [(video, "clip{}#00001#00012.mp4", "clip0"), (folder, "clip{}#00001#00012.mp4", "clip0")],
    "mgif": [(gif, "0000{}.gif", "00000")],
    "fashion": [(video, "91+bCFG{}.mp4", "91+bCFG0")],
}


@pytest.mark.parametrize("name", SETS)
def test_every_layout_is_read(name: str, tmp_path: Path) -> None:
    for index, (write, pattern, identity) in enumerate(SETS[name]):
        data = tmp_path / str(index)
        for split, count in (("train", 2), ("test", 1)):
            (data / split).mkdir(parents=True)
            for clip in range(count):
                write(data / split / pattern.format(clip), clip)
        assert [len(list_clips(data, split)) for split in ("train", "test")] == [2, 1]
        entry = list_clips(data, "train")[0]
        assert (entry.identity, entry.still) == (identity, False)
        brightness = read_frames(entry.path, 32)[:, 20:].mean((1, 2, 3))
        assert len(brightness) == FRAMES
        assert (np.diff(brightness) > 10).all(), "the frames are out of order"
        for file in configurations(name):
            config = read_config(file)
            store = load_store(data, "train", 32, config.data.stride, None, config.data.stills)
            assert len(store.clips) == 2
            source, driving, clips = PairSampler(store, 0, config.data).draw(40)
            assert set(clips.tolist()) == {0, 1}
            assert torch.equal(source // FRAMES, driving // FRAMES)
            assert bool((source <= driving).all()) == config.data.in_order


def configurations(name: str) -> list[Path]:
    files = [CONFIGURATIONS / f"{family}{name}.yaml" for family in ("", "monkeynet-", "x2face-")]
    return [*files, *(path for path in (CONFIGURATIONS / f"{name}-adv.yaml",) if path.exists())]


def test_only_bair_keeps_the_order_of_time() -> None:
    orders = {name: read_config(CONFIGURATIONS / f"monkeynet-{name}.yaml").data.in_order for name in SETS}
    assert [name for name, in_order in orders.items() if in_order] == ["bair"]


def test_objectives_and_sides() -> None:
    found = {
        (family, name): read_config(CONFIGURATIONS / f"{family}-{name}.yaml")
        for family in ("monkeynet", "x2face")
        for name in SETS
    }
    assert {family for (family, _), config in found.items() if config.objective != family} == set()
    sides = {"vox": 256, "nemo": 64, "taichi": 64, "bair": 64, "mgif": 128, "fashion": 256}
    assert all(config.stages[-1].size == sides[name] for (_, name), config in found.items())


def test_a_still_is_no_strip(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((60, 100, 3), np.uint8))
    assert len(read_frames(tmp_path / "wide.png", 32)) == 1
