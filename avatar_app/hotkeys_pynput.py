"""Hotkeys on Windows and macOS, through pynput."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from avatar_app.key_combination import INSTEAD, NAMED_KEYS, PATIENCE, Combination

log = logging.getLogger(__name__)


class PynputKeys:
    """Listens to all keys, and tells of the combinations."""

    def __init__(self, wanted: Mapping[Combination, str], tell: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._tell = tell
        self._listener: Any = None

    def start(self) -> list[str]:
        try:
            from pynput.keyboard import GlobalHotKeys
        except ImportError as problem:
            return [f"Hotkeys need pynput, which cannot be used here: {problem}. {INSTEAD}."]
        bindings = {_pynput_name(combination): self._teller(action) for combination, action in self._wanted.items()}
        try:
            self._listener = GlobalHotKeys(bindings)
            self._listener.daemon = True
            self._listener.start()
            waiting = threading.Thread(target=self._listener.wait, name="hotkeys-wait", daemon=True)
            waiting.start()
            waiting.join(PATIENCE)
        except Exception as problem:
            log.warning("hotkeys failed", exc_info=True)
            return [f"The system gives no hotkeys: {problem or type(problem).__name__}. {INSTEAD}."]
        if not getattr(self._listener, "IS_TRUSTED", True):
            where = "System Settings, Privacy & Security, Accessibility"
            return [f"macOS does not let this program have hotkeys. Allow it in {where}, then start it again."]
        return []

    def close(self) -> None:
        if self._listener is not None:
            with suppress(Exception):  # whatever it stumbles over, it is over
                self._listener.stop()
                threading.Thread.join(self._listener, 0.15)  # its own would raise what its thread raised

    def _teller(self, action: str) -> Callable[[], None]:
        return lambda: self._tell(action)


def _pynput_name(combination: Combination) -> str:
    modifiers = [f"<{'cmd' if name == 'Meta' else name.lower()}>" for name in combination.modifiers]
    key = combination.key
    return "+".join([*modifiers, f"<{NAMED_KEYS[key][1]}>" if key in NAMED_KEYS else key.lower()])
