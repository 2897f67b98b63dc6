"""``memanalysis compact LEDGER``: seal what killed runs left, merge small files, clear and drop what is old."""

import argparse

from memanalysis.cli.console import describe_command, open_console, render_plain
from memanalysis.units import format_bytes, parse_bytes

__all__ = ["add_parser", "run"]

_EXAMPLE = """\
example:
  memanalysis compact logs/ledger
  memanalysis compact logs/ledger --policy config/memory_policy.yaml
  memanalysis compact logs/ledger --max-age-days 90 --downsample-after-days 7
  memanalysis compact s3://bucket/ledger --max-size 2GB --dry-run
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``compact`` to the command line."""
    parser = commands.add_parser(
        "compact",
        help="seal, merge and thin out a ledger that is a folder",
        **describe_command(
            "Put a ledger in order: seal the files that killed runs left, clear stale temporary files, merge the small "
            "files of runs that have ended into one a service and day (64 MiB at most), and drop whole files beyond "
            "the limits, the oldest first. Files of living processes are left alone. Without limits nothing is "
            "dropped. A file that cannot be treated is named, and the others are treated.\n\n"
            "Of a URL, what waits on this machine to be uploaded is uploaded first.",
            example=_EXAMPLE,
        ),
    )
    parser.add_argument("ledger", metavar="LEDGER", help="directory or URL of a ledger")
    parser.add_argument("--policy", metavar="FILE", help="policy file whose ledger.retention gives the limits")
    parser.add_argument("--max-entries", type=int, metavar="N", help="keep the newest N samples of each service")
    parser.add_argument("--max-age-days", type=float, metavar="D", help="keep what is not older than D days")
    parser.add_argument("--max-size", metavar="SIZE", help="keep the newest files up to a size such as 500MB")
    parser.add_argument(
        "--downsample-after-days",
        type=float,
        metavar="D",
        help="of samples older than D days keep minimum, maximum and mean",
    )
    parser.add_argument(
        "--downsample-interval",
        type=float,
        metavar="S",
        help="of each interval of S seconds (default: 3600)",
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compact the ledger and say what was done."""
    from memanalysis.ledger.maintenance.compact import compact_ledger
    from memanalysis.ledger.maintenance.retention import Retention

    limits: dict[str, float | None] = {}
    if arguments.policy is not None:
        from memanalysis.policy.loader import read_policy

        kept = read_policy(arguments.policy).ledger.retention
        limits = {"max_entries": kept.max_entries, "max_age_days": kept.max_age_days}
    given = {
        "max_entries": arguments.max_entries,
        "max_age_days": arguments.max_age_days,
        "max_bytes": None if arguments.max_size is None else parse_bytes(arguments.max_size),
        "downsample_after_days": arguments.downsample_after_days,
        "downsample_interval_s": arguments.downsample_interval,
    }
    limits |= {name: value for name, value in given.items() if value is not None}
    retention = Retention.from_mapping(limits)
    done = compact_ledger(arguments.ledger, retention=retention, dry_run=arguments.dry_run)
    console = open_console()
    tidied = done.retention
    if arguments.dry_run:
        console.say("Nothing is changed; this would be done:")
    console.say(f"sealed        {done.sealed:>8,} files; {done.live:,} of living processes are left alone")
    if done.uploaded:
        console.say(f"uploaded      {done.uploaded:>8,} files")
    console.say(f"cleared       {done.temporaries:>8,} temporary files")
    console.say(f"merged        {done.merged.sources:>8,} files into {done.merged.files:,}")
    size, thinned = format_bytes(tidied.bytes_dropped), format_bytes(tidied.bytes_thinned)
    console.say(f"dropped       {tidied.files_dropped:>8,} files, {tidied.rows_dropped:,} rows, {size}")
    console.say(f"down-sampled  {tidied.files_thinned:>8,} files, {tidied.rows_thinned:,} rows, {thinned}")
    for path in done.unsealed:
        console.say_wrapped(f"left unsealed, because lines are corrupt: {render_plain(path)}", indent="  ")
    for text in [*done.failed, *done.merged.failed]:
        console.say_wrapped(f"passed over: {render_plain(text)}", indent="  ")
    return 0
