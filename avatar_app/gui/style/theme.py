"""Dark and light themes: a palette and one style sheet over Qt's Fusion style."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by purpose.

    Attributes:
        ground: behind everything; panel: panels; field: inputs and buttons; hover: under the pointer; line:
            between parts; edge: borders of controls, with a contrast of 3 to their surroundings.
        picture: behind pictures that do not fill their area.
        accent: what matters now, on_accent: text on it.
        good, warning, bad: states; their *_ground are for banners and badges.
    """

    ground: str
    panel: str
    field: str
    hover: str
    line: str
    edge: str
    text: str
    muted: str
    faint: str
    picture: str
    accent: str
    accent_hover: str
    on_accent: str
    good: str
    good_ground: str
    warning: str
    warning_ground: str
    bad: str
    bad_ground: str
    info: str
    info_ground: str


DARK = Theme(
    ground="#14171c",
    panel="#1b1f26",
    field="#262b34",
    hover="#303642",
    line="#2f3541",
    edge="#6c7688",
    text="#e8ebf0",
    muted="#a2abba",
    faint="#8d96a6",
    picture="#0d0f13",
    accent="#5b8cff",
    accent_hover="#749dff",
    on_accent="#0b1020",
    good="#4ecb8d",
    good_ground="#173328",
    warning="#f0b54a",
    warning_ground="#372c16",
    bad="#ff6b6b",
    bad_ground="#3d1d22",
    info="#7fb0ff",
    info_ground="#1b2a44",
)
LIGHT = Theme(
    ground="#f1f3f6",
    panel="#ffffff",
    field="#f3f5f8",
    hover="#e6eaf0",
    line="#d9dee6",
    edge="#848d9d",
    text="#1a1f29",
    muted="#566072",
    faint="#666f80",
    picture="#dfe3ea",
    accent="#2f63e0",
    accent_hover="#2452c4",
    on_accent="#ffffff",
    good="#0f7141",
    good_ground="#dcf4e7",
    warning="#8f5b00",
    warning_ground="#fdf0d3",
    bad="#c42b2b",
    bad_ground="#fde4e4",
    info="#2454b8",
    info_ground="#e3ecfd",
)

SHEET = """
QMainWindow, QDialog {{ background: {ground}; }}
QWidget {{ color: {text}; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QToolTip {{ background: {panel}; color: {text}; border: 1px solid {line}; padding: 5px; }}
QLabel[role="muted"] {{ color: {muted}; }}
QLabel[role="faint"] {{ color: {faint}; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="title"] {{ font-weight: 600; font-size: 15pt; }}
QLabel[role="problem"] {{ color: {warning}; }}
QFrame[role="panel"] {{ background: {panel}; border: 1px solid {line}; border-radius: 10px; }}
QScrollArea, QScrollArea > QWidget > QWidget[role="scrolled"] {{ background: transparent; border: none; }}

QPushButton, QToolButton {{ background: {field}; border: 1px solid {edge}; border-radius: 7px; padding: 6px 12px; }}
QToolButton {{ padding: 6px; }}
QPushButton:hover, QToolButton:hover {{ background: {hover}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {line}; }}
QPushButton:focus, QToolButton:focus {{ border: 2px solid {accent}; padding: 5px 11px; }}
QPushButton:disabled, QToolButton:disabled {{ color: {faint}; }}
QPushButton:checked, QToolButton:checked {{ background: {info_ground}; border-color: {accent}; color: {info}; }}
QPushButton:checked:focus, QToolButton:checked:focus {{ border: 2px solid {text}; }}
QPushButton[role="primary"] {{ background: {accent}; color: {on_accent}; border: 1px solid {accent}; font-weight: 600; padding: 8px 16px; }}
QPushButton[role="primary"]:hover {{ background: {accent_hover}; }}
QPushButton[role="primary"]:focus {{ border: 2px solid {text}; padding: 7px 15px; }}
QPushButton[role="primary"]:disabled {{ background: {field}; color: {faint}; border-color: {line}; }}
QPushButton[role="danger"]:checked, QPushButton[role="danger-now"] {{ background: {bad_ground}; color: {bad}; border-color: {bad}; }}
QToolButton[role="plain"], QPushButton[role="plain"] {{ background: transparent; border: 1px solid transparent; }}
QToolButton[role="plain"]:hover, QPushButton[role="plain"]:hover {{ background: {hover}; }}
QToolButton[role="plain"]:focus, QPushButton[role="plain"]:focus {{ border: 1px solid {accent}; }}

QToolButton[role="plain"]:checked {{ background: {info_ground}; border: 1px solid {accent}; }}
QToolButton[role="plain"]::menu-indicator, QToolButton[role="tool"]::menu-indicator {{ image: none; width: 0; }}
QToolButton[role="tool"] {{ background: transparent; border: 1px solid transparent; border-radius: 8px; padding: 7px 12px; }}
QToolButton[role="tool"]:hover {{ background: {hover}; }}
QToolButton[role="tool"]:pressed {{ background: {line}; }}
QToolButton[role="tool"]:focus {{ border: 2px solid {accent}; padding: 6px 11px; }}
QPushButton[role="link"] {{ background: transparent; border: 1px solid transparent; padding: 4px 9px; font-weight: 600; color: {info}; }}
QPushButton[role="link"]:hover {{ background: {hover}; }}
QPushButton[role="link"]:focus {{ border: 2px solid {accent}; padding: 3px 8px; }}
QPushButton[role="state"] {{ border: 1px solid transparent; border-radius: 12px; padding: 5px 14px; font-weight: 600; }}
QPushButton[role="state"]:focus {{ border: 2px solid {text}; padding: 4px 13px; }}
QPushButton[badge="good"] {{ background: {good_ground}; color: {good}; }}
QPushButton[badge="info"] {{ background: {info_ground}; color: {info}; }}
QPushButton[badge="warning"] {{ background: {warning_ground}; color: {warning}; }}
QPushButton[badge="bad"] {{ background: {bad}; color: {panel}; }}
QPushButton[role="chip"] {{ background: rgba(10, 12, 16, 190); color: #ffffff; border: 1px solid rgba(255, 255, 255, 60);
    border-radius: 11px; padding: 4px 12px; }}
QPushButton[role="chip"]:hover {{ background: rgba(40, 44, 52, 220); }}
QPushButton[role="chip"]:focus {{ border: 2px solid #ffffff; padding: 3px 11px; }}
QLabel[role="recording"] {{ color: {bad}; font-weight: 700; padding: 0 6px; }}
QFrame[role="toast"] {{ background: {panel}; border: 1px solid {edge}; border-radius: 10px; }}
QTabWidget[role="drawer"]::pane {{ border: none; }}
QTabBar::tab {{ background: transparent; border: none; border-bottom: 2px solid transparent; padding: 7px 10px; color: {muted}; }}
QTabBar::tab:hover {{ color: {text}; }}
QTabBar::tab:selected {{ color: {text}; border-bottom: 2px solid {accent}; font-weight: 600; }}
QTabBar:focus {{ outline: none; }}
QTabBar::tab:focus {{ background: {hover}; }}

QComboBox, QLineEdit, QSpinBox {{ background: {field}; border: 1px solid {edge}; border-radius: 7px; padding: 5px 8px; min-height: 1.3em; }}
QComboBox:hover, QLineEdit:hover, QSpinBox:hover {{ border-color: {text}; }}
QComboBox:focus, QLineEdit:focus, QSpinBox:focus {{ border: 1px solid {accent}; }}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox QAbstractItemView {{ background: {panel}; border: 1px solid {line}; selection-background-color: {accent};
    selection-color: {on_accent}; outline: none; }}
QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {line}; }}
QSlider::sub-page:horizontal {{ background: {accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{ width: 14px; height: 14px; margin: -6px 0; border-radius: 8px; background: {text};
    border: 1px solid {panel}; }}
QSlider::handle:horizontal:focus {{ background: {accent}; border: 2px solid {text}; }}
QSlider::sub-page:horizontal:disabled {{ background: {line}; }}

QListView, QListWidget {{ background: transparent; border: none; outline: none; }}
QMenuBar {{ background: {ground}; padding: 2px 6px; }}
QMenuBar::item {{ padding: 5px 9px; border-radius: 6px; background: transparent; }}
QMenuBar::item:selected {{ background: {hover}; }}
QMenu {{ background: {panel}; border: 1px solid {line}; padding: 5px; }}
QMenu::item {{ padding: 6px 26px 6px 22px; border-radius: 6px; }}
QMenu::item:selected {{ background: {accent}; color: {on_accent}; }}
QMenu::item:disabled {{ color: {faint}; }}
QMenu::separator {{ height: 1px; background: {line}; margin: 5px 8px; }}
QStatusBar {{ background: {ground}; }}
QStatusBar::item {{ border: none; }}
QSplitter::handle {{ background: transparent; }}
QSplitter::handle:hover {{ background: {line}; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 2px; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 2px; }}
QScrollBar::handle {{ background: {line}; border-radius: 3px; min-height: 30px; min-width: 30px; }}
QScrollBar::handle:hover {{ background: {faint}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}

QFrame[banner="info"] {{ background: {info_ground}; border: 1px solid {info}; border-radius: 8px; }}
QFrame[banner="warning"] {{ background: {warning_ground}; border: 1px solid {warning}; border-radius: 8px; }}
QFrame[banner="error"] {{ background: {bad_ground}; border: 1px solid {bad}; border-radius: 8px; }}
QFrame[banner] QLabel[role] {{ background: transparent; }}
QFrame[banner] QPushButton {{ padding: 4px 10px; background: {panel}; }}
QLabel[badge] {{ border-radius: 7px; font-weight: 600; }}
QLabel[badge="good"] {{ background: {good_ground}; color: {good}; }}
QLabel[badge="warning"] {{ background: {warning_ground}; color: {warning}; }}
QLabel[badge="bad"] {{ background: {bad}; color: {panel}; }}
QLabel[badge="info"] {{ background: {info_ground}; color: {info}; }}
"""


def is_dark(choice: str) -> bool:
    """Whether ``settings.theme`` means dark here: ``system`` asks the desktop."""
    if choice == "system":
        return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return choice == "dark"


def current(widget: QWidget) -> Theme:
    """Return the theme that a widget is painted with."""
    return DARK if widget.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def apply_theme(application: QApplication, choice: str) -> Theme:
    """Apply a theme to the application; ``choice`` is a value of ``settings.THEMES``."""
    theme = DARK if is_dark(choice) else LIGHT
    if not application.property(
        "dressed"
    ):  # with a style sheet, Qt no longer reports the name of the style below
        application.setStyle("Fusion")
        application.setProperty("dressed", True)
    sheet = SHEET.format(**asdict(theme))
    if sheet != application.styleSheet():
        application.setPalette(_palette(theme))
        application.setStyleSheet(sheet)
    return theme


def restyle(widget: QWidget, **properties: str) -> None:
    """Set properties that the style sheet selects by; restyle if they changed."""
    changed = [name for name, value in properties.items() if widget.property(name) != value]
    for name in changed:
        widget.setProperty(name, properties[name])
    if changed:
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def _palette(theme: Theme) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    palette = QPalette()
    colours = {
        role.Window: theme.ground,
        role.WindowText: theme.text,
        role.Base: theme.field,
        role.AlternateBase: theme.panel,
        role.Text: theme.text,
        role.Button: theme.field,
        role.ButtonText: theme.text,
        role.BrightText: theme.bad,
        role.ToolTipBase: theme.panel,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.faint,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.Light: theme.hover,
        role.Midlight: theme.hover,
        role.Mid: theme.line,
        role.Dark: theme.line,
        role.Shadow: theme.ground,
    }
    for name, colour in colours.items():
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(group.Disabled, name, QColor(theme.faint))
    return palette
