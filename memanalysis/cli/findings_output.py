"""What a gate found: lines for a terminal, JSON, annotations and a summary for GitHub Actions, JUnit XML."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import PurePath
from xml.etree import ElementTree as ET

from rich.console import Console

from memanalysis._text import make_printable
from memanalysis.cli.terminal import print_line, print_paragraph
from memanalysis.verdicts.gate import Finding, count_kinds

__all__ = ["print_findings", "render_annotations", "render_findings_json", "render_junit", "render_summary"]

_NOT_IN_XML = {code: f"\\u{code:04x}" for code in (0xFFFE, 0xFFFF)}
"""Besides the controls and surrogates, which are shown as escapes everywhere."""

NO_FINDING = "Nothing was found that fails."


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print a line a finding, which only a terminal wraps, and how many there are."""
    for finding in findings:
        line = f"{finding.kind}: {_describe(finding)}"
        print_paragraph(console, line) if console.is_terminal else print_line(console, line)
    print_paragraph(console, _count(findings), indent=0)


def render_findings_json(findings: Sequence[Finding]) -> str:
    """Return a list of objects with the fields of `Finding`."""
    return json.dumps([asdict(finding) for finding in findings], indent=2) + "\n"


def render_annotations(findings: Sequence[Finding], *, workspace: str | None = None) -> str:
    """Return the commands that GitHub Actions shows at the lines of a pull request.

    Parameters
    ----------
    findings : sequence of Finding
        What was found.
    workspace : str, optional
        The folder of the repository; files below it are named from there, as in the pull request.
    """
    lines = []
    for finding in findings:
        place = {} if finding.file is None else {"file": _from_workspace(finding.file, workspace), "line": finding.line}
        fields = place | {"title": f"Memory {finding.kind}: {finding.service}"}
        shown = ",".join(f"{name}={_escape(str(value), in_field=True)}" for name, value in fields.items())
        lines.append(f"::error {shown}::{_escape(finding.text)}\n")
    return "".join(lines) + _count(findings) + "\n"


def render_summary(ledger: str, findings: Sequence[Finding]) -> str:
    """Return Markdown for the page of a job."""
    head = f"### Memory of {_markdown(ledger)}\n\n{_count(findings)}\n\n"
    if not findings:
        return head
    rows = "".join(f"| {finding.kind} | {_markdown(_describe(finding))} |\n" for finding in findings)
    return f"{head}| finding | what |\n|---|---|\n{rows}\n"


def render_junit(ledger: str, findings: Sequence[Finding]) -> bytes:
    """Return JUnit XML: a failed case a finding, or one that passed."""
    suite = ET.Element(
        "testsuite", name="memanalysis check", tests=str(max(1, len(findings))), failures=str(len(findings))
    )
    for finding in findings:
        case = ET.SubElement(suite, "testcase", classname=_for_xml(finding.service), name=f"memory {finding.kind}")
        if finding.file is not None:
            case.set("file", _for_xml(finding.file))
            case.set("line", str(finding.line))
        ET.SubElement(case, "failure", type=finding.kind, message=_for_xml(_describe(finding))).text = _for_xml(
            _describe(finding)
        )
    if not findings:
        ET.SubElement(suite, "testcase", classname="memanalysis", name=f"memory of {_for_xml(ledger)}")
    content: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _describe(finding: Finding) -> str:
    is_named = finding.file is None or f"{PurePath(finding.file).name}:{finding.line}" in finding.text
    place = "" if is_named else f" At {finding.file}:{finding.line}."
    return make_printable(f"{finding.service}: {finding.text}{place}")


def _count(findings: Sequence[Finding]) -> str:
    if not findings:
        return NO_FINDING
    counts = ", ".join(f"{count} {kind}" for kind, count in count_kinds(findings).items())
    return f"{len(findings)} finding{'s' if len(findings) > 1 else ''}: {counts}."


def _for_xml(text: str) -> str:
    """Return text without what XML cannot hold, not even as a reference."""
    return make_printable(text).translate(_NOT_IN_XML)


def _from_workspace(file: str, workspace: str | None) -> str:
    path = PurePath(file)
    return str(path.relative_to(workspace)) if workspace and path.is_relative_to(workspace) else file


def _escape(text: str, *, in_field: bool = False) -> str:
    """Return text as a workflow command takes it."""
    escaped = make_printable(text).replace("%", "%25")
    return escaped.replace(":", "%3A").replace(",", "%2C") if in_field else escaped


def _markdown(text: str) -> str:
    special = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#"})
    return make_printable(text).translate(special)
