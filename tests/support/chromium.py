"""Headless Chromium, driven by its DevTools protocol; nothing but the browser has to be installed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0", "--hide-scrollbars",
)  # fmt: skip
PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 240.0


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._sent = 0

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the protocol and return its result."""
        self._sent += 1
        self._connection.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(SECONDS))
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        """Start to load a page."""
        self.command("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.command("Runtime.evaluate", expression=script, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Wait until an expression is true, and return its value; errors count as not yet."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = self.evaluate(f"(() => {{ try {{ return {script} }} catch {{ return null }} }})()")
            if found:
                return found
            time.sleep(0.2)
        seen = "(document.querySelector('iframe')?.contentDocument ?? document).body.innerText"
        raise AssertionError(f"never true: {script}\n{self.evaluate(seen)}")

    def theme(self, name: str) -> None:
        """What the system prefers: ``dark`` or ``light``."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path: Path) -> None:
        """Write what is seen."""
        time.sleep(1)  # fonts, and what moves
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(folder: Path, cookies: dict[str, str], url: str, width: int = 1360, height: int = 800) -> Iterator[Page]:
    """A browser with an empty profile and the cookies of ``url``."""
    assert PROGRAM is not None
    profile = folder / "profile"
    command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(profile)
        with httpx.Client(trust_env=False, timeout=SECONDS) as client:
            target = client.put(f"http://127.0.0.1:{port}/json/new?about:blank").json()
        with connect(target["webSocketDebuggerUrl"], max_size=None, proxy=None) as connection:
            page = Page(connection)
            page.command("Page.enable")
            for name, value in cookies.items():
                page.command("Network.setCookie", name=name, value=value, url=url)
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            page.command("Emulation.setDeviceMetricsOverride", **size)
            yield page
    finally:
        process.terminate()
        process.wait(30)


def _port(profile: Path) -> int:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        written = profile / "DevToolsActivePort"
        if written.exists() and (lines := written.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.1)
    raise AssertionError("Chromium did not start")
