"""The commit, read from files, is the one that git itself names."""

import shutil
import subprocess

import pytest

from memanalysis.watcher.git_commit import read_git_commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "file").write_text("1")
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_the_commit_of_a_branch_is_read_from_below(repository):
    below = repository / "deep" / "folder"
    below.mkdir(parents=True)

    assert read_git_commit(below) == git(repository, "rev-parse", "HEAD")


def test_packed_refs_are_read(repository):
    git(repository, "pack-refs", "--all")

    assert read_git_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_a_detached_head_is_read(repository):
    git(repository, "checkout", "-q", "--detach")

    assert read_git_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_a_linked_worktree_is_read(repository, tmp_path):
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "file").write_text("2")
    git(tmp_path / "side", "commit", "-q", "-am", "two")

    assert read_git_commit(tmp_path / "side") == git(tmp_path / "side", "rev-parse", "HEAD")
    assert read_git_commit(tmp_path / "side") != git(repository, "rev-parse", "HEAD")


def test_a_repository_without_a_commit_has_none(tmp_path):
    git(tmp_path, "init", "-q")

    assert read_git_commit(tmp_path) is None


@pytest.mark.parametrize(
    "head", ["", "ref: refs/heads/gone\n", "ref: ../../../../etc/hostname\n", "garbage\n", "ref: HEAD\n"]
)
def test_a_head_that_leads_nowhere_is_none(tmp_path, head):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)

    assert read_git_commit(tmp_path) is None


def test_a_head_that_is_no_text_is_none(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(b"\xff\xfe\x00")

    assert read_git_commit(tmp_path) is None
