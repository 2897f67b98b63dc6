"""A dozen of the programs of ``python -m benchmarks host``: watched, each is the program that it was."""

import sys

import pytest

from benchmarks.isolation import compare, read_programs

pytestmark = pytest.mark.slow

PROGRAMS = {program.name: program for program in read_programs()}

SHORT = [
    "asyncio_debug",
    "exec_itself",
    "exit_nested_handlers",
    "exit_while_threads_run",
    "fork_exits_by_handlers",
    "fork_warns",
    "multiprocessing_ways",
    "signal_handler",
    "subinterpreter",
    "subprocess_isolated",
    "uncaught_group",
    "wait_for_any_child",
    "warnings_as_errors",
]


@pytest.mark.skipif(sys.platform == "win32", reason="forks and signals")
@pytest.mark.parametrize("name", SHORT)
def test_a_watched_program_has_the_same_output_errors_and_exit_code(name):
    assert compare(PROGRAMS[name]) == {"run": None, "watch": None}


@pytest.mark.skipif(sys.platform == "win32", reason="forks and signals")
def test_a_difference_is_seen_where_there_is_one():
    """A program that lists its threads sees the recorder's; the comparison must not be blind."""
    assert all(compare(PROGRAMS["thread_list"]).values())


def test_there_are_sixty_programs_and_a_reason_for_each_that_may_differ():
    assert len(PROGRAMS) >= 60
    assert {name for name, program in PROGRAMS.items() if program.differs} == {
        "faulthandler_crash",
        "faulthandler_dump",
        "limit_of_file_size",
        "limit_of_files",
        "thread_list",
    }
