"""Run the whole comparison: train every method, judge it, write the page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines.open import open_engine
from avatar_app.errors import ConfigError, OutputError
from avatar_app.evaluation.comparison.contest import (
    choose_rows,
    draw_sheet,
    judge_method,
    rows_of_app,
    size_of,
    write_sheet,
)
from avatar_app.evaluation.comparison.page import page
from avatar_app.evaluation.comparison.recipes import METHODS, NEEDS_FEATURES, Terms, find_features
from avatar_app.evaluation.comparison.training import Trained, train_method
from avatar_app.evaluation.outside_judge import OutsideJudge
from avatar_app.evaluation.reconstruction import FIGURES, Embedding
from avatar_app.files import reason, write_json
from avatar_app.text import Text
from avatar_app.training.data import FrameStore, list_clips, load_store

NAME = "comparison"
OWN_JUDGE = (
    "AKD and MKR by our own landmarks favour our model, which uses the same landmarks; `--judge "
    "face-alignment` is neutral."
)
BASES = {"warp": "photo warped with landmarks", "still": "photo without motion"}


@dataclass(frozen=True, slots=True)
class Judging:
    """How methods are judged.

    Attributes:
        limit: frames of each clip of ``split``; None takes all.
        judge: the landmark network, a key of ``commands.evaluate.JUDGES``.
        embedding: ONNX file of an identity network.
        sheet: whether the contact sheet shows people of the ``data`` or photos of the ``app``.
    """

    split: str
    limit: int | None
    judge: str
    embedding: Path | None
    sheet: str = "data"
    fetch_judge: bool = False


class Comparison:
    """Methods trained on one data set on the same terms."""

    def __init__(
        self, data: Path, terms: Terms, judging: Judging, device: str, features: Path | None, work: Path
    ) -> None:
        self._data, self._terms, self._judging, self._work = data, terms, judging, work
        self._device = torch.device(device)
        self._features = features or find_features(data)
        self._entries = [entry for entry in list_clips(data, judging.split) if not entry.still]
        self._notes: list[str] = []

    def run(self, methods: Sequence[str], output: Path, command: str) -> Path:
        """Train and judge the methods; return the page.

        Raises:
            ConfigError: the data set, or a network that a method needs, is missing.
            OutputError: the page cannot be written.
        """
        self._require_features(methods)
        store = load_store(
            self._data, "train", self._terms.size, self._terms.stride, self._work / "frames", stills=False
        )
        trained = {name: self._train(name, store) for name in self._possible(methods, store)}
        report = self._report(trained, store) | {"command": command}
        return self._write(report, trained, output)

    def _require_features(self, methods: Sequence[str]) -> None:
        needing = [METHODS[name] for name in methods if name in NEEDS_FEATURES]
        if needing and self._features is None:
            message = Text("The perceptual loss of {} needs a feature network.", " and ".join(needing))
            raise ConfigError(
                message, Text("Give one with --features FILE, or choose --methods x2face monkeynet.")
            )

    def _possible(self, methods: Sequence[str], store: FrameStore) -> list[str]:
        if store.points is None and "anchored" in methods:
            self._notes.append("Our model is left out: it needs face landmarks, which this data set has not.")
        possible = [name for name in methods if name != "anchored" or store.points is not None]
        if not possible:
            raise ConfigError(
                Text("Our model needs face landmarks, which this data set has not."),
                Text("Choose another method."),
            )
        return possible

    def _train(self, name: str, store: FrameStore) -> Trained:
        features = self._features if name in NEEDS_FEATURES else None
        return train_method(
            name, self._terms, store.to(self._device), self._work / name, features, self._device
        )

    def _report(self, trained: dict[str, Trained], store: FrameStore) -> dict[str, Any]:
        judge = (
            OutsideJudge(self._device.type, self._judging.fetch_judge)
            if self._judging.judge != "own"
            else None
        )
        embedding = Embedding(self._judging.embedding) if self._judging.embedding else None
        judged = {name: self._judge(one.bundle, embedding, judge) for name, one in trained.items()}
        rows = [self._row(name, one, judged[name]) for name, one in trained.items()]
        last = list(judged.values())[-1]
        if judge is None and "anchored" in trained:
            self._notes.append(OWN_JUDGE)
        for way, title in BASES.items():  # the same for every method, whose pictures they do not show
            figures = {name: last["mean"][name][way] for name in FIGURES}
            rows.append({"name": way, "title": title, "figures": figures})
        return {
            "terms": asdict(self._terms),
            "hardware": self._hardware(),
            "train_clips": len(store.clips),
            "train_frames": sum(len(clip) for clip in store.clips),
            "clips": len(self._entries),
            "frames": last["frames"],
            "judge": "the network of face-alignment" if judge else "this project's own landmarks",
            "embedding": embedding is not None,
            "notes": self._notes,
            "rows": rows,
        }

    def _judge(
        self, bundle: Bundle, embedding: Embedding | None, judge: OutsideJudge | None
    ) -> dict[str, Any]:
        engine = open_engine(bundle, str(self._device))
        try:
            judged = judge_method(engine, self._entries, self._judging.limit, embedding, judge, _bar)
        finally:
            engine.close()
        if not judged["frames"]:
            message = Text("No clip of {} could be rebuilt.", self._data)
            raise ConfigError(message, Text("Give clips with at least two frames."))
        return judged

    def _row(self, name: str, one: Trained, judged: dict[str, Any]) -> dict[str, Any]:
        figures = {figure: judged["mean"][figure]["model"] for figure in FIGURES}
        facts = {"steps": one.steps, "seconds": one.seconds, "size": asdict(size_of(one.bundle))}
        return {"name": name, "title": METHODS[name], "figures": figures, **facts, "clips": judged["clips"]}

    def _hardware(self) -> str:
        if self._device.type == "cuda":
            return torch.cuda.get_device_name(self._device)
        return f"a processor (threads used: {torch.get_num_threads()})"

    def _write(self, report: dict[str, Any], trained: dict[str, Trained], output: Path) -> Path:
        own = self._judging.sheet == "app"
        rows = rows_of_app() if own else choose_rows(self._entries, self._terms.size)
        engines = {METHODS[name]: open_engine(one.bundle, str(self._device)) for name, one in trained.items()}
        try:
            sheet = draw_sheet(rows, engines)
        finally:
            for engine in engines.values():
                engine.close()
        try:
            write_sheet(output / f"{NAME}.jpg", sheet)
            write_json(output / f"{NAME}.json", json.loads(json.dumps(report)))
            (output / f"{NAME}.md").write_text(page(report, f"{NAME}.jpg"), encoding="utf-8")
        except OSError as error:
            raise OutputError(
                Text("The comparison cannot be written to {}: {}.", output, reason(error)),
                Text("Free some space."),
            ) from None
        return output / f"{NAME}.md"


def _bar(items: Iterable[Any], title: str) -> Iterable[Any]:
    return tqdm(items, desc=title, unit="clip", disable=None)
