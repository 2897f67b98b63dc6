"""The wire format against the library of Protocol Buffers, and against damage."""

import pytest
from foreign_pprof import profile_class
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.exchange.protobuf_wire import (
    decode_fields,
    decode_packed,
    decode_signed,
    encode_bytes,
    encode_int,
    encode_packed,
)

INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(period=INT64, comments=st.lists(INT64, max_size=5), texts=st.lists(st.text(max_size=200), max_size=3))
def test_what_is_encoded_is_read_by_the_library_and_by_us(period: int, comments: list[int], texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    message = encode_int(12, period) + encode_packed(13, comments) + b"".join(encode_bytes(6, text) for text in texts)

    theirs = profile_class().FromString(message)
    ours = list(decode_fields(memoryview(message)))

    assert (theirs.period, list(theirs.comment), list(theirs.string_table)) == (period, comments, texts)
    assert [decode_signed(value) for number, value in ours if number == 12] == [period] * (period != 0)
    numbers = [value for number, packed in ours if number == 13 for value in decode_packed(packed)]
    assert list(map(decode_signed, numbers)) == comments
    assert [str(value, "utf-8") for number, value in ours if number == 6] == texts


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused_with_the_place(content: bytes) -> None:
    error = "byte "
    try:
        list(decode_fields(memoryview(content)))
    except ValueError as exc:
        error = str(exc)
    assert error.startswith("byte ")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\x08", "byte 1 begins a number that is cut off or above 64 bits"),
        (b"\x08" + b"\xff" * 11, "byte 1 begins a number that is cut off or above 64 bits"),
        (b"\x12\x05abc", "byte 0 begins a field that is cut off"),
        (b"\x08\x01\x0b", "byte 2 begins a field of wire type 3"),
    ],
)
def test_a_damaged_message_is_an_error_with_the_byte(content: bytes, error: str) -> None:
    with pytest.raises(ValueError, match=f"^{error}$"):
        list(decode_fields(memoryview(content)))
