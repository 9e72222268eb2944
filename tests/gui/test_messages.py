"""Sentences of the other parts are known again, with their values, and none is listed that nobody says."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication

import avatar_app
from avatar_app.errors import PortraitError
from avatar_app.gui.language.messages import BETWEEN_SENTENCES, MESSAGES, in_user_language
from avatar_app.gui.language.translations import install
from avatar_app.hotkeys.listener import Hotkeys
from avatar_app.media.photo import read_portrait
from avatar_app.photos.library import Library

FEWEST = 8
"""Fixed letters that make a sentence one that can be known again."""
PACKAGE = Path(avatar_app.__file__).parent
ANY = "\0"
"""Stands for a value in a text."""
AT_THE_END = re.compile(f"{ANY} (?=[A-Z])")
"""A value that ends a sentence or is one."""
CHECKS = (
    "doctor/checks.py",
    "doctor/nvidia.py",
    "outputs/virtual_cameras.py",
    "hotkeys/listener.py",
    "hotkeys/x11.py",
    "hotkeys/windows.py",
    "hotkeys/macos.py",
    "hotkeys/combination.py",
)
JOINED = {
    "Install Python {0} or newer.",
    "{0} on Linux {1}",
    "{0} on Windows {1}",
    "{0} on Darwin {1}",
    "{0} (driver {1}), {2}.",
    "Run {0}.",
    "It could not be checked: {0}.",
    "{0} ({1} files), {2}.",
    "{0} up to {1} x {2}.",
    "{0}, {1} more).",
    "{0}, {1} more); {2}.",
    "The hotkey {0} ({1}) {2}; choose another in the settings ({3} more).",
    "{0}; {1}.",
    "{0}, open in {1}.",
}
"""Listed sentences of which the sources have but pieces; ``FOUND`` has them whole."""
NAMES = re.compile(
    r"`[^`]*`|\(\w+Error\)|exclusive_caps on|USB Camera|/dev/video\d+|Avatar Camera|NVIDIA|GeForce RTX|PyTorch|cu\d+|cpu|lite|faces|SHA-256"
    r"|zoom|obs|Wayland|PipeWire|Linux x86_64|Linux, x86_64|macOS|Ctrl|Alt|MJPG|YUYV|NV12"
)
"""What is not translated."""
SHARED = "It is running; the camera, the speed and the hotkeys are shared with it."
JOINED |= {SHARED, f"{SHARED} shows avatar", f"{SHARED} shows self", f"{SHARED} shows card {{0}}"}
FOUND = [
    "3.12.1 on Linux x86_64",
    "NVIDIA GeForce RTX 3060 (driver 580.65), PyTorch 2.13.0+cu130.",
    "NVIDIA GeForce RTX 3060 (driver 580.65) is not used: this PyTorch (2.13.0+cpu) is built for the processor alone.",
    "No NVIDIA card: the processor computes. PyTorch 2.13.0+cpu.",
    "No NVIDIA card: the processor computes. PyTorch is not installed.",
    "Run `a`, then `b`. The output PipeWire needs no kernel module.",
    "It could not be checked: (ValueError).",
    "lite (5 files), faces (3 files): as published.",
    "lite (5 files): as published. The file /1/2 is damaged: its SHA-256 is 0123..., not 4567....",
    "USB Camera (MJPG up to 1920 x 1080).",
    "USB Camera (MJPG up to 1920 x 1080, YUYV up to 640 x 480, NV12 up to 640 x 480, 2 more); USB Camera (YUYV up to 640 x 480).",
    "USB Camera (MJPG up to 1920 x 1080, YUYV, NV12 up to 640 x 480, 2 more). You may not use USB Camera.",
    "USB Camera (YUYV up to 640 x 480). USB Camera is in use by zoom; USB Camera is in use by obs.",
    "You may not use USB Camera (/dev/video0).",
    "Avatar Camera (/dev/video20, exclusive_caps on, open in zoom, open in obs); Avatar Camera (/dev/video21, exclusive_caps on).",
    SHARED,
    f"{SHARED} shows avatar",
    f"{SHARED} shows card uncalibrated",
    "The hotkey Ctrl+Alt+X (recalibrate) is taken by another program; choose another in the settings (3 more).",
    "Ctrl+Alt+X, Ctrl+Alt+P are free.",
    "Wayland has no hotkeys for programs like this. Bind keys of your desktop to `python run.py control recalibrate`.",
    "31 fps with lite, PyTorch.",
    "The hotkey Ctrl+Alt+X (recalibrate) types a character on this keyboard; choose another in the settings.",
    "The hotkey Ctrl+Alt+P (pause) is refused by the system (error 87); choose another in the settings.",
    "The system gives no hotkeys: no answer. Bind keys of your desktop to `python run.py control recalibrate`.",
]


@pytest.fixture
def russian(qapp: QCoreApplication) -> Iterator[None]:
    install(qapp, "ru")
    yield
    install(qapp, "en")


@pytest.mark.usefixtures("qapp")
def test_english_stays_as_it_is() -> None:
    assert in_user_language("The camera Integrated was unplugged.") == "The camera Integrated was unplugged."


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("Connect it again.", "Подключите её снова."),
        ("The camera HD Cam (2): x.y was unplugged.", "Камеру HD Cam (2): x.y отключили."),
        (
            "There are 3 faces in /a b/c.jpg; number 2 from the left moves.",
            "Лиц на фото /a b/c.jpg: 3; движется 2-е слева.",  # noqa: RUF001
        ),
        ("There is no photo /a/b.jpg.", "Нет фото /a/b.jpg."),
        ("There is no virtual camera on this computer.", "На этом компьютере нет виртуальной камеры."),  # noqa: RUF001
        ("Nobody has ever said this.", "Nobody has ever said this."),
        ("", ""),
    ],
)
def test_known_sentences_are_translated_with_their_values(english: str, translated: str) -> None:
    assert in_user_language(english) == translated


@pytest.mark.usefixtures("russian")
def test_real_errors_are_known(tmp_path: Path) -> None:
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


def said() -> Iterator[str]:
    """All texts of the package as patterns, where a value may be anything.

    Without the lists themselves.
    """
    for path in PACKAGE.rglob("*.py"):
        if path.name not in ("messages.py", "check_messages.py"):
            for text in texts_of(path):
                for part in (text, *re.split(r"(?<=\.) |" + AT_THE_END.pattern, text.strip())):
                    if len(part.replace(ANY, "")) >= FEWEST or ANY not in text:
                        yield re.escape(part).replace(ANY, ".+")


def texts_of(path: Path) -> Iterator[str]:
    """The texts in a source file, ``ANY`` for each value.

    Without descriptions of what they stand in.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = [value for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values]
    described = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in described
            and node not in parts
        ):
            yield node.value


def test_every_listed_sentence_is_said_somewhere() -> None:
    patterns = set(said())
    known = re.compile("|".join(patterns | {rf"{pattern}\." for pattern in patterns}))
    changed_by_the_library = {"The picture is damaged or cut short: {0}.", "The picture is empty (0 bytes)."}
    changed_by_the_library |= {
        "What was pasted is not a picture that can be read.",
        "The picture has only {0} pixels.",
    }
    assert (
        not {str(message) for message in MESSAGES if not known.fullmatch(str(message))}
        - changed_by_the_library
        - JOINED
    )


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize("module", CHECKS)
def test_every_sentence_of_checks_and_hotkeys_is_known(module: str) -> None:
    texts = [
        AT_THE_END.sub("X1. ", text).replace(ANY, "X1").strip()
        for text in texts_of(PACKAGE / module)
        if text.endswith(".")
    ]
    assert texts
    for text in texts:
        shown = in_user_language(text)
        for sentence in BETWEEN_SENTENCES.split(text):
            assert sentence not in shown or not re.search("[a-z]{3}", sentence), sentence


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize("text", FOUND)
def test_what_is_joined_from_pieces_is_all_translated(text: str) -> None:
    shown = in_user_language(text)
    assert shown != text
    assert not re.findall("[A-Za-z]{2,}", NAMES.sub("", shown)), shown
    assert sorted(re.findall("`[^`]*`", shown)) == sorted(re.findall("`[^`]*`", text))


@pytest.mark.usefixtures("russian")
def test_real_hotkey_problems_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("avatar_app.hotkeys.listener.sys.platform", "linux")
    bindings = {"recalibrate": "Ctrl+Alt+X", "pause": "Ctrl+Alt+X", "next": "Q", "previous": "Ctrl+Nothing"}
    hotkeys = Hotkeys(bindings, lambda action: None)
    problems = hotkeys.start()
    hotkeys.close()
    assert len(problems) == 4
    for problem in problems:
        for sentence in BETWEEN_SENTENCES.split(in_user_language(problem)):
            assert re.search("[а-я]{3}", sentence), problem  # noqa: RUF001
    assert "калибровка" in in_user_language(problems[0])
