"""Check whether ONNX Runtime uses a graphics card of any maker."""

from __future__ import annotations

from typing import Literal, NamedTuple

from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines.webgpu_engine import WANTED, trial_of
from avatar_app.errors import AvatarError
from avatar_app.extras import extensible, python
from avatar_app.onnx_runtime import has_webgpu_package
from avatar_app.processor import cores
from avatar_app.text import NOTHING, Text


class Finding(NamedTuple):
    """A finding and what to do about it.

    Attributes:
        computes: whether such a card is used.
    """

    state: Literal["ok", "note"]
    found: Text
    todo: Text = NOTHING
    computes: bool = False


def look(model: str, quick: bool) -> Finding:
    """Try the card with a model.

    Args:
        quick: accept a remembered result.
    """
    if not has_webgpu_package():
        wanted = Text("If there is another card, run `{} -m pip install {}`.", python(), WANTED)
        todo = wanted if extensible() else NOTHING
        return Finding("ok", Text("The processor computes."), todo)
    try:
        trial = trial_of(open_bundle(model), cores(), again=not quick)
    except AvatarError as error:
        return Finding("note", error.message, error.hint)
    if trial is None:
        return Finding("ok", Text("The processor computes: ONNX Runtime finds no graphics card."))
    if trial.problem:
        todo = Text("The processor computes instead. Update the card's driver, then run `doctor` again.")
        return Finding("note", trial.problem, todo)
    name, card, processor = trial.card, 1000 * trial.seconds, 1000 * trial.processor
    if trial.pays:
        found = Text("{} computes: {:.0f} ms per frame, the processor {:.0f} ms.", name, card, processor)
        return Finding("ok", found, computes=True)
    found = Text("The processor computes: {:.0f} ms per frame, {} {:.0f} ms.", processor, name, card)
    return Finding("ok", found)
