"""Every text of the window has a matching Russian translation, and the compiled file matches the source."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QLocale, QTranslator
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from avatar_app.gui.language.translations import FOLDER, LANGUAGES, install, system_language
from avatar_app.gui.settings import LANGUAGES as SETTINGS_LANGUAGES
from tests.gui.texts import Key, used_texts

OTHERS = [language for language in LANGUAGES if language != "en"]
MNEMONIC = re.compile(r"&(?=\S)")
COMMAND = re.compile("`[^`]*`")
PLACEHOLDER = re.compile(r"\{[^}]*\}|%\d|%n")


def translated(language: str) -> dict[Key, list[str]]:
    """(context, text) -> its finished translation, or all its plural forms."""
    found: dict[Key, list[str]] = {}
    for context in ET.parse(FOLDER / f"avatar_{language}.ts").getroot().findall("context"):
        for message in context.findall("message"):
            translation = message.find("translation")
            assert translation is not None
            forms = [form.text or "" for form in translation.findall("numerusform")] or [
                translation.text or ""
            ]
            if translation.get("type") is None and all(forms):
                found[context.findtext("name", ""), message.findtext("source", "")] = forms
    return found


def numbered(text: str) -> str:
    """A template with its placeholders as in translations: ``{0}``, ``{1:.1f}``."""
    numbers = itertools.count()
    return re.sub(r"\{(?=[}:])", lambda _: f"{{{next(numbers)}", text)


def test_the_texts_are_found() -> None:
    texts = used_texts()
    assert len(texts) > 250
    assert ("Gallery", "Rename") in texts and ("Actions", "Calibrate") in texts
    assert ("Messages", "The camera {} was unplugged.") in texts


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language: str) -> None:
    missing = sorted(used_texts() - translated(language).keys())
    assert not missing, "run python -m tests.gui.texts, then translate what is unfinished in the .ts file"


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_left_over(language: str) -> None:
    assert not sorted(translated(language).keys() - used_texts())


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_what_is_filled_in(language: str) -> None:
    for (context, text), forms in translated(language).items():
        for form in forms:
            assert sorted(PLACEHOLDER.findall(form)) == sorted(PLACEHOLDER.findall(numbered(text))), (
                context,
                text,
            )
            assert form.endswith("...") == text.endswith("..."), (context, text)
            if context == "Messages":
                assert COMMAND.findall(form) == COMMAND.findall(numbered(text))
            else:  # it marks a mnemonic
                assert len(MNEMONIC.findall(form)) == len(MNEMONIC.findall(text)), (context, text)
            assert form.strip() == form


@pytest.mark.parametrize("language", OTHERS)
def test_compiled_file_says_the_same(language: str) -> None:
    translator = QTranslator()
    assert translator.load(str(FOLDER / f"avatar_{language}.qm"))
    for (context, text), forms in translated(language).items():
        compiled = translator.translate(context, text, "", 5 if len(forms) > 1 else -1)
        assert compiled in forms, (context, text)


@pytest.fixture
def back_to_english(qapp: QCoreApplication) -> Iterator[None]:
    before = QLocale()
    yield
    install(qapp, "en")
    QLocale.setDefault(before)


@pytest.mark.usefixtures("back_to_english")
def test_install_switches_back_and_forth(qapp: QCoreApplication, qtbot: QtBot) -> None:
    assert install(qapp, "ru") == "ru"
    assert QCoreApplication.translate("GalleryModel", "Add photo") == "Добавить фото"
    counted = "%n faces were found. Click another one, or press the button again."
    plurals = [QCoreApplication.translate("CropEditor", counted, "", number) for number in (2, 5, 21)]
    assert [plural.split(".")[0] for plural in plurals] == [
        "Найдено 2 лица",
        "Найдено 5 лиц",
        "Найдено 21 лицо",
    ]
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    qtbot.addWidget(buttons)
    assert "Отмена" in buttons.buttons()[0].text().replace("&", "")
    assert install(qapp, "en") == "en"
    assert QCoreApplication.translate("GalleryModel", "Add photo") == "Add photo"


@pytest.mark.usefixtures("back_to_english")
def test_system_language(qapp: QCoreApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    for wanted, spoken in ((["de-DE", "ru-RU", "en-US"], "ru"), (["C"], "en"), (["ru_RU"], "ru"), ([], "en")):
        monkeypatch.setattr(QLocale, "uiLanguages", lambda _, wanted=wanted: wanted)
        assert system_language() == spoken
        assert install(qapp, "") == spoken
        assert install(qapp, "xx") == spoken


def test_settings_offer_the_languages_there_are() -> None:
    assert set(SETTINGS_LANGUAGES) == {"", *LANGUAGES}
    assert {path.stem.removeprefix("avatar_") for path in FOLDER.glob("*.qm")} == set(OTHERS)
