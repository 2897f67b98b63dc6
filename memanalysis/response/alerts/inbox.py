"""Messages between agents by folders: ``<root>/<agent>/inbox/<message>.md``, one Markdown file each.

A file begins with a JSON object (sender, recipient, level, service, cue id, figures, what to do), followed by an empty
line and the alert as Markdown. It appears at once and whole. What was read moves to ``inbox/read``.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memanalysis._atomic import write_atomic
from memanalysis.errors import InvalidArgumentError
from memanalysis.response.alerts.alert import Alert, parse_alert
from memanalysis.response.alerts.alert_text import render_markdown

__all__ = ["InboxMessage", "inbox_folder", "mark_read", "read_inbox", "write_message"]

_INBOX, _READ, _SUFFIX = "inbox", "read", ".md"
_MAX_MESSAGE_BYTES = 2**20
_MAX_NAME = 60
_DIGEST_DIGITS = 8
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """One message that waits in an inbox.

    Parameters
    ----------
    file : Path
    sender, recipient : str
    cue_id : str or None
        Names the alert everywhere; None where the policy does not use cues.
    alert : Alert
        What it is about.
    """

    file: Path
    sender: str
    recipient: str
    cue_id: str | None
    alert: Alert


def inbox_folder(root: Path, recipient: str) -> Path:
    """Return the folder of an agent's inbox; no name of an agent leads out of the root.

    Examples
    --------
    >>> inbox_folder(Path("agents"), "Agent-5").as_posix()
    'agents/Agent-5/inbox'
    """
    return root / _safe_name(recipient) / _INBOX


def write_message(root: Path, recipient: str, alert: Alert, *, sender: str, with_cue: bool = True) -> Path:
    """Write an alert into an agent's inbox, and return its file; written again, it replaces itself.

    Parameters
    ----------
    root : Path
        Folder of all agents; made where it is missing.
    recipient : str
        Whose inbox.
    alert : Alert
    sender : str
        Who writes.
    with_cue : bool
        Whether the message names a cue id that an answer refers to.

    Raises
    ------
    OSError
        The disk refuses.
    """
    folder = inbox_folder(root, recipient)
    folder.mkdir(parents=True, exist_ok=True)
    values = alert.to_mapping()
    cue_id = values.pop("cue_id")
    head: dict[str, Any] = {"sender": sender, "recipient": recipient, "cue_id": cue_id} if with_cue else {
        "sender": sender,
        "recipient": recipient,
    }  # fmt: skip
    when = datetime.fromtimestamp(alert.timestamp, UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{when}-{alert.level}-{_safe_name(alert.service)}-{cue_id.removeprefix('mem-')}{_SUFFIX}"
    text = f"{json.dumps(head | values, indent=2)}\n\n{render_markdown(alert)}"
    write_atomic(path, text.encode("utf-8", "replace"))
    return path


def read_inbox(root: Path, recipient: str) -> list[InboxMessage]:
    """Read the alerts in an agent's inbox, the oldest first; files that are none are passed over and left."""
    folder = inbox_folder(root, recipient)
    try:
        paths = [path for path in folder.iterdir() if path.suffix == _SUFFIX and not path.name.startswith(".")]
    except OSError:  # no such folder: no message was ever sent
        return []
    messages = [message for path in paths for message in _read_message(path, recipient)]
    return sorted(messages, key=lambda message: (message.alert.timestamp, message.file.name))


def mark_read(message: InboxMessage) -> Path:
    """Move a message to the folder ``read`` of its inbox, and return its new place.

    Raises
    ------
    OSError
        The disk refuses, or somebody else has moved it.
    """
    folder = message.file.parent / _READ
    folder.mkdir(exist_ok=True)
    return message.file.rename(folder / message.file.name)


def _read_message(path: Path, recipient: str) -> Iterator[InboxMessage]:
    with suppress(OSError, ValueError, InvalidArgumentError):
        with open(path, "rb", opener=_open_without_waiting) as stream:
            text = stream.read(_MAX_MESSAGE_BYTES).decode()
        head, _ = json.JSONDecoder().raw_decode(text)
        if isinstance(head, Mapping):
            cue_id = head.get("cue_id")
            yield InboxMessage(
                file=path,
                sender=str(head.get("sender", "")),
                recipient=recipient,
                cue_id=None if cue_id is None else str(cue_id),
                alert=parse_alert(head),
            )


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a named pipe without a writer would otherwise hold its reader for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _safe_name(name: str) -> str:
    """Return a name that is one part of a path on every system; one that had to be changed ends in a digest."""
    safe = _UNSAFE.sub("-", name).strip(".-")[:_MAX_NAME]
    if safe == name != "":
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    return f"{safe or 'unnamed'}-{digest}"
