"""Whatever one file or entry of a ledger holds, every command treats the others."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memanalysis.cli import main
from memanalysis.ledger.marker import write_marker

pytestmark = pytest.mark.slow

MOMENT = pa.timestamp("us", tz="UTC")
ROWS = 60
START_US = 1_735_689_600 * 10**6
BAD = "samples/service_key=bad/20250101T000000Z-2-00000002.parquet"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "memanalysis", *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def columns_of(service: str) -> dict[str, pa.Array]:
    return {
        "service": pa.array([service] * ROWS),
        "run_id": pa.array([f"20250101T000000Z-2-{service}"] * ROWS),
        "seq": pa.array(range(ROWS)),
        "timestamp": pa.array([START_US + second * 10**6 for second in range(ROWS)], MOMENT),
        "elapsed_s": pa.array([float(second) for second in range(ROWS)]),
        "rss_bytes": pa.array([50_000_000 + 500_000 * second for second in range(ROWS)]),
    }


def write(path: Path, columns: dict[str, pa.Array], **keys: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(keys or None), path)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run a command in this process, which is quick; its code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run_it(*arguments: str) -> tuple[int, str]:
        code = main(arguments)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out

    return run_it


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    root = tmp_path / "led"
    root.mkdir()
    write_marker(root)
    write(root / "samples/service_key=good/20250101T000000Z-1-00000001.parquet", columns_of("good"))
    return root


def replaced(column: str, value: object, kind: pa.DataType) -> Callable[[Path], None]:
    def write_it(path: Path) -> None:
        columns = columns_of("bad")
        cells = columns[column].to_pylist() if column in columns else [None] * ROWS
        write(path, columns | {column: pa.array([value, *cells[1:]], kind)})

    return write_it


def flipped_text(path: Path) -> None:
    columns = columns_of("bad")
    write(path, columns | {"run_id": pa.array([b"\xff\xfe"] * ROWS).view(pa.string())})


def twice(path: Path) -> None:
    table = pa.table(columns_of("bad"))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.append_column("rss_bytes", table["rss_bytes"]), path)


def no_known_column(path: Path) -> None:
    write(path, {"price": pa.array([1, 2])})


def all_null(path: Path) -> None:
    write(path, {name: pa.nulls(5, column.type) for name, column in columns_of("bad").items()})


def broken_footer(path: Path) -> None:
    write(path, columns_of("bad"))
    content = bytearray(path.read_bytes())
    content[-200:-12] = bytes(range(188))
    path.write_bytes(content)


def no_parquet(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1PAR1")


def with_key(key: str, value: str) -> Callable[[Path], None]:
    return lambda path: write(path, columns_of("bad"), **{key: value})


FAULTS: dict[str, Callable[[Path], None]] = {
    "negative": replaced("rss_bytes", -5, pa.int64()),
    "huge": replaced("rss_bytes", 2**63 - 1, pa.int64()),
    "infinite": replaced("elapsed_s", float("inf"), pa.float64()),
    "year 11111": replaced("timestamp", 288_000_000_000 * 10**6, MOMENT),
    "year 0": replaced("timestamp", -62_200_000_000 * 10**6, MOMENT),
    "not UTF-8": flipped_text,
    "twice": twice,
    "no known column": no_known_column,
    "all null": all_null,
    "broken footer": broken_footer,
    "interval": with_key("memanalysis.downsampled_s", "abc"),
    "long version": with_key("memanalysis.schema_version", "9" * 5000),
    "newer version": with_key("memanalysis.schema_version", "2"),
    "no Parquet": no_parquet,
}
NO_DAMAGE = {"no known column", "all null", "interval"}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_bad_file_takes_no_command_down(ledger: Path, command: Command, fault: str) -> None:
    FAULTS[fault](ledger / BAD)

    code, out = command("assess", "led", "--format", "json")
    rows = json.loads(out)
    (good,) = [row for row in rows if row["service"] == "good"]
    assert (code, good["shape"], good["n_samples"]) == (0, "growing", ROWS)
    unreadable = [row for row in rows if row["shape"] == "unreadable"]
    code, shown = command("info", "led")
    assert code == 0
    code, out = command("report", "led", "--format", "json")
    assert code == 0
    damage = json.loads(out)["damage"]
    if fault in NO_DAMAGE:
        assert (damage, unreadable) == ([], [])
        assert "left out" not in shown
    else:
        assert {record["file"] for record in damage} == {BAD}
        if "timestamp" not in {record["column"] for record in damage}:  # a verdict reads the other clock
            assert [row["service"] for row in unreadable] == ["bad"]
            assert BAD in unreadable[0]["sentence"]
        assert f"{BAD}: " in " ".join(shown.split())  # a long reason begins on the next line
    assert command("assess", "led", "--format", "csv")[0] == 0
    assert command("report", "led", "--format", "markdown")[0] == 0
    assert command("report", "led", "-o", "r.html")[0] == 0
    assert ("Left out" in (ledger.parent / "r.html").read_text(encoding="utf-8")) == (fault not in NO_DAMAGE)
    assert command("convert", "led", "copy.jsonl")[0] == 0
    assert command("compact", "led")[0] == 0


@pytest.mark.slow
def test_a_shell_sees_the_code_of_the_finding_and_not_of_the_damage(ledger: Path) -> None:
    """1 is a new leak; a corrupt file beside it changes nothing."""
    FAULTS["negative"](ledger / BAD)
    shrinking = pa.array([50_000_000 - 100 * second for second in range(ROWS)])

    assert run("check", "led", cwd=ledger.parent).returncode == 1
    for path in (ledger / "samples").rglob("*.parquet"):
        path.unlink()
    write(ledger / "samples/service_key=good/x.parquet", columns_of("good") | {"rss_bytes": shrinking})
    FAULTS["twice"](ledger / BAD)
    checked = run("check", "led", cwd=ledger.parent)
    assert (checked.returncode, checked.stderr.count("Traceback")) == (0, 0)
    checked = run("check", "led", "--fail-on", "unknown", cwd=ledger.parent)
    assert (checked.returncode, checked.stderr.count("Traceback")) == (1, 0)


def test_what_is_left_out_stands_in_every_shape_of_a_verdict(ledger: Path, command: Command) -> None:
    FAULTS["negative"](ledger / BAD)

    shown = command("assess", "led")[1]
    assert "unreadable" in shown
    sentence = f"Parts of 1 file were left out. {BAD}: 1 value of rss_bytes, below 0 or above any memory"
    assert sentence in " ".join(shown.split())
    assert "unreadable" in command("assess", "led", "--format", "csv")[1]
    assert "## Left out" in command("report", "led", "--format", "markdown")[1]


def test_a_torn_last_line_makes_no_row(ledger: Path, command: Command) -> None:
    """Every killed process may leave one."""
    path = ledger / "live/samples/service_key=good/20250101T000000Z-9-00000009.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"service":"good","run_id":"x","seq":0,"elapsed_s":0.0,"rss_bytes":5}\n{"serv')

    assert "unreadable" not in command("assess", "led")[1]
    assert "1 line, torn last line" in command("info", "led")[1]


@pytest.mark.slow
def test_odd_entries_hold_no_command_and_are_named(ledger: Path) -> None:
    folder, cwd = ledger / "samples/service_key=good", ledger.parent
    outside = cwd / "outside"
    outside.mkdir()
    write(outside / "x.parquet", columns_of("outside"))
    os.mkfifo(folder / "pipe.jsonl")
    os.mkfifo(folder / "pipe.parquet")
    (folder / "folder.jsonl").mkdir()
    (folder / "link.parquet").symlink_to(outside / "x.parquet")
    (ledger / "samples/service_key=linked").symlink_to(outside)
    (ledger / "samples/service_key=loop").symlink_to(ledger / "samples")
    (ledger / "events").symlink_to(outside)
    os.mkfifo(ledger / "objects")
    os.chdir(folder)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket.jsonl")
    finally:
        os.chdir(cwd)
    named = {
        *(f"samples/service_key=good/{name}" for name in ("pipe.jsonl", "pipe.parquet", "folder.jsonl")),
        *("samples/service_key=good/link.parquet", "samples/service_key=good/socket.jsonl"),
        *("samples/service_key=linked", "samples/service_key=loop", "events", "objects"),
    }

    reported = run("report", "led", "--format", "json", cwd=cwd)
    assert reported.returncode == 0
    assert {record["file"] for record in json.loads(reported.stdout)["damage"]} == named
    for arguments in (("info", "led"), ("assess", "led"), ("report", "led"), ("convert", "led", "copy")):
        done = run(*arguments, cwd=cwd)
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), (arguments, done.stderr)
        assert "outside" not in done.stdout
