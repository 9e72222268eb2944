"""The window's icons, drawn as lines on a square of 24 in the colour of the text."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPen, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from avatar_app.paths import icons_folder

SHAPES = {
    "pause": '<path d="M8 5v14M16 5v14"/>',
    "resume": '<path d="M7 5l12 7-12 7z"/>',
    "record": '<circle cx="12" cy="12" r="8"/><circle cx="12" cy="12" r="3.2" fill="{colour}"/>',
    "stop": '<rect x="6" y="6" width="12" height="12" rx="1.5"/>',
    "snapshot": '<path d="M3 8h4l2-3h6l2 3h4v11H3z"/><circle cx="12" cy="13" r="3.5"/>',
    "refresh": '<path d="M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4h-4"/>',
    "sliders": '<path d="M4 7h9M17 7h3M4 12h3M11 12h9M4 17h10M18 17h2"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="12" r="2"/>'
    '<circle cx="16" cy="17" r="2"/>',
    "gallery": '<rect x="4" y="4" width="7" height="7" rx="1"/><rect x="13" y="4" width="7" height="7" rx="1"/>'
    '<rect x="4" y="13" width="7" height="7" rx="1"/><rect x="13" y="13" width="7" height="7" rx="1"/>',
    "target": '<circle cx="12" cy="12" r="7"/><path d="M12 2.5v5M12 16.5v5M2.5 12h5M16.5 12h5"/>',
    "star": '<path d="M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z"/>',
    "ghost": '<path d="M5 20V11a7 7 0 0 1 14 0v9l-2.3-2-2.4 2-2.3-2-2.3 2-2.4-2z"/><path d="M9.5 10.5v1M14.5 10.5v1"/>',
    "points": '<path d="M4 18l5-9 5 5 6-9"/><circle cx="9" cy="9" r="1"/><circle cx="14" cy="14" r="1"/>',
    "mirror": '<path d="M12 3v18M9 8l-5 9h5zM15 8l5 9h-5z"/>',
    "close": '<path d="M6 6l12 12M18 6L6 18"/>',
    "warning": '<path d="M12 4l9 16H3zM12 10v4.5M12 17.2v.3"/>',
    "error": '<circle cx="12" cy="12" r="9"/><path d="M12 7v6M12 16.5v.3"/>',
    "info": '<circle cx="12" cy="12" r="9"/><path d="M12 11v6M12 7.2v.3"/>',
    "good": '<circle cx="12" cy="12" r="9"/><path d="M8 12.5l2.7 2.7L16 9.5"/>',
    "open": '<path d="M9 5l7 7-7 7"/>',
    "opened": '<path d="M5 9l7 7 7-7"/>',
    "face": '<circle cx="12" cy="12" r="9"/><path d="M8.5 9.5v1M15.5 9.5v1M8 14.5c2.3 2.6 5.7 2.6 8 0"/>',
    "window": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="M3 9h18"/>',
    "menu": '<path d="M4 7h16M4 12h16M4 17h16"/>',
    "picture": '<rect x="3" y="4.5" width="18" height="15" rx="2"/><circle cx="8.5" cy="9.5" r="1.6"/>'
    '<path d="M3.5 17l5-4.5 4 3.5 3.5-3 4.5 4"/>',
    "full": '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>',
    "swap": '<path d="M4 8h14M14 4l4 4-4 4M20 16H6M10 12l-4 4 4 4"/>',
    "search": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="M15.5 15.5L20.5 20.5"/>',
    "copy": '<rect x="8" y="8" width="12" height="12" rx="2"/><path d="M16 8V4H4v12h4"/>',
    "quit": '<path d="M12 3v8M6.5 6.5a8 8 0 1 0 11 0"/>',
}
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{colour}" stroke-width="1.8"'
    ' stroke-linecap="round" stroke-linejoin="round">{shape}</svg>'
)
SIDES = (16, 32, 64)


def pixmap(name: str, colour: str, side: int = 64, ratio: float = 1) -> QPixmap:
    """Draw one icon, ``side`` pixels wide and high.

    Args:
        ratio: the screen's, in pixels for each unit.
    """
    key = f"{name} {colour} {side} {ratio}"
    drawn = QPixmap()
    if QPixmapCache.find(key, drawn):
        return drawn
    shape = SHAPES[name].replace("{colour}", colour)
    renderer = QSvgRenderer(QByteArray(SVG.format(colour=colour, shape=shape).encode()))
    drawn = QPixmap(side, side)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    renderer.render(painter, QRectF(0, 0, side, side))
    painter.end()
    drawn.setDevicePixelRatio(ratio)
    QPixmapCache.insert(key, drawn)
    return drawn


def icon(name: str, colour: str | None = None) -> QIcon:
    """Return an icon in the colour of button texts, or in ``colour``.

    Sharp at every scale of the screen.
    """
    palette = QApplication.palette()
    plain = colour or palette.color(QPalette.ColorRole.ButtonText).name()
    disabled = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText).name()
    made = QIcon()
    for side in SIDES:
        made.addPixmap(pixmap(name, plain, side), QIcon.Mode.Normal)
        made.addPixmap(pixmap(name, disabled, side), QIcon.Mode.Disabled)
    return made


APP_SIDES = (16, 24, 32, 48, 64, 128, 256)
"""Sides of the app's own icon; the files are made from ``avatar-app.svg`` beside them."""

DOTS = {"good": "#2fbf71", "warning": "#f0a92e", "bad": "#e23b3b"}
"""Kind of a headline -> colour of the dot on the app's icon."""


def app_icon(kind: str = "") -> QIcon:
    """Return the app's own icon, with a dot for what others see.

    Args:
        kind: as in ``headline.Headline``.
    """
    made = QIcon()
    for side in APP_SIDES:
        drawn = QPixmap(str(icons_folder() / f"avatar-app-{side}.png"))
        if kind in DOTS and not drawn.isNull():
            _dot(drawn, DOTS[kind])
        made.addPixmap(drawn)
    return made


def _dot(drawn: QPixmap, colour: str) -> None:
    side = drawn.width()
    painter = QPainter(drawn)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor("#ffffff"), side * 0.05))
    painter.setBrush(QColor(colour))
    painter.drawEllipse(QRectF(side * 0.6, side * 0.6, side * 0.36, side * 0.36))
    painter.end()
