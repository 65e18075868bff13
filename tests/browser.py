"""A headless Chromium, driven by its own protocol: enough to open a page, click, and read what it shows.

The law: it calls nobody but the page's own server, and every wait is bounded. Where there is no Chromium, a test that
wants one is skipped and says so.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import Self
from websockets.sync.client import connect

from tests.support import PATIENCE

_FLAGS = (
    *("--headless", "--remote-debugging-port=0", "--remote-allow-origins=*", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *(("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()),
)


class Browser:
    """One page in a browser of its own.

    Args:
        flags: more of Chromium's own.
    """

    def __init__(self, *flags: str) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            pytest.skip("there is no Chromium on this machine")
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        self._folder = Path(folder)
        data = f"--user-data-dir={folder}"
        self._process = subprocess.Popen([program, *_FLAGS, *flags, data], stderr=subprocess.DEVNULL)
        self._stack.callback(self._kill)
        try:
            port, path = self._wait_for(self._address)
            opened = connect(f"ws://127.0.0.1:{port}{path}", open_timeout=PATIENCE, max_size=None)
            self._socket = self._stack.enter_context(opened)
            self._number, self._session = 0, ""
            self._open_tab()
        except BaseException:
            self._stack.close()
            raise

    def _open_tab(self) -> None:
        self._session = ""
        self._tab = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=self._tab, flatten=True)["sessionId"]

    def close_tab(self) -> None:
        """Close the page, and go on with an empty one."""
        tab = self._tab
        self._open_tab()
        self._call("Target.closeTarget", targetId=tab)

    def _address(self) -> list[str]:
        found = self._folder / "DevToolsActivePort"
        return found.read_text().split() if found.exists() else []

    @staticmethod
    def _wait_for(look: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := look()):
            if time.monotonic() > end:
                raise TimeoutError("what was waited for did not come")
            time.sleep(0.02)
        return found

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params, **session}))
        while True:
            said = json.loads(self._socket.recv(timeout=PATIENCE))
            if said.get("id") == self._number:
                return said["result"]

    def open(self, url: str) -> None:
        """Load a page."""
        self._call("Page.navigate", url=url)
        self._wait_for(lambda: self.run("document.readyState === 'complete' && location.href !== 'about:blank'"))

    def run(self, script: str) -> Any:
        """Return what an expression gives on the page."""
        return self._call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Return what an expression gives, once that is true."""
        return self._wait_for(lambda: self.run(script))

    def resize(self, width: int) -> None:
        """Give the window another width, in pixels; a narrow one is a phone's."""
        size = {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": width < 500}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def picture(self, path: Path, *, width: int = 900, dark: bool = False) -> None:
        """Write what the page looks like."""
        self.resize(width)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()
