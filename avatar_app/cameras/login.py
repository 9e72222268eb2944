"""Log in to a camera over HTTP.

By Basic, or by Digest (RFC 7616), which does not send the password itself.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from urllib.error import URLError
from urllib.parse import SplitResult, unquote
from urllib.request import (
    AbstractDigestAuthHandler,
    HTTPPasswordMgr,
    Request,
    parse_http_list,
    parse_keqv_list,
)


def login_header(parts: SplitResult, target: str, challenges: list[str]) -> str | None:
    """Return the ``Authorization`` header for a camera that requires a login.

    Args:
        parts: the address, with user and password.
        target: path and query as requested.
        challenges: its ``WWW-Authenticate`` headers, one scheme each; without any, Basic is tried.

    Returns:
        None if the address has no user, or the scheme is unknown.
    """
    if parts.username is None:
        return None
    user, password = unquote(parts.username), unquote(parts.password or "")
    kinds = [challenge.strip().partition(" ") for challenge in challenges] or [("Basic", " ", "")]
    for kind, _, text in kinds:
        if kind.casefold() == "digest" and (answer := _digest(parts, target, text, user, password)):
            return answer
    if any(kind.casefold() == "basic" for kind, _, _ in kinds):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return None


def _digest(parts: SplitResult, target: str, challenge: str, user: str, password: str) -> str | None:
    url = f"{parts.scheme}://{parts.hostname}{target}"
    passwords = HTTPPasswordMgr()
    with suppress(KeyError, ValueError, URLError):  # a challenge without a nonce, or with an unknown hash
        facts = parse_keqv_list(parse_http_list(challenge))
        passwords.add_password(facts["realm"], url, user, password)
        answer = AbstractDigestAuthHandler(passwords).get_authorization(Request(url), facts)
        return f"Digest {answer}" if answer else None
    return None
