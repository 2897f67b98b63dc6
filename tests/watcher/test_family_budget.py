"""A budget is for the process with its children: what a worker holds breaks it, live and in the ledger."""

import subprocess
import sys

import psutil
import pytest
from processes import running

from memanalysis.units import MIB
from memanalysis.verdicts.gate import find_findings

HOLD_200_MIB = "import sys; held = b'x' * (200 << 20); print('ready', flush=True); sys.stdin.read()"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["auto", "rss"])
def test_what_a_child_holds_counts_where_the_family_does(record, ledger, tmp_path, wait_until, metric: str) -> None:
    """The budget is 50 MiB above what this process uses alone, and the child holds 200."""
    own_mb = psutil.Process().memory_info().rss / MIB
    near = {"warning_threshold_percent": 99, "critical_threshold_percent": 99}
    policy = {
        "memory_budgets": {"services": {"api": {"max_memory_mb": own_mb + 50, "metric": metric, **near}}},
        "leak_detection": {"enabled": False},
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(subprocess.Popen([sys.executable, "-c", HOLD_200_MIB], **pipes)) as child:
        assert child.stdout.readline() == b"ready\n"
        with record(policy=policy, interval=0.05, trace="off") as recorder:
            wait_until(lambda: ledger().samples["family_bytes"].notna().any())
            recorder.snapshot_now()
        child.stdin.close()

    breaches = ledger().events.query("kind == 'breach' and level == 'emergency'")
    findings = find_findings(tmp_path / "ledger", policy=policy, fail_on=["breach"])
    assert [row["metric"] for row in breaches["data"]] == (["family_bytes"] if metric == "auto" else [])
    assert len(findings) == len(breaches)
