"""A policy file that is empty, missing, no text, too long or no file is an error, and never taken for the default."""

from pathlib import Path

import pytest

from memanalysis.errors import PolicyError
from memanalysis.policy.loader import read_policy


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_file_is_an_error_and_not_the_default(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PolicyError, match=r"policy\.yaml(:\d)?: needs a .*, but got (an empty file|nothing)\. Write"):
        read_policy(path)


def test_a_file_that_is_not_utf8_names_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes("ledger: {}\n# größe\n".encode("latin-1"))

    with pytest.raises(PolicyError) as caught:
        read_policy(path)

    assert str(caught.value) == f"{path}:2: needs UTF-8 text, but got the byte 0xf6. Save the file as UTF-8."


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(tmp_path)

    wanted = tmp_path / "memory_policy.yaml"
    assert str(caught.value) == f"{tmp_path}: needs a policy file, but got a directory. Write {wanted}."


def test_a_path_through_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(PolicyError, match=r"needs a readable policy file, but got .*Check path and permissions\.$"):
        read_policy(tmp_path / "file" / "policy.yaml")


def test_a_path_with_a_null_character_is_an_error() -> None:
    with pytest.raises(PolicyError, match=r"needs a readable policy file, but got .*null"):
        read_policy("policy\0.yaml")


def test_a_file_far_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "dump.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)

    with pytest.raises(PolicyError) as caught:
        read_policy(path)

    assert str(caught.value) == f"{path}: needs a policy file of at most 1048576 bytes, but got more. Check the path."


def test_a_missing_file_is_an_error_for_who_asked_for_this_file(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"

    with pytest.raises(PolicyError) as caught:
        read_policy(path)

    assert str(caught.value) == f"{path}: needs a policy file, but got no such file. Check the path."
