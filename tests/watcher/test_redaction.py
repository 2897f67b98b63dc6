"""Secrets among a program's arguments do not reach the ledger."""

import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import running

from memanalysis import watch
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.redaction import redact_arguments, select_arguments

SECRETS = st.text(string.ascii_letters + string.digits + "!#$%*+-./:=?@^_~", min_size=1, max_size=30).map(
    "S3cr3t".__add__
)
NAMES = st.sampled_from([
    "password", "passwd", "pwd", "token", "secret", "key", "api-key", "apikey", "api_key", "auth", "credential",
    "credentials", "dsn", "db-password", "DB_PASSWORD", "aws_secret_access_key", "accessToken", "clientSecret",
    "github.token", "PASSWORD", "Passwd", "private-key",
])  # fmt: skip
HOSTS = st.sampled_from(["h", "db.example.org:5432/x?sslmode=off", "127.0.0.1/"])
PLAIN = st.sampled_from(["serve", "--port", "8000", "-v", "--name=api", "train.py", "a=b", "monkey", "--keyboard=de"])
PLANTINGS = st.one_of(
    st.builds(lambda name, secret: [f"--{name}={secret}"], NAMES, SECRETS),
    st.builds(lambda name, secret: [f"--{name}", secret], NAMES, SECRETS),
    st.builds(lambda name, secret: [f"-{name}={secret}"], NAMES, SECRETS),
    st.builds(lambda name, secret: [f"{name}={secret}"], NAMES, SECRETS),
    st.builds(lambda name, secret: ["--set", f'{{"{name}": "{secret}"}}'], NAMES, SECRETS),
    st.builds(lambda secret, host: [f"postgres://user:{secret}@{host}"], SECRETS, HOSTS),
    st.builds(lambda secret, host: [f"--url=https://u:{secret}@{host}"], SECRETS, HOSTS),
    st.builds(lambda secret: ["-H", f"Authorization: Bearer {secret}"], SECRETS),
    st.builds(lambda secret: ["-H", f"authorization: {secret}"], SECRETS),
    st.builds(lambda secret: ["Authorization:", "Bearer", secret], SECRETS),
    st.builds(lambda secret: ["-H", f"X-Api-Key: {secret}"], SECRETS),
    st.builds(lambda name, secret: [f"https://h/path?a=1&{name}={secret.replace('&', '')}&b=2"], NAMES, SECRETS),
)  # fmt: skip


@given(st.lists(PLAIN, max_size=4), PLANTINGS, st.lists(PLAIN, max_size=4))
def test_no_planted_secret_survives(before, planted, after):
    redacted = redact_arguments([*before, *planted, *after])

    assert "S3cr3t" not in " ".join(redacted)
    assert len(redacted) == len(before) + len(planted) + len(after)


@given(st.lists(PLAIN))
def test_what_is_no_secret_is_left_as_it_is(arguments):
    assert redact_arguments(arguments) == arguments


@pytest.mark.parametrize(
    ("given_arguments", "expected"),
    [
        (["--password=hunter2", "--dsn", "postgres://u:s@h/db"], ["--password=***", "--dsn", "***"]),
        (["s3://bucket/key", "postgres://u:s@h/db"], ["s3://bucket/key", "postgres://***@h/db"]),
        (["--password", "--verbose"], ["--password", "--verbose"]),
        (["--password", "-x7"], ["--password", "***"]),
        (["-p", "8000"], ["-p", "8000"]),
        (["--token-count=3", "--author", "x"], ["--token-count=***", "--author", "x"]),
        (["C:\\data\\key", "user@example.org"], ["C:\\data\\key", "user@example.org"]),
    ],
)
def test_secrets_give_way_to_three_stars(given_arguments, expected):
    assert redact_arguments(given_arguments) == expected


def test_arguments_can_be_kept_whole_or_left_out():
    arguments = ["x.py", "--password=a"]

    assert select_arguments(arguments, "full") == arguments
    assert select_arguments(arguments, "redacted") == ["x.py", "--password=***"]
    assert select_arguments(arguments, "none") is None


@pytest.mark.skipif(sys.platform == "win32", reason="processes are replaced on POSIX alone")
@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ([], ["program.py", "--password=***", "x"]),
        (["--argv", "full"], ["program.py", "--password=hunter2", "x"]),
        (["--argv", "none"], None),
    ],
)
def test_a_watched_program_keeps_its_arguments_and_the_ledger_has_no_secret(tmp_path, options, stored):
    (tmp_path / "program.py").write_text("import sys; print(sys.argv[1])")
    command = [sys.executable, "-m", "memanalysis", "run", *options, "program.py", "--password=hunter2", "x"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True, timeout=60)

    assert done.stdout == "--password=hunter2\n"
    assert open_ledger(tmp_path / "memanalysis-ledger").runs["argv"].tolist() == [stored]


@pytest.mark.slow
def test_a_process_recorded_from_outside_has_no_secret_in_its_ledger(tmp_path):
    program = "import time; time.sleep(60)"
    with running(subprocess.Popen([sys.executable, "-c", program, "--token", "hunter2"])) as process:
        try:
            command = [sys.executable, "-m", "memanalysis", "record", "--pid", str(process.pid), "--seconds", "0.1"]
            subprocess.run([*command, "--ledger", "led"], cwd=tmp_path, check=True, timeout=60, capture_output=True)
        finally:
            process.kill()

    assert open_ledger(tmp_path / "led").runs["argv"].tolist() == [[sys.executable, "-c", program, "--token", "***"]]


def test_an_unknown_mode_is_an_error():
    with pytest.raises(InvalidArgumentError, match="argv='redacted', 'full' or 'none', but got 'no'"):
        watch("api", argv="no")
