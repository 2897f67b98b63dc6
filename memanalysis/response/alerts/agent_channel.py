"""Messages between agents by the public Agent2Agent protocol (https://a2a-protocol.org), through ``a2a-sdk``.

A recipient is the address of its agent card. The message has the alert as Markdown and, as a second part, as data.
"""

import asyncio
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from memanalysis.errors import MemAnalysisError, MissingDependencyError
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.alert_text import render_markdown

if TYPE_CHECKING:
    from a2a.client import Client
    from a2a.types import Task, TaskState

__all__ = ["AgentRefusedError", "load_agent_protocol", "send_to_agent"]

SEND_TIMEOUT_S = 5.0
"""For each of these: the card, the message, and what becomes of the task that the agent makes of it."""

TASK_PAUSES_S = (0.1, 0.3, 0.6, 1.0)
"""Before each question after a task that goes on: an agent that refuses an alert does so at once, in some 2 s."""

_NAMESPACE = uuid.UUID("6f2f0f5c-2b52-4c1e-9d6b-5a6d0f6f7a10")


class AgentRefusedError(MemAnalysisError):
    """An agent answered, but did not take the message."""


def load_agent_protocol() -> None:
    """Import what sending needs: at the start of a run, and not when memory is scarce.

    Raises
    ------
    MissingDependencyError
        ``a2a-sdk`` is not installed, or older than 1.0.
    """
    try:
        import a2a.client  # noqa: F401 - loaded for later
        import httpx  # noqa: F401
    except ImportError as exc:
        raise MissingDependencyError(
            "alerts.messaging.agent_cards needs a2a-sdk, which is not installed. Run: pip install 'memanalysis[a2a]'."
        ) from exc


def send_to_agent(address: str, alert: Alert, *, sender: str, with_cue: bool = True) -> None:
    """Send an alert to the agent whose card is at ``<address>/.well-known/agent-card.json``.

    It does not wait until the agent is done: one that still works on the alert after some 2 s has taken it. The id of
    the message is the same at each attempt, so that a receiver knows a repetition.

    Raises
    ------
    AgentRefusedError
        The agent rejected the message, or failed, in these 2 s.
    Exception
        What ``a2a-sdk`` raises where the agent cannot be reached, or gives no card.
    """
    asyncio.run(_send(address.rstrip("/"), alert, sender=sender, with_cue=with_cue))


async def _send(address: str, alert: Alert, *, sender: str, with_cue: bool) -> None:
    import httpx
    from a2a.client import ClientConfig, ClientFactory
    from a2a.types import Message, Part, Role, SendMessageRequest, TaskState

    facts = {name: value for name, value in alert.to_mapping().items() if value is not None}
    if not with_cue:
        del facts["cue_id"]
    text = Part(text=render_markdown(alert), media_type="text/markdown")
    message_id = str(uuid.uuid5(_NAMESPACE, f"{alert.cue_id} {address}"))
    message = Message(role=Role.ROLE_USER, message_id=message_id, parts=[text, _data_part({"sender": sender, **facts})])
    failed = {TaskState.TASK_STATE_REJECTED, TaskState.TASK_STATE_FAILED, TaskState.TASK_STATE_CANCELED}
    async with httpx.AsyncClient(timeout=SEND_TIMEOUT_S) as http:
        async with asyncio.timeout(2 * SEND_TIMEOUT_S):
            factory = ClientFactory(ClientConfig(httpx_client=http, streaming=False, polling=True))
            client = await factory.create_from_url(address)
            answers = [answer async for answer in client.send_message(SendMessageRequest(message=message))]
        for answer in answers:
            if answer.HasField("task") and (state := await _find_state(client, answer.task)) in failed:
                name = TaskState.Name(state)
                raise AgentRefusedError(f"The agent at {address} did not take the alert: {name}. Ask its owner.")


async def _find_state(client: "Client", task: "Task") -> "TaskState":
    """Return the state of a task, once it no longer waits or goes on, or after some 2 s."""
    import httpx
    from a2a.types import GetTaskRequest, TaskState
    from a2a.utils.errors import A2AError

    state = task.status.state
    # the agent has the alert, also where it does not answer how its task stands
    with suppress(A2AError, httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(SEND_TIMEOUT_S):
            for pause_s in TASK_PAUSES_S:
                if state not in {TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING}:
                    break
                await asyncio.sleep(pause_s)
                state = (await client.get_task(GetTaskRequest(id=task.id))).status.state
    return state


def _data_part(facts: dict[str, Any]) -> Any:
    from a2a.helpers import new_data_part

    return new_data_part(facts, media_type="application/json")
