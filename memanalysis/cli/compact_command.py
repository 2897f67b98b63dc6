"""``memanalysis compact LEDGER``: seal what killed runs left, merge small files, apply retention, index the runs."""

from typing import Any

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.units import format_bytes, parse_bytes

__all__ = ["command"]

_EXAMPLES = """\
memanalysis compact logs/ledger
memanalysis compact logs/ledger --policy config/memory_policy.yaml
memanalysis compact logs/ledger --max-age-days 90 --downsample-after-days 7
memanalysis compact s3://bucket/ledger --max-size 2GB --dry-run
"""


@click.command(
    "compact",
    cls=Command,
    help="""Seal the files that killed runs left, delete stale temporary files, merge the small files of runs that have
    ended into one per service and day (64 MiB at most), and drop whole files beyond the limits, the oldest first.

    An index of the runs of each day is written, so that readers do not open a file for each run.

    Files of living processes are left alone. Without limits nothing is dropped. A file that cannot be treated is
    named, and the others are treated.

    For a URL, files that wait on this machine are uploaded first.""",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory or URL of a ledger.")
@click.option("--policy", type=PATH, metavar="FILE", help="Policy file whose ledger.retention gives the limits.")
@click.option("--max-entries", type=int, metavar="N", help="Keep the newest N samples of each service.")
@click.option("--max-age-days", type=float, metavar="D", help="Keep what is not older than D days.")
@click.option("--max-size", metavar="SIZE", help="Keep the newest files up to a size such as 500MB.")
@click.option(
    "--downsample-after-days",
    type=float,
    metavar="D",
    help="Keep minimum, maximum and mean of samples that are older than D days.",
)
@click.option(
    "--downsample-interval", type=float, metavar="S", help="Keep them for each interval of S seconds (default: 3600)."
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
@add_json_option
def command(ledger: str, policy: str | None, max_size: str | None, dry_run: bool, is_json: bool, **limits: Any) -> int:
    """Compact the ledger and print what was done."""
    from memanalysis.cli.terminal import open_console, print_line, print_paragraph, show_progress

    with show_progress(f"Compacting {ledger}"):
        from memanalysis.ledger.maintenance.compact import compact_ledger
        from memanalysis.ledger.maintenance.retention import Retention

        retention = Retention.from_mapping(_read_limits(policy, max_size, **limits))
        done = compact_ledger(ledger, retention=retention, dry_run=dry_run)
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(done)
        return 0
    console = open_console()
    dropped = done.retention
    if dry_run:
        print_line(console, "Nothing is changed; this would be done:")
    print_line(console, f"sealed        {done.sealed:>8,} files; {done.live:,} of living processes are left alone")
    if done.uploaded:
        print_line(console, f"uploaded      {done.uploaded:>8,} files")
    print_line(console, f"deleted       {done.temporaries:>8,} temporary files")
    print_line(console, f"merged        {done.merged.sources:>8,} files into {done.merged.files:,}")
    if done.indexed.files:
        print_line(console, f"indexed       {done.indexed.sources:>8,} files of runs in {done.indexed.files:,}")
    size, thinned = format_bytes(dropped.bytes_dropped), format_bytes(dropped.bytes_thinned)
    print_line(console, f"dropped       {dropped.files_dropped:>8,} files, {dropped.rows_dropped:,} rows, {size}")
    print_line(console, f"down-sampled  {dropped.files_thinned:>8,} files, {dropped.rows_thinned:,} rows, {thinned}")
    for path in done.unsealed:
        print_paragraph(console, f"left unsealed, because lines are corrupt: {path}")
    for text in [*done.failed, *done.merged.failed, *done.retention.failed, *done.indexed.failed]:
        print_paragraph(console, f"skipped: {text}")
    return 0


def _read_limits(
    policy: str | None,
    max_size: str | None,
    *,
    max_entries: int | None,
    max_age_days: float | None,
    downsample_after_days: float | None,
    downsample_interval: float | None,
) -> dict[str, float | None]:
    """Return the limits of the policy, replaced by those of the command line."""
    limits: dict[str, float | None] = {}
    if policy is not None:
        from memanalysis.policy.loader import read_policy

        retention = read_policy(policy).ledger.retention
        limits = {"max_entries": retention.max_entries, "max_age_days": retention.max_age_days}
    given = {
        "max_entries": max_entries,
        "max_age_days": max_age_days,
        "max_bytes": None if max_size is None else parse_bytes(max_size),
        "downsample_after_days": downsample_after_days,
        "downsample_interval_s": downsample_interval,
    }
    return limits | {name: value for name, value in given.items() if value is not None}
