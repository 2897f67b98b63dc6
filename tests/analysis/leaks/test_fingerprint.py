"""A fingerprint is the same for the same leak, wherever and whenever it runs, and another for another."""

import hashlib
import re

import numpy as np
import pandas as pd
import pytest
from factories import as_samples, plateau, ramp
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.analysis.leaks.fingerprint import add_fingerprint, fingerprint_leak, shorten_file
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS

LEAK = {
    "service": "api",
    "origin": "python",
    "metric": "rss_bytes",
    "responsible_file": "/srv/app/sessions.py",
    "responsible_function": "Sessions.remember",
}


@pytest.mark.parametrize(
    "change",
    [
        {"responsible_file": "/home/jo/src/app/sessions.py"},
        {"responsible_file": r"C:\work\app\sessions.py"},
        {"responsible_line": 99},
        {"metric": "traced_bytes"},
        {"origin": "unknown"},
    ],
    ids=["checkout", "windows", "line", "metric", "origin"],
)
def test_the_same_leak_has_one_fingerprint(change):
    assert fingerprint_leak(LEAK | change) == fingerprint_leak(LEAK)


@pytest.mark.parametrize(
    "change",
    [
        {"service": "worker"},
        {"responsible_file": "/srv/app/tokens.py"},
        {"responsible_file": "/srv/admin/sessions.py"},
        {"responsible_function": "Sessions.__init__"},
        {"responsible_function": None},
        {"responsible_file": None, "responsible_function": None},
    ],
)
def test_another_leak_has_another(change):
    assert fingerprint_leak(LEAK | change) != fingerprint_leak(LEAK)


def test_without_a_line_origin_and_metric_tell_leaks_apart():
    nowhere = LEAK | {"responsible_file": None, "responsible_function": None}
    kinds = [("native", "rss_bytes"), ("python", "rss_bytes"), ("python", "traced_bytes")]

    assert len({fingerprint_leak(nowhere | {"origin": origin, "metric": metric}) for origin, metric in kinds}) == 3


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("/opt/venv/lib/python3.12/site-packages/pandas/core/frame.py", "pandas/core/frame.py"),
        (r"C:\venv\Lib\site-packages\pandas\core\frame.py", "pandas/core/frame.py"),
        ("/usr/lib/python3/dist-packages/yaml/reader.py", "yaml/reader.py"),
        ("/usr/lib/python3.11/json/decoder.py", "json/decoder.py"),
        ("/usr/local/lib64/python3.13t/asyncio/tasks.py", "asyncio/tasks.py"),
        ("/tmp/ipykernel_4711/1234.py", "1234.py"),  # noqa: S108 - a name, nothing is written
        ("/srv/releases/app/views.py", "app/views.py"),
        ("views.py", "views.py"),
        ("In[3]", "In[3]"),
        ("<string>", "<string>"),
    ],
)
def test_a_file_is_shortened_to_what_is_the_same_everywhere(file, short):
    assert shorten_file(file) == short


@given(st.text(), st.text(), st.text())
def test_any_text_of_a_ledger_has_a_fingerprint(service, file, function):
    made = fingerprint_leak(LEAK | {"service": service, "responsible_file": file, "responsible_function": function})

    assert re.fullmatch("leak-[0-9a-f]{12}", made)


def test_the_fingerprint_is_the_hash_of_service_file_and_function():
    """BLAKE2b of six bytes, asked apart: what is written into a file of known leaks must hold in the next release."""
    text = "api\0line\0app/sessions.py\0Sessions.remember"
    assert fingerprint_leak(LEAK) == "leak-" + hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def test_only_leaks_have_one_in_the_verdicts():
    samples = pd.concat([as_samples(ramp(n=100), service="api"), as_samples(plateau(), service="shop")])
    verdicts = assess_samples(samples)

    assert verdicts["fingerprint"].notna().tolist() == [True, False]
    assert verdicts["fingerprint"].iloc[0] == fingerprint_leak(verdicts.iloc[0])


def test_runs_at_other_lines_and_in_other_folders_share_the_fingerprint():
    two = [as_samples(ramp(n=100), run_id=run_id) for run_id in ("run-1", "run-2")]
    sites = pd.DataFrame(
        {
            "run_id": np.repeat(["run-1", "run-2"], 3),
            "service": "shop",
            "timestamp": pd.to_datetime([0, 50, 99] * 2, unit="s", utc=True),
            "site_id": np.repeat(["a", "b"], 3),
            "file": np.repeat(["/srv/shop/cart.py", "/home/jo/shop/cart.py"], 3),
            "line": np.repeat([12, 15], 3),
            "function": "Cart.add",
            "size_bytes": [0, 50, 99] * 2,
        }
    )
    verdicts = assess_samples(pd.concat(two), sites=sites)

    assert verdicts["responsible_line"].tolist() == [12, 15]
    assert verdicts["fingerprint"].nunique() == 1


def test_the_step_adds_a_fingerprint_to_leaks_only():
    frame = {
        "is_leak": np.array([True, False]),
        "service": np.array(["shop", "shop"], dtype=object),
        "origin": np.array(["native", "unknown"], dtype=object),
        "metric": np.array(["rss_bytes", "rss_bytes"], dtype=object),
        "responsible_file": np.array([None, None], dtype=object),
        "responsible_function": np.array([None, None], dtype=object),
    }
    digest = hashlib.blake2b(b"shop\0no line\0native\0rss_bytes", digest_size=6).hexdigest()

    assert add_fingerprint(frame, DEFAULT_THRESHOLDS)["fingerprint"].tolist() == [f"leak-{digest}", None]
    assert "fingerprint" not in frame
    nameless = {name: column for name, column in frame.items() if name != "service"}
    assert add_fingerprint(nameless, DEFAULT_THRESHOLDS)["fingerprint"].tolist() == [None, None]
