"""The languages of the window.

English is in the code; the others are in the folder ``translations``. After texts have changed, ``python -m
tests.gui.texts`` brings ``avatar_ru.ts`` up to date; translate what is unfinished there, for example with
``pyside6-linguist``, and run it again.
"""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

log = logging.getLogger(__name__)

FOLDER = Path(__file__).with_suffix("")
OURS = "avatar"
LANGUAGES = ("en", "ru")


def install(application: QCoreApplication, language: str = "") -> str:
    """Switch the application to a language; return it.

    Open windows get a ``LanguageChange`` event; later ones use it from the start.

    Args:
        language: one of ``LANGUAGES``; empty or another: the first known one of the system's languages, else
            English.
    """
    for old in application.findChildren(QTranslator):
        application.removeTranslator(old)
        old.deleteLater()
    used = language if language in LANGUAGES else system_language()
    QLocale.setDefault(QLocale(used) if language in LANGUAGES else QLocale.system())
    if used == "en":
        return used
    # Qt's own texts, such as those of dialogs' buttons, come with Qt.
    for folder, name in (
        (Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)), "qtbase"),
        (FOLDER, OURS),
    ):
        translator = QTranslator(application)
        if translator.load(f"{name}_{used}", str(folder)):
            application.installTranslator(translator)
        else:
            log.warning("no translation %s_%s in %s", name, used, folder)
            translator.deleteLater()
    return used


def system_language() -> str:
    """Return the first of the system's languages that is supported, else English."""
    wanted = (name.replace("_", "-").split("-")[0].lower() for name in QLocale.system().uiLanguages())
    return next((language for language in wanted if language in LANGUAGES), "en")
