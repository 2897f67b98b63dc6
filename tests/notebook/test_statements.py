"""The stand-in at the boundaries of a cell's statements."""

import asyncio
from types import CodeType
from typing import Any

from memanalysis.notebook.statements import StatementHook, first_line


class Shell:
    """Runs code as IPython's shell does, without the rest of it."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    async def run_code(self, code: CodeType, result: Any = None, *, async_: bool = False) -> bool:
        exec(code, self.names)  # noqa: S102 - it is what a shell does
        return False


def run(shell: Shell, source: str) -> None:
    asyncio.run(shell.run_code(compile(source, "<cell>", "exec")))


def test_each_statement_is_reported_before_and_after() -> None:
    shell, seen = Shell(), []
    hook = StatementHook(shell, before=lambda code: seen.append(first_line(code)), after=lambda: seen.append("end"))
    hook.attach()
    run(shell, "\n\nx = 1")
    hook.detach()
    run(shell, "y = 2")

    assert seen == [3, "end"]
    assert shell.names["y"] == 2
    assert "run_code" not in vars(shell)


def test_an_error_of_the_measurement_does_not_end_the_cell() -> None:
    def fail(code: CodeType) -> None:
        raise OSError("no /proc")

    shell, ended = Shell(), []
    hook = StatementHook(shell, before=fail, after=lambda: ended.append(1))
    hook.attach()
    run(shell, "x = 1")
    hook.detach()

    assert shell.names["x"] == 1
    assert ended == []
    assert str(hook.error) == "no /proc"
    assert "run_code" not in vars(shell)


def test_somebody_elses_stand_in_below_is_called_and_put_back_and_one_above_stays() -> None:
    shell, seen = Shell(), []
    theirs = shell.run_code
    shell.run_code = theirs  # type: ignore[method-assign]
    hook = StatementHook(shell, before=lambda code: seen.append(1), after=lambda: None)
    hook.attach()
    run(shell, "x = 1")
    above = shell.run_code
    shell.run_code = lambda code: above(code)  # type: ignore[method-assign, assignment]
    hook.detach()
    run(shell, "y = 2")

    assert (seen, shell.names["y"]) == ([1], 2)

    shell.run_code = theirs  # type: ignore[method-assign]
    hook.attach()
    hook.detach()
    assert shell.run_code is theirs
