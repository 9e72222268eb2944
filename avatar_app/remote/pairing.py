"""Pairing lines, by which a client finds and trusts a server.

``avatar://host:port#token=...&pin=...`` holds the address, a secret and the certificate's fingerprint. The
server makes its own certificate; the client accepts that one and no other, without authorities or warnings. A
line without a pin uses the system's authorities; without TLS only this computer is reached.
``&also=host:port,host:port`` names further servers with the same secret, for when the first is full or gone.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import os
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from avatar_app.errors import ConfigError
from avatar_app.text import Text

SCHEME = "avatar"
PORT = 7447
TOKEN_BYTES = 32
YEARS = 20


@dataclass(frozen=True, slots=True)
class Pairing:
    """Address, secret and certificate of a computer that renders for others.

    Attributes:
        host, port: where the server listens.
        token: the secret.
        pin: SHA-256 of the certificate, base64url; empty: trust the system's authorities. Several, separated
            by commas: any of them.
        others: further servers, hosts and ports.
    """

    host: str
    port: int
    token: str = field(repr=False)
    pin: str = ""
    others: tuple[tuple[str, int], ...] = ()

    @property
    def each(self) -> list[Pairing]:
        """Return one pairing for each server."""
        return [
            replace(self, host=host, port=port, others=())
            for host, port in ((self.host, self.port), *self.others)
        ]

    @property
    def local(self) -> bool:
        """Whether the server is on this computer, where TLS is not needed."""
        return is_loopback(self.host)

    @property
    def address(self) -> str:
        """Host and port, without the secret."""
        return _joined(self.host, self.port)

    @property
    def line(self) -> str:
        pin = f"&pin={self.pin}" if self.pin else ""
        also = ",".join(_joined(host, port) for host, port in self.others)
        return f"{SCHEME}://{self.address}#token={self.token}{pin}{'&also=' if also else ''}{also}"


def parse_pairing(line: str) -> Pairing:
    """Parse a pairing line. Raises ConfigError, whose message never holds the secret."""
    hint = Text("Copy the whole line that `avatar-app serve` prints; it begins with avatar://.")
    try:
        parts = urlsplit(line.strip())
        wanted = parse_qs(parts.fragment)
        host, port = parts.hostname, parts.port or PORT
        more = [urlsplit(f"//{other}") for other in wanted.get("also", [""])[0].split(",") if other]
        others = tuple((other.hostname or "", other.port or PORT) for other in more)
    except ValueError:
        raise ConfigError(Text("This is not a pairing line."), hint) from None
    token, pin = (wanted.get(name, [""])[0] for name in ("token", "pin"))
    if parts.scheme != SCHEME or not host or not token or parts.username is not None:
        raise ConfigError(Text("This is not a pairing line."), hint)
    for name in (host, *(name for name, _ in others)):
        if not name:
            raise ConfigError(Text("This is not a pairing line."), hint)
        if not is_loopback(name) and not pin and is_address(name):
            message = Text("The pairing line for {} has no pin, so nobody knows who answers there.", name)
            raise ConfigError(message, hint)
    return Pairing(host, port, token, pin, others)


def is_remote(device: str) -> bool:
    """Whether a device is a pairing line."""
    return device.startswith(f"{SCHEME}://")


def address_of(line: str) -> str:
    """Return host and port of a pairing line, to show; never the secret."""
    try:
        return parse_pairing(line).address
    except ConfigError:
        return ""


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def pin_of(certificate: bytes) -> str:
    """Return the fingerprint of a certificate in DER form."""
    return base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()


def read_token(folder: Path) -> str:
    """Return the server's secret, created once; only this user can read the file."""
    file = folder / "token"
    if not file.exists():
        _write_secret(file, secrets.token_urlsafe(TOKEN_BYTES).encode())
    token = file.read_text(encoding="ascii").strip()
    if len(token) < TOKEN_BYTES:
        raise ConfigError(
            Text("{} holds no usable token.", file), Text("Delete it; a new one is made at the next start.")
        )
    return token


def certificate_files(folder: Path) -> tuple[Path, Path]:
    """Return certificate and key (PEM), created once."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (certificate.exists() and key.exists()):
        made = _new_certificate()
        _write_secret(key, made[1])
        _write_secret(certificate, made[0])
    return certificate, key


def certificate_pin(certificate: Path) -> str:
    """Return the fingerprint of a certificate file (PEM)."""
    import ssl  # the window needs the rest of this file before its first paint

    return pin_of(ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii")))


def _write_secret(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)


def _new_certificate() -> tuple[bytes, bytes]:
    """Create a self-signed P-256 certificate and its key, PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "avatar-app")])
    today = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("avatar-app")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        built.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
