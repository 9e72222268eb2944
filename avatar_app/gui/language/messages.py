"""Translate errors, notices and findings of the other parts.

Those parts know no languages: they make a `Text` of a template and values. Here the template is translated,
in the context ``Messages`` of the translation files.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from avatar_app.text import Text

CONTEXT = "Messages"


def in_user_language(text: Text) -> str:
    """Translate a text of an ``AvatarError``, ``Notice`` or ``Check``.

    Templates without a translation stay English.
    """
    return text.translated(lambda template: QCoreApplication.translate(CONTEXT, template))
