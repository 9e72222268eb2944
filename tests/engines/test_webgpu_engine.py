"""When a graphics card is used, and the messages if it is not. Most tests need no card."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from avatar_app.bundles.bundle import Bundle, read_bundle
from avatar_app.engines import improvable, webgpu_engine, webgpu_trial
from avatar_app.engines import open as opening
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.engines.onnx_render import RENDER_FILE, WebGpuRender
from avatar_app.engines.open import open_engine
from avatar_app.engines.webgpu_engine import open_webgpu, trial_of
from avatar_app.engines.webgpu_trial import Trial, difference, seconds_of, tried, try_card
from avatar_app.errors import DeviceError, EngineError
from avatar_app.onnx_runtime import Card, find_cards
from avatar_app.processor import cores
from avatar_app.text import NOTHING, Text
from tests.engines.test_engines import rehashed
from tests.support import drivers
from tests.support.bundles import face_crop, write_anchored, write_fomm
from tests.support.card import run_with_card

CARD = "AMD 744c"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_anchored(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One card, which is the processor. Returns the file of cached results."""
    kept = tmp_path / "kept.json"
    card = Card(CARD, None)
    for module in (webgpu_engine, webgpu_trial):
        monkeypatch.setattr(module, "find_cards", lambda: [card])
    monkeypatch.setattr(webgpu_engine, "user_webgpu_trials", lambda: kept)
    monkeypatch.setattr(
        webgpu_engine, "WebGpuRender", lambda bundle, threads, _: WebGpuRender(bundle, threads, None)
    )
    monkeypatch.setattr(webgpu_engine, "has_webgpu_package", lambda: True)
    monkeypatch.setattr(opening, "has_webgpu_package", lambda: True)
    monkeypatch.setattr(opening, "cuda_problem", lambda: "there is none")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.4.0")
    return kept


def found(monkeypatch: pytest.MonkeyPatch, trial: Trial) -> list[str]:
    """Let every trial end like this. The list contains the models that were tried."""
    tried: list[str] = []

    def instead(bundle: Bundle, card: str, threads: int, busy: bool) -> Trial:
        tried.append(bundle.name)
        return trial

    monkeypatch.setattr(webgpu_engine, "try_card", instead)
    return tried


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (Trial(CARD, NOTHING, 0.010, 0.013), ""),
        (Trial(CARD, NOTHING, 0.010, 0.011), "The processor is as fast"),
        (Trial(CARD, NOTHING, 0.010, 0.005), "The processor is as fast"),
        (Trial(CARD, Text("The graphics card {} makes wrong pictures.", CARD)), "wrong pictures"),
    ],
)
def test_a_card_is_chosen_where_it_is_right_and_pays(
    bundle: Bundle,
    pretended: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trial: Trial,
    words: str,
) -> None:
    found(monkeypatch, trial)
    with caplog.at_level(logging.INFO):
        engine = open_engine(bundle)
    assert isinstance(engine, webgpu_engine.WebGpuEngine) == (not words)
    assert words in caplog.text
    engine.close()


def test_a_card_asked_for_may_be_slow_but_not_wrong(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.005))
    engine = open_engine(bundle, "webgpu")
    picture = engine.render(engine.encode(face_crop(0)), engine.detect(face_crop(1)))
    assert picture.std() > 1
    engine.close()
    pretended.unlink()
    found(monkeypatch, Trial(CARD, Text("The graphics card {} makes wrong pictures.", CARD)))
    with pytest.raises(EngineError, match="wrong pictures") as caught:
        open_engine(bundle, "webgpu")
    assert "--device cpu" in caught.value.hint


def test_a_trial_is_remembered_until_something_changes(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.020))
    for _ in range(2):
        open_webgpu(bundle, 1, insist=False).close()
    assert len(tried) == 1
    trial_of(replace(bundle, hashes={**bundle.hashes, RENDER_FILE: "0"}), 1)
    assert len(tried) == 2
    trial_of(bundle, 2)
    assert len(tried) == 3
    trial_of(bundle, 1)
    assert len(tried) == 3, "the one with other threads is kept too"
    monkeypatch.setattr("platform.release", lambda: "another kernel")
    trial_of(bundle, 2)
    assert len(tried) == 4
    monkeypatch.setattr(webgpu_engine, "cpu_name", lambda: "another processor")
    trial_of(bundle, 2)
    assert len(tried) == 5
    trial_of(bundle, 2, again=True)
    assert len(tried) == 6
    for threads in range(3, 3 + webgpu_engine.REMEMBERED):
        trial_of(bundle, threads)
    assert len(json.loads(pretended.read_text())["trials"]) == webgpu_engine.REMEMBERED


def test_a_call_begins_on_the_processor_until_a_card_was_tried(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.020))
    engine = open_engine(bundle, at_once=True)
    assert "CPU" in engine.name and not tried
    provisional = improvable(engine)
    assert provisional is not None
    better = provisional.improved()
    assert isinstance(better, webgpu_engine.WebGpuEngine) and len(tried) == 1
    better.close()
    engine.close()
    known = open_engine(bundle, at_once=True)
    assert isinstance(known, webgpu_engine.WebGpuEngine) and len(tried) == 1, "the next time at once"
    known.close()


@pytest.mark.parametrize(
    "trial",
    [
        Trial(CARD, NOTHING, 0.010, 0.011),
        Trial(CARD, Text("The graphics card {} makes wrong pictures.", CARD)),
    ],
)
def test_a_card_that_does_not_win_leaves_the_call_alone(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch, trial: Trial
) -> None:
    found(monkeypatch, trial)
    for _ in range(2):
        engine = open_engine(bundle, at_once=True)
        provisional = improvable(engine)
        assert provisional is not None and provisional.improved() is None
        engine.close()


def test_a_card_that_loses_beside_calls_is_tried_without_one(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call may have slowed it down. But not every call is burdened with a trial."""
    slow = Trial(CARD, NOTHING, 0.010, 0.011)
    tried = found(monkeypatch, slow)
    for call in range(1, 6):
        assert trial_of(bundle, 1, busy=True) == slow
        assert len(tried) == min(call, webgpu_engine.CALLS)
        if call < webgpu_engine.CALLS:
            with pytest.raises(EngineError, match="not yet known whether the graphics card"):
                trial_of(bundle, 1, known=True)
    assert trial_of(bundle, 1, known=True) == slow
    found(monkeypatch, fast := Trial(CARD, NOTHING, 0.010, 0.020))
    assert trial_of(bundle, 1) == fast
    assert trial_of(bundle, 1, known=True) == fast, "a call begins on the card"


@pytest.mark.parametrize(
    "trial",
    [
        Trial(CARD, NOTHING, 0.010, 0.013),
        Trial(CARD, Text("The graphics card {} makes wrong pictures.", CARD)),
    ],
)
def test_what_no_call_can_cause_is_remembered_at_once(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch, trial: Trial
) -> None:
    tried = found(monkeypatch, trial)
    assert trial_of(bundle, 1, busy=True) == trial_of(bundle, 1) == trial_of(bundle, 1, known=True) == trial
    assert len(tried) == 1


def test_a_loss_without_a_call_is_remembered(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = found(monkeypatch, slow := Trial(CARD, NOTHING, 0.010, 0.011))
    trial_of(bundle, 1, busy=True)
    trial_of(bundle, 1)
    assert trial_of(bundle, 1, busy=True) == trial_of(bundle, 1) == slow
    assert len(tried) == 2


def test_cuda_that_has_come_meanwhile_is_taken(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.020))
    provisional = improvable(open_engine(bundle, at_once=True))
    fetched = OnnxEngine(bundle, 1)
    monkeypatch.setattr(opening, "cuda_problem", lambda: None)
    monkeypatch.setattr(opening, "_open_cuda", lambda bundle, number: fetched)
    assert provisional is not None and provisional.improved() is fetched and not tried


def test_cuda_that_has_come_after_another_card_is_taken(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one call: the processor, the card that was tried beside it, CUDA."""
    found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.020))
    provisional = improvable(open_engine(bundle, at_once=True))
    assert provisional is not None
    card = provisional.improved()
    assert isinstance(card, webgpu_engine.WebGpuEngine)
    assert card.improved() is None
    monkeypatch.setattr(opening, "cuda_problem", lambda: None)
    monkeypatch.setattr(opening, "_open_cuda", lambda bundle, number: "CUDA")
    assert card.improved() == "CUDA"
    card.close()


@pytest.mark.parametrize("device", ["auto", "webgpu"])
def test_cuda_that_has_come_replaces_another_card_unless_that_was_chosen(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.020))
    trial_of(bundle, cores())
    engine = open_engine(bundle, device, at_once=True)
    on_card = improvable(engine)
    assert isinstance(engine, webgpu_engine.WebGpuEngine)
    assert on_card is not None and on_card.improved() is None
    monkeypatch.setattr(opening, "cuda_problem", lambda: None)
    monkeypatch.setattr(opening, "_open_cuda", lambda bundle, number: "CUDA")
    assert on_card.improved() == ("CUDA" if device == "auto" else None)
    engine.close()


def test_beside_a_call_the_processor_is_timed_by_its_own_work(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever keeps the processor busy: a card must not win because of that."""
    engine = OnnxEngine(bundle, 1)
    avatar = engine.encode(face_crop(0))
    outputs, waited = engine.outputs, 0.05

    def slowed(*arguments: Any) -> Any:
        time.sleep(waited)
        return outputs(*arguments)

    monkeypatch.setattr(engine, "outputs", slowed)
    assert seconds_of(engine, avatar) >= waited
    assert seconds_of(engine, avatar, threads=1) < waited


@pytest.mark.parametrize("content", ["", "[]", "{", '{"trials": 1}', '{"trials": {"tiny": {"key": 1}}}'])
def test_a_damaged_memory_is_none(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    pretended.write_text(content)
    tried = found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.020))
    open_webgpu(bundle, 1, insist=False).close()
    assert len(tried) == 1
    assert json.loads(pretended.read_text())["unfinished"] == 0


def test_after_two_sudden_ends_the_processor_computes(
    bundle: Bundle, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, Trial(CARD, NOTHING, 0.010, 0.020))
    for _ in range(2):
        open_webgpu(bundle, 1, insist=False)  # and never closed
    with pytest.raises(EngineError, match=f"ended 2 times while it used the graphics card {CARD}") as caught:
        open_webgpu(bundle, 1, insist=False)
    assert "doctor" in caught.value.hint
    assert "CPU" in open_engine(bundle).name
    trial_of(bundle, 1, again=True)  # as the doctor does
    open_webgpu(bundle, 1, insist=False).close()


def test_a_model_without_files_for_cards_says_so(bundle: Bundle, pretended: Path) -> None:
    old = replace(bundle, hashes={name: value for name, value in bundle.hashes.items() if "card" not in name})
    with pytest.raises(EngineError, match="no file for graphics cards"):
        open_engine(old, "webgpu")
    assert "CPU" in open_engine(old).name


def test_without_the_package_it_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webgpu_engine, "find_cards", list)
    monkeypatch.setattr(webgpu_engine, "has_webgpu_package", lambda: False)
    with pytest.raises(EngineError, match="onnxruntime-ep-webgpu is not installed") as caught:
        open_engine(bundle, "webgpu")
    assert "pip install" in caught.value.hint


def test_a_driver_that_ends_the_program_ends_the_child_alone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webgpu_trial, "_child", drivers.ends)
    trial = try_card(bundle, CARD, 1)
    assert trial.problem == f"The driver of the graphics card {CARD} ended the program that tried it."
    assert not trial.pays


def test_a_driver_that_hangs_is_left(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webgpu_trial, "_child", drivers.hangs)
    assert "did not answer" in try_card(bundle, CARD, 1, patience=0.5).problem


def test_a_card_that_is_not_there_is_no_crash(bundle: Bundle) -> None:
    assert try_card(bundle, "AMD ffff", 1).problem == "The graphics card AMD ffff is gone."


@pytest.mark.parametrize("write", [write_anchored, write_fomm])
def test_wrong_pictures_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object) -> None:
    """A card that computes one convolution incorrectly, as some do."""
    bundle = write(tmp_path / "tiny")  # type: ignore[operator]
    broken = read_bundle(bundle.folder)

    def render(bundle: Bundle, threads: int, card: Card | None) -> WebGpuRender:
        return WebGpuRender(broken if card else bundle, threads, None)

    monkeypatch.setattr(webgpu_trial, "WebGpuRender", render)
    assert tried(bundle, Card(CARD, None), 1).problem == ""
    path = bundle.folder / RENDER_FILE
    model = onnx.load(str(path))
    weights = next(
        constant
        for constant in model.graph.initializer
        if len(constant.dims) == 4 and constant.dims[0] >= 4 and constant.data_type in (1, 10)
    )
    values = numpy_helper.to_array(weights).copy()
    values[0] += 1
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    whole = path.read_bytes()
    onnx.save(model, str(path))
    broken = rehashed(bundle)
    copy = tmp_path / "whole"
    copy.mkdir()
    for file in bundle.folder.iterdir():
        (copy / file.name).write_bytes(whole if file.name == RENDER_FILE else file.read_bytes())
    trial = tried(replace(bundle, folder=copy), Card(CARD, None), 1)
    assert trial.problem == f"The graphics card {CARD} makes wrong pictures."


def test_differences_are_counted_in_levels_and_pixels() -> None:
    layer, places = np.full((2, 2), 100, np.uint8), np.zeros((2, 2), np.float32)
    same = {"painted": layer, "places": places}
    assert difference(same, same) == 0
    assert difference({**same, "painted": layer + 2}, same) == 1
    assert difference({**same, "painted": layer - 3}, same) == 1.5
    assert difference({**same, "places": places + 0.2}, same) == pytest.approx(2)
    assert difference({**same, "places": places * np.nan}, same) == np.inf
    assert difference({**same, "places": places[:1]}, same) == np.inf


def test_a_card_that_fails_in_a_call_is_a_device_error(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OnnxEngine(bundle, 1, WebGpuRender(bundle, 1, None))
    avatar, pose = engine.encode(face_crop(0)), engine.detect(face_crop(1))

    def lost(feeds: object) -> None:
        raise EngineError(Text("The model file fails when it is computed."))

    monkeypatch.setattr(avatar.features["bound"], "run", lost)
    with pytest.raises(DeviceError, match="has failed"):
        engine.render(avatar, pose)
    monkeypatch.setattr("avatar_app.onnx_runtime.OnnxSession.bind", lambda session, feeds: lost(feeds))
    with pytest.raises(DeviceError, match="has failed"):
        engine.encode(face_crop(0))


def test_no_card_is_found_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.onnx_runtime.has_webgpu_package", lambda: False)
    assert find_cards() == []


ON_CARD = """
import sys
from pathlib import Path
from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines.webgpu_engine import open_webgpu, trial_of
bundle = open_bundle(Path(sys.argv[1]))
if __name__ == "__main__":
    print(trial_of(bundle, 1))
    engine = open_webgpu(bundle, 1, insist=True)
    print(engine.name)
    engine.close()
"""


@pytest.mark.parametrize("write", [write_anchored, write_fomm])
def test_a_card_makes_the_pictures_of_the_processor(tmp_path: Path, write: object) -> None:
    """WebGPU on SwiftShader: no real card's driver, but the same programs."""
    bundle = write(tmp_path / "tiny")  # type: ignore[operator]
    (tmp_path / "on_card.py").write_text(ON_CARD)
    done = run_with_card(str(tmp_path / "on_card.py"), str(bundle.folder), data=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Trial(card='{CARD}', problem='', " in done.stdout
    assert f"tiny, ONNX Runtime, WebGPU, {CARD}" in done.stdout


def test_a_broken_driver_is_told(tmp_path: Path) -> None:
    """The system lists a card without any driver."""
    bundle = write_anchored(tmp_path / "tiny")
    (tmp_path / "on_card.py").write_text(ON_CARD)
    done = run_with_card(
        str(tmp_path / "on_card.py"), str(bundle.folder), data=tmp_path, driver=tmp_path / "none.json"
    )
    assert done.returncode != 0
    assert f"The graphics card {CARD} fails" in done.stderr
