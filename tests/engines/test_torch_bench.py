"""The measurement for graphics cards runs, and tells a right picture from a wrong one."""

from __future__ import annotations

import pytest
import torch

from avatar_app.networks import work
from tests.bench.gpu import TURNS, run, show
from tests.networks.tiny import SIDE, TINY


def test_every_row_that_a_processor_can_have_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(work.SIDE, "cpu", 64)
    monkeypatch.setitem(work.COPIED, "cpu", 1 << 16)
    figures = run("cpu", 5, [], SIDE, TINY)
    rows = {(row["model"], row["row"]): row for row in figures["rows"]}
    assert len(rows) == len(figures["rows"]) == 6
    assert all(row["frames"] == TURNS for row in rows.values())
    # The original rounds down where the engines round to the nearest.
    assert rows["vox-adv", "original"]["psnr_db"] > 45
    assert rows["vox-adv", "float16 folded, channels last"]["psnr_db"] > 40
    assert rows["lite", "float32 folded, channels last"]["psnr_db"] > 45
    assert rows["vox-adv", "original"]["times_original"] == 1
    assert figures["torch"] == torch.__version__
    assert "lite: float32 folded" in show(figures)
