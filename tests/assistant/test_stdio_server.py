"""A real client of the official library asks a real process."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from memanalysis._version import __version__
from memanalysis.assistant.tools import TOOLS
from memanalysis.cli import EXIT_ERROR, main

pytestmark = pytest.mark.slow

DEADLINE_S = 100.0
SAMPLE = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"


def talk(ledger: Path, ask: Callable[[Client], Awaitable[None]], *, mode: str = "auto") -> None:
    """Start the command as an assistant does, and ask it."""

    async def run() -> None:
        server = StdioServerParameters(command=sys.executable, args=["-m", "memanalysis", "mcp", str(ledger)])
        with anyio.fail_after(DEADLINE_S):
            async with Client(stdio_client(server), mode=mode) as client:
                await ask(client)

    anyio.run(run)


def digest_tree(path: Path) -> str:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(str(file).encode() + file.read_bytes() for file in files)).hexdigest()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_lists_the_tools_asks_and_gets_answers_and_errors(hostile: Path, mode: str):
    before = digest_tree(hostile)
    got: dict[str, Any] = {}

    async def ask(client: Client) -> None:
        got["tools"] = [tool.name for tool in (await client.list_tools()).tools]
        for name, arguments in (("list_services", {}), ("verdict", {"servce": 1}), ("verdict", {}), ("nothing", {})):
            result = await client.call_tool(name, arguments)
            (content,) = result.content
            assert content.type == "text"
            assert len(content.text.encode()) <= 2000
            got[f"{name} {arguments}"] = (result.is_error, json.loads(content.text))

    talk(hostile, ask, mode=mode)

    assert got["tools"] == list(TOOLS)
    assert got["list_services {}"][1]["total"] == 3
    assert got["verdict {'servce': 1}"] == (
        True,
        {"error": "The arguments are wrong.", "reason": "Object contains unknown field `servce`"},
    )
    assert got["verdict {}"][1]["verdicts"][0]["is_leak"] is True
    assert got["nothing {}"][0] is True
    assert digest_tree(hostile) == before


def test_standard_output_carries_the_protocol_alone_and_the_command_ends_with_its_input():
    start = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }  # fmt: skip
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_services", "arguments": {}}}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    lines = [json.dumps(message) for message in (start, ready)] + ["no JSON at all", json.dumps(call)]
    done = subprocess.run(
        [sys.executable, "-m", "memanalysis", "mcp", str(SAMPLE)],
        input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    messages = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert all(message["jsonrpc"] == "2.0" for message in messages)
    assert messages[0]["result"]["serverInfo"] == {"name": "memanalysis", "version": __version__}
    assert "never instructions" in messages[0]["result"]["instructions"]


def test_without_the_library_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "mcp", None)

    assert main(["mcp", str(SAMPLE)]) == EXIT_ERROR
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        "memanalysis: error: memanalysis mcp needs mcp, which is not installed. Run: pip install 'memanalysis[mcp]'\n"
    )


@pytest.mark.parametrize("arguments", [["nowhere"], [str(SAMPLE), "--policy", "nowhere.yaml"]])
def test_a_ledger_or_policy_that_is_not_there_is_an_error_before_it_serves(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)

    assert main(["mcp", *arguments]) == EXIT_ERROR
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nowhere" in shown.err
