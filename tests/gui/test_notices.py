"""Banners appear with a notice, offer its actions, and disappear with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from avatar_app.gui.language.texts import NOTICE_ACTIONS
from avatar_app.gui.panels.notices import MOST, NoticeBar
from avatar_app.session.controls import Notice
from avatar_app.text import NOTHING, Text
from tests.gui.windows import Opened, open_window

UNPLUGGED = Notice(
    "camera",
    "error",
    Text("The camera was unplugged."),
    Text("Connect it again."),
    ("retry", "choose-camera"),
)
NO_FACE = Notice(
    "face", "warning", Text("The camera does not see a face."), Text("Sit in front of the camera.")
)


@pytest.fixture
def bar(qtbot: QtBot) -> NoticeBar:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    return bar


def test_banners_come_and_go(bar: NoticeBar) -> None:
    bar.show_notices((UNPLUGGED, NO_FACE))
    assert list(bar.banners) == ["camera", "face"]
    assert not bar.isHidden()
    bar.show_notices((NO_FACE,))
    assert list(bar.banners) == ["face"]
    bar.show_notices(())
    assert bar.isHidden()


def test_an_unchanged_notice_keeps_its_banner(bar: NoticeBar) -> None:
    bar.show_notices((UNPLUGGED,))
    banner = bar.banners["camera"]
    bar.show_notices((UNPLUGGED, NO_FACE))
    assert bar.banners["camera"] is banner


def test_never_more_than_three_and_errors_first(bar: NoticeBar) -> None:
    notices = tuple(Notice(f"thing {number}", "info", Text("Something.")) for number in range(4))
    bar.show_notices((*notices, UNPLUGGED))
    assert len(bar.banners) == MOST
    assert "camera" in bar.banners
    assert "+2" in list(bar.banners.values())[-1].more.text()
    bar.set_room(380)
    assert list(bar.banners) == ["camera"]


def test_a_hidden_notice_comes_back_when_it_is_news(bar: NoticeBar) -> None:
    bar.show_notices((NO_FACE,))
    bar.banners["face"].close_button.click()
    assert bar.isHidden()
    bar.show_notices((NO_FACE, UNPLUGGED))
    assert list(bar.banners) == ["camera"]
    bar.show_notices(())
    bar.show_notices((NO_FACE,))
    assert list(bar.banners) == ["face"]


def test_own_notices_stay_until_they_are_hidden(bar: NoticeBar) -> None:
    bar.add(Notice("snapshot", "warning", Text("The disk is full.")))
    bar.show_notices((UNPLUGGED,))
    bar.show_notices(())
    assert list(bar.banners) == ["own snapshot"]
    bar.banners["own snapshot"].close_button.click()
    assert bar.isHidden()


@pytest.mark.parametrize("action", NOTICE_ACTIONS)
def test_every_action_has_a_button_with_words(bar: NoticeBar, action: str) -> None:
    bar.show_notices((Notice("camera", "error", Text("x"), NOTHING, (action,)),))
    said: list[tuple[str, str]] = []
    bar.acted.connect(lambda about, name: said.append((about, name)))
    button = bar.banners["camera"].buttons[action]
    assert button.text() not in ("", action)
    button.click()
    assert said == [("camera", action)]


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    return open_window(qtbot, tmp_path)


def press(opened: Opened, action: str) -> None:
    opened.live.report(notices=(Notice("camera", "error", Text("x"), NOTHING, (action,)),))
    opened.window.refresh()
    opened.window.notices.banners["camera"].buttons[action].click()


def test_buttons_in_the_window_do_what_they_say(opened: Opened, qtbot: QtBot) -> None:
    press(opened, "retry")
    assert opened.live.retried == ["camera"]
    press(opened, "calibrate")
    assert opened.live.controls.calibrations == 1
    opened.live.change(paused=True)
    press(opened, "resume")
    assert not opened.live.controls.paused


@pytest.mark.parametrize(
    ("action", "section"),
    [
        ("choose-camera", "camera"),
        ("choose-output", "output"),
        ("choose-microphone", "microphone"),
        ("choose-model", "model"),
    ],
)
def test_buttons_lead_to_the_setting(opened: Opened, action: str, section: str) -> None:
    opened.window.view.drawer.hide()
    opened.window.view.panel.setCurrentIndex(1)
    press(opened, action)
    assert opened.window.view.drawer.isVisible()
    focused = opened.window.focusWidget()
    assert focused is not None
    assert opened.window.view.panel.sections[section].isAncestorOf(focused)


def test_a_photo_without_a_face_has_one_banner(bar: NoticeBar) -> None:
    bar.add(Notice("gallery", "warning", Text("No face was found in cat."), Text("Crop it by hand.")))
    bar.show_notices((UNPLUGGED,))
    assert set(bar.banners) == {"own gallery", "camera"}
    bar.show_notices((Notice("avatar", "error", Text("No face was found in cat.jpg.")),))
    assert set(bar.banners) == {"avatar"}
    bar.show_notices(())
    assert not bar.banners, "it goes with its cause"
