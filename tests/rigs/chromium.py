"""A headless Chromium, driven by its DevTools protocol over two pipes; it needs no library and no port."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tests.rigs.waiting import eventually

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    *(
        "--headless=new",
        "--remote-debugging-pipe",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--window-size=1400,1000", "about:blank"),
)


def program() -> str | None:
    """The browser of this machine."""
    return next((found for each in _PROGRAMS if (found := shutil.which(each))), None)


class Tab:
    """One page of the browser, and what it did: `requests` are addresses, `complaints` its errors."""

    def __init__(self, to_browser: BinaryIO, from_browser: BinaryIO) -> None:
        self._to, self._from = to_browser, from_browser
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for each in ("Page", "Network", "Log", "Runtime"):
            self._ask(f"{each}.enable")

    def open(self, url: str) -> None:
        """Go to an address; what came before is forgotten."""
        self.requests.clear()
        self.complaints.clear()
        self._ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """What a JavaScript expression gives; an error of it is raised."""
        done = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str) -> Any:
        """The first true value of an expression."""
        return eventually(lambda: self.run(script), seconds=60)

    def screenshot(self, path: Path) -> None:
        """Write a PNG of what is seen."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def _ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer.get("method"), answer.get("params", {}))

    def _next(self) -> Any:
        """The next message of the browser; they end with a zero byte."""
        text = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        return json.loads(text)

    def _note(self, event: str | None, params: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])


@contextmanager
def chromium() -> Iterator[Tab]:
    """A browser with one tab, its profile in a folder that goes at the end."""
    found = program()
    assert found, "there is no chromium"
    folder = tempfile.mkdtemp(prefix="connector-chromium-")
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    # Chromium reads from descriptor 3 and writes to 4; bash puts ours there, whichever they are.
    launch = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", launch, found, f"--user-data-dir={folder}", *_OPTIONS],
        pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        with os.fdopen(ours_out, "wb") as to_browser, os.fdopen(ours_in, "rb") as from_browser:
            yield Tab(to_browser, from_browser)
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
