"""Hotkeys under Wayland, where the desktop's portal binds them.

GNOME from 48, KDE Plasma and Hyprland have it (``org.freedesktop.portal.GlobalShortcuts``). The desktop may
ask the user first, and may choose other keys than the requested ones; the app learns only which of its
shortcuts was pressed.
"""

from __future__ import annotations

import functools
import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from avatar_app.hotkeys.bell import ring
from avatar_app.hotkeys.combination import INSTEAD, NAMED_KEYS, PATIENCE, Combination, refused
from avatar_app.text import Text, join

log = logging.getLogger(__name__)

PORTAL = "org.freedesktop.portal.Desktop"
PLACE = "/org/freedesktop/portal/desktop"
SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"
APP = "avatar-app"
"""Name of the app's desktop file, by which the portal knows it."""

MODIFIERS = {"Ctrl": "CTRL", "Alt": "ALT", "Shift": "SHIFT", "Meta": "LOGO"}
REPEAT = 1.0
"""Seconds within which a repeated signal for one shortcut counts as the same press: the key is held."""


class PortalError(Exception):
    """The desktop has no such portal, or it refuses; its argument says why."""


def under_wayland() -> bool:
    return bool(os.environ.get("WAYLAND_DISPLAY")) or os.environ.get("XDG_SESSION_TYPE") == "wayland"


def portal_binds() -> bool:
    """Return whether hotkeys come from the desktop's portal here.

    The portal is queried once, which can take some seconds, and shows nothing to the user.
    """
    return under_wayland() and _has_portal(os.environ.get("DBUS_SESSION_BUS_ADDRESS", ""))


@functools.cache
def _has_portal(_address: str) -> bool:
    try:
        Session().close()
    except PortalError as problem:
        log.info("the desktop's portal binds no shortcuts: %s", problem)
        return False
    return True


def trigger(combination: Combination) -> str:
    """Write a combination in the portal's form: ``CTRL+ALT+x``."""
    key = NAMED_KEYS.get(combination.key, combination.key.lower())
    return "+".join((*(MODIFIERS[name] for name in combination.modifiers), key))


class Session:
    """A session of shortcuts with the portal, on a connection of its own.

    Raises:
        PortalError: there is none.
    """

    def __init__(self) -> None:
        try:
            from jeepney import DBusAddress, MatchRule
            from jeepney.bus_messages import message_bus
            from jeepney.io.blocking import open_dbus_connection

            self._connection = open_dbus_connection("SESSION", auth_timeout=PATIENCE)
        except Exception as problem:  # no library, no bus, or no access
            raise PortalError(_said(problem)) from problem
        self._signals: deque[Any] = deque()
        self._portal = DBusAddress(PLACE, PORTAL, SHORTCUTS)
        try:
            signals = {"type": "signal", "path_namespace": PLACE}
            restarts = MatchRule(type="signal", sender=message_bus.bus_name, member="NameOwnerChanged")
            restarts.add_arg_condition(0, PORTAL)
            for rule in (MatchRule(**signals), restarts):
                self._connection.filter(rule, queue=self._signals)
            for rule in (MatchRule(sender=PORTAL, **signals), restarts):
                self._ask(message_bus.AddMatch(rule))
            # Before version 1.20 nothing can be registered; from 1.21 on it must be.
            with suppress(PortalError):
                registry = DBusAddress(PLACE, PORTAL, "org.freedesktop.host.portal.Registry")
                self._call(registry, "Register", "sa{sv}", (APP, {}))
            options = {"handle_token": ("s", "avatar_open"), "session_handle_token": ("s", "avatar")}
            (request,) = self._call(self._portal, "CreateSession", "a{sv}", (options,))
            answer = self.response(request)
            self.handle = str(answer["session_handle"][1])
        except BaseException as problem:
            self._connection.close()
            if isinstance(problem, OSError | ValueError | KeyError):
                raise PortalError(_said(problem)) from problem
            raise

    def bind(self, shortcuts: list[tuple[str, dict[str, tuple[str, str]]]]) -> str:
        """Request all shortcuts; return the request, whose answer waits for the user."""
        body = (self.handle, shortcuts, "", {"handle_token": ("s", "avatar_bind")})
        (request,) = self._call(self._portal, "BindShortcuts", "oa(sa{sv})sa{sv}", body)
        return str(request)

    def response(self, request: str) -> dict[str, Any]:
        """Return the results of a request that needs no user."""
        deadline = time.monotonic() + PATIENCE
        while True:
            left = max(0.0, deadline - time.monotonic())
            signal = self._connection.recv_until_filtered(self._signals, timeout=left)
            path, member, body = _parts(signal)
            if (path, member) == (request, "Response"):
                return _results(body)

    def next_signal(self, bell: socket.socket) -> tuple[str, str, Any] | None:
        """Wait for a signal of the portal.

        Returns its object, name and values, or None once the bell rings.
        """
        while not self._signals:
            try:
                self._connection.recv_messages(timeout=0)
            except TimeoutError:
                if bell in select.select([self._connection.sock, bell], [], [])[0]:
                    return None
        return _parts(self._signals.popleft())

    def close(self) -> None:
        """Close the connection, which releases the shortcuts."""
        self._connection.close()

    def _call(self, to: Any, method: str, signature: str, body: tuple[Any, ...]) -> Any:
        from jeepney import new_method_call

        return self._ask(new_method_call(to, method, signature, body))

    def _ask(self, message: Any) -> Any:
        from jeepney import MessageType

        reply = self._connection.send_and_get_reply(message, timeout=PATIENCE)
        if reply.header.message_type is MessageType.error:
            raise PortalError(str(reply.body[0]) if reply.body else Text("no reason given"))
        return reply.body


class PortalKeys:
    """Hotkeys from the desktop's portal.

    Args:
        describe: returns what an action does, for the desktop's own list of shortcuts.
        changed: called in the thread of the keys when ``problems`` has changed.
    """

    def __init__(
        self,
        wanted: Mapping[Combination, str],
        on_press: Callable[[str], None],
        describe: Callable[[str], str] = str,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._wanted = {action: combination for combination, action in wanted.items()}
        self._on_press = on_press
        self._describe = describe
        self._changed = changed
        self._problems: list[Text] = []
        self._pressed: dict[str, float] = {}
        self._ready, self._stopping = threading.Event(), threading.Event()
        self._bell, self._ringer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="hotkeys", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(PATIENCE)

    @property
    def problems(self) -> list[Text]:
        return self._problems if self._ready.is_set() else [_none(Text("no answer"))]

    def close(self) -> None:
        ring(self._stopping, self._ringer, self._thread)
        if self._thread.ident is None:
            self._bell.close()
        self._ringer.close()

    def _run(self) -> None:
        try:
            while self._serve():
                log.info("the desktop's portal has restarted")
        except Exception as problem:
            # The portal can go away at any moment.
            log.warning("hotkeys ended: %s", problem)
            self._report([_none(_said(problem))])
        finally:
            self._ready.set()
            self._bell.close()

    def _report(self, problems: list[Text]) -> None:
        self._problems = problems
        self._ready.set()
        self._changed()

    def _serve(self) -> bool:
        """Bind the keys and listen to them; return whether the portal has restarted."""
        session = Session()
        try:
            if self._stopping.is_set():
                return False
            bound = session.bind([self._shortcut(action) for action in self._wanted])
            self._report([])
            return self._listen(session, bound)
        finally:
            session.close()

    def _shortcut(self, action: str) -> tuple[str, dict[str, tuple[str, str]]]:
        wishes = {"description": self._describe(action), "preferred_trigger": trigger(self._wanted[action])}
        return action, {name: ("s", text) for name, text in wishes.items()}

    def _listen(self, session: Session, bound: str) -> bool:
        while (signal := session.next_signal(self._bell)) and not self._stopping.is_set():
            path, member, body = signal
            if member == "Response" and path == bound:
                self._check(_results(body))
            elif member == "Activated" and body[0] == session.handle:
                self._activate(str(body[1]))
            elif member == "Deactivated" and body[0] == session.handle:
                self._pressed.pop(str(body[1]), None)
            elif member == "Closed" and path == session.handle:
                raise PortalError(Text("it has ended them"))
            elif member == "NameOwnerChanged" and body[2]:
                return True
        return False

    def _check(self, results: Mapping[str, Any]) -> None:
        given = [str(name) for name, _ in results.get("shortcuts", ("", []))[1]]
        log.info("the desktop has bound %s", ", ".join(given) or "nothing")
        missing = {keys: action for action, keys in self._wanted.items() if action not in given}
        self._report(refused(dict.fromkeys(missing, Text("not granted by the desktop")), missing))

    def _activate(self, action: str) -> None:
        now = time.monotonic()
        held = now - self._pressed.get(action, -REPEAT) < REPEAT
        self._pressed[action] = now
        if not held and action in self._wanted:
            self._on_press(action)


def _parts(signal: Any) -> tuple[str, str, Any]:
    from jeepney import HeaderFields

    fields = signal.header.fields
    return fields.get(HeaderFields.path, ""), fields.get(HeaderFields.member, ""), signal.body


def _results(body: Any) -> dict[str, Any]:
    """Return the results of a request.

    Raises PortalError if the user or the desktop refuses.
    """
    code, results = body
    if code:
        raise PortalError(Text("they were declined") if code == 1 else Text("it has refused them"))
    return dict(results)


def _said(problem: BaseException) -> str:
    """Return what an exception says, translatable if it can be."""
    what = problem.args[0] if isinstance(problem, PortalError) and problem.args else str(problem)
    return what or type(problem).__name__


def _none(why: str) -> Text:
    return join([Text("The desktop gives no hotkeys: {}.", why), INSTEAD])
