"""Who holds what grew in number is described once: as growth goes on, or at the end of the run."""

import pytest

from memanalysis.capture.sample import Clock
from memanalysis.watcher import object_growth
from memanalysis.watcher.object_growth import ObjectGrowth
from memanalysis.watcher.overhead_budget import OverheadBudget

pytestmark = pytest.mark.slow


class Session:
    """What grows."""


kept: list[Session] = []
texts: list[bytes] = [bytes(10)] * 10


class Recorded:
    """An ObjectGrowth, with what it wrote."""

    def __init__(self, *, is_early: bool = False) -> None:
        self.seconds = 0.0
        self.rss_bytes: int | None = None
        self.events: list[str] = []
        self.censuses: list[int] = []
        clock = Clock(monotonic=lambda: self.seconds, wall=lambda: self.seconds)
        self.budget = OverheadBudget(1.0, clock=clock)
        self.growth = ObjectGrowth(
            top_types=20,
            is_early=is_early,
            budget=self.budget,
            clock=clock,
            write=lambda rows: self.censuses.append(len(rows)),
            record_event=lambda kind, *, message, **_: self.events.append(f"{kind}: {message}"),
            read_rss_bytes=lambda: self.rss_bytes,
        )


@pytest.fixture
def recorded(monkeypatch):
    """The process of a whole suite has more objects than a census, or a search, of a watched program may take."""
    monkeypatch.setattr(object_growth, "MAX_CENSUS_OBJECTS", 10**9)
    monkeypatch.setattr(object_growth, "MIN_HOLDERS_S", 60.0)
    monkeypatch.setattr(object_growth, "HOLDERS_S", 60.0)
    yield Recorded()
    kept.clear()
    del texts[10:]


def grow() -> None:
    kept.extend(Session() for _ in range(500))


HELD = (
    f"holders: {__name__}.Session is what grows most in number. Held by {__name__}.kept -> list -> {__name__}.Session."
)


def test_growth_that_was_seen_is_explained_at_the_end_where_it_was_not_before(recorded):
    recorded.growth.write(recorded.growth.read())
    recorded.growth._note_types()  # what waits for the overhead budget, done now
    grow()
    recorded.growth.report_last(is_growing=False)

    assert recorded.events == [HELD]
    assert len(recorded.censuses) == 3


def test_what_was_explained_is_not_explained_again(recorded):
    recorded.growth._note_types()
    grow()
    recorded.growth._report_holders()
    recorded.growth.report_last(is_growing=False)

    assert recorded.events == [HELD]
    assert len(recorded.censuses) == 3


def test_a_run_in_which_no_growth_was_seen_ends_with_a_census_alone(recorded):
    grow()
    recorded.growth.report_last(is_growing=False)

    assert recorded.events == []
    assert len(recorded.censuses) == 1


def test_growth_that_is_seen_at_the_end_alone_is_counted_from_the_census_after_ten_minutes(recorded):
    recorded.growth.write(recorded.growth.read())
    recorded.seconds += 601
    recorded.growth.check()
    grow()
    recorded.growth.report_last(is_growing=True)

    assert recorded.events == [HELD]


def test_without_a_census_after_the_start_imports_are_not_taken_for_growth(recorded):
    recorded.growth.write(recorded.growth.read())
    grow()
    recorded.growth.report_last(is_growing=True)

    assert recorded.events == []


def test_an_early_census_explains_growth_at_the_end_that_was_too_slow_to_be_seen(recorded):
    early = Recorded(is_early=True)
    early.growth.write(early.growth.read())
    early.seconds = 9.0
    early.growth.check()
    assert len(early.censuses) == 1
    early.seconds = 10.0
    early.growth.check()
    assert len(early.censuses) == 2

    grow()
    early.growth.report_last(is_growing=True)

    assert early.events == [HELD]


def test_the_early_census_is_taken_once(recorded):
    early = Recorded(is_early=True)
    early.growth.write(early.growth.read())
    for seconds in range(0, 600, 10):
        early.seconds = float(seconds)
        early.growth.check()

    assert len(early.censuses) == 2


def test_one_of_many_workers_waits_for_its_turn_to_count_objects(recorded, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 1)  # its turn is after 62 % of the time that all of them take
    recorded.growth.write(recorded.growth.read())
    recorded.budget.n_workers = 10_000
    recorded.growth._census_s = 0.001  # for all 10,000 s, at 0.1 % of a processor, and a quarter more to be safe
    recorded.growth._entries.walk_s = 0.0
    recorded.growth._blocks = 10**9
    recorded.growth.note_growth()
    counted = []
    for recorded.seconds in (1.0, 600.0, 7600.0, 7800.0):
        recorded.growth.check()
        counted.append(len(recorded.censuses))

    assert counted == [1, 1, 1, 2]


ENTRIES = (
    f"holders: The entries that came to containers take most, about 3.9 MiB. Held by {__name__}.texts -> list -> bytes."
)


def add_bytes() -> None:
    texts.extend(bytes(4000) for _ in range(1000))


def test_bytes_that_no_census_counts_are_found_by_the_container_that_holds_them(recorded):
    recorded.growth._note_types()
    add_bytes()
    recorded.growth._report_holders()

    assert recorded.events == [ENTRIES]


def test_entries_that_explain_little_of_the_growth_are_not_named(recorded):
    """4 MB of 40 MB: the rest may be of C code."""
    recorded.rss_bytes = 100_000_000
    recorded.growth._note_types()
    add_bytes()
    recorded.rss_bytes = 140_000_000
    recorded.growth._report_holders()

    assert recorded.events == []


@pytest.mark.parametrize(("grown_bytes", "named"), [(6_000_000, ENTRIES), (12_000_000, HELD)])
def test_a_type_that_grows_comes_before_entries_that_explain_less_than_half(recorded, grown_bytes, named):
    recorded.rss_bytes = 100_000_000
    recorded.growth._note_types()
    add_bytes()
    grow()
    recorded.rss_bytes += grown_bytes
    recorded.growth._report_holders()

    assert recorded.events == [named]


def test_a_walk_over_containers_that_cannot_be_afforded_is_left_out_and_the_census_is_not(recorded):
    recorded.growth.write(recorded.growth.read())
    recorded.growth._census_s = 0.001
    recorded.growth._entries.walk_s = 0.2
    recorded.budget.max_overhead = 0.02  # 162 ms in ten seconds
    recorded.seconds = 1000.0
    recorded.growth.note_growth()
    recorded.growth.check()
    add_bytes()
    recorded.growth._report_holders()

    assert len(recorded.censuses) == 3
    assert recorded.events == []


def test_containers_are_walked_over_once_a_minute_at_most(recorded):
    recorded.growth._note_types()
    lengths = recorded.growth._entries._lengths
    recorded.seconds = 59.0
    recorded.growth._note_types()
    assert recorded.growth._entries._lengths is lengths

    recorded.seconds = 61.0
    recorded.growth._note_types()
    assert recorded.growth._entries._lengths is not lengths
