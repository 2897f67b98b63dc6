import json
import os
from pathlib import Path
from typing import Any

import pytest

from memanalysis import open_ledger, report
from memanalysis.errors import InvalidArgumentError, LedgerNotFoundError
from memanalysis.policy.loader import read_policy
from memanalysis.units import MIB


@pytest.mark.slow
def test_the_worst_service_comes_first(three_services: Path) -> None:
    made = report(open_ledger(three_services))

    assert [section.service for section in made.sections] == ["leaking_registry", "swinging_batch", "warming_cache"]
    sentence = "1 of 3 services leaks: leaking_registry grows by 1.76 GiB/h, at registry.py:42."
    assert repr(made) == f"<Report on {three_services}: {sentence}>"


def test_a_service_is_shown_by_its_worst_run(maker: Any) -> None:
    maker.add("api", lambda at: 50 * MIB)
    leaking = maker.add("api", lambda at: (40 + at) * MIB)
    maker.add("api", lambda at: 60 * MIB)
    made = report(maker.path)

    assert len(made.verdicts) == 3
    assert [section.run_id for section in made.sections] == [leaking]
    assert len(made.sections[0].other_verdicts) == 2
    assert made.headline == "1 of 1 service leaks: api grows by 3.5 GiB/h."


def test_a_budget_for_the_family_is_held_against_the_family(maker: Any) -> None:
    """The master stays at 50 MiB; with its workers it is at 100 MiB after 50 s."""
    maker.add("api", lambda at: 50 * MIB, family_bytes=lambda at: (50 + at) * MIB)
    policy = {"memory_budgets": {"services": {"api": {"max_memory_mb": 100, "metric": "family"}}}}
    (section,) = report(maker.path, policy=policy).sections

    assert section.breaches["metric"].tolist() == ["family_bytes"] * section.n_breaches
    assert section.n_breaches > 0


@pytest.mark.slow
def test_a_policy_is_a_path_a_mapping_or_a_record(three_services: Path, tmp_path: Path) -> None:
    """The service that leaks passes its budget of 50 MB, whichever way that is given."""
    file = tmp_path / "policy.yaml"
    file.write_text("memory_budgets: {services: {leaking_registry: 50MB}}")
    mapping = {"memory_budgets": {"services": {"leaking_registry": "50MB"}}}
    reports = [report(three_services, policy=source) for source in (file, str(file), mapping, read_policy(file))]

    assert len({made.to_json() for made in reports}) == 1
    assert reports[0].sections[0].n_breaches > 0


def test_marks_are_on_the_clock_of_the_chart(three_services: Path) -> None:
    assert report(three_services).sections[0].marks == [(30.0, "deploy 1.4")]


def test_the_fitted_line_lies_on_the_series(three_services: Path) -> None:
    """The leak has 40 MiB at the start and 0.5 MiB/s: 69.5 MiB after 59 s."""
    line = report(three_services).sections[0].line

    assert line is not None
    assert line.elapsed_s[-1] == 59.0
    assert line.size_bytes[-1] == pytest.approx(69.5 * MIB, rel=0.01)


def test_an_empty_ledger_gives_a_report_that_says_so(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text("[]")
    made = report(file)

    assert made.headline == "Nothing was recorded: the ledger has no samples."
    assert "not available: no sample has a time" in made.to_html()
    assert made.headline in made.to_markdown()


def test_a_json_array_gives_a_report(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    entries = ",".join(
        f'{{"timestamp": {1_750_000_000 + 60 * at}, "service_name": "my_service", "memory_usage_mb": {40 + at}, '
        '"object_count": 100, "allocation_count": 1, "deallocation_count": 0, "gc_collections": 3}'
        for at in range(30)
    )
    file.write_text(f"[{entries}]")
    made = report(file)

    assert made.headline == "1 of 1 service leaks: my_service grows by 60.0 MiB/h."
    page = made.to_html()
    assert "memory that Python allocated" in page
    assert "No allocation sites were recorded in this run: only what Python allocated in all." in page


@pytest.mark.slow
def test_what_is_no_ledger_or_cannot_be_written_is_refused(three_services: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerNotFoundError):
        report(tmp_path / "nothing")
    with pytest.raises(InvalidArgumentError, match=r"report needs a Ledger, a path or a URL, but got list\."):
        report([])  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"Report\.to_html needs a path that it can write, but"):
        report(three_services).to_html(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["to_html", "to_markdown", "to_json"])
def test_a_report_is_given_as_text_or_written_to_the_path_that_is_given_back(
    name: str, three_services: Path, tmp_path: Path
) -> None:
    made = report(three_services)
    written = getattr(made, name)(str(tmp_path / "report"))

    assert written == tmp_path / "report"
    assert written.read_text(encoding="utf-8") == getattr(made, name)()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.skipif(os.name != "posix", reason="links and devices of POSIX")
def test_a_written_report_replaces_what_a_link_points_to_and_no_device(three_services: Path, tmp_path: Path) -> None:
    (tmp_path / "real").touch(mode=0o640)
    (tmp_path / "link").symlink_to("real")
    made = report(three_services)
    made.to_json(tmp_path / "link")
    made.to_json("/dev/null")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == made.to_json()
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
    assert Path("/dev/null").is_char_device()


def test_a_report_on_one_run_leaves_out_all_others(maker: Any) -> None:
    maker.add("shop", lambda at: (40 + at) * MIB)
    quiet = maker.add("shop", lambda at: (40 + at % 7) * MIB, n=30)
    maker.add("cart", lambda at: (40 + at) * MIB)
    made = report(maker.path, run_id=quiet)

    assert made.verdicts["run_id"].tolist() == [quiet]
    assert made.title == "Memory of shop"
    assert made.headline == "No leak was shown in 1 service."
    assert made.ended is not None
    assert made.started is not None
    assert (made.ended - made.started).total_seconds() == 29
    assert report(maker.path, run_id="none").headline.startswith("Nothing was recorded")


def test_what_a_library_allocates_is_drawn_and_listed_by_the_line_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    run = {"service": "api", "run_id": "r"}
    with path.open("w") as stream:
        for at in range(60):
            moment = f"2026-01-01T00:00:{at:02}Z"
            row = {"table": "samples", "seq": at, "elapsed_s": at, "timestamp": moment, "rss_bytes": (100 + at) * MIB}
            stream.write(json.dumps(row | run) + "\n")
            for line in (353, 354) if at % 10 == 0 else ():
                site = {"site_id": f"s{line}", "file": "/usr/lib/python3.12/json/decoder.py", "line": line}
                site |= {"user_file": "/srv/app/views.py", "user_line": 12, "user_function": "load"}
                row = {"table": "sites", "seq": at, "timestamp": moment, "size_bytes": at * MIB // 2}
                stream.write(json.dumps(row | site | run) + "\n")
    made = report(path)
    (section,) = made.sections

    assert section.sites[["file", "line", "share"]].to_numpy().tolist() == [["/srv/app/views.py", 12, 1.0]]
    assert section.sites["peak_bytes"].tolist() == [50 * MIB]
    assert section.site_lines["file"].unique().tolist() == ["/srv/app/views.py"]
    assert "damage" not in made.to_markdown()
    assert "/srv/app/views.py:12 in load" in made.to_html()
