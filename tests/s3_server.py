"""A real server of the S3 protocol (moto's) on the loopback, and buckets in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

__all__ = ["make_bucket", "serve_s3"]


@contextmanager
def serve_s3() -> Iterator[str]:
    """Run a server, and give its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # a server of before had another port
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def make_bucket(
    server: str, patch: pytest.MonkeyPatch, folder: Path, *, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Make an empty bucket, and give the URL of a ledger in it; this process and its children reach it."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",  # a server of our own takes any
        "AWS_DEFAULT_REGION": "us-east-1",
        "MEMANALYSIS_SPOOL": str(folder / "spool"),
        **(settings or {}),
    }.items():
        patch.setenv(name, value)
    system = fsspec.filesystem("s3")
    bucket = f"bucket-{abs(hash(str(folder)))}"
    system.mkdir(bucket)
    yield f"s3://{bucket}/ledger"
    system.rm(bucket, recursive=True)
