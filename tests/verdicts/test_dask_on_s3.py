"""A ledger behind ``s3://`` is judged by Dask as by pandas, against a real S3 protocol server on the loopback."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from pandas.testing import assert_frame_equal
from s3_server import make_bucket, serve_s3

from memanalysis.errors import LedgerNotFoundError
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.dask_engine import DaskEngine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("fleet")
    with serve_s3() as server, pytest.MonkeyPatch.context() as patch, make_bucket(server, patch, folder) as bucket_url:
        yield bucket_url


def test_a_bucket_gives_the_frame_of_the_folder_with_one_corrupt_file_named(
    url: str, three_services: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(DaskEngine, "max_part_bytes", 1)
    system = fsspec.filesystem("s3")
    for path in three_services.rglob("*.*"):
        if path.is_file():
            system.put_file(str(path), f"{url}/{path.relative_to(three_services).as_posix()}")
    broken = system.glob(f"{url}/samples/service_key=warming_cache/*.parquet")[0]
    system.pipe_file(broken, b"PAR1 no more")

    with DaskEngine(show=lambda text: None, n_workers=1) as engine:
        verdicts = assess(url, engine=engine)
        with pytest.raises(LedgerNotFoundError, match="nothing is at s3://no-such-bucket/ledger"):
            assess("s3://no-such-bucket/ledger", engine=engine)

    whole = assess(three_services)
    assert_frame_equal(verdicts.iloc[:2], whole.iloc[:2], check_dtype=False)
    assert verdicts["shape"].tolist()[2:] == ["unreadable"]
    assert broken.rpartition("/")[2] in verdicts["sentence"].iloc[2]
