"""A page in a real Chromium, driven by the DevTools protocol: its scripts, and what its console complains about."""

import base64
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from browser import find_chromium
from processes import running

__all__ = ["Page", "open_page"]

DEADLINE_S = 120.0

OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--window-size=1400,1000")

AS_3_AND_4 = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
"""The browser reads what it is asked from descriptor 3, and answers into descriptor 4."""


class RefusedCallError(Exception):
    """The browser could not do what it was asked for."""


class Page:
    """What a browser shows.

    Attributes
    ----------
    complaints : list of str
        Errors of the console and of scripts so far; what could not be fetched is the server's matter.
    requests : list of str
        What was asked for so far, from the network or from disk: the page itself comes first.
    """

    def __init__(self, connection: "Pipes") -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._connection = connection
        self._number = 0
        self._session: dict[str, str] = {}
        targets = self._call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Runtime", "Log", "Page", "Network"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)  # as a page in front of somebody has it

    def go(self, address: str) -> None:
        """Open an address."""
        self._call("Page.navigate", url=address)

    def emulate(self, *, width_px: int, scheme: str = "light", media: str = "screen") -> None:
        """Show the page in a window of that width, to somebody who prefers light or dark, on a screen or in print."""
        size = {"width": width_px, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media=media, features=features)

    def take_picture(self, file: Path) -> None:
        """Write the whole page into a PNG file."""
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(answer["data"]))

    def run(self, script: str) -> Any:
        """Run a script and return its value; of a promise that of its outcome."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Run a script until its value is true, and return that; what is asked of a page that goes is asked again."""
        until = time.monotonic() + DEADLINE_S
        while True:
            with suppress(RefusedCallError):
                if value := self.run(script):
                    return value
            assert time.monotonic() < until, f"{script}\n{self.run('document.body?.innerText')}"
            time.sleep(0.1)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        self._connection.send(json.dumps(message))
        while True:
            message = json.loads(self._connection.receive())
            if message.get("id") == self._number:
                if "error" in message:
                    raise RefusedCallError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, event: str | None, parameters: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))
        elif event == "Network.requestWillBeSent":
            self.requests.append(str(parameters["request"]["url"]))
        elif event == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            self.complaints.append(
                " ".join(str(each.get("value", each.get("description"))) for each in parameters["args"])
            )
        elif (
            event == "Log.entryAdded"
            and parameters["entry"]["level"] == "error"
            and parameters["entry"]["source"] != "network"
        ):
            self.complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


class Pipes:
    """Two pipes to a browser, through which go JSON texts, each ended by a zero byte.

    Parameters
    ----------
    reads, writes : int
        Our ends.
    """

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._read = b""

    def send(self, text: str) -> None:
        """Send a message."""
        rest = memoryview(text.encode() + b"\0")
        while rest:
            rest = rest[os.write(self._writes, rest) :]

    def receive(self) -> str:
        """Wait for the next message."""
        while b"\0" not in self._read:
            assert select.select([self._reads], [], [], DEADLINE_S)[0], "the browser does not answer"
            piece = os.read(self._reads, 1 << 20)
            assert piece, "the browser has ended"
            self._read += piece
        message, _, self._read = self._read.partition(b"\0")
        return message.decode()


@contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """Start a browser with an empty page, whose profile is in a folder; both end with the block."""
    (asked, asks), (answers, answered) = os.pipe(), os.pipe()
    browser_command = [str(find_chromium()), *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    command = [sys.executable, "-c", AS_3_AND_4, str(asked), str(answered), *browser_command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        with running(subprocess.Popen(command, pass_fds=(asked, answered), **quiet)) as browser:
            for theirs in (asked, answered):
                os.close(theirs)
            yield Page(Pipes(answers, asks))
            browser.terminate()
            browser.wait(DEADLINE_S)
    finally:
        for ours in (asks, answers):
            os.close(ours)
