"""Serve the tools over standard input and output, by the official library of the Model Context Protocol.

While it serves, that library leads all other output of the process to standard error.
"""

import anyio
import anyio.to_thread
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from memanalysis._version import __version__
from memanalysis.assistant.served_ledgers import ServedLedgers
from memanalysis.assistant.tools import INSTRUCTIONS, TOOLS, answer_question, describe_arguments

__all__ = ["serve"]


def serve(served: ServedLedgers) -> None:
    """Answer questions until standard input ends."""
    anyio.run(_serve, served)


async def _serve(served: ServedLedgers) -> None:
    one_at_a_time = anyio.CapacityLimiter(1)  # each answer may hold the samples of a ledger

    async def list_tools(
        context: ServerRequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=_describe_tools())

    async def call_tool(context: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        text, is_error = await anyio.to_thread.run_sync(
            answer_question, served, params.name, params.arguments or {}, limiter=one_at_a_time
        )
        return types.CallToolResult(content=[types.TextContent(text=text)], is_error=is_error)

    server = Server(
        "memanalysis",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _describe_tools() -> list[types.Tool]:
    hints = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    return [
        types.Tool(name=name, description=tool.description, input_schema=describe_arguments(tool), annotations=hints)
        for name, tool in TOOLS.items()
    ]
