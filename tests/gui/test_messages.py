"""Messages of other parts are shown in the user's language, with their values."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication

from avatar_app.doctor import checks, nvidia
from avatar_app.errors import PortraitError
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.language.translations import install
from avatar_app.hotkeys.combination import INSTEAD, parse, refused
from avatar_app.hotkeys.listener import Hotkeys
from avatar_app.media.photo import read_portrait
from avatar_app.paths import PACKAGE
from avatar_app.photos.library import Library
from avatar_app.text import NOTHING, Text, join
from tests.gui.texts import calls_of_text

NAMES = re.compile(r"`[^`]*`|Ctrl|Alt|Wayland|lite|faces|SHA-256|PyTorch|NVIDIA|GeForce RTX|OBS|MJPG|YUYV")
"""Texts that are not translated."""


@pytest.fixture
def russian(qapp: QCoreApplication) -> Iterator[None]:
    install(qapp, "ru")
    yield
    install(qapp, "en")


@pytest.mark.usefixtures("qapp")
def test_english_stays_as_it_is() -> None:
    text = Text("The camera {} was unplugged.", "Integrated")
    assert in_user_language(text) == "The camera Integrated was unplugged."


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize(
    ("english", "translated"),
    [
        (Text("Connect it again."), "Подключите её снова."),
        (Text("The camera {} was unplugged.", "HD Cam (2): x.y"), "Камеру HD Cam (2): x.y отключили."),
        (
            Text("There are {} faces in {}; number {} from the left moves.", 3, "/a b/c.jpg", 2),
            "Лиц на фото /a b/c.jpg: 3; движется 2-е слева.",  # noqa: RUF001
        ),
        (Text("There is no {} {}.", Text("photo"), "/a/b.jpg"), "Нет фото /a/b.jpg."),
        (
            Text("There is no virtual camera on this computer."),
            "На этом компьютере нет виртуальной камеры.",  # noqa: RUF001
        ),
        (Text("Nobody has ever said this."), "Nobody has ever said this."),
        (NOTHING, ""),
    ],
)
def test_messages_are_translated_with_their_values(english: Text, translated: str) -> None:
    assert in_user_language(english) == translated


@pytest.mark.usefixtures("russian")
def test_real_errors_are_translated(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "empty.jpg").touch()
    library = Library(tmp_path / "user", tmp_path / "none")
    failing: list[Callable[[], object]] = [
        lambda: read_portrait(tmp_path / "text.jpg"),
        lambda: read_portrait(tmp_path / "empty.jpg"),
        lambda: read_portrait(tmp_path / "missing.jpg"),
        lambda: read_portrait(tmp_path),
        lambda: library.add_bytes(b"no photo"),
        lambda: library.add_bytes(b""),
    ]
    for fail in failing:
        with pytest.raises(PortraitError) as caught:
            fail()
        for text in (caught.value.message, caught.value.hint):
            assert re.search("[а-я]{3}", in_user_language(text)), text  # noqa: RUF001
        if str(tmp_path) in caught.value.message:
            assert str(tmp_path) in in_user_language(caught.value.message)


def test_what_was_pasted_has_no_path(tmp_path: Path) -> None:
    library = Library(tmp_path / "user", tmp_path / "none")
    for data in (b"no photo", b"", b"\xff\xd8\xff\xe0"):
        with pytest.raises(PortraitError) as caught:
            library.add_bytes(data)
        assert str(tmp_path) not in caught.value.message
        assert "avatar" not in caught.value.message and "picture" in caught.value.message


def test_every_template_is_a_literal() -> None:
    """Otherwise the translations could not be checked; only the module of texts itself creates others."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "text.py":
            for call in calls_of_text(ast.parse(path.read_text(encoding="utf-8"))):
                first = call.args[0]
                literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
                assert literal, f"{path}:{call.lineno}"


def test_every_template_has_a_value_for_each_place() -> None:
    for path in PACKAGE.rglob("*.py"):
        for call in calls_of_text(ast.parse(path.read_text(encoding="utf-8"))):
            template = call.args[0]
            if isinstance(template, ast.Constant) and not any(isinstance(a, ast.Starred) for a in call.args):
                places = len(re.findall(r"(?<!\{)\{[:}]", str(template.value)))
                assert places == len(call.args) - 1, f"{path}:{call.lineno}"


CARD = nvidia.Card("NVIDIA GeForce RTX 3060", "580.65", 8.6)
FOUND = [
    Text("{} is not used: {}.", CARD.title, nvidia.misfit(nvidia.Card("old", "470", 7.0), "2.13.0")),
    Text(
        "{}: as published.", join([Text("{} ({} files)", "lite", 5), Text("{} ({} files)", "faces", 3)], ", ")
    ),
    join(
        [
            Text("{}: as published.", "lite"),
            Text("The file {} is damaged: its SHA-256 is {}..., not {}....", 1, 2, 3),
        ]
    ),
    checks._shown("shows avatar"),
    checks._shown("shows card uncalibrated"),
    checks._with_details("OBS", ["MJPG", Text("{} up to {} x {}", "YUYV", 640, 480), Text("{} more", 2)]),
    *refused(
        {
            parse("Ctrl+Alt+X"): Text("taken by another program"),
            parse("Ctrl+Alt+2"): Text("taken by another program"),
            parse("Ctrl+Alt+L"): Text("refused by the system, error {}", 87),
        },
        {
            parse("Ctrl+Alt+X"): "recalibrate",
            parse("Ctrl+Alt+2"): "avatar-2",
            parse("Ctrl+Alt+L"): "express-look",
        },
    ),
    join([Text("The system gives no hotkeys: {}.", Text("no answer")), INSTEAD]),
]


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize("text", FOUND)
def test_what_is_joined_from_pieces_is_all_translated(text: Text) -> None:
    shown = in_user_language(text)
    assert shown != text
    assert not re.findall("[A-Za-z]{2,}", NAMES.sub("", shown)), shown
    assert sorted(re.findall("`[^`]*`", shown)) == sorted(re.findall("`[^`]*`", text))


@pytest.mark.usefixtures("russian")
def test_real_hotkey_problems_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("avatar_app.hotkeys.listener.sys.platform", "linux")
    bindings = {"recalibrate": "Ctrl+Alt+X", "pause": "Ctrl+Alt+X", "next": "Q", "previous": "Ctrl+Nothing"}
    hotkeys = Hotkeys(bindings, lambda action: None)
    problems = hotkeys.start()
    hotkeys.close()
    assert len(problems) == 4
    for problem in problems:
        for sentence in re.split(r"(?<=\.) (?=[A-ZА-Я])", in_user_language(problem)):  # noqa: RUF001
            assert re.search("[а-я]{3}", sentence), problem  # noqa: RUF001
    assert "калибровка" in in_user_language(problems[0])
