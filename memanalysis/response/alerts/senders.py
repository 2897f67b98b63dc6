"""What a policy's channels need: made as a run begins, and each one that cannot act is named with its cure."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from memanalysis.errors import InvalidArgumentError, MissingDependencyError
from memanalysis.policy.model import Policy
from memanalysis.response.alerts.agent_channel import load_agent_protocol, send_to_agent
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.apprise_channel import label_address, load_apprise, send_by_apprise
from memanalysis.response.alerts.inbox import write_message
from memanalysis.response.alerts.outbox import Send
from memanalysis.response.exports.otlp import load_opentelemetry, send_as_log_record

__all__ = ["make_senders"]

NO_INBOXES = "Recipients without an agent card get no message, because inboxes are in the ledger and there is none."
INBOXES_CURE = "Write a folder as alerts.messaging.inbox_root, or record a ledger."


def make_senders(policy: Policy, *, sender: str, ledger_folder: Path | None) -> tuple[dict[str, Send], list[str]]:
    """Make the channels that deliver through an outbox, and report why any of them cannot act.

    Parameters
    ----------
    policy : Policy
    sender : str
        Whom messages come from.
    ledger_folder : Path or None
        Folder of the ledger, in which inboxes are unless the policy names another place. None without a ledger.

    Returns
    -------
    tuple
        The channels by name, and a sentence for each problem.
    """
    senders: dict[str, Send] = {}
    problems: list[str] = []
    makers: Mapping[str, Callable[[], Send | None]] = {
        "messaging": lambda: _make_messaging(policy, sender, ledger_folder, problems),
        "apprise": lambda: _make_apprise(policy),
        "opentelemetry": lambda: _make_opentelemetry(policy),
    }
    for name in policy.alerts.channels:
        try:
            send = makers[name]() if name in makers else None
        except MissingDependencyError as exc:
            problems.append(f"Alerts do not go out by {name}: {exc}")
        else:
            if send is not None:
                senders[name] = send
    return senders, problems


def _make_messaging(policy: Policy, sender: str, ledger_folder: Path | None, problems: list[str]) -> Send | None:
    service, channel = policy.integration.messaging_service, policy.alerts.messaging
    if not service.enabled:
        return None
    root = channel.find_inbox_root(ledger_folder)
    cards = {name: os.path.expandvars(address) for name, address in channel.find_cards().items()}
    try:
        if cards:
            load_agent_protocol()
    except MissingDependencyError as exc:
        problems.append(f"Messages go to inbox folders alone: {exc}")
        cards = {}
    if root is None and (cards or "logging" not in policy.alerts.channels):
        problems.append(f"{NO_INBOXES} {INBOXES_CURE}")
    if root is None and not cards:
        return None

    def send(alert: Alert, recipient: str) -> None:
        if recipient in cards:
            send_to_agent(cards[recipient], alert, sender=sender, with_cue=service.use_cue_system)
        elif root is not None:
            write_message(root, recipient, alert, sender=sender, with_cue=service.use_cue_system)
        else:
            raise InvalidArgumentError(
                f"{recipient} needs an agent card or an inbox, but alerts.messaging.agent_cards has none for it, and "
                f"without a ledger there is no inbox. {INBOXES_CURE}"
            )

    return send


def _make_apprise(policy: Policy) -> Send | None:
    urls = {label_address(url): url for url in policy.alerts.apprise.urls}
    if not urls:
        return None
    load_apprise()

    def send(alert: Alert, label: str) -> None:
        if label not in urls:  # it waited from an earlier run
            raise InvalidArgumentError(
                f"The alert waits for the address {label}, but alerts.apprise.urls has it no longer. "
                "Write it there again, or remove the alert from the folder of the undelivered."
            )
        send_by_apprise(alert, urls[label])

    return send


def _make_opentelemetry(policy: Policy) -> Send:
    load_opentelemetry()
    endpoint = os.path.expandvars(policy.alerts.opentelemetry.endpoint)

    def send(alert: Alert, _: str) -> None:
        send_as_log_record(alert, endpoint)

    return send
