"""A page in a real Chromium, driven by the DevTools protocol: its scripts, and what its console complains about."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from browser import find_chromium
from processes import running

__all__ = ["Page", "open_page"]

DEADLINE_S = 120.0

OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1400,1000")


class RefusedCallError(Exception):
    """The browser could not do what it was asked for."""


class Page:
    """What a browser shows.

    Attributes
    ----------
    complaints : list of str
        Errors of the console and of scripts so far; what could not be fetched is the server's matter.
    """

    def __init__(self, connection: Any) -> None:
        self.complaints: list[str] = []
        self._connection = connection
        self._number = 0
        for domain in ("Runtime", "Log", "Page"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)  # as a page in front of somebody has it

    def go(self, address: str) -> None:
        """Open an address."""
        self._call("Page.navigate", url=address)

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
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv())
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


@contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """Start a browser with an empty page, whose profile is in a folder; both end with the block."""
    import websocket  # comes with JupyterLab, without which nothing asks for a page

    command = [str(find_chromium()), *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(subprocess.Popen(command, **quiet)) as browser:
        port = _wait_for_port(folder / "profile" / "DevToolsActivePort", browser)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=DEADLINE_S) as answer:
            targets = json.load(answer)
        address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        with closing(websocket.create_connection(address, timeout=DEADLINE_S, suppress_origin=True)) as connection:
            yield Page(connection)
        browser.terminate()
        browser.wait(DEADLINE_S)


def _wait_for_port(file: Path, browser: "subprocess.Popen[bytes]") -> int:
    until = time.monotonic() + DEADLINE_S
    while not (file.exists() and (lines := file.read_text().splitlines())):
        assert browser.poll() is None, "the browser has ended"
        assert time.monotonic() < until, "the browser does not listen"
        time.sleep(0.05)
    return int(lines[0])
