"""A ledger behind ``s3://`` is judged by Dask as by pandas, against a real S3 protocol server on the loopback."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from pandas.testing import assert_frame_equal

from memanalysis.errors import LedgerNotFoundError
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.dask_engine import DaskEngine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",  # a server of our own takes any
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # a server of before had another port
        fsspec.filesystem("s3").mkdir("fleet")
        yield "s3://fleet"
    server.stop()


def test_a_bucket_gives_the_frame_of_the_folder_with_one_corrupt_file_named(
    bucket: str, three_services: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(DaskEngine, "max_part_bytes", 1)
    system = fsspec.filesystem("s3")
    for path in three_services.rglob("*.*"):
        if path.is_file():
            system.put_file(str(path), f"{bucket}/ledger/{path.relative_to(three_services).as_posix()}")
    broken = system.glob(f"{bucket}/ledger/samples/service_key=warming_cache/*.parquet")[0]
    system.pipe_file(broken, b"PAR1 no more")

    with DaskEngine(show=lambda text: None, n_workers=1) as engine:
        verdicts = assess(f"{bucket}/ledger", engine=engine)
        with pytest.raises(LedgerNotFoundError, match="nothing is at s3://no-such-bucket/ledger"):
            assess("s3://no-such-bucket/ledger", engine=engine)

    whole = assess(three_services)
    assert_frame_equal(verdicts.iloc[:2], whole.iloc[:2], check_dtype=False)
    assert verdicts["shape"].tolist()[2:] == ["unreadable"]
    assert broken.rpartition("/")[2] in verdicts["sentence"].iloc[2]
