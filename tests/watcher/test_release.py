"""The release of a run: what was given, then the environment, then the version of the program's own package."""

import pytest

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.release import RELEASE_VARIABLE, find_release
from memanalysis.watcher.watch import watch

PACKAGES = {"Web_Shop": "1.4.2", "numpy": "2.0.1"}


def test_what_is_given_counts_first(monkeypatch):
    monkeypatch.setenv(RELEASE_VARIABLE, "env")

    assert find_release("7", service="web-shop", packages=PACKAGES) == "7"
    assert find_release(None, service="web-shop", packages=PACKAGES) == "env"


def test_a_package_of_the_name_of_the_service_gives_its_version(monkeypatch):
    monkeypatch.delenv(RELEASE_VARIABLE, raising=False)

    assert find_release(None, service="web-shop", packages=PACKAGES) == "Web_Shop 1.4.2"
    assert find_release(None, service="another", packages=PACKAGES) is None


def test_a_run_keeps_it(tmp_path):
    with watch("api", ledger=tmp_path / "ledger", release="2025.1", seal=False):
        pass

    assert open_ledger(tmp_path / "ledger").runs["release"].tolist() == ["2025.1"]


def test_an_empty_release_is_refused():
    with pytest.raises(InvalidArgumentError, match="watch needs release as text, but got ''"):
        watch("api", release="")
