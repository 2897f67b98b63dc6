"""A ledger's verdicts and the labels of its runs, joined: what explains the leaks is named by library and command."""

import json

import pytest

from memanalysis import pivot
from memanalysis.cli import EXIT_ERROR, main
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB

START = 1_750_000_000.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Runs of one service on 24 hosts; those with libfoo 2.3 grow by 1 MiB/s."""
    path = tmp_path_factory.mktemp("fleet") / "ledger"
    for number in range(24):
        leaks = number % 3 == 0
        run = {
            "run_id": f"20250615T150640Z-{number + 1}-{number:08x}",
            "service": "api",
            "host": f"h{number}",
            "started": START,
            "labels": {"region": f"r{number % 2}"},
            "packages": {"libfoo": "2.3" if leaks else "2.2"},
        }
        writer = LedgerWriter(path, run=run, flush="manual")
        writer.append(
            "samples",
            [
                {
                    "seq": second,
                    "timestamp": START + second,
                    "elapsed_s": float(second),
                    "rss_bytes": 100 * MIB + leaks * second * MIB + number * second % 7 * 4096,
                }
                for second in range(60)
            ],
        )
        writer.close(ended=START + 60)
    return path


@pytest.mark.slow
def test_the_package_that_explains_the_leaks_is_named(fleet):
    found = pivot(fleet)

    assert (found.runs, found.leaking_runs) == (24, 8)
    assert [(one.label, one.value) for one in found.explanations] == [("libfoo", "2.3")]


def test_only_the_labels_that_are_asked_for_are_compared(fleet):
    found = pivot(fleet, labels=["region"])

    assert (found.labels, found.explanations) == (1, ())


def test_a_label_that_no_run_has_is_one_error(fleet):
    with pytest.raises(InvalidArgumentError, match=r"pivot needs labels that .* has, but got 'zone'. It has .*region"):
        pivot(fleet, labels=["zone"])


def test_the_command_prints_the_same(fleet, capsys):
    assert main(["pivot", str(fleet)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Leaks go with libfoo 2.3: 8 of 8 runs with it leak, and 0 of 16 without it" in shown

    assert main(["pivot", str(fleet), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["explanations"][0]["value"] == "2.3"
    assert main(["pivot", str(fleet), "--label", "zone"]) == EXIT_ERROR
