"""Who holds what: chains as a person would say them, checked on programs of a few lines in processes of their own."""

import pytest
from app_program import run_beside_app

from memanalysis.capture.holders import find_growing_type


@pytest.fixture
def holders_of(tmp_path):
    """Run some lines, and give the chains that hold the objects of the type ``app.Held``."""

    def find(source, *, main=""):
        search = "import app\nfrom memanalysis.capture.holders import find_holders\n"
        show = "\nfor chain in find_holders('app.Held', seconds=20):\n    print(chain.count, chain.text)\n"
        return run_beside_app(tmp_path, app="class Held:\n    pass\n" + source, main=search + main + show)

    return find


def test_a_registry_is_named_by_its_variable_and_what_lies_between(holders_of):
    lines = holders_of("registry = {}\nfor i in range(1000):\n    registry.setdefault(i % 9, []).append(Held())\n")

    assert lines == ["50 app.registry -> dict -> list -> app.Held"]


def test_attributes_are_named(holders_of):
    lines = holders_of(
        "class Shop:\n    def __init__(self):\n        self._sessions = {}\nshop = Shop()\n"
        "for i in range(40):\n    shop._sessions[i] = Held()\n"
    )

    assert lines == ["40 app.shop -> app.Shop._sessions -> dict -> app.Held"]


def test_two_ways_are_distinguished_the_more_common_first(holders_of):
    lines = holders_of("many = [Held() for _ in range(30)]\nfew = {i: Held() for i in range(10)}\n")

    assert lines == ["30 app.many -> list -> app.Held", "10 app.few -> dict -> app.Held"]


def test_a_closure_is_named_by_its_function(holders_of):
    lines = holders_of(
        "def make():\n    held = Held()\n    def inner():\n        return held\n    return inner\n"
        "handlers = [make() for _ in range(3)]\n"
    )

    assert lines == ["3 app.handlers -> list -> function app.make.<locals>.inner -> closure -> app.Held"]


def test_the_last_error_of_a_prompt_or_notebook_is_named(holders_of):
    lines = holders_of(
        "import sys\ndef fail():\n    held = Held()\n    raise ValueError\n"
        "try:\n    fail()\nexcept ValueError as error:\n    sys.last_traceback = error.__traceback__\n"
    )

    assert lines == ["1 sys.last_traceback -> traceback -> traceback -> frame of fail() -> app.Held"]


def test_what_a_notebook_shows_is_named_as_people_know_it(holders_of):
    assert holders_of("", main="Out = {12: app.Held()}") == ["1 Out[12] -> app.Held"]
    assert holders_of("", main="_ = app.Held()") == ["1 _ -> app.Held"]


def test_a_variable_of_a_running_function_is_named_and_let_go_of(holders_of):
    lines = holders_of(
        "",
        main="import weakref\n"
        "def work():\n"
        "    held = app.Held()\n"
        "    gone = weakref.ref(held)\n"
        "    print(find_holders('app.Held')[0].text)\n"
        "    held = None\n"
        "    print(gone() is None)\n"
        "work()\n",
    )

    assert lines == ["held in running __main__.work() -> app.Held", "True"]


def test_the_newest_objects_are_followed_where_that_is_asked(holders_of):
    """Of 900 old and 100 new objects a sample of all would be held by ``old``; garbage and the unborn do not count."""
    lines = holders_of(
        "old = [Held() for _ in range(900)]\nnew = {}\n",
        main="import gc\ngc.collect()\n"
        "app.new.update((i, app.Held()) for i in range(100))\ngc.collect()\n"
        "passing = [app.Held() for _ in range(50)]\n"
        "for chain in find_holders('app.Held', newest=100):\n    print(chain.count, chain.text)\n",
    )

    assert lines[0] == "50 app.new -> dict -> app.Held"


@pytest.mark.parametrize("collect", ["", "gc.collect(0)\n"])
def test_the_newest_objects_are_followed_before_any_of_them_outlived_a_full_collection(holders_of, collect):
    """The oldest generation has only ``old``: a program that makes few containers has no full collection for long."""
    lines = holders_of(
        "old = [Held() for _ in range(900)]\nnew = {}\n",
        main="import gc\ngc.collect()\ngc.disable()\n"
        "app.new.update((i, app.Held()) for i in range(200))\n"
        + collect
        + "for chain in find_holders('app.Held', newest=200):\n    print(chain.count, chain.text)\n"
        "print('of all')\n",
    )

    assert lines[: lines.index("of all")] == ["50 app.new -> dict -> app.Held"]


def test_what_gives_itself_out_for_a_module_is_passed_over(holders_of):
    """The library of cffi stands among the modules, claims to be one, and has no names of its own."""
    lines = holders_of(
        "kept = [Held()]\n",
        main="import sys, types\n"
        "class Lib:\n    __slots__ = ()\n    __class__ = types.ModuleType\n"
        "sys.modules['lib'] = Lib()\n",
    )

    assert lines == ["1 app.kept -> list -> app.Held"]


def test_a_module_has_its_own_name_where_it_is_known_by_two(holders_of):
    """``multiprocessing`` lists the main module a second time, as ``__mp_main__``."""
    lines = holders_of("", main="import multiprocessing\nfrom app import Held\nkept = [Held()]\n")

    assert lines == ["1 __main__.kept -> list -> app.Held"]


def test_a_type_that_has_no_objects_has_no_holders(holders_of):
    assert holders_of("") == []


@pytest.mark.slow
def test_the_search_ends_in_its_time(holders_of):
    lines = holders_of(
        "kept = [Held()]\n",
        main="import time\nmore = [[i] for i in range(300_000)]\nstarted = time.monotonic()\n"
        "find_holders('app.Held', seconds=0.0)\nassert time.monotonic() - started < 10\n",
    )

    assert lines[0].endswith("app.Held")


def test_the_programs_own_types_come_before_pythons():
    census = [{"type": "dict", "count": 9000}, {"type": "app.Session", "count": 700}, {"type": "list", "count": 10}]

    assert find_growing_type({"dict": 100, "app.Session": 100}, census) == "app.Session"
    assert find_growing_type({"dict": 100, "app.Session": 690}, census) == "dict"
    assert find_growing_type({row["type"]: row["count"] for row in census}, census) is None


def test_what_memanalysis_itself_holds_is_not_named_but_what_its_examples_hold_is() -> None:
    census = [
        {"type": "memanalysis.notebook.curve.CurvePoint", "count": 5000},
        {"type": "memanalysis.examples.leaky_service.Session", "count": 900},
    ]
    assert find_growing_type({}, census) == "memanalysis.examples.leaky_service.Session"
    assert find_growing_type({}, census[:1]) is None
