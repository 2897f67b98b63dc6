"""Names on the disk: harmless, read alike by every reader of partitions, and never too long."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.paths import check_run_id, is_service_slug, sealed_path, service_of_slug, slug_of_service

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def hash_of(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:12]


@pytest.mark.parametrize("service", ["a", "api", "api_v2-eu.west", "a.b..c", "x" * 80, "nullable", "inf-2"])
def test_a_plain_name_is_its_own_slug(service: str) -> None:
    assert slug_of_service(service) == service
    assert service_of_slug(service) == service


@pytest.mark.parametrize(
    ("service", "readable"),
    [
        ("API", "api"),
        ("Ünïcode Dienst", "unicode-dienst"),
        ("../../x<script>", "x-script"),
        ("a\0b", "a-b"),
        ("a=b", "a-b"),
        ("a%20b", "a-20b"),
        ("/", "unnamed"),
        ("..", "unnamed"),
        ("api.", "api"),
        ("_api", "api"),
        ("\U0001f600", "unnamed"),
        ("100", "n100"),
        ("2025-01-01", "n2025-01-01"),
        ("1e5", "n1e5"),
        ("null", "null"),
        ("true", "true"),
        ("nan", "nan"),
        ("x" * 81, "x" * 60),
        ("Straße" * 50, ("strae" * 13)[:60]),
    ],
)
def test_any_other_name_is_spelled_with_plain_characters_and_a_hash(service: str, readable: str) -> None:
    slug = slug_of_service(service)

    assert slug == f"{readable}--{hash_of(service)}"
    assert service_of_slug(slug) is None
    assert is_service_slug(slug)


def test_a_name_that_looks_like_a_slug_with_a_hash_gets_a_hash_of_its_own() -> None:
    """So no two names share a folder."""
    taken = slug_of_service("API")

    assert slug_of_service(taken) == f"{taken}--{hash_of(taken)}"


def test_rows_without_a_service_have_a_slug_of_their_own() -> None:
    assert slug_of_service(None) == f"unnamed--{hash_of('')}"


@given(NAMES)
def test_any_name_becomes_one_harmless_folder(service: str) -> None:
    slug = slug_of_service(service)

    assert re.fullmatch(r"[a-z]([a-z0-9_.-]{0,78}[a-z0-9_-])?", slug)
    assert is_service_slug(slug)
    assert service_of_slug(slug) in {service, None}


@given(NAMES, NAMES)
def test_two_names_have_two_folders(first: str, second: str) -> None:
    assert (slug_of_service(first) == slug_of_service(second)) == (first == second)


@pytest.mark.parametrize("folder", ["API", "a b", "2025", "%20", "", "a.", "null"])
def test_a_folder_that_another_tool_named_is_no_slug(folder: str) -> None:
    assert not is_service_slug(folder)


def test_a_live_file_is_sealed_into_the_folder_of_its_table() -> None:
    lines = Path("led/live/samples/service_key=api/20250101T000000Z-1-0badcafe.2.jsonl")

    assert sealed_path(lines) == Path("led/samples/service_key=api/20250101T000000Z-1-0badcafe.2.parquet")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        slug_of_service("")

    assert str(caught.value) == (
        "A ledger needs a service name of at least one character, but got ''. Name the service."
    )


@pytest.mark.parametrize("run_id", ["20250101T120000Z-4242-0a1b2c3d", "a", "array-0a1b2c3d"])
def test_a_plain_run_id_is_taken(run_id: str) -> None:
    assert check_run_id(run_id) == run_id


@pytest.mark.parametrize("run_id", [None, 7, "", "..", ".hidden", "a/b", "a\0", "a" * 129, "a\n"])
def test_a_run_id_that_is_no_file_name_is_refused(run_id: object) -> None:
    with pytest.raises(InvalidArgumentError, match="needs a run_id of 1 to 128 letters"):
        check_run_id(run_id)
