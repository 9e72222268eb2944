"""Training of both motion models, on drawn clips and with tiny networks."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from avatar_app.errors import ConfigError
from avatar_app.training.adversarial import Critics
from avatar_app.training.augment import AugmentConfig, Pair, augment
from avatar_app.training.checkpoint import load_checkpoint, save_checkpoint
from avatar_app.training.config import DataConfig, RunConfig
from avatar_app.training.config_files import read_config
from avatar_app.training.data import WIDE, PairSampler, load_store
from avatar_app.training.equivariance import Deformation
from avatar_app.training.fomm import FommObjective
from avatar_app.training.train import Run, main, open_objective, train
from tests.support.heads import make_head
from tests.support.training import write_features

SIDE = 64
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_features(tmp_path_factory.mktemp("features") / "vgg.pth")


@pytest.fixture(scope="module")
def original_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of frames: a disc that moves, a colour for each identity."""
    folder = tmp_path_factory.mktemp("original")
    for person, colour in enumerate([(220, 60, 40), (40, 200, 90), (60, 80, 230)]):
        clip = folder / "train" / f"id{person}#clip#0#8.mp4"
        clip.mkdir(parents=True)
        for frame in range(8):
            picture = np.full((SIDE, SIDE, 3), 40 + 20 * person, np.uint8)
            cv2.circle(picture, (16 + 4 * frame, 40 - 2 * frame), 12, colour, -1)
            cv2.rectangle(picture, (10, 50), (30, 60), (250, 250, 250), -1)
            cv2.imwrite(str(clip / f"{frame:03d}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def labelled_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stills with landmarks, two for each identity."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "stills").mkdir()
    (folder / "labels").mkdir()
    rows = []
    random = np.random.default_rng(0)
    for index in range(6):
        points = make_head(mouth=0.05 + 0.05 * (index % 2))[:, :2] * 0.25 + random.uniform(0.45, 0.55, 2)
        picture = np.full((SIDE, SIDE, 3), 60 + 20 * (index // 2), np.uint8)
        for x, y in points * SIDE:
            cv2.circle(picture, (int(x), int(y)), 2, (200, 160, 40 * (index // 2)), -1)
        stored = np.round((points[None] + 0.25) / 1.5 * 65535).astype(np.uint16)
        cv2.imwrite(str(folder / "stills" / f"s{index}.jpg"), picture)
        np.savez(folder / "labels" / f"s{index}.npz", points=stored, ok=np.array([True]))
        rows.append(
            {
                "stem": f"s{index}",
                "type": "still",
                "split": "train",
                "identity": str(index // 2),
                "kind": "real",
                "fill_rect": "",
            }
        )
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def original_document() -> dict[str, Any]:
    return {
        "dataset_params": {
            "frame_shape": [SIDE, SIDE, 3],
            "id_sampling": True,
            "clips": 3,
            "augmentation_params": {
                "flip_param": {"horizontal_flip": True, "time_flip": True},
                "jitter_param": {"hue": 0.1},
            },
        },
        "model_params": {
            "common_params": {"num_kp": 3, "num_channels": 3, "estimate_jacobian": True},
            "kp_detector_params": {
                "temperature": 0.1,
                "block_expansion": 8,
                "max_features": 16,
                "scale_factor": 0.5,
                "num_blocks": 2,
            },
            "generator_params": {
                "block_expansion": 8,
                "max_features": 16,
                "num_down_blocks": 2,
                "num_bottleneck_blocks": 1,
                "estimate_occlusion_map": True,
                "dense_motion_params": {
                    "block_expansion": 8,
                    "max_features": 16,
                    "num_blocks": 2,
                    "scale_factor": 0.25,
                },
            },
            "discriminator_params": {
                "scales": [1],
                "block_expansion": 8,
                "max_features": 16,
                "num_blocks": 2,
                "use_kp": True,
            },
        },
        "train_params": {
            "num_epochs": 10,
            "num_repeats": 40,
            "epoch_milestones": [6, 9],
            "lr_generator": 2.0e-3,
            "lr_discriminator": 1.0e-3,
            "lr_kp_detector": 2.0e-3,
            "batch_size": 3,
            "scales": [1, 0.5],
            "transform_params": {"sigma_affine": 0.05, "sigma_tps": 0.005, "points_tps": 5},
            "loss_weights": {
                "generator_gan": 1,
                "discriminator_gan": 1,
                "feature_matching": [10, 10],
                "perceptual": [10, 10, 10, 10, 10],
                "equivariance_value": 10,
                "equivariance_jacobian": 10,
            },
        },
    }


def anchored_document() -> dict[str, Any]:
    return {
        "objective": "anchored",
        "network": {
            "size": SIDE,
            "channels": [8, 8, 16],
            "blocks": 1,
            "motion_channels": [8, 8, 8],
            "photo_channels": 4,
        },
        "data": {"size": SIDE},
        "stages": [{"size": SIDE, "batch": 2, "steps": 6, "learning_rate": 1e-3}],
        "warmup": 2,
    }


def adversarial_document() -> dict[str, Any]:
    return anchored_document() | {"losses": {"adversarial": 0.1, "matching": 0.5, "painted": 0.5}}


def write(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def open_run(config: RunConfig, data: Path, features: Path) -> Run:
    torch.manual_seed(0)
    store = load_store(data, "train", config.data.size, config.data.stride, None, config.data.stills)
    return Run(config, open_objective(config, features, CPU), store, CPU)


def test_original_configuration_becomes_a_run(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, original_document()))
    assert config.objective == "fomm"
    assert [stage.steps for stage in config.stages] == [240, 120, 40]
    assert [stage.learning_rate for stage in config.stages] == pytest.approx([2e-3, 2e-4, 2e-5])
    assert all(stage.learning_rate == stage.learning_rate_end for stage in config.stages)
    assert config.augment == AugmentConfig(0, 0, 0, 0, 0, 0, True, 0, 0.1)
    assert config.data.by_identity


@pytest.mark.parametrize(
    "name", ["bair", "fashion", "mgif", "nemo", "taichi", "taichi-adv", "vox", "vox-adv"]
)
def test_every_original_configuration_is_read(name: str) -> None:
    folder = Path(__file__).parents[2] / "avatar_app" / "training" / "configs"
    assert read_config(folder / f"{name}.yaml").objective == "fomm"


def test_deformation_jacobian_is_its_derivative() -> None:
    deformation = Deformation(1, 0.05, 0.05, 5, torch.Generator().manual_seed(1))
    points = torch.tensor([[[0.3, -0.2], [0.5, 0.5], [-0.9, 0.7]]])
    for index in range(3):
        derivative = torch.func.jacrev(lambda z: deformation(z.view(1, 1, 2)).view(2))(points[0, index])
        torch.testing.assert_close(deformation.jacobian(points)[0, index], derivative, atol=1e-5, rtol=1e-4)


def test_each_loss_of_the_original_model_falls(tmp_path: Path, original_data: Path, features: Path) -> None:
    run = open_run(read_config(write(tmp_path, original_document())), original_data, features)
    pair = run.next_pair(SIDE, 4)
    history = []
    for _ in range(60):
        for optimiser in run.objective.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = 2e-3 * group["share"]
        history.append({name: float(term) for name, term in run.objective.step(pair, run.scaler).items()})
        run.objective.apply(run.scaler)
    assert set(history[0]) == {
        *(
            "perceptual",
            "generator_gan",
            "feature_matching",
            "equivariance_value",
            "equivariance_jacobian",
            "discriminator_gan",
        )
    }
    early = {name: np.mean([terms[name] for terms in history[:5]]) for name in history[0]}
    late = {name: np.mean([terms[name] for terms in history[-5:]]) for name in history[0]}
    assert [name for name in early if not late[name] < early[name]] == []


def test_each_loss_of_the_anchored_model_falls(tmp_path: Path, labelled_data: Path, features: Path) -> None:
    run = open_run(read_config(write(tmp_path, adversarial_document())), labelled_data, features)
    pair = run.next_pair(SIDE, 4)
    history = []
    for _ in range(40):
        for name, optimiser in run.objective.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = 3e-3 if name == "generator" else 1e-4
        history.append({name: float(term) for name, term in run.objective.step(pair, run.scaler).items()})
        run.objective.apply(run.scaler)
    assert set(history[0]) == {
        "l1",
        "perceptual",
        "warped",
        "offset",
        "painted",
        "adversarial",
        "matching",
        "mistakes",
    }
    # The offset starts at zero and trades off against the others; discriminators and generator have opposite
    # objectives.
    expected = ("l1", "perceptual", "warped", "painted", "matching")
    assert [name for name in expected if not history[-1][name] < 0.9 * history[0][name]] == []


def test_small_gradients_are_not_lost_in_float16(tmp_path: Path, labelled_data: Path, features: Path) -> None:
    """Without a scale all of them underflow to zero, whatever the losses are."""
    tiny = {"l1": 2e-6, "perceptual": 1e-6, "warped": 5e-7, "detail": 0.0, "offset": 0.0}
    found = []
    for half in (False, True):
        document = anchored_document() | {"losses": tiny, "precision": "float16" if half else "float32"}
        torch.manual_seed(0)  # the same network both times
        run = open_run(read_config(write(tmp_path, document)), labelled_data, features)
        assert run.scaler.is_enabled() == half
        run.scaler = torch.amp.GradScaler(
            "cpu", init_scale=4096.0, enabled=half
        )  # the scale that it reaches by itself
        pair = run.next_pair(SIDE, 4)
        with torch.autocast("cpu", torch.float16, enabled=half):
            run.objective.step(pair, run.scaler)
        run.scaler.unscale_(run.objective.optimisers["generator"])
        gradients = [
            value.grad for value in run.objective.networks["generator"].parameters() if value.grad is not None
        ]
        found.append(torch.cat([gradient.flatten() for gradient in gradients]))
    # Not their values: float16 sums on the processor depend on its threads (cosine 0.86 with one, 0.95
    # with two).
    assert torch.nn.functional.cosine_similarity(found[0], found[1], 0) > 0.7
    assert 0.5 < found[1].norm() / found[0].norm() < 2


def test_critics_learn_to_tell_made_from_real(labelled_data: Path) -> None:
    torch.manual_seed(0)
    critics = Critics()
    optimiser = torch.optim.Adam(critics.parameters(), 1e-3)
    store = load_store(labelled_data, "train", SIDE, 1)
    real, points = store.frames.permute(0, 3, 1, 2).float() / 255, store.points
    assert points is not None
    made = torch.nn.functional.avg_pool2d(real, 5, 1, 2)  # what satisfies the other losses
    for _ in range(40):
        optimiser.zero_grad()
        torch.autograd.backward(critics.mistakes(made, real, points))
        optimiser.step()
    with torch.no_grad():
        (doubt, distance), (doubt_of_real, none) = (
            critics.persuasion(made, real, points),
            critics.persuasion(real, real, points),
        )
    assert float(doubt) > float(doubt_of_real) + 0.5
    assert float(distance) > float(none) == 0


def test_wide_open_mouths_get_their_share(labelled_data: Path) -> None:
    store = load_store(labelled_data, "train", SIDE, 1)
    assert store.points is not None
    gap = (store.points[:, 62] - store.points[:, 66]).norm(dim=1) / (
        store.points[:, 27] - store.points[:, 8]
    ).norm(dim=1)
    wide = {int(frame) for frame in (gap > WIDE).nonzero()}
    assert 0 < len(wide) < len(gap)
    source, driving, clip = PairSampler(store, 0, DataConfig(wide=1.0)).draw(60)
    assert {int(frame) for frame in driving} == wide
    assert any(int(a) != int(b) for a, b in zip(source, driving, strict=True))
    people = [
        store.identities[next(i for i, frames in enumerate(store.clips) if int(frame) in frames)]
        for frame in source
    ]
    assert people == [store.identities[int(index)] for index in clip]
    share = torch.stack(
        [
            torch.isin(PairSampler(store, seed, DataConfig()).draw(60)[1], driving).float().mean()
            for seed in range(3)
        ]
    )
    assert share.mean() < 0.9


def test_run_starts_from_the_weights_of_another(tmp_path: Path, labelled_data: Path, features: Path) -> None:
    first = open_run(read_config(write(tmp_path, anchored_document())), labelled_data, features)
    first.advance()
    second = open_run(read_config(write(tmp_path, adversarial_document())), labelled_data, features)
    second.start_from(first.state())
    assert second.position == 0
    for key, value in first.averaged["generator"].state_dict().items():
        assert torch.equal(value, second.objective.networks["generator"].state_dict()[key]), key
    larger = anchored_document()
    larger["network"]["photo_channels"] = 8
    with pytest.raises(ConfigError, match="another network"):
        open_run(read_config(write(tmp_path, larger)), labelled_data, features).start_from(first.state())
    with pytest.raises(ConfigError, match="another network"):
        second.start_from({"averaged": {}})


def test_share_scales_the_learning_rate(tmp_path: Path, original_data: Path, features: Path) -> None:
    run = open_run(read_config(write(tmp_path, original_document())), original_data, features)
    run.advance()
    rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in run.objective.optimisers.items()}
    assert rates == pytest.approx({"generator": 2e-3, "kp_detector": 2e-3, "discriminator": 1e-3})


@pytest.mark.parametrize("kind", ["fomm", "anchored", "adversarial"])
def test_resuming_gives_the_numbers_of_not_stopping(
    kind: str, tmp_path: Path, original_data: Path, labelled_data: Path, features: Path
) -> None:
    documents = {
        "fomm": original_document(),
        "anchored": anchored_document(),
        "adversarial": adversarial_document(),
    }
    data = original_data if kind == "fomm" else labelled_data
    config = read_config(write(tmp_path, documents[kind]))
    whole = open_run(config, data, features)
    for _ in range(2):
        whole.advance()
    state = whole.state()
    state["padding"] = torch.zeros(2**18)  # 1 MiB more, so that there is more than one part
    save_checkpoint(tmp_path / "half.pt", state, part_mib=1)
    assert len(list(tmp_path.glob("half.pt.*"))) > 1
    expected = [whole.advance() for _ in range(3)]

    resumed = open_run(config, data, features)
    resumed.advance()  # any other state
    resumed.load_state(load_checkpoint(tmp_path / "half.pt"))
    assert [resumed.advance() for _ in range(3)] == expected
    for name, network in whole.averaged.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, resumed.averaged[name].state_dict()[key]), key


def test_command_writes_checkpoint_and_samples(tmp_path: Path, original_data: Path, features: Path) -> None:
    document = original_document()
    document["train_params"].update(num_epochs=1, num_repeats=2, epoch_milestones=[])
    output = tmp_path / "out"
    arguments = [
        str(write(tmp_path, document)),
        "--data",
        str(original_data),
        "--features",
        str(features),
        "--output",
        str(output),
    ]
    assert main([*arguments, "--device", "cpu", "--sample-steps", "2"]) == 0
    assert load_checkpoint(output / "checkpoint.pt")["step"] == 2
    sample = cv2.imread(str(output / "samples" / "0000002.png"))
    assert sample is not None
    assert sample.shape[1] == 4 * SIDE


def test_unknown_and_wrong_keys_are_named(tmp_path: Path) -> None:
    document = original_document()
    document["train_params"]["batchsize"] = 3
    with pytest.raises(ConfigError, match="batchsize"):
        read_config(write(tmp_path, document))
    with pytest.raises(ConfigError, match="warmpu"):
        read_config(write(tmp_path, {**anchored_document(), "warmpu": 3}))
    with pytest.raises(ConfigError, match="modelparams"):
        read_config(write(tmp_path, {**original_document(), "modelparams": {}}))


def test_perceptual_loss_needs_features(tmp_path: Path) -> None:
    document = original_document()
    with pytest.raises(ConfigError, match="feature network"):
        FommObjective(read_config(write(tmp_path, document)), None, CPU)
    document["train_params"]["loss_weights"]["perceptual"] = [0, 0, 0, 0, 0]
    FommObjective(read_config(write(tmp_path, document)), None, CPU)


def test_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"networks": {"a": torch.zeros(1000)}})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ConfigError, match="not a complete checkpoint"):
        load_checkpoint(path)


def test_not_a_number_stops_the_run(tmp_path: Path, original_data: Path, features: Path) -> None:
    run = open_run(read_config(write(tmp_path, original_document())), original_data, features)
    with torch.no_grad():
        next(run.objective.networks["generator"].parameters()).fill_(float("nan"))
    with pytest.raises(ConfigError, match="nan"):
        train(run, tmp_path, None, 5, 1000, 0)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_hue_turns_both_frames_alike_and_leaves_grey() -> None:
    grey = torch.full((2, 3, 8, 8), 0.5)
    coloured = torch.rand((2, 3, 8, 8), generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    config = AugmentConfig(0, 0, 0, 0, 0, 0, False, 0, 0.5)
    random = torch.Generator().manual_seed(3)
    changed = augment(Pair(coloured, coloured.clone(), None, None, torch.ones(2, 1, 8, 8)), 8, config, random)
    assert torch.equal(changed.source, changed.driving)
    assert (changed.source - coloured).abs().max() > 0.05
    same = augment(Pair(grey, grey, None, None, torch.ones(2, 1, 8, 8)), 8, config, random)
    torch.testing.assert_close(same.source, grey)
