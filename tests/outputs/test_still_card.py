"""The still card."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.still_card import still_card
from avatar_app.session.controls import SIZES
from avatar_app.types import Image


def seen(size: tuple[int, int], reason: str) -> Image:
    """The card as the call sees it."""
    return Outgoing(still_card(size, reason), 0.0).rgb()


@pytest.mark.parametrize("size", SIZES)
def test_card_is_calm_and_has_its_line(size: tuple[int, int]) -> None:
    card = seen(size, "paused")
    width, height = size
    assert (card.shape, card.dtype) == ((height, width, 3), np.uint8)
    assert np.abs(np.diff(card[:, : width // 8].astype(int), axis=1)).max() <= 4, "the ground is smooth"
    line = card[round(height * 0.76) : round(height * 0.84)]
    written = np.argwhere(line.min(axis=2) > 150)[:, 1]
    assert written.min() > width * 0.3
    assert written.max() < width * 0.7
    assert len(written) > 300
    assert abs(written.min() + written.max() - width) < width * 0.02, "in the middle"


SAME = [["starting", "no-avatar", "uncalibrated", "no-face", "", "anything"], ["no-camera", "fault", "stale"]]


@pytest.mark.parametrize("reasons", SAME)
def test_the_other_side_cannot_tell_why(reasons: list[str]) -> None:
    first = still_card((640, 480), reasons[0])
    assert all((still_card((640, 480), reason) == first).all() for reason in reasons)
    assert (first != still_card((640, 480), "paused")).any(), "nobody is told of a pause that there is not"


def test_figure_is_symmetric() -> None:
    card = seen((640, 480), "paused")[:340].astype(int)
    assert np.abs(card - card[:, ::-1]).mean() < 1


def test_card_is_drawn_once_and_cannot_be_spoilt() -> None:
    card = still_card((1280, 720), "paused")
    assert still_card((1280, 720), "paused") is card
    with pytest.raises(ValueError, match="read-only"):
        card[0, 0] = 0
