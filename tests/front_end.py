"""What a browser sends to the widgets of a kernel, and what it gets back."""

from typing import Any

from jupyter_core.utils import run_sync
from kernels import CELL_TIMEOUT_S, Kernel

__all__ = ["move_widget"]


def move_widget(
    kernel: Kernel, model_id: str, state: dict[str, Any], *, method: str = "update"
) -> dict[str, dict[str, Any]]:
    """Send what a front end sends when a hand moves a widget or presses it; gives what comes back, by widget."""
    data = {"method": method, "state": state, "buffer_paths": []} if method == "update" else {"method": method}
    content = {"comm_id": model_id, "data": data | ({} if method == "update" else {"content": state})}
    message = kernel.client.kc.session.msg("comm_msg", content)
    kernel.client.kc.shell_channel.send(message)
    return run_sync(_receive_updates)(kernel, message["header"]["msg_id"])


async def _receive_updates(kernel: Kernel, message_id: str) -> dict[str, dict[str, Any]]:
    """States that the kernel sends to a front end until it is done with a message."""
    states: dict[str, dict[str, Any]] = {}
    while True:
        message = await kernel.client.kc.get_iopub_msg(timeout=CELL_TIMEOUT_S)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        content = message["content"]
        if message["msg_type"] == "comm_msg" and content["data"]["method"] == "update":
            states.setdefault(content["comm_id"], {}).update(content["data"]["state"])
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return states
