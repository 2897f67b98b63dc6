"""An alert in an inbox is one whole Markdown file with a JSON head, which the agent reads and puts away."""

import json
import os
from pathlib import Path

import pytest

from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.inbox import inbox_folder, mark_read, read_inbox, write_message


def make_alert(timestamp: float = 1_700_000_000.0, service: str = "api") -> Alert:
    return Alert("critical", service, f"{service} uses 97 MB.", timestamp, current_bytes=97 * 2**20, to_do="Restart.")


@pytest.mark.slow
def test_a_message_has_a_json_head_and_markdown(tmp_path: Path) -> None:
    alert = make_alert()
    path = write_message(tmp_path, "Agent-5", alert, sender="memanalysis")

    head, end = json.JSONDecoder().raw_decode(path.read_text(encoding="utf-8"))

    assert path.parent == tmp_path / "Agent-5" / "inbox"
    assert path.suffix == ".md"
    assert head["sender"], head["recipient"] == ("memanalysis", "Agent-5")
    assert (head["level"], head["service"], head["cue_id"]) == ("critical", "api", alert.cue_id)
    assert (head["current_bytes"], head["to_do"]) == (97 * 2**20, "Restart.")
    assert path.read_text(encoding="utf-8")[end:].startswith("\n\n# Memory critical: api\n")


def test_written_again_it_is_still_one_message(tmp_path: Path) -> None:
    for _ in range(2):
        write_message(tmp_path, "Agent-5", make_alert(), sender="memanalysis")

    assert len(list(inbox_folder(tmp_path, "Agent-5").iterdir())) == 1


def test_without_cues_no_cue_is_named(tmp_path: Path) -> None:
    write_message(tmp_path, "Agent-5", make_alert(), sender="memanalysis", with_cue=False)

    (message,) = read_inbox(tmp_path, "Agent-5")

    assert message.cue_id is None
    assert "cue_id" not in message.file.read_text(encoding="utf-8")


def test_messages_are_read_in_their_order_and_put_away(tmp_path: Path) -> None:
    for timestamp in (3e8, 1e8, 2e8):
        write_message(tmp_path, "Agent-5", make_alert(timestamp), sender="memanalysis")

    messages = read_inbox(tmp_path, "Agent-5")
    moved = mark_read(messages[0])

    assert [message.alert.timestamp for message in messages] == [1e8, 2e8, 3e8]
    assert moved == tmp_path / "Agent-5" / "inbox" / "read" / messages[0].file.name
    assert [message.alert.timestamp for message in read_inbox(tmp_path, "Agent-5")] == [2e8, 3e8]


def test_what_is_no_alert_is_passed_over_and_left(tmp_path: Path) -> None:
    folder = inbox_folder(tmp_path, "Agent-5")
    folder.mkdir(parents=True)
    contents = {
        "note.md": b"# a note",
        "list.md": b"[1]",
        "half.md": b'{"level": "war',
        "bytes.md": b"\xff\xfe",
        "a.txt": b"{}",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.md").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.md")
    before = sorted(path.name for path in folder.iterdir())

    assert read_inbox(tmp_path, "Agent-5") == []
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_inbox_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_inbox(tmp_path, "Agent-5") == []


@pytest.mark.parametrize("name", ["..", "../../etc", "/etc", "a/b", "", ".", "x" * 300, "a\0b", "Agent 5", "ä"])
def test_no_name_leads_out_of_the_root_and_no_two_share_a_folder(tmp_path: Path, name: str) -> None:
    folder = inbox_folder(tmp_path, name)

    assert folder.resolve().parent.parent == tmp_path.resolve()
    assert folder != inbox_folder(tmp_path, f"{name}b")
    write_message(tmp_path, name, make_alert(service=name), sender="memanalysis")
    assert [message.alert.service for message in read_inbox(tmp_path, name)] == [name]
