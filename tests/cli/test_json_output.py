"""With ``--json`` a command prints JSON alone, as the schema that is published describes it."""

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from memanalysis.cli import EXIT_ERROR, main
from memanalysis.cli.output_schemas import SCHEMAS, make_output_schema

POLICY = Path(__file__).parents[2] / "config" / "memory_policy.yaml"

COMMANDS = {
    "assess": ["assess", "{ledger}"],
    "check": ["check", "{ledger}", "--fail-on", "leak,breach,unknown", "--policy", "{policy}"],
    "compact": ["compact", "{copy}", "--dry-run"],
    "compare": ["compare", "{ledger}", "{ledger}"],
    "pivot": ["pivot", "{ledger}"],
    "convert": ["convert", "{ledger}", "{target}"],
    "demo": ["demo", "--seconds", "3", "--scenario", "warming_cache", "--out", "{target}"],
    "doctor": ["doctor"],
    "export": ["export", "{ledger}", "{target}.pb.gz", "--service", "leaking_registry"],
    "import": ["import", "{mprof}", "{target}"],
    "info": ["info", "{ledger}"],
    "policy check": ["policy", "check", "{policy}"],
    "policy show": ["policy", "show", "{policy}"],
    "record": ["record", "--pid", str(os.getpid()), "--seconds", "0.1", "--interval", "0.05", "--ledger", "{target}"],
    "report": ["report", "{ledger}", "--policy", "{policy}"],
    "test": ["test", "kept.append(bytes(1000))", "--setup", "kept = []", "--max-calls", "200"],
    "trend": ["trend", "{ledger}", "--policy", "{policy}"],
}


def read_strict(text: str) -> object:
    """Parse JSON that holds neither NaN nor Infinity, which are not JSON."""

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SCHEMAS.keys() - {"sweep"}))  # that one installs: see its own tests
def test_what_a_command_prints_is_what_its_schema_describes(
    name: str, recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger holds a leak, a service of three samples, whose slope is not known, and a hostile name."""
    copy = tmp_path / "copy"
    if name == "compact":
        main(["convert", str(recorded), str(copy)])
        capsys.readouterr()
    mprof = tmp_path / "mprofile.dat"
    mprof.write_text("CMDLINE python shop.py\nMEM 1.0 1795970597.0\nFUNC f 1 2 3 4 1\nMEM 2.0 1795970598.0\n")
    places = {"ledger": recorded, "policy": POLICY, "copy": copy, "mprof": mprof, "target": tmp_path / "target"}

    assert main([word.format(**places) for word in COMMANDS[name]] + ["--json"]) in (0, 1)
    shown = capsys.readouterr()
    schema = make_output_schema(name)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(read_strict(shown.out))
    assert shown.err == ""


def test_a_schema_refuses_what_has_a_key_more_or_less(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["assess", str(recorded), "--json"])
    rows = json.loads(capsys.readouterr().out)
    validator = Draft202012Validator(make_output_schema("assess"))
    wrong = [
        [{**rows[0], "extra": 1}],
        [{name: value for name, value in rows[0].items() if name != "shape"}],
        [{**rows[0], "shape": "wobbling"}],
        [{**rows[0], "slope_bytes_per_s": "fast"}],
    ]

    assert [validator.is_valid(each) for each in [rows, *wrong]] == [True, False, False, False, False]


def test_unknown_is_null(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["assess", str(recorded), "--service", "young", "--json"])
    (row,) = json.loads(capsys.readouterr().out)

    assert (row["shape"], row["slope_bytes_per_s"], row["responsible_line"]) == ("inconclusive", None, None)


def test_the_schemas_are_printed_by_command_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "policy", "show"]) == 0
    assert json.loads(capsys.readouterr().out) == make_output_schema("policy show")

    assert main(["schema"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(SCHEMAS)


def test_a_command_without_a_schema_is_named_beside_those_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "asess"]) == EXIT_ERROR
    assert "There is no schema of 'asess'. Did you mean assess?" in capsys.readouterr().err


def test_an_error_prints_nothing_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assess", str(tmp_path / "nowhere"), "--json"]) == EXIT_ERROR
    assert capsys.readouterr().out == ""
