"""Explain why an upload failed, and what to do: networks and their libraries fail in a hundred ways."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["explain_upload_error"]

_FORBIDDEN = {"403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_NO_BUCKET = {"NoSuchBucket"}
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"}
_NO_ANSWER = {
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "FSTimeoutError",
    "ConnectionTimeoutError",
    "SocketTimeoutError",
}
_REFUSED = {"EndpointConnectionError", "ConnectionClosedError", "ClientConnectorError", "ConnectionError"}


def explain_upload_error(exc: BaseException, *, url: str, spool: Path) -> str:
    """Return a sentence on what failed, and one on what to do."""
    chain = list(_chain_of(exc))
    names = {type(error).__name__ for error in chain}
    codes = {code for error in chain if (code := _code_of(error)) is not None}
    place = _bucket_of(url)
    if any(isinstance(error, PermissionError) for error in chain) or codes & _FORBIDDEN:
        what = f"it is not allowed to write to {url}. Check the credentials and the permissions of {place}"
    elif codes & _NO_BUCKET or any(isinstance(error, FileNotFoundError) and "ucket" in str(error) for error in chain):
        what = f"there is no {place}. Make it, or correct the URL: memanalysis makes no bucket"
    elif names & _NO_CREDENTIALS:
        what = f"it finds no credentials for {url}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
    elif names & _NO_ANSWER or any(isinstance(error, TimeoutError | socket.timeout) for error in chain):
        what = f"{url} gives no answer. Check the network and the endpoint"
    elif names & _REFUSED or any(isinstance(error, ConnectionError) for error in chain):
        what = f"{url} cannot be reached: {_first_line(exc)}. Check the network and the endpoint"
    else:
        what = f"{url} cannot be written: {type(exc).__name__}: {_first_line(exc)}"
    return (
        f"Uploading did not succeed: {what.rstrip('.')}. The rows wait in {spool}; the next run takes them along, "
        f"or run: memanalysis compact {url}"
    )


def _chain_of(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = exc
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _code_of(exc: BaseException) -> str | None:
    """Code of an error that botocore parsed out of an answer."""
    response: Any = getattr(exc, "response", None)
    error = response.get("Error") if isinstance(response, dict) else None
    return str(error.get("Code")) if isinstance(error, dict) else None


def _bucket_of(url: str) -> str:
    parts = urlsplit(url)
    return f"bucket {parts.netloc!r}" if parts.scheme in {"s3", "s3a", "gs", "gcs"} and parts.netloc else url


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [""])[0]
