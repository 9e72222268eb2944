"""Banners for the session's notices.

They appear and disappear with the notices.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.language.texts import notice_action
from avatar_app.gui.shortcuts import focus_by_tab_alone
from avatar_app.gui.style.icons import icon, pixmap
from avatar_app.gui.style.theme import current, restyle
from avatar_app.gui.style.widgets import Badge, fill, label
from avatar_app.session.controls import Notice

MOST = 3
"""Limit of banners at a time. More would push the pictures out of the window; the next one appears when one
goes.
"""
ROOMS = {400: 1, 540: 2}
"""Height of the picture area below which there are fewer banners -> their number."""


class Banner(QFrame):
    """One notice with its buttons."""

    acted = Signal(str, str)
    closed = Signal(str)

    def __init__(self, notice: Notice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notice = notice
        self.buttons: dict[str, QPushButton] = {}
        theme = current(self)
        colour = {"error": theme.bad, "warning": theme.warning, "info": theme.info}[notice.level]
        sign = label()
        sign.setPixmap(pixmap(notice.level, colour, 40, 2))
        message = label(in_user_language(notice.message), "heading", wrap=True)
        hint = label(in_user_language(notice.hint), "", wrap=True)
        for text in (message, hint):
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        if not notice.hint:  # without a parent it would be a window, which takes the focus
            hint.hide()
        texts = fill(QVBoxLayout(), message, hint, spacing=1)
        whole, line = QVBoxLayout(self), QHBoxLayout()
        whole.setContentsMargins(12, 8, 8, 8)
        whole.setSpacing(6)
        whole.addLayout(line)
        line.setSpacing(10)
        line.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        actions = fill(QHBoxLayout(), margins=(30, 0, 0, 0), spacing=6)
        for name in notice.actions:
            button = QPushButton(notice_action(name))
            button.clicked.connect(lambda _=False, name=name: self.acted.emit(notice.about, name))
            self.buttons[name] = button
            actions.addWidget(button)
        if notice.actions:
            actions.addStretch(1)
            whole.addLayout(actions)
        self.close_button = QToolButton()
        self.close_button.setIcon(icon("close"))
        self.close_button.setIconSize(QSize(12, 12))
        self.close_button.setProperty("role", "plain")
        self.close_button.setToolTip(self.tr("Hide"))
        self.close_button.setAccessibleName(self.tr("Hide"))
        self.close_button.clicked.connect(lambda: self.closed.emit(notice.about))
        line.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self.more = Badge()
        self.more.hide()
        line.insertWidget(line.count() - 1, self.more, 0, Qt.AlignmentFlag.AlignTop)
        self.setAccessibleName(f"{message.text()} {hint.text()}")
        restyle(self, banner=notice.level)
        focus_by_tab_alone(self)

    def say_more(self, count: int) -> None:
        """Show how many notices wait behind this one."""
        self.more.say(self.tr("+{0} more").format(count), "info")
        self.more.setVisible(count > 0)


class NoticeBar(QWidget):
    """At most ``MOST`` banners, errors first.

    ``acted`` carries a notice's subject and the chosen action.
    """

    acted = Signal(str, str)
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.banners: dict[str, Banner] = {}
        self._own: dict[str, Notice] = {}
        self._pipeline: tuple[Notice, ...] = ()
        self._hidden: set[Notice] = set()
        self._most = MOST
        self._column = fill(QVBoxLayout(self), margins=0, spacing=6)
        self.hide()

    def show_notices(self, notices: tuple[Notice, ...]) -> None:
        """Show these notices of the session; banners of earlier ones go."""
        if notices != self._pipeline:
            self._pipeline = notices
            self._hidden &= set(notices)  # a problem that comes back is new
            if any(notice.about == "avatar" for notice in notices):
                self._own.pop(
                    "gallery", None
                )  # a photo's problem, reported when it was used; it ends with its cause
            self._rebuild()

    def set_room(self, height: int) -> None:
        """Show fewer banners on a lower picture area; height in pixels."""
        most = next((count for limit, count in ROOMS.items() if height < limit), MOST)
        if most != self._most:
            self._most = most
            self._rebuild()

    def add(self, notice: Notice) -> None:
        """Show a notice of the window's own.

        Until the user hides it or there is another one on the subject.
        """
        self._own[notice.about] = notice
        self._rebuild()

    def remove(self, about: str) -> None:
        """Remove the window's own notice on a subject."""
        if self._own.pop(about, None) is not None:
            self._rebuild()

    def take_over(self, before: NoticeBar) -> None:
        """Show another bar's notices in the current language."""
        self._own, self._pipeline, self._hidden = before._own, before._pipeline, before._hidden
        self._rebuild()

    def draw_again(self) -> None:
        """Redraw after a change of theme or language."""
        for about in list(self.banners):
            self._drop(about)
        self._rebuild()

    def _rebuild(self) -> None:
        order = {"error": 0, "warning": 1, "info": 2}
        all_notices = [
            notice for notice in (*self._own.values(), *self._pipeline) if notice not in self._hidden
        ]
        shown = sorted(all_notices, key=lambda notice: order[notice.level])[: self._most]
        wanted = {self._key(notice): notice for notice in shown}
        for key in [key for key, banner in self.banners.items() if wanted.get(key) != banner.notice]:
            self._drop(key)
        for place, (key, notice) in enumerate(wanted.items()):
            if key not in self.banners:
                banner = Banner(notice, self)
                banner.acted.connect(self.acted)
                banner.closed.connect(lambda _about, key=key: self._hide(key))
                self.banners[key] = banner
                self._column.insertWidget(place, banner)
            self.banners[key].say_more(len(all_notices) - len(shown) if place == len(wanted) - 1 else 0)
        self.setVisible(bool(self.banners))
        self.changed.emit()

    def height_for(self, width: int) -> int:
        """Return the height of all banners at a width, in pixels."""
        heights = [banner.heightForWidth(width) for banner in self.banners.values()]
        return sum(heights) + self._column.spacing() * max(0, len(heights) - 1)

    def _key(self, notice: Notice) -> str:
        return f"own {notice.about}" if self._own.get(notice.about) is notice else notice.about

    def _hide(self, key: str) -> None:
        notice = self.banners[key].notice
        if key.startswith("own "):
            self._own.pop(notice.about, None)
        else:
            self._hidden.add(notice)
        self._rebuild()

    def _drop(self, key: str) -> None:
        banner = self.banners.pop(key)
        self._column.removeWidget(banner)
        banner.hide()
        banner.deleteLater()
