"""Start a real Chromium without a window, which gives its camera to a page."""

from __future__ import annotations

import shutil
import subprocess

from tests.e2e.desktop import Desktop

NAMES = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # it refuses to start as root; the only page is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--use-fake-ui-for-media-stream",  # grants the page's camera request; the camera is real
    "--enable-features=WebRtcPipeWireCamera",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # the peer does not support mDNS
    "--allow-loopback-in-peer-connection",
)


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def open_page(desktop: Desktop, address: str) -> subprocess.Popen[bytes]:
    browser = find_browser()
    assert browser
    return desktop.start(browser, *SWITCHES, f"--user-data-dir={desktop.folder}/browser", address)
