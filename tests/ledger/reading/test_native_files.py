"""Arrow reads local files by itself: its threads need nothing of Python while Python ends."""

import io
from pathlib import Path

import pyarrow as pa
import pytest

from memanalysis.ledger.reading.native_files import open_native, read_native


@pytest.mark.slow
def test_a_local_file_is_opened_for_arrow_whatever_lies_at_its_path_by_now(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first")
    with path.open("rb") as stream:
        path.unlink()
        path.write_bytes(b"second")
        source = open_native(stream)

        assert isinstance(source, pa.NativeFile)
        assert source.read() == b"first"
        source.close()
        assert read_native(stream).to_pybytes() == b"first"


@pytest.mark.parametrize("stream", [io.BytesIO(b"remote")])
def test_a_stream_without_a_descriptor_is_read_as_it_is(stream: io.BytesIO) -> None:
    assert open_native(stream) is stream
    assert read_native(stream).to_pybytes() == b"remote"
