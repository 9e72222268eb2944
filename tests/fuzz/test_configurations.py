"""YAML of trainings and checkpoints gives a configuration or a ConfigError, whatever its content."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from avatar_app.errors import BundleError, ConfigError
from avatar_app.files import read_yaml
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.training.config import RunConfig
from avatar_app.training.config_files import read_config
from tests.fuzz.bounds import bounded, fuzz
from tests.fuzz.material import NASTY, VALUES, as_json, changed, damaged
from tests.networks.tiny import TINY

CONFIGS = sorted(Path("avatar_app/training/configs").glob("*.yaml"))
LAUGHS = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))])
"""A few lines that expand to 2 to the power of 60 words."""

MERGES = "\n".join(["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 30))])
"""A few lines that merge 2 to the power of 30 keys while they are read."""

HARD = [
    *NASTY,
    MERGES.encode(),
    b"<<: {stages: [1]}",
    b"stages: 5",
    b"stages: {a: 1}",
    b"stages: [5]",
    b"stages: [{size: a, batch: b, steps: c, learning_rate: d}]\nobjective: anchored",
    b"stages: [{size: 64, batch: 1, steps: .nan, learning_rate: 1}]\nobjective: fomm",
    b"stages: [{size: 64, batch: 1, steps: 1, learning_rate: 1}]\nobjective: anchored\n1: 2\nb: 3\n",
    b"stages: 2001-99-99",
    b"stages: 2001-01-01T00:00:00+99:99",
    b"stages: 0b_",
    b"? [a]\n: b",
    b"a: &a [*a]\nstages: *a",
    b"model_params: 2\n3: 4\ntrue: 1",
    b"!!python/object/apply:os.system ['touch ran']",
    (LAUGHS + "\nstages: *a59").encode(),
    (LAUGHS + "\nstages: [*a59]").encode(),
    (
        LAUGHS + "\nmodel_params: {common_params: *a59, generator_params: *a59, kp_detector_params: *a59}"
    ).encode(),
    (LAUGHS + "\nobjective: *a59\nstages: [{size: *a59, batch: 1, steps: 1, learning_rate: 1}]").encode(),
    (
        LAUGHS
        + "\nobjective: anchored\nprecision: *a59\nstages: [{size: 1, batch: 1, steps: 1, learning_rate: 1}]"
    ).encode(),
]


def attempt(path: Path) -> None:
    with bounded(), suppress(ConfigError):
        config = read_config(path)
        assert isinstance(config, RunConfig)
        assert isinstance(config.steps, int)
        assert config.at(0)
    with bounded(), suppress(ConfigError):
        FommConfig.from_original(read_yaml(path))


@pytest.mark.parametrize("number", range(len(HARD)))
def test_hard_files(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.yaml"
    path.write_bytes(HARD[number])
    attempt(path)
    assert not (tmp_path / "ran").exists()


@fuzz(20)
@given(data=st.data())
def test_changed_files(tmp_path: Path, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(CONFIGS)).read_bytes()
    kind = data.draw(st.integers(0, 1))
    path = tmp_path / "run.yaml"
    path.write_bytes(
        data.draw(damaged(whole))
        if kind
        else data.draw(changed(json.loads(json.dumps(yaml.safe_load(whole)))))
    )
    attempt(path)


@fuzz(20)
@given(content=changed(TINY.to_dict()) | VALUES.map(as_json))
@example(content=as_json({**TINY.to_dict(), "num_kp": 10**9}))
@example(content=as_json({**TINY.to_dict(), "num_kp": float("nan")}))
@example(content=as_json({**TINY.to_dict(), "num_kp": float("inf")}))
def test_configurations_of_bundles(content: bytes) -> None:
    values: Any = json.loads(content)
    with bounded(), suppress(ConfigError, BundleError):
        FommConfig.from_dict(values)
