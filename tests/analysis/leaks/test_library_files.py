"""A file of Python or of an installed package is known by its name, wherever it was installed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.analysis.leaks.library_files import LIBRARY_FILE, is_library_file

INSTALLS = (
    "/usr/lib/python3.12/",
    "/usr/lib64/python3.9/",
    "/opt/free/lib/python3.13t/",
    "/usr/lib/python3/",
    "/home/ann/.venv/lib/python3.11/site-packages/",
    "/usr/lib/python3/dist-packages/",
    "C:/Python312/Lib/site-packages/",
    "C:/Python312/Lib/",
    "c:/Users/ann/AppData/Local/Programs/Python/Python313-32/Lib/",
    "/usr/lib/pypy3.10/",
    "/usr/lib/python312.zip/",
    "C:/app/python-3.12-embed-amd64/python312.zip/",
)
NAMES = st.text("abcdefgh_", min_size=1, max_size=5)


@pytest.mark.parametrize(
    "file",
    [
        *(f"{folder}json/decoder.py" for folder in INSTALLS),
        r"C:\Python312\Lib\site-packages\numpy\linalg.py",
        "/USR/LIB/PYTHON3.12/os.py",
        "<frozen importlib._bootstrap>",
    ],
)
def test_a_file_of_an_install_is_one_of_a_library(file: str) -> None:
    assert is_library_file(file)


@pytest.mark.parametrize(
    "file",
    [
        "",
        "/srv/app/main.py",
        "/srv/my-site-packages/main.py",
        "/srv/site-packages.py",
        "/srv/lib/python/main.py",
        "/srv/lib/python3_tools/main.py",
        "/srv/lib/python2.7/main.py",
        "/srv/libs/python3.12/main.py",
        "/usr/lib/python3.12/",
        "/srv/frozen.py",
        "C:/srv/Lib/main.py",
        "C:/srv/my-python312/Lib/main.py",
        "/srv/Python312/Lib/main.py",
        "D:/repo/python/lib/app.py",
        "C:/src/bindings/python3/lib/x.py",
        "<stdin>",
    ],
)
def test_a_name_that_is_only_like_one_is_the_users(file: str) -> None:
    assert not is_library_file(file)


@given(folder=st.sampled_from(INSTALLS), parts=st.lists(NAMES, min_size=1, max_size=3))
def test_the_part_that_is_caught_is_the_same_in_every_install(folder: str, parts: list[str]) -> None:
    inner = "/".join(parts) + ".py"
    match = LIBRARY_FILE.fullmatch(folder + inner)

    assert match is not None
    assert [group for group in match.groups() if group is not None] == [inner]
