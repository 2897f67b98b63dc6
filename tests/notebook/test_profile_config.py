"""One line of IPython's configuration is added and taken out; all else of the file stays, byte for byte."""

from pathlib import Path

import pytest

from memanalysis.errors import InvalidArgumentError
from memanalysis.notebook.profile_config import CONFIG_FILE, LINE, install_line, remove_line


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"c = get_config()\nc.TerminalInteractiveShell.confirm_exit = False\n",
        b"c.InteractiveShell.ast_node_interactivity = 'all'",
        b"# caf\xe9 in Latin-1\r\nc.A.b = 1\r\n",
        b"",
        b"\n",
    ],
)
def test_installing_and_uninstalling_gives_the_file_back(tmp_path: Path, content: bytes):
    file = tmp_path / CONFIG_FILE
    file.write_bytes(content)
    file.chmod(0o640)

    assert install_line(tmp_path)
    assert file.read_bytes().startswith(content)
    assert LINE.encode() in file.read_bytes().splitlines()
    assert not install_line(tmp_path)
    assert remove_line(tmp_path)
    assert file.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o640
    assert not remove_line(tmp_path)


def test_a_file_that_was_made_for_the_line_goes_with_it(tmp_path: Path):
    assert install_line(tmp_path / "profile_new")
    assert (tmp_path / "profile_new" / CONFIG_FILE).read_text() == LINE + "\n"
    assert remove_line(tmp_path / "profile_new")
    assert list((tmp_path / "profile_new").iterdir()) == []


def test_what_was_added_below_the_line_stays(tmp_path: Path):
    file = tmp_path / CONFIG_FILE
    file.write_text("a = 1")
    install_line(tmp_path)
    file.write_text(file.read_text() + "\nb = 2\n")

    assert remove_line(tmp_path)
    assert file.read_text() == "a = 1\nb = 2\n"


def test_a_link_stays_a_link(tmp_path: Path):
    real = tmp_path / "dotfiles.py"
    real.write_text("a = 1\n")
    (tmp_path / CONFIG_FILE).symlink_to(real)

    install_line(tmp_path)
    assert (tmp_path / CONFIG_FILE).is_symlink()
    assert real.read_text() == f"a = 1\n{LINE}\n"


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    (tmp_path / CONFIG_FILE).mkdir()

    with pytest.raises(InvalidArgumentError, match=r"needs to read and write .*: Is a directory\. Load the extension"):
        install_line(tmp_path)
