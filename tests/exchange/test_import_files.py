"""Measurements of other tools in a ledger: judged as its own, once, and all or none."""

import gzip
import json
from pathlib import Path

import pytest
from heap_makers import MakeLedger, site

from memanalysis.errors import InvalidArgumentError, LedgerError, LedgerFormatError, LedgerNotFoundError
from memanalysis.exchange.export import export_heap
from memanalysis.exchange.import_files import import_files
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.assess import assess

MIB = 1024**2
AT = 1_735_689_600
LEAK = "CMDLINE python shop.py\n" + "".join(f"MEM {100 + at / 2:.6f} {AT + at}.0\n" for at in range(120))


@pytest.mark.slow
def test_a_leak_in_a_file_of_mprof_is_judged_with_the_growth_that_it_has(tmp_path: Path) -> None:
    """Half a MiB a second."""
    (tmp_path / "m.dat").write_text(LEAK)

    import_files([tmp_path / "m.dat"], tmp_path / "ledger")

    verdict = assess(tmp_path / "ledger").iloc[0]
    assert (verdict["service"], verdict["shape"], bool(verdict["is_leak"])) == ("shop", "growing", True)
    assert verdict["slope_bytes_per_s"] == pytest.approx(MIB / 2, rel=1e-3)
    run = open_ledger(tmp_path / "ledger").runs.iloc[0]
    assert (run["started"].timestamp(), run["ended"].timestamp()) == (AT, AT + 119)


def test_an_answer_of_prometheus_is_judged_series_by_series(tmp_path: Path) -> None:
    flat = [[AT + 15 * at, str(50 * MIB)] for at in range(120)]
    leaks = [[AT + 15 * at, str(50 * MIB + at * MIB)] for at in range(120)]
    result = [
        {"metric": {"__name__": "process_resident_memory_bytes", "job": job}, "values": values}
        for job, values in (("flat", flat), ("leaks", leaks))
    ]
    (tmp_path / "a.json").write_text(
        json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
    )

    import_files([tmp_path / "a.json"], tmp_path / "ledger")

    verdicts = assess(tmp_path / "ledger").set_index("service")
    assert verdicts["is_leak"].to_dict() == {"flat": False, "leaks": True}
    assert verdicts.loc["leaks", "slope_bytes_per_s"] == pytest.approx(MIB / 15, rel=1e-3)
    assert open_ledger(tmp_path / "ledger").runs["labels"].tolist() == [{"job": "flat"}, {"job": "leaks"}]


def test_heap_profiles_are_snapshots_of_one_run_and_come_back_as_they_were(
    make_ledger: MakeLedger, tmp_path: Path
) -> None:
    stacks = [[site(("a.py", 1), ("b.py", 2), size=size, objects=size // 10, function="f")] for size in (100, 350, 800)]
    ledger = make_ledger(dict(zip((5, 10, 20), stacks, strict=True)))
    for second in (20, 5, 10):
        part = make_ledger({second: stacks[(5, 10, 20).index(second)]}, run_id=f"at-{second}")
        export_heap(part, tmp_path / f"{second}.pb.gz", run_id=f"at-{second}")

    done = import_files([tmp_path / f"{second}.pb.gz" for second in (20, 5, 10)], tmp_path / "back")

    assert [(run.service, len(run.samples)) for run in done.runs] == [("api", 3)]
    back, before = open_ledger(tmp_path / "back"), open_ledger(ledger)
    assert back.samples["traced_bytes"].tolist() == [100, 350, 800]
    assert back.samples["elapsed_s"].tolist() == [0, 5, 15]
    columns = ["timestamp", "file", "line", "function", "traceback", "size_bytes", "live_allocations"]
    sites = before.sites[before.sites["run_id"] == "r1"]
    assert back.sites[columns].to_dict("list") == sites[columns].to_dict("list")


def test_a_file_may_be_packed_and_begin_with_an_empty_line(tmp_path: Path) -> None:
    (tmp_path / "m.dat.gz").write_bytes(gzip.compress(LEAK.encode(), mtime=0))
    (tmp_path / "a.json").write_text(
        '\n[{"metric": {"__name__": "process_resident_memory_bytes", "job": "api"}, "values": [[1, "2"]]}]'
    )

    done = import_files([tmp_path / "m.dat.gz", tmp_path / "a.json"], tmp_path / "ledger")

    assert [(run.service, len(run.samples)) for run in done.runs] == [("shop", 120), ("api", 1)]


def test_the_same_file_is_not_imported_twice(tmp_path: Path) -> None:
    (tmp_path / "m.dat").write_text(LEAK)
    import_files([tmp_path / "m.dat"], tmp_path / "ledger")

    with pytest.raises(InvalidArgumentError, match=r"of 'shop' .* has it already\. Leave its file out\."):
        import_files([tmp_path / "m.dat"], tmp_path / "ledger")
    with pytest.raises(InvalidArgumentError, match="it is given twice"):
        import_files([tmp_path / "m.dat"] * 2, tmp_path / "other")
    assert len(open_ledger(tmp_path / "ledger").runs) == 1


def test_nothing_is_written_where_one_of_the_files_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "good.dat").write_text(LEAK)
    (tmp_path / "bad.dat").write_text("MEM 1.0 1795970597.0\nMEM x\n")

    with pytest.raises(LedgerFormatError, match=r"bad\.dat:2: MEM needs"):
        import_files([tmp_path / "good.dat", tmp_path / "bad.dat"], tmp_path / "ledger")
    assert not (tmp_path / "ledger").exists()


def test_files_that_are_missing_empty_or_of_no_known_kind_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")

    with pytest.raises(LedgerNotFoundError, match="import needs a file to read, but nothing is at"):
        import_files([tmp_path / "none"], tmp_path / "ledger")
    with pytest.raises(LedgerFormatError, match=r"empty is empty \(0 bytes\)"):
        import_files([tmp_path / "empty"], tmp_path / "ledger")
    with pytest.raises(LedgerFormatError, match=r"text:1: needs a file of mprof, an answer of Prometheus"):
        import_files([tmp_path / "text"], tmp_path / "ledger")
    with pytest.raises(LedgerError, match=str(tmp_path)):
        import_files([tmp_path], tmp_path / "ledger")


def test_a_target_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "m.dat").write_text(LEAK)

    for target, what in ((tmp_path / "m.dat", "a file"), (tmp_path, "another folder")):
        with pytest.raises(InvalidArgumentError, match=f"is {what}\\. Name another"):
            import_files([tmp_path / "m.dat"], target)
    assert [path.name for path in tmp_path.iterdir()] == ["m.dat"]
