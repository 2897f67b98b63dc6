"""Score the verdict and print the tables: ``python -m benchmarks detection``."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.detection.accuracy import COUNT as COUNT_HARD
from benchmarks.detection.accuracy import PEER_COUNT, measure_accuracy, write_accuracy
from benchmarks.detection.detector import MIN_SCORE, Detector, Judge, judge_by, judge_by_engine, load_detector
from benchmarks.detection.hard_classes import LENGTHS, score_hard_classes
from benchmarks.detection.material import LeakCase, find_material, read_leak_cases, read_recorded
from benchmarks.detection.peers import PEERS
from benchmarks.detection.scores import Score, by_source
from benchmarks.detection.simulated import (
    coverage_of_forecasts,
    coverage_of_returns,
    coverage_of_slopes,
    false_alarms,
)
from benchmarks.detection.taken_back import score_taken_back
from benchmarks.measure import print_table
from memanalysis.analysis.leaks.site_ranking import pick_responsible_lines, rank_sites
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.series_verdict import assess_series

COUNT = 1000
HEADER = ["detector", "precision", "recall", "F1", "false alarms", "missed"]
PUBLISHED = ["Precog, published on other series", "-", "-", "-", "85 % accurate", "-"]


def main(count: int = COUNT, *, detector: str | None = None, write: bool = False) -> None:
    """Score on everything that is here; ours, and beside it the peers or the one detector that is named."""
    folder = find_material()
    peers = PEERS if detector is None else {detector: load_detector(detector)}
    if folder is None:
        print(
            "The recorded series and the leaking packages are not on this machine: MEMANALYSIS_MATERIAL names them.\n"
        )
    else:
        score_recorded(folder, peers)
        score_leak_cases(folder, peers)
    score_simulated(count)
    print_hard_classes(judge_by_engine, "memanalysis")
    print_taken_back()
    if detector is not None:
        judge = judge_by(load_detector(detector))
        print_hard_classes(judge, detector)
        print_own_false_alarms(judge, detector)
    if write:
        write_accuracy()


def print_own_false_alarms(judge: Judge, name: str) -> None:
    """Print how many benign series a detector calls a leak, and the least growth that it finds."""
    figures = measure_accuracy(judge, count=PEER_COUNT)
    rows = [[kind, f"{share:.2f}"] for kind, share in figures["benign"].items()]
    print_table(f"{name}: called a leak, and are none", ["series", "share"], rows)
    growths = [[length, f"{growth}"] for length, growth in figures["smallest_growth"].items()]
    print_table(f"{name}: least growth over noise found in 0.9", ["samples", "standard deviations"], growths)


def print_hard_classes(judge: Judge, name: str) -> None:
    """Print the share called a leak, of leaks and of what is none, by kind and length."""
    rows: dict[tuple[bool, str], list[str]] = {}
    for cell in score_hard_classes(COUNT_HARD if name == "memanalysis" else PEER_COUNT, judge=judge):
        rows.setdefault((cell.is_leak, cell.name), []).append(f"{cell.found / cell.count:.2f}")
    header = ["samples a series", *map(str, LENGTHS)]
    for is_leak, title in ((True, "leaks that are found"), (False, "benign, and called a leak at any moment")):
        print_table(
            f"{name}: {title}", header, [[kind, *cells] for (leaks, kind), cells in rows.items() if leaks == is_leak]
        )


def print_taken_back() -> None:
    """Print how many leaks were called one and were not at a later moment, by kind and length."""
    rows: dict[str, list[str]] = {}
    for cell in score_taken_back():
        rows.setdefault(cell.name, []).append(f"{cell.taken_back} of {cell.called}")
    table = [[kind, *cells] for kind, cells in rows.items()]
    print_table("Leaks whose word is taken back at some moment", ["samples a series", *map(str, LENGTHS)], table)


def score_recorded(folder: Path, peers: Mapping[str, Detector]) -> None:
    """Score on recorded series with labels."""
    series = read_recorded(folder)
    for strength in ("strong", "weak"):
        scores = {name: Score() for name in ["memanalysis", *peers]}
        labelled = series[series["strength"].eq(strength) & series["label"].isin(["leak", "benign", "stress"])]
        for name, rows in labelled.groupby("series_id"):
            times, values = rows["t_seconds"].to_numpy(float), rows["size_bytes"].to_numpy(float)
            is_leak = rows["label"].iloc[0] == "leak"
            scores["memanalysis"].add(str(name), is_leak=is_leak, is_called=assess_series(times, values).is_leak)
            for peer, detect in peers.items():
                scores[peer].add(str(name), is_leak=is_leak, is_called=float(detect(times, values)) >= MIN_SCORE)
        print_scores(f"Recorded series, {strength} labels", scores)


def score_leak_cases(folder: Path, peers: Mapping[str, Detector]) -> None:
    """Score on real leaks of real packages: RSS of the plain run, or RSS and traced bytes of the traced run."""
    scores = {name: Score() for name in ["memanalysis", "memanalysis, plain run only", *peers]}
    named, right = [], []
    for case in read_leak_cases(folder):
        if not case.is_scored:
            continue
        label = f"{case.variant}/{case.case}"
        plain = bool(assess_samples(case.plain)["is_leak"].iloc[0])
        traced = bool(assess_samples(case.traced)["is_leak"].iloc[0])
        scores["memanalysis"].add(label, is_leak=case.is_leak, is_called=plain or traced)
        scores["memanalysis, plain run only"].add(label, is_leak=case.is_leak, is_called=plain)
        for peer, detect in peers.items():
            times, values = (case.plain[name].to_numpy(float)[1:] for name in ("elapsed_s", "rss_bytes"))
            scores[peer].add(label, is_leak=case.is_leak, is_called=float(detect(times, values)) >= MIN_SCORE)
        if case.is_leak and case.kind == "python":
            named.append(case.case)
            right += [case.case] if names_guilty(case) else []
    print_scores("Real leaks of real packages, their fixed releases, healthy programs", scores)
    wrong = ", ".join(sorted(set(named) - set(right))) or "none"
    print(f"Guilty file named first in {len(right)} of {len(named)} Python leaks; not in: {wrong}\n")


def names_guilty(case: LeakCase) -> bool:
    """Whether the file that allocates, or that keeps the reference, is named."""
    guilty = pick_responsible_lines(rank_sites(case.sites))
    return bool(len(guilty)) and str(guilty["file"].iloc[0]).endswith(case.guilty)


def score_simulated(count: int) -> None:
    """Coverage and false alarms on series of known truth."""
    started = time.perf_counter()
    slopes = list(coverage_of_slopes(count))
    rows = [[name, f"{held:.1%}", str(n)] for name, held, n in slopes]
    rows.append(["all", f"{np.mean([held for _, held, _ in slopes]):.1%}", str(sum(n for _, _, n in slopes))])
    print_table("95 % interval of the slope: holds the truth in", ["noise", "share", "series"], rows)
    alarms = [[name, f"{found} of {count}"] for name, found, _ in false_alarms(count)]
    print_table("Called a leak, and are none", ["series", "false alarms"], alarms)
    held, leaks = coverage_of_forecasts(count)
    print_table(
        "90 % interval of the time to the limit: holds the truth in",
        ["series", "share", "leaks"],
        [["leaks under AR(1) noise", f"{held:.1%}", str(leaks)]],
    )
    returns = [[name, *(f"{share:.1%}" for share in shares)] for name, shares in coverage_of_returns(count)]
    title = "90 % interval of the next episode: holds its start in"
    print_table(title, ["gaps", "about 3 seen", "5", "12", "30"], returns)
    print(f"{time.perf_counter() - started:.0f} s\n")


def print_scores(title: str, scores: dict[str, Score]) -> None:
    """Print a table, and of ours what it got wrong."""
    rows = [[name, *score.cells()] for name, score in scores.items()]
    print_table(title, HEADER, [*rows, PUBLISHED])
    ours = scores["memanalysis"]
    print(f"memanalysis missed: {', '.join(ours.misses) or 'none'}; false alarms by source: {by_source(ours.alarms)}\n")
