"""Which arguments of a program may stand in a ledger? All but the secrets among them.

An option counts as secret by its name: password, token, secret, key, auth, credential, DSN and the like, as
``--password=x``, ``--password x``, ``PASSWORD=x`` or ``"password": "x"``. So do the user and password of a URL, and
what follows ``Authorization:``, ``Bearer`` or ``Basic``. A secret under another name cannot be recognised: for that
there is ``argv="none"``. Short options such as ``-p`` have too many meanings to be taken for one.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

__all__ = ["ARGV_MODES", "REDACTED", "ArgvMode", "redact_arguments", "select_arguments"]

ArgvMode = Literal["redacted", "full", "none"]

ARGV_MODES: tuple[ArgvMode, ...] = ("redacted", "full", "none")

REDACTED = "***"
"""Stands where a secret was."""

_SECRET_WORDS = (
    "access_?key", "api_?key", "auth", "authorization", "bearer", "cookie", "credential", "credentials", "dsn", "key",
    "keys", "pass", "passcode", "passphrase", "passwd", "password", "passwords", "private_?key", "pwd", "pw", "sas",
    "secret", "secrets", "signature", "token", "tokens", "database_url", "db_url", "connection_string",
)  # fmt: skip
_JOINED = r"(?:passwd|password|secret|apikey|credential|passphrase|token|pwd)"
"""Words that make a name secret also inside of another word, as in ``dbpassword`` or ``authtoken``."""

_WORDS = "|".join(sorted(_SECRET_WORDS, key=len, reverse=True))
_NAME = re.compile(rf"(?:^|.*[-_.])(?:{_WORDS})(?:[-_.](?:id|hash|value|base64|b64))?\d*$|.*{_JOINED}", re.I | re.S)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_OPTION = re.compile(r"(?P<dashes>-{1,2}|/)?(?P<name>[A-Za-z_][\w.\-]*)(?P<sign>=|:=|:)(?P<value>.*)", re.S)
_PAIR = re.compile(
    r"(?P<quote>[\"']?)(?P<name>[A-Za-z_][\w.\-]*)(?P=quote)(?P<sign>\s*[=:]\s*)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s&;,}\"']+)",
    re.S,
)
_URL_USER = re.compile(r"(?P<scheme>[A-Za-z][\w+.\-]*://)(?:[^/?#\s]*|[^/?#\s:@]*:(?!\d+[/?#])\S*)@", re.S)
_HEADER = re.compile(
    r"(?P<head>\b(?:proxy-)?authorization\s*[:=]\s*|\bcookie\s*:\s*|\bx-[\w-]*(?:key|token|secret)\s*:\s*).+",
    re.I | re.S,
)
_SCHEME = re.compile(r"\b(?P<scheme>bearer|basic)(?P<space>\s+)[^\s\"',;]+", re.I)
_FLAG = re.compile(r"(?:--?|/)(?P<name>[A-Za-z_][\w.\-]*)$")
_SCHEME_ALONE = re.compile(r"(?:.*[\s:=])?(?:bearer|basic)$", re.I | re.S)
_HEADER_ALONE = re.compile(r"(?:proxy-)?authorization\s*[:=]?\s*$|cookie:\s*$", re.I)


def select_arguments(arguments: Iterable[str], mode: ArgvMode) -> list[str] | None:
    """Return what a ledger may hold of a program's arguments; None for ``mode="none"``."""
    if mode == "none":
        return None
    texts = [str(argument) for argument in arguments]
    return texts if mode == "full" else redact_arguments(texts)


def redact_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``***`` in place of each secret."""
    redacted: list[str] = []
    follows_secret = False
    for argument in arguments:
        if follows_secret and not _begins_an_option(argument):
            redacted.append(REDACTED)
            follows_secret = bool(_SCHEME_ALONE.match(argument))  # Authorization: Bearer x, in three arguments
            continue
        flag = _FLAG.match(argument)
        follows_secret = bool(
            (flag and len(flag["name"]) > 1 and _is_secret(flag["name"]))
            or _SCHEME_ALONE.match(argument)
            or _HEADER_ALONE.match(argument)
        )
        redacted.append(_redact_text(argument))
    return redacted


def _begins_an_option(argument: str) -> bool:
    """Return whether it is the next long option and no value: a password may begin with a dash as well."""
    return bool(re.match(r"--[A-Za-z]", argument))


def _redact_text(text: str) -> str:
    option = _OPTION.fullmatch(text)
    if option and _is_secret(option["name"]) and not option["value"].startswith("//"):
        return f"{option['dashes'] or ''}{option['name']}{option['sign']}{REDACTED}" if option["value"] else text
    text = _URL_USER.sub(rf"\g<scheme>{REDACTED}@", text)
    text = _HEADER.sub(rf"\g<head>{REDACTED}", text)
    text = _SCHEME.sub(rf"\g<scheme>\g<space>{REDACTED}", text)
    return _PAIR.sub(_redact_pair, text)


def _redact_pair(pair: re.Match[str]) -> str:
    if not _is_secret(pair["name"]):
        return pair[0]
    quote, value = pair["quote"], pair["value"]
    mark = value[0] if value[0] in "\"'" else ""
    return f"{quote}{pair['name']}{quote}{pair['sign']}{mark}{REDACTED}{mark}"


def _is_secret(name: str) -> bool:
    return bool(_NAME.match(_CAMEL.sub("_", name)))
