"""A fingerprint is the same for the same leak, wherever and whenever it runs, and another for another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.analysis.fingerprint import FINGERPRINT_DIGITS, fingerprint_leak, shorten_file

LEAK = {
    "service": "api",
    "origin": "python",
    "metric": "rss_bytes",
    "guilty_file": "/srv/app/sessions.py",
    "guilty_function": "Sessions.remember",
}


@pytest.mark.parametrize(
    "change",
    [
        {"guilty_file": "/home/jo/src/app/sessions.py"},
        {"guilty_file": r"C:\work\app\sessions.py"},
        {"guilty_line": 99},
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
        {"guilty_file": "/srv/app/tokens.py"},
        {"guilty_file": "/srv/admin/sessions.py"},
        {"guilty_function": "Sessions.__init__"},
        {"guilty_function": None},
        {"guilty_file": None, "guilty_function": None},
    ],
)
def test_another_leak_has_another(change):
    assert fingerprint_leak(LEAK | change) != fingerprint_leak(LEAK)


def test_without_a_line_origin_and_metric_tell_leaks_apart():
    nowhere = LEAK | {"guilty_file": None, "guilty_function": None}
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
    made = fingerprint_leak(LEAK | {"service": service, "guilty_file": file, "guilty_function": function})

    assert len(made) == FINGERPRINT_DIGITS
    assert set(made) <= set("0123456789abcdef")
