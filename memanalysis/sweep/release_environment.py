"""An environment for one release of a package: made, filled by pip, and used to run a call or a script.

What memanalysis needs comes from the environment that it runs in, after what pip installed: the release and all that it
needs are found first.
"""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from memanalysis.sweep.release_search import ReleaseResult, State

__all__ = ["ReleaseEnvironment", "SweepRequest", "try_release"]

MAX_ERROR_LINES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """What is done with each release.

    Parameters
    ----------
    package : str
    call : str or None
        ``module:function``, repeated under `find_leak`.
    script : Path or None
        Program that is recorded instead.
    pip_options : sequence of str
        Further arguments of ``pip install``.
    timeout_s : float
        For the installation, and again for the program.
    max_s : float
        Seconds for which a call is repeated.
    """

    package: str
    call: str | None
    script: Path | None
    pip_options: Sequence[str]
    timeout_s: float
    max_s: float


class _ReleaseFailedError(Exception):
    """A release that cannot be judged, with the reason."""


class ReleaseEnvironment:
    """A virtual environment in a folder."""

    def __init__(self, folder: Path, *, timeout_s: float) -> None:
        self._folder, self._timeout_s = folder, timeout_s
        scripts = sysconfig.get_path("scripts", "venv", vars={"base": str(folder)})
        self.python = Path(scripts) / ("python.exe" if sys.platform == "win32" else "python")
        self._site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))

    def install(self, requirements: Sequence[str]) -> None:
        """Make it, and have pip install into it; then let it find what memanalysis needs."""
        self.run([sys.executable, "-m", "venv", "--without-pip", str(self._folder)])
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "--disable-pip-version-check"]
        self.run([*pip, "install", "--quiet", *requirements])
        ours = [str(Path(__file__).parents[2]), *(entry for entry in sys.path if "-packages" in entry)]
        (self._site / "memanalysis_sweep.pth").write_text("\n".join(ours) + "\n", encoding="utf-8")

    def run(self, command: Sequence[str]) -> str:
        """Run a command and return its standard output.

        Raises
        ------
        _ReleaseFailedError
            It ended with an error, or not in time.
        """
        try:
            done = subprocess.run(  # noqa: S603 - pip, and the program that the user names
                command,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self._timeout_s,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONNOUSERSITE": "1"},
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise _ReleaseFailedError(f"it did not end within {self._timeout_s:g} s") from exc
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            text = " ".join(lines[-MAX_ERROR_LINES:]) or "no message"
            raise _ReleaseFailedError(f"exit code {done.returncode}: {text}")
        return done.stdout


def try_release(request: SweepRequest, version: str, folder: Path) -> ReleaseResult:
    """Install one release and judge it; what goes wrong is its result."""
    environment = ReleaseEnvironment(folder / "environment", timeout_s=request.timeout_s)
    try:
        environment.install([*request.pip_options, f"{request.package}=={version}"])
        if request.call is not None:
            return _judge_call(environment, request, version)
        return _judge_script(environment, request, version, folder / "ledger")
    except _ReleaseFailedError as exc:
        return ReleaseResult(version=version, state="failed", text=str(exc))


def _judge_call(environment: ReleaseEnvironment, request: SweepRequest, version: str) -> ReleaseResult:
    command = [str(environment.python), "-m", "memanalysis.sweep.called_release"]
    found = json.loads(environment.run([*command, str(request.call), str(request.max_s)]))
    return _make_result(version, found["is_leak"], found["sentence"], found["place"], found["held_by"])


def _judge_script(environment: ReleaseEnvironment, request: SweepRequest, version: str, ledger: Path) -> ReleaseResult:
    from memanalysis.verdicts.assess import assess

    options = ["--ledger", str(ledger), "--interval", "0.2", "--service", request.package]
    environment.run([str(environment.python), "-m", "memanalysis", "run", *options, str(request.script)])
    verdicts = assess(ledger)
    worst = verdicts.sort_values("is_leak", key=lambda column: column.map({True: 0, False: 2}).fillna(1)).iloc[0]
    is_leak = None if worst["shape"] == "inconclusive" else bool(worst["is_leak"])
    return _make_result(version, is_leak, str(worst["sentence"]), None, None)


def _make_result(
    version: str, is_leak: bool | None, sentence: str, place: str | None, held_by: str | None
) -> ReleaseResult:
    state: State = "undecided" if is_leak is None else "leaks" if is_leak else "clean"
    return ReleaseResult(version=version, state=state, text=sentence, place=place, held_by=held_by)
