"""Paths past their links."""

import errno
from pathlib import Path

import pytest

from memanalysis._links import resolve_links


def test_a_link_is_followed_to_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")

    assert resolve_links(tmp_path / "link" / "missing.txt") == tmp_path.resolve() / "target" / "missing.txt"


@pytest.mark.parametrize("below", [".", "missing/file.txt"])
def test_links_in_a_circle_are_an_error_of_the_system(tmp_path: Path, below: str) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")

    with pytest.raises(OSError, match="one") as caught:
        resolve_links(tmp_path / "one" / below)
    assert caught.value.errno == errno.ELOOP
