"""A bucket behind a server of the S3 protocol, in a process of its own on the loopback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec

__all__ = ["open_bucket"]

STOP_S = 20.0

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def open_bucket(name: str) -> Iterator[str]:
    """Yield the URL of an empty bucket; this process and those that it starts reach it by their environment."""
    command = [sys.executable, "-c", SERVER]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    before = dict(os.environ)
    try:
        with process:
            if process.stdin is None or process.stdout is None:
                raise AssertionError
            os.environ |= {
                "AWS_ENDPOINT_URL": process.stdout.readline().strip(),
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",  # a server of our own takes any
                "AWS_DEFAULT_REGION": "us-east-1",
            }
            fsspec.get_filesystem_class("s3").clear_instance_cache()  # a server of before had another port
            fsspec.filesystem("s3").mkdir(name)
            yield f"s3://{name}"
            process.stdin.close()
            process.wait(STOP_S)
    finally:
        os.environ.clear()
        os.environ.update(before)
        process.kill()
