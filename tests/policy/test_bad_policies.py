"""Every way a policy file can be wrong is reported with its file, line and key, and with what would be right."""

from pathlib import Path

import pytest
import yaml

from memanalysis.errors import PolicyError
from memanalysis.policy.loader import read_policy

GLOBAL = "memory_budgets:\n  global:\n    "
SERVICE = "memory_budgets:\n  services:\n    messaging: "
SIZE = "memory_budgets.services.messaging: needs a mapping, or a size above 0 with its unit, but got"
SIZES = "Write for example 100MB, 1.5GB or 80% of limit."
NUMBERS = "Write for example 100 or 100MB."
MAX = "memory_budgets.global.max_memory_mb: needs a number of MB above 0"
SIZED = " or a size with its unit"

TOO_DEEP = "needs at most 50 levels of nesting, but got more. Write it flatter."
CASES = {
    "negative budget": (GLOBAL + "max_memory_mb: -5", 3, f"{MAX}{SIZED}, but got -5. {NUMBERS}"),
    "zero budget": (GLOBAL + "max_memory_mb: 0", 3, f"{MAX}{SIZED}, but got 0. {NUMBERS}"),
    "not a number": (GLOBAL + "max_memory_mb: .nan", 3, f"{MAX}{SIZED}, but got nan. {NUMBERS}"),
    "infinite": (
        GLOBAL + "max_memory_mb: .inf",
        3,
        f"{MAX} up to 8796093022208{SIZED}, but got inf. {NUMBERS}",
    ),
    "true is no number": (
        GLOBAL + "max_memory_mb: yes",
        3,
        f"{MAX}{SIZED}, but got true. {NUMBERS}",
    ),
    "nothing": (GLOBAL + "max_memory_mb:", 3, f"{MAX}{SIZED}, but got nothing. {NUMBERS}"),
    "exponent": (
        GLOBAL + "max_memory_mb: 1e3",
        3,
        f"{MAX}{SIZED}, but got the text '1e3'. Write 1000, without unit, quotes or exponent.",
    ),
    "exponent with the unit of the key": (
        GLOBAL + "max_memory_mb: 1e3 MiB",
        3,
        f"{MAX}{SIZED}, but got the text '1e3 MiB'. Write 1000, without unit, quotes or exponent.",
    ),
    "exponent with another unit": (
        GLOBAL + "max_memory_mb: 1e3GB",
        3,
        f"{MAX}{SIZED}, but got the text '1e3GB'. {NUMBERS}",
    ),
    "unit that is none": (
        GLOBAL + "max_memory_mb: 1PB",
        3,
        f"{MAX}{SIZED}, but got the text '1PB'. {NUMBERS}",
    ),
    "share without its whole": (
        GLOBAL + "max_memory_mb: 80%",
        3,
        f"{MAX}{SIZED}, but got the text '80%'. Write 80% of limit.",
    ),
    "share of more than all": (
        GLOBAL + "max_memory_mb: 180%",
        3,
        f"{MAX}{SIZED}, but got the text '180%'. {NUMBERS}",
    ),
    "share where none is allowed": (
        "leak_detection:\n  thresholds:\n    memory_growth_mb: 10% of limit",
        3,
        "leak_detection.thresholds.memory_growth_mb: needs a number of MB above 0 or a size with its unit, but got the "
        "text '10% of limit'. Write for example 10 or 10MB.",
    ),
    "minutes where seconds are needed": (
        "leak_detection:\n  check_interval_seconds: 5 min",
        2,
        "leak_detection.check_interval_seconds: needs a number of seconds above 0, but got the text '5 min'. "
        "Write for example 60.",
    ),
    "octal": (
        GLOBAL + "max_memory_mb: 0512",
        3,
        "memory_budgets.global.max_memory_mb: needs a plain number, but got the text '0512'. "
        "Write it in decimal digits.",
    ),
    "sexagesimal": (
        "leak_detection:\n  check_interval_seconds: 5:00",
        2,
        "leak_detection.check_interval_seconds: needs a plain number, but got the text '5:00'. "
        "Write it in decimal digits.",
    ),
    "endless number": (
        GLOBAL + "max_memory_mb: " + "9" * 5000,
        3,
        f"memory_budgets.global.max_memory_mb: needs a plain value, but got the text '{'9' * 60}...' as !!int. "
        "Write a shorter number, or a text in quotes.",
    ),
    "large number": (
        GLOBAL + "max_memory_mb: " + "9" * 400,
        3,
        f"{MAX} up to 8796093022208{SIZED}, but got a number of more than 38 digits. {NUMBERS}",
    ),
    "percent over 100": (
        GLOBAL + "critical_threshold_percent: 101",
        3,
        "memory_budgets.global.critical_threshold_percent: needs a number of percent above 0 up to 100, but got 101. "
        "Write for example 80.",
    ),
    "percent sign": (
        GLOBAL + "warning_threshold_percent: 70%",
        3,
        "memory_budgets.global.warning_threshold_percent: needs a number of percent above 0 up to 100, but got the "
        "text '70%'. Write 70, without unit, quotes or exponent.",
    ),
    "warning above critical": (
        GLOBAL + "critical_threshold_percent: 90\n    warning_threshold_percent: 91",
        4,
        "memory_budgets.global.warning_threshold_percent: needs a warning threshold not above the critical one, but "
        "got warning 91 and critical 90 percent. Write a warning of 90 or less, or a critical of 91 or more.",
    ),
    "critical below the warning it inherits": (
        SERVICE + "\n      critical_threshold_percent: 60",
        4,
        "memory_budgets.services.messaging.critical_threshold_percent: needs a warning threshold not above the "
        "critical one, but got warning 80 and critical 60 percent. "
        "Write a warning of 60 or less, or a critical of 80 or more.",
    ),
    "short form without unit": (SERVICE + "100", 3, f"{SIZE} 100 without a unit. Write 100MB."),
    "short form of quoted digits": (
        SERVICE + "'100'",
        3,
        f"{SIZE} the text '100'. {SIZES}",
    ),
    "short form of words": (
        SERVICE + "plenty",
        3,
        f"{SIZE} the text 'plenty'. {SIZES}",
    ),
    "short form of zero": (
        SERVICE + "0MB",
        3,
        f"{SIZE} the text '0MB'. {SIZES}",
    ),
    "short form below zero": (
        SERVICE + "-1MB",
        3,
        f"{SIZE} the text '-1MB'. {SIZES}",
    ),
    "short form beyond memory": (
        SERVICE + "9" * 400 + "MB",
        3,
        f"{SIZE} the text '{'9' * 60}...'. {SIZES}",
    ),
    "short form of a list": (SERVICE + "[100MB]", 3, f"{SIZE} a list. Write for example 100MB."),
    "short form of true": (SERVICE + "true", 3, f"{SIZE} true. Write for example 100MB."),
    "service of no name": (
        "memory_budgets: {services: {'': 1MB}}",
        1,
        "memory_budgets.services.: needs the name of a service, but got an empty one. "
        "Write for example messaging: 100MB.",
    ),
    "misspelt key": (
        "leak_detection:\n  enabled: true\n  sensitivty: low",
        3,
        "leak_detection.sensitivty: needs a key among enabled, check_interval_seconds, snapshot_retention_count, "
        "thresholds, sensitivity, auto_cleanup, but got an unknown key. The nearest known key is 'sensitivity'.",
    ),
    "misspelt section": (
        "leakdetection: {}",
        1,
        "leakdetection: needs a key among memory_budgets, leak_detection, monitoring, alerts, ledger, enforcement, "
        "integration, but got an unknown key. The nearest known key is 'leak_detection'.",
    ),
    "key one section too high": (
        "monitoring:\n  trace_limit: 10",
        2,
        "monitoring.trace_limit: needs a key among tracemalloc, snapshots, metrics, but got an unknown key. "
        "It belongs under 'tracemalloc'.",
    ),
    "key of nothing known": (
        "integration:\n  quality_gates:\n    zzz: 1",
        3,
        "integration.quality_gates.zzz: needs a key among enabled, but got an unknown key. Remove it.",
    ),
    "key that is no text": (
        "memory_budgets:\n  services:\n    8080: 10MB",
        3,
        "memory_budgets.services[8080]: needs a key that is text, but got 8080. Write it in quotes, or remove it.",
    ),
    "key that is a list": (
        "? [a, b]\n: 1",
        1,
        "needs keys that are text, but got a list or mapping. Write a name.",
    ),
    "duplicate key": (
        "leak_detection:\n  enabled: true\n  sensitivity: low\n  enabled: false",
        4,
        "leak_detection.enabled: needs each key once, but got it again, after line 2. Remove one of them.",
    ),
    "duplicate service": (
        "memory_budgets:\n  services:\n    a: 1MB\n    a: 2MB",
        4,
        "memory_budgets.services.a: needs each key once, but got it again, after line 3. Remove one of them.",
    ),
    "wrong word": (
        "enforcement:\n  hard_limits:\n    action: alert_and_restrat",
        3,
        "enforcement.hard_limits.action: needs one of alert_only, alert_and_cleanup, alert_and_restart, but got the "
        "text 'alert_and_restrat'. Perhaps alert_and_restart was meant.",
    ),
    "word of nothing known": (
        "leak_detection:\n  sensitivity: 3",
        2,
        "leak_detection.sensitivity: needs one of low, medium, high, but got 3. Write for example low.",
    ),
    "wrong word in a list": (
        "alerts:\n  channels:\n    - logging\n    - mesaging",
        4,
        "alerts.channels[1]: needs one of logging, messaging, apprise, opentelemetry, prometheus, "
        "but got the text 'mesaging'. Perhaps messaging was meant.",
    ),
    "word twice in a list": (
        "alerts:\n  channels: [logging,\n             logging]",
        3,
        "alerts.channels[1]: needs every one of the channels once, but got logging again. Remove it.",
    ),
    "text where a list is needed": (
        "alerts:\n  recipients:\n    warning: Agent-5",
        3,
        "alerts.recipients.warning: needs a list of recipients, but got the text 'Agent-5'. Write [Agent-5].",
    ),
    "nothing where a list is needed": (
        "monitoring:\n  metrics:",
        2,
        "monitoring.metrics: needs a list of metrics, but got nothing. Write [] for none.",
    ),
    "list where a mapping is needed": (
        "memory_budgets:\n  - global",
        1,
        "memory_budgets: needs a mapping of keys to values, but got a list. Write for example {global: {...}}.",
    ),
    "section without content": (
        "ledger: {}\nenforcement:",
        2,
        "enforcement: needs a mapping of keys to values, but got nothing. Write for example {hard_limits: {...}}.",
    ),
    "list as the whole": (
        "- a\n- b",
        1,
        "needs a mapping of keys to values, but got a list. Write for example {memory_budgets: {...}}.",
    ),
    "number where a flag is needed": (
        "ledger:\n  enabled: 1",
        2,
        "ledger.enabled: needs true or false, but got 1. Write true or false, without quotes.",
    ),
    "text where a flag is needed": (
        "ledger:\n  enabled: 'true'",
        2,
        "ledger.enabled: needs true or false, but got the text 'true'. Write true or false, without quotes.",
    ),
    "broken frames": (
        "monitoring:\n  tracemalloc:\n    trace_limit: 65536",
        3,
        "monitoring.tracemalloc.trace_limit: needs a number of frames from 1 up to 65535, but got 65536. "
        "Write for example 25.",
    ),
    "half a frame": (
        "monitoring:\n  tracemalloc:\n    trace_limit: 2.5",
        3,
        "monitoring.tracemalloc.trace_limit: needs a whole number of frames, but got 2.5. Write 2.",
    ),
    "one snapshot is no growth": (
        "leak_detection:\n  snapshot_retention_count: 1",
        2,
        "leak_detection.snapshot_retention_count: needs a number of snapshots from 2, but got 1. Write for example 10.",
    ),
    "negative wait": (
        "alerts:\n  levels:\n    warning:\n      cooldown_seconds: -1",
        4,
        "alerts.levels.warning.cooldown_seconds: needs a number of seconds from 0, but got -1. Write for example 60.",
    ),
    "empty path": (
        "ledger:\n  storage_path: ''",
        2,
        "ledger.storage_path: needs a path, but got the text ''. Write for example logs/memory_ledger.json.",
    ),
    "object from YAML": (
        "ledger:\n  storage_path: !!python/object/apply:os.getcwd []",
        2,
        "ledger.storage_path: needs plain YAML without tags, but got the text '!!python/object/apply:os.getcwd'. "
        "Remove the tag.",
    ),
    "tag that does not fit": (
        "ledger:\n  enabled: !!bool maybe",
        2,
        "ledger.enabled: needs a plain value, but got the text 'maybe' as !!bool. "
        "Write a shorter number, or a text in quotes.",
    ),
    "tag without a value": (
        "memory_budgets:\n  global:\n    max_memory_mb: !!int\n",
        3,
        "memory_budgets.global.max_memory_mb: needs a plain value, but got the text '' as !!int. "
        "Write a value, or remove the tag.",
    ),
    "tag with digits that are none": (
        "memory_budgets:\n  global:\n    max_memory_mb: !!float -_\n",
        3,
        "memory_budgets.global.max_memory_mb: needs a plain value, but got the text '-_' as !!float. "
        "Write a shorter number, or a text in quotes.",
    ),
    "list in itself": (
        "alerts:\n  channels: &all\n    - *all",
        2,
        "alerts.channels[0]: needs a value, but got an alias of the mapping or list it is in. Remove it.",
    ),
    "merge of no mapping": (
        "ledger:\n  <<: 3",
        2,
        "ledger: needs a mapping after <<, but got 3. Name an anchor.",
    ),
    "deep": ("[" * 51 + "]" * 51, 1, TOO_DEEP),
    "deep after lines": (
        "a: 1\nb: " + "[" * 2_000,
        2,
        TOO_DEEP,
    ),
    "deep in blocks": ("- " * 2_000, 1, TOO_DEEP),
    "very deep": ("[" * 100_000, 1, TOO_DEEP),
    "control character": (
        "ledger: {}\n# \x01",
        2,
        "needs text, but got the control character '\\x01'. Save the file as plain UTF-8 text.",
    ),
}


@pytest.fixture(params=["with libyaml", "without libyaml"])
def yaml_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML is built with or without libyaml; the errors are the same."""
    if request.param == "without libyaml":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.usefixtures("yaml_parser")
@pytest.mark.parametrize("case", CASES)
def test_the_error_names_file_line_and_key_and_what_would_be_right(case: str, tmp_path: Path) -> None:
    text, line, problem = CASES[case]
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PolicyError) as caught:
        read_policy(path)

    assert str(caught.value) == f"{path}:{line}: {problem}"


@pytest.mark.usefixtures("yaml_parser")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: b: c", 1),
        ("ledger:\n\tenabled: true", 2),
        ("ledger: {\n", 2),
        ("a: 1\n---\nb: 2", 2),
        ("a: *b", 1),
        ('a: 1\nb: "\\U00110000"', 2),
    ],
)
def test_text_that_is_no_yaml_is_shown_where_it_breaks(text: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PolicyError) as caught:
        read_policy(path)

    assert str(caught.value).startswith(f"{path}:{line}: needs valid YAML, but ")
    assert str(caught.value).endswith(". Check indentation, colons and quotes around this line.")
