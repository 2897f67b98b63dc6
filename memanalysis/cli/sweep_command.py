"""``memanalysis sweep PACKAGE --versions …``: which release of a package began to leak."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from memanalysis.cli.command_help import ROWS, Argument, Command, add_json_option
from memanalysis.errors import InvalidArgumentError
from memanalysis.sweep.release_search import ReleaseResult, describe_results, find_first_leaking, next_release

__all__ = ["SweptPackage", "command"]

EXIT_FOUND = 1

_EXAMPLES = """\
memanalysis sweep acme --versions "1.0, 1.1, 1.2" --call load_test:handle
memanalysis sweep acme --versions "1.0, 1.1, 1.2" load_test.py
memanalysis sweep acme --versions "1.0, 1.1" --call load_test:handle --json
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptPackage:
    """What is known of the releases that were tried, the oldest first; ``first_leaking`` is None where none leaks."""

    package: str
    first_leaking: str | None
    sentence: str
    releases: list[ReleaseResult]


@click.command(
    "sweep",
    cls=Command,
    help="Install releases of a package, each in an environment of its own, run a call or a script with each, and name "
    "the one that began to leak. Of more than six releases the ones between are bisected. A release that does not "
    "install or whose program fails is listed. Exit with 1 where one leaks.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("package", cls=Argument, description="Name of the package, as pip knows it.")
@click.argument("script", cls=Argument, required=False, description="Program to record, where there is no --call.")
@click.option("--versions", required=True, metavar="LIST", help="The releases with commas between, the oldest first.")
@click.option("--call", metavar="MODULE:FUNCTION", help="What is called again and again, without arguments.")
@click.option("--with", "more", multiple=True, metavar="REQUIREMENT", help="Install this too; may be repeated.")
@click.option("--find-links", metavar="PATH", help="Of pip: where to find packages beside the index.")
@click.option("--no-index", is_flag=True, help="Of pip: ask no index.")
@click.option("--max-s", type=float, default=15.0, metavar="SECONDS", help="For the call of a release (default: 15).")
@click.option(
    "--timeout", type=float, default=600.0, metavar="SECONDS", help="For installing, and for running (default: 600)."
)
@add_json_option
def command(
    package: str,
    script: str | None,
    versions: str,
    call: str | None,
    more: tuple[str, ...],
    find_links: str | None,
    no_index: bool,
    max_s: float,
    timeout: float,
    is_json: bool,
) -> int:
    """Try the releases, and print what is known of each."""
    from memanalysis.cli.terminal import open_console, print_paragraph, show_progress
    from memanalysis.sweep.release_environment import SweepRequest, try_release

    listed = [version.strip() for version in versions.split(",") if version.strip()]
    if not listed or len(set(listed)) < len(listed):
        raise InvalidArgumentError(f"sweep needs --versions with releases, each once, but got {versions!r}.")
    if (call is None) == (script is None):
        raise InvalidArgumentError("sweep needs either --call MODULE:FUNCTION or a script, and not both.")
    if call is not None and not all(call.partition(":")):
        raise InvalidArgumentError(f"sweep needs --call as MODULE:FUNCTION, but got {call!r}.")
    if script is not None and not Path(script).is_file():
        raise InvalidArgumentError(f"sweep needs a script, but there is no file {script}. Check its path.")
    links = [f"--find-links={find_links}"] if find_links else []
    request = SweepRequest(
        package=package,
        call=call,
        script=None if script is None else Path(script),
        pip_options=[*links, *(["--no-index"] if no_index else []), *more],
        timeout_s=timeout,
        max_s=max_s,
    )
    results: dict[str, ReleaseResult] = {}
    with show_progress(f"Sweeping {package}") as show:
        while (version := next_release(listed, results)) is not None:
            show(f"{package} {version}: {len(results)} of at most {len(listed)} tried")
            with tempfile.TemporaryDirectory(prefix="memanalysis-sweep-") as folder:
                results[version] = try_release(request, version, Path(folder))
    swept = SweptPackage(
        package=package,
        first_leaking=find_first_leaking(listed, results),
        sentence=describe_results(package, listed, results),
        releases=[results[version] for version in listed if version in results],
    )
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(swept)
    else:
        console = open_console()
        for result in swept.releases:
            place = f" ({result.place})" if result.place else ""
            held = f" Held by {result.held_by}." if result.held_by else ""
            print_paragraph(console, f"{result.version}: {result.state}{place}. {result.text}{held}")
        print_paragraph(console, swept.sentence)
    if all(result.state in {"failed", "undecided"} for result in swept.releases):
        raise InvalidArgumentError(f"sweep could judge no release of {package}: what each lacked is listed above.")
    return 0 if swept.first_leaking is None else EXIT_FOUND
