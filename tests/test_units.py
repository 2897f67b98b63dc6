"""Numbers that people read, and sizes that people write."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.errors import InvalidArgumentError
from memanalysis.units import (
    GIB,
    KIB,
    MIB,
    format_bytes,
    format_bytes_per_call,
    format_duration,
    format_growth,
    format_growth_interval,
    format_number,
    parse_bytes,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (512, "512 B"),
        (12.5 * MIB, "12.5 MiB"),
        (256 * MIB, "256 MiB"),
        (1023.9 * MIB, "1.0 GiB"),
        (3 * GIB, "3.0 GiB"),
        (-2 * MIB, "-2.0 MiB"),
        (None, "not available"),
        (math.nan, "not available"),
        (math.inf, "not available"),
    ],
)
def test_sizes_read_as_people_write_them(size, text):
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "0 B"),
        (0.644, "0.64 B"),
        (-0.2, "-0.2 B"),
        (8.42, "8.4 B"),
        (9.96, "10 B"),
        (64.4, "64 B"),
        (1536.0, "1.5 KiB"),
        (None, "not available"),
    ],
)
def test_bytes_a_call_keep_two_digits_where_they_are_few(rate, text):
    assert format_bytes_per_call(rate) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (3.1 * MIB / 3600, "+3.1 MiB/h"),
        (-3.1 * MIB / 3600, "-3.1 MiB/h"),
        (0.0, "0.0 B/h"),
        (100 / 3600, "+100 B/h"),
        (None, "not available"),
    ],
)
def test_growth_carries_its_sign_and_a_fitting_unit(rate, text):
    assert format_growth(rate) == text


def test_growth_and_its_interval_share_unit_and_digits():
    """2.9 MiB/h between 2.5 and 3.3: one decimal; between 2.88 and 2.92: two, for a narrow interval means more."""
    rates = [value * MIB / 3600 for value in (2.9, 2.5, 3.3)]
    assert (format_growth(*rates), format_growth_interval(*rates)) == ("+2.9 MiB/h", "2.5 to 3.3")
    rates = [value * MIB / 3600 for value in (2.9, 2.88, 2.92)]
    assert (format_growth(*rates), format_growth_interval(*rates)) == ("+2.90 MiB/h", "2.88 to 2.92")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.5 s"),
        (59.99, "1.0 min"),
        (90, "1.5 min"),
        (4 * 3600, "4.0 h"),
        (30 * 86400, "30.0 days"),
        (math.inf, "never"),
        (None, "not available"),
    ],
)
def test_durations_have_two_or_three_digits(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100MB", 100 * MIB),
        ("1.5 GiB", 3 * GIB // 2),
        ("4096", 4096),
        ("64 kb", 64 * KIB),
        (" 7 b ", 7),
        ("2T", 2 * 2**40),
        ("1TB", 2**40),
        ("0.5 TiB", 2**39),
    ],
)
def test_sizes_are_read_in_powers_of_two(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "12 parsecs", "1e3", "nan", "9" * 400])
def test_what_is_no_size_is_an_error(text):
    with pytest.raises(InvalidArgumentError, match="A size needs a number and a unit such as '100MB'"):
        parse_bytes(text)


@given(st.integers(min_value=1, max_value=2**50))
def test_a_rendered_size_is_within_five_per_cent_of_the_size(size):
    if size < 1000 * GIB:
        assert parse_bytes(format_bytes(size)) == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (1836.4, {}, "1,840"),
        (1836.4, {"digits": 2}, "1,800"),
        (36, {}, "36"),
        (0.2549, {}, "0.255"),
        (0, {}, "0"),
        (-12345, {}, "-12,300"),
        (1836, {"sign": True}, "+1,840"),
        (0.5, {"sign": True}, "+0.5"),
        (999.6, {}, "1,000"),
        (3.6e9, {}, "3,600,000,000"),
        (0.00003, {}, "0.00003"),
        (0.000012345, {"sign": True}, "+0.0000123"),
        (-0.0, {}, "0"),
        (12.5, {}, "12.5"),
        (12.04, {"digits": 2}, "12"),
    ],
)
def test_numbers_have_no_exponent(value, options, text):
    assert format_number(value, **options) == text
