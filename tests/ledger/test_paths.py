"""Names on the disk: harmless, readable by every reader of Hive partitions, and never too long."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.paths import check_run_id, decode_service, encode_service

SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.%~")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("service", "encoded"),
    [
        ("api_v2-eu.west", "api_v2-eu.west"),
        ("../../x<script>", "%2E.%2F..%2Fx%3Cscript%3E"),
        ("a\0b", "a%00b"),
        ("/", "%2F"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("api.", "api%2E"),
        ("a~b", "a%7Eb"),
        ("\U0001f600", "%F0%9F%98%80"),
        ("100%", "100%25"),
    ],
)
def test_an_odd_name_is_percent_encoded(service: str, encoded: str) -> None:
    """By hand, after RFC 3986; a dot at an end is encoded too."""
    assert encode_service(service) == encoded
    assert decode_service(encoded) == (service, True)


@given(NAMES)
def test_any_name_becomes_one_harmless_folder_of_at_most_200_bytes(service: str) -> None:
    encoded = encode_service(service)

    assert set(encoded) <= SAFE
    assert len(encoded) <= 200
    assert not encoded.startswith(".")
    assert not encoded.endswith(".")


@given(NAMES)
def test_a_name_that_fits_is_read_back_from_its_folder(service: str) -> None:
    decoded, whole = decode_service(encode_service(service))

    if whole:
        assert decoded == service
    else:
        assert len(encode_service(service)) > 180


@pytest.mark.parametrize("letter", ["a", "ä", "\U0001f600"])
def test_a_name_of_300_characters_is_cut_between_characters_and_told_apart_by_its_hash(letter: str) -> None:
    """Half a character is no UTF-8 when decoded, which DuckDB and pyarrow refuse."""
    first, second = encode_service(letter * 300), encode_service(letter * 299 + "b")

    assert first != second
    assert set(unquote(first.partition("~")[0], errors="strict")) == {letter}
    assert decode_service(first)[1] is False


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        encode_service("")

    assert str(caught.value) == (
        "A ledger needs a service name of at least one character, but got ''. Name the service."
    )


@pytest.mark.parametrize("run_id", ["20250101T120000Z-4242-0a1b2c3d", "a", "founding-0a1b2c3d"])
def test_a_plain_run_id_is_taken(run_id: str) -> None:
    assert check_run_id(run_id) == run_id


@pytest.mark.parametrize("run_id", [None, 7, "", "..", ".hidden", "a/b", "a\0", "a" * 129, "a\n"])
def test_a_run_id_that_is_no_file_name_is_refused(run_id: object) -> None:
    with pytest.raises(InvalidArgumentError, match="needs a run_id of 1 to 128 letters"):
        check_run_id(run_id)
