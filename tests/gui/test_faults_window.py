"""The window reports settings that cannot be saved, and shows the session's faults in the user's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.language.translations import install
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.settings import Settings, load_settings, save_settings
from avatar_app.session.active_avatar import ENGINE_ACTIONS
from avatar_app.session.controls import Controls, Notice
from avatar_app.text import Text
from tests.gui.stand_in import LIVE, StandIn
from tests.gui.windows import open_window, show_window
from tests.media.test_video import disk_with
from tests.session.live import Bench, wait_for, write_photo


@pytest.fixture
def russian(qapp: QApplication) -> Iterator[None]:
    install(qapp, "ru")
    yield
    install(qapp, "en")


def test_settings_that_cannot_be_written_are_told_and_written_later(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path)
    path, banners = tmp_path / "settings.json", opened.window.notices.banners
    path.mkdir()  # a folder instead of a file
    opened.preferences.change(theme="dark")
    opened.preferences.save()
    banner = banners["own settings"]
    assert str(path) in banner.notice.message and banner.notice.hint
    opened.preferences.change(fps=25)
    opened.preferences.save()
    assert banners["own settings"] is banner, "told once"
    path.rmdir()
    opened.preferences.save()  # as the window does when it closes, even without changes
    assert "own settings" not in banners
    assert (load_settings(path)[0].theme, load_settings(path)[0].controls.fps) == ("dark", 25)


def test_a_full_disk_keeps_the_settings_of_before(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    preferences = Preferences(Settings(), path)
    preferences.change(fps=20)
    preferences.save()
    with disk_with(10), qtbot.waitSignal(preferences.problem):
        preferences.change(fps=10)
        preferences.save()
    assert load_settings(path) == (Settings().having(fps=20), [])
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


def test_a_slow_disk_holds_up_the_window_alone(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()

    def save_slowly(settings: Settings, path: Path) -> None:
        sent, frames = bench.sent, bench.frames
        wait_for(
            lambda: bench.sent > sent + 20 and bench.frames > frames + 20,
            "the call, while the window waits for its disk",
        )
        save_settings(settings, path)

    monkeypatch.setattr("avatar_app.gui.preferences.save_settings", save_slowly)
    with bench.session(
        Controls(avatar=write_photo(tmp_path), fps=60, size=(640, 480), model="drawing")
    ) as session:
        window, preferences, _ = show_window(qtbot, tmp_path, session)
        preferences.change(fps=50)
        preferences.save()
        window.close()
    assert load_settings(tmp_path / "settings.json")[0].controls.fps == 50
    assert bench.leaks == 0


def test_a_closing_window_saves_what_it_could_not(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path)
    with disk_with(10):
        opened.preferences.change(fps=10)
        opened.preferences.save()
    opened.window.close()
    assert load_settings(tmp_path / "settings.json")[0].controls.fps == 10


def test_the_processor_takes_over_and_the_user_may_try_the_card_again(qtbot: QtBot, tmp_path: Path) -> None:
    live = StandIn()
    opened = open_window(qtbot, tmp_path, live=live)
    notice = Notice(
        "engine",
        "warning",
        Text("The graphics card cuda:0 has failed: lost."),
        Text("The processor is used, which is slower."),
        ENGINE_ACTIONS,
    )
    live.report(notices=(notice,))
    opened.window.refresh()
    banner = opened.window.notices.banners["engine"]
    assert list(banner.buttons) == ["retry", "choose-model", "doctor"]
    banner.buttons["retry"].click()
    assert live.retried == ["engine"]
    live.status_now = LIVE
    opened.window.refresh()
    assert "engine" not in opened.window.notices.banners


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize(
    "text",
    [
        Text("The graphics card cuda:{} has failed: {}.", 0, "CUDA error: unspecified launch failure"),
        Text("The memory of cuda:{} is too small or taken for the model {}.", 0, "lite"),
        Text("The processor is used, which is slower."),
        Text("The model takes {:.0f} ms per frame on this computer.", 840.0),
        Text("The model has given no picture for {:.0f} seconds.", 5.0),
        Text("The {} stopped: the computer's memory is full.", "animation"),
        Text("The background cannot be used: {}", Text("There is no {} {}.", Text("photo"), "/a/b.png")),
        Text("The file {} is damaged: its SHA-256 is {}..., not {}....", "/a/finder.onnx", "0123", "4567"),
    ],
)
def test_faults_are_said_in_russian(text: Text) -> None:
    shown = in_user_language(text)
    assert re.search("[а-я]{3}", shown)  # noqa: RUF001
    assert not re.search("There is|has failed|cannot", shown)
