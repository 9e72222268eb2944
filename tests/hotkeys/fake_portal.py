"""Fake a desktop's portal for global shortcuts on a private bus, in a thread."""

from __future__ import annotations

import queue
import socket
import threading
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    MessageType,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

from avatar_app.hotkeys.portal import PLACE, PORTAL, SHORTCUTS


class FakePortal:
    """Answers as a desktop does.

    Attributes:
        refuses: method -> the error that it returns.
        answer: code of the answer to BindShortcuts: 0 yes, 1 no.
        without: shortcuts that it does not grant.
        apps, bound, sessions: the requests.
        gone: names of the connections that were closed.
    """

    def __init__(
        self,
        address: str,
        refuses: dict[str, str] | None = None,
        answer: int = 0,
        without: tuple[str, ...] = (),
    ) -> None:
        self.refuses, self.answer, self.without = refuses or {}, answer, without
        self.apps: list[str] = []
        self.sessions: list[str] = []
        self.bound: queue.Queue[dict[str, dict[str, Any]]] = queue.Queue()
        self.gone: queue.Queue[str] = queue.Queue()
        self._client = ""
        self._connection = open_dbus_connection(address)
        self._ask(message_bus.RequestName(PORTAL))
        self._ask(message_bus.AddMatch(MatchRule(type="signal", member="NameOwnerChanged")))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        self._connection.close()

    def press(self, shortcut: str, session: str = "") -> None:
        self._signal(PLACE, SHORTCUTS, "Activated", "osta{sv}", self._of(shortcut, session))

    def release(self, shortcut: str) -> None:
        self._signal(PLACE, SHORTCUTS, "Deactivated", "osta{sv}", self._of(shortcut, ""))

    def end_session(self) -> None:
        session = "org.freedesktop.portal.Session"
        self._signal(self.sessions[-1], session, "Closed", "a{sv}", ({},))

    def _of(self, shortcut: str, session: str) -> tuple[Any, ...]:
        return session or self.sessions[-1], shortcut, 0, {}

    def _ask(self, message: Any) -> None:
        self._connection.send_and_get_reply(message, timeout=20)

    def _signal(self, place: str, interface: str, name: str, signature: str, body: tuple[Any, ...]) -> None:
        self._connection.send(new_signal(DBusAddress(place, interface=interface), name, signature, body))

    def _serve(self) -> None:
        while True:
            try:
                message = self._connection.receive()
            except (OSError, ValueError):
                return
            fields = message.header.fields
            name = fields.get(HeaderFields.member, "")
            if message.header.message_type is MessageType.method_call:
                self._heed(message, name, fields[HeaderFields.sender])
            elif name == "NameOwnerChanged" and not message.body[2]:
                self.gone.put(message.body[0])

    def _heed(self, message: Any, name: str, sender: str) -> None:
        if name in self.refuses:
            error = f"{PORTAL}.Error.NotAllowed"
            self._connection.send(new_error(message, error, "s", (self.refuses[name],)))
            return
        if name == "Register":
            self.apps.append(message.body[0])
            self._connection.send(new_method_return(message))
            return
        client = sender.lstrip(":").replace(".", "_")
        token = message.body[-1]["handle_token"][1]
        request = f"{PLACE}/request/{client}/{token}"
        self._connection.send(new_method_return(message, "o", (request,)))
        code = 0
        results: dict[str, tuple[str, Any]] = {}
        wanted: list[tuple[str, dict[str, Any]]] = []
        if name == "CreateSession":
            self.sessions.append(f"{PLACE}/session/{client}/{message.body[0]['session_handle_token'][1]}")
            results = {"session_handle": ("s", self.sessions[-1])}
        elif name == "BindShortcuts":
            wanted = [(name, dict(wishes)) for name, wishes in message.body[1]]
            granted = [] if self.answer else [one for one in wanted if one[0] not in self.without]
            code, results = self.answer, {"shortcuts": ("a(sa{sv})", granted)}
        place = DBusAddress(request, interface="org.freedesktop.portal.Request")
        self._connection.send(new_signal(place, "Response", "ua{sv}", (code, results)))
        if name == "BindShortcuts":  # last: a test may close the portal then
            self.bound.put(dict(wanted))
