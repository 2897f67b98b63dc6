"""Real servers on loopback that take alerts: an HTTP server, and an agent of the Agent2Agent protocol."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Received", "find_free_port", "serve_agent", "serve_http"]

DEADLINE_S = 60.0


class Received:
    """What a server was sent; kept over its restarts."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self._more = threading.Condition()

    def add(self, path: str, body: bytes) -> None:
        with self._more:
            self.bodies.append((path, body))
            self._more.notify_all()

    def wait_for(self, count: int) -> list[tuple[str, bytes]]:
        """Wait until there are as many, and give them."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.bodies) >= count, DEADLINE_S), f"only {len(self.bodies)} came"
            return list(self.bodies)

    def texts(self) -> list[Any]:
        return [json.loads(body) for _, body in self.bodies]


def find_free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serve_http(port: int, received: Received, *, status: int = 200) -> Iterator[None]:
    """Serve until the block ends, and note each body that is posted."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.add(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve_agent(port: int, received: Received, *, rejects: bool = False, works_s: float = 0) -> Iterator[str]:
    """Serve an agent of ``a2a-sdk`` until the block ends; gives the address of its card.

    Each message is noted as JSON: its id, its parts of text and of data. It answers with a message, or rejects it, or
    reports that it works on it, for so long, or until the block ends.
    """
    import uvicorn
    from a2a.helpers import new_task_from_user_message, new_text_message, new_text_status_update_event
    from a2a.server.agent_execution import AgentExecutor, RequestContext
    from a2a.server.events import EventQueue
    from a2a.server.request_handlers import DefaultRequestHandler
    from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
    from a2a.server.tasks import InMemoryTaskStore
    from a2a.types import AgentCapabilities, AgentCard, AgentInterface, TaskState
    from google.protobuf.json_format import MessageToDict
    from starlette.applications import Starlette

    address = f"http://127.0.0.1:{port}"

    class Executor(AgentExecutor):
        async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
            message = MessageToDict(context.message)
            received.add(message["messageId"], json.dumps(message).encode())
            if not rejects and not works_s:
                await event_queue.enqueue_event(new_text_message("noted"))
                return
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)

            async def report(state: TaskState, text: str) -> None:
                update = new_text_status_update_event(task.id, task.context_id, state, text)
                await event_queue.enqueue_event(update)

            if rejects:
                await report(TaskState.TASK_STATE_REJECTED, "no")
            else:
                await report(TaskState.TASK_STATE_WORKING, "a moment")
                await asyncio.sleep(works_s)
                await report(TaskState.TASK_STATE_COMPLETED, "noted")

        async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None: ...

    interface = AgentInterface(url=f"{address}/rpc", protocol_binding="JSONRPC", protocol_version="1.0")
    card = AgentCard(
        name="Agent-5", description="Takes alerts.", version="1", supported_interfaces=[interface],
        capabilities=AgentCapabilities(), default_input_modes=["text/markdown"], default_output_modes=["text/plain"],
    )  # fmt: skip
    handler = DefaultRequestHandler(agent_executor=Executor(), task_store=InMemoryTaskStore(), agent_card=card)
    routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/rpc")]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not server.started:
            assert time.monotonic() < deadline
            assert thread.is_alive()
            time.sleep(0.01)
        yield address
    finally:
        server.should_exit = True
        thread.join()
