"""Reference cycles, such as closed windows, are collected in the window's thread alone."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from avatar_app.gui import garbage


class Cycle:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def generations() -> Iterator[None]:
    """Thresholds so small that few objects are enough."""
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(50, 1, 1)
    yield
    gc.set_threshold(*before)
    (gc.enable if enabled else gc.disable)()


def test_cycles_wait_for_the_thread_of_the_window(
    qtbot: QtBot, generations: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "INTERVAL", 10)
    parent, freed_in = QObject(), []
    gc.enable()
    garbage.collect_here(parent)
    weakref.finalize(Cycle(), lambda: freed_in.append(threading.current_thread()))
    worker = threading.Thread(target=lambda: [Cycle() for _ in range(5000)])
    worker.start()
    worker.join()
    assert freed_in == []
    qtbot.waitUntil(lambda: bool(freed_in))
    assert freed_in == [threading.main_thread()]
    parent.deleteLater()


def test_a_generation_is_collected_once_it_is_full(generations: None) -> None:
    gc.disable()
    gc.collect()
    freed: list[bool] = []
    weakref.finalize(Cycle(), freed.append, True)
    garbage.collect_due()
    assert freed == []  # too few new objects
    kept = [Cycle() for _ in range(100)]
    garbage.collect_due()
    assert freed == [True]
    del kept
