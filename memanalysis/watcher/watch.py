"""The verb ``watch``: make a recorder of this process."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from memanalysis.capture.process import read_limit_bytes
from memanalysis.ledger.marker import DEFAULT_FILE_MODE
from memanalysis.standard_library import standard_library_first
from memanalysis.watcher.recorder import Recorder
from memanalysis.watcher.redaction import ArgvMode
from memanalysis.watcher.settings import DEFAULT_MAX_OVERHEAD, TraceMode, choose_settings

if TYPE_CHECKING:
    from memanalysis.policy.model import Policy
    from memanalysis.policy.policy_file import PolicyFile
    from memanalysis.policy.policy_source import PolicySource

__all__ = ["watch"]


def watch(
    service: str,
    *,
    ledger: str | os.PathLike[str] | None = None,
    policy: "PolicySource" = None,
    interval: float = 1.0,
    trace: TraceMode | None = None,
    trace_limit: int | None = None,
    snapshot_interval: float | None = None,
    top_sites: int = 50,
    top_types: int = 30,
    check_leaks: bool | None = True,
    seal: bool = True,
    max_overhead: float = DEFAULT_MAX_OVERHEAD,
    fork: bool | None = None,
    file_mode: int = DEFAULT_FILE_MODE,
    argv: ArgvMode = "redacted",
    release: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Recorder:
    """Make a recorder of this process: a context manager, a decorator, or started and stopped by hand.

    Parameters
    ----------
    service : str
        Name under which its rows are kept, and by which the policy knows its budget.
    ledger : path or URL, optional
        Folder of the ledger, here or at a URL such as ``s3://bucket/ledger``. The default is the policy's
        ``ledger.storage_path``, or ``memanalysis-ledger`` without a policy. If that path ends in ``.json``, the folder
        has the same name without the suffix, because ``PersistentLedgerManager`` keeps the ``.json`` file.
    policy : path, mapping or Policy, optional
        What is allowed and what is done about it. Without it nothing is judged while it runs. A file is read again
        when it changes.
    interval : float
        Seconds between two ticks.
    trace : {"auto", "sampled", "windows", "full", "off"}, optional
        How the lines that hold memory are found. ``sampled`` takes, on average, one allocation in every 128 KiB, from
        the start on, and costs some 2 % of processor time. ``windows`` lets tracemalloc follow each allocation for a
        moment now and then, once memory is seen to grow. ``full`` lets it follow all of them all the time, which makes
        Python code several times slower. ``off`` names no line. ``auto``, the default unless the policy turns tracing
        off, is ``sampled`` where the compiled sampler is there, else ``windows``. It joins tracemalloc where that runs
        already.
    trace_limit : int, optional
        Frames of each stack; the policy's, else 25.
    snapshot_interval : float, optional
        Seconds between two full snapshots; the policy's, else 60. One more is taken at the start and one at
        the end, and under ``trace="full"`` two after 10 and 30 s.
    top_sites, top_types : int
        Rows of ``sites`` (the biggest, and those that grew most) and of ``objects`` in a snapshot, at most.
    check_leaks : bool, optional
        Whether this process runs the policy's leak detection, for which numpy is loaded here. None runs it once the
        program has loaded numpy itself. False leaves it to ``assess`` on the ledger.
    seal : bool
        Turn the run's files into Parquet when it stops, for which pyarrow is loaded; False leaves JSON lines, which
        read as well. At the interpreter's exit they are sealed only if pyarrow is loaded already.
    max_overhead : float
        Share of one processor that the recorder may take, over the run and over every 10 s. What costs more is done
        less often. What the sampler adds to each allocation is not counted, nor is the tracing itself with
        ``trace="full"``.
    fork : bool, optional
        Whether full snapshots are read in a forked copy of the process, which then stops for the fork only. None, the
        default, forks if snapshots are large and forking is safe.
    file_mode : int
        Permissions of the ledger's files, less the umask: 0600, which lets nobody but this user read them.
    argv : {"redacted", "full", "none"}
        What the ledger keeps of the program's arguments: all but the secrets among them, all, or nothing.
    release : str, optional
        Name of the release that runs, such as ``1.4.2``, kept with the run. Without it the environment variable
        ``MEMANALYSIS_RELEASE`` counts, else the version of the package that has the name of the service or of the main
        module.
    labels : mapping of str to str, optional
        What sets this run apart from others, such as ``{"region": "eu", "tier": "web"}``: ``pivot`` shows which value
        a leak goes with. They join those of the environment variable ``MEMANALYSIS_LABELS`` (``key=value,key=value``)
        and, in Kubernetes, ``pod``, ``node`` and ``namespace``.

    Raises
    ------
    InvalidArgumentError
        An argument that cannot be used.
    PolicyError
        A policy that cannot be read.

    See Also
    --------
    memanalysis.assess : The verdicts on the ledger that is recorded.
    memanalysis.find_leak : Whether one call leaks, without a ledger.

    Examples
    --------
    >>> import memanalysis, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with memanalysis.watch("shop", ledger=folder.name + "/ledger", interval=0.01) as recorder:
    ...     recorder.mark("deploy 1.4")
    True
    >>> ledger = memanalysis.open_ledger(folder.name + "/ledger")
    >>> ledger.services, "deploy 1.4" in ledger.events["message"].tolist()
    (['shop'], True)
    >>> folder.cleanup()
    """
    with standard_library_first():
        rules, policy_file = (None, None) if policy is None else _resolve(policy)
    settings = choose_settings(
        service,
        ledger=ledger,
        policy=rules,
        interval=interval,
        trace=trace,
        trace_limit=trace_limit,
        snapshot_interval=snapshot_interval,
        top_sites=top_sites,
        top_types=top_types,
        check_leaks=check_leaks,
        seal=seal,
        max_overhead=max_overhead,
        fork=fork,
        file_mode=file_mode,
        argv=argv,
        release=release,
        labels=labels,
    )
    return Recorder(settings, policy=rules, policy_file=policy_file)


def _resolve(policy: "PolicySource") -> "tuple[Policy | None, PolicyFile | None]":
    """Return the policy, and the file where it comes from one."""
    from memanalysis.policy.policy_file import PolicyFile  # not loaded without a policy
    from memanalysis.policy.policy_source import resolve_policy

    file = PolicyFile(policy) if isinstance(policy, (str, os.PathLike)) else None
    resolved = resolve_policy(policy, call="watch") if file is None else file.read()
    return None if resolved is None else resolved.for_limit(read_limit_bytes()), file
