"""An alert as text: its title, its lines, and the Markdown that a person or an agent reads."""

from datetime import UTC, datetime

from memanalysis.response.alerts.alert import Alert
from memanalysis.units import format_bytes, format_duration

__all__ = ["list_facts", "render_markdown", "render_text", "render_title"]


def render_title(alert: Alert) -> str:
    """Return the title, in one line.

    Examples
    --------
    >>> render_title(Alert("critical", "api", "", 0.0))
    'Memory critical: api'
    """
    return f"Memory {alert.level}: {_one_line(alert.service)}"


def list_facts(alert: Alert) -> list[tuple[str, str]]:
    """Return what is known, as pairs of a name and a text of one line."""
    when = datetime.fromtimestamp(alert.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = [
        ("Service", alert.service),
        ("Level", alert.level),
        ("Time", when),
        ("In use", None if alert.current_bytes is None else format_bytes(alert.current_bytes)),
        ("Budget", None if alert.budget_bytes is None else format_bytes(alert.budget_bytes)),
        ("Growth", None if alert.slope_bytes_per_s is None else f"{format_bytes(alert.slope_bytes_per_s * 3600)}/h"),
        ("Time left", None if alert.time_left_s is None else format_duration(alert.time_left_s)),
        ("Responsible line", alert.responsible),
        ("Held by", alert.held_by),
        ("What was done", alert.done),
        ("What to do", alert.to_do),
    ]
    return [(name, _one_line(text)) for name, text in facts if text is not None]


def render_text(alert: Alert) -> str:
    """Return the alert as plain text: the sentence, and a line for each fact."""
    return "\n".join([_one_line(alert.message), "", *(f"{name}: {text}" for name, text in list_facts(alert))])


def render_markdown(alert: Alert) -> str:
    """Return the alert as Markdown; what comes from the program stays text and makes no markup."""
    lines = [f"- **{name}:** {_escape(text)}" for name, text in list_facts(alert)]
    return "\n".join([f"# {_escape(render_title(alert))}", "", _escape(_one_line(alert.message)), "", *lines, ""])


def _one_line(text: str) -> str:
    """Take line breaks out: one in the name of a service must not forge a second line."""
    return " ".join(text.split())


def _escape(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*[]<>#|" else char for char in text)
