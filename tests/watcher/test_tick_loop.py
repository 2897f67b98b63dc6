"""The beat: it holds its times, skips what it missed, and stops when asked."""

from memanalysis.watcher.tick_loop import run_ticks


class Beat:
    """A clock that goes while somebody waits, and a tick that takes its time."""

    def __init__(self, *, ticks, tick_s=()):
        self.now = 0.0
        self.at = []
        self.waited = []
        self._ticks = ticks
        self._tick_s = list(tick_s)

    def wait(self, seconds):
        self.waited.append(seconds)
        self.now += seconds
        return len(self.at) >= self._ticks

    def tick(self):
        self.at.append(round(self.now, 6))
        if self._tick_s:
            self.now += self._tick_s.pop(0)

    def run(self, interval_s):
        run_ticks(self.tick, interval_s=interval_s, wait=self.wait, monotonic=lambda: self.now)
        return self.at


def test_ticks_come_at_the_multiples_of_the_interval():
    assert Beat(ticks=4).run(0.5) == [0.5, 1.0, 1.5, 2.0]


def test_the_time_that_a_tick_takes_does_not_make_the_beat_drift():
    assert Beat(ticks=4, tick_s=[0.1, 0.3, 0.2, 0.1]).run(0.5) == [0.5, 1.0, 1.5, 2.0]


def test_ticks_that_were_missed_are_skipped_and_not_made_up_for():
    """A tick of 1.7 s at a beat of 0.5 s: the next one comes on the beat after it."""
    assert Beat(ticks=3, tick_s=[1.7]).run(0.5) == [0.5, 2.5, 3.0]


def test_it_stops_at_once_when_asked_to():
    assert Beat(ticks=0).run(1.0) == []


def test_it_never_waits_a_negative_time():
    beat = Beat(ticks=5, tick_s=[0.5, 0.50001, 3.0, 0.0])
    beat.run(0.5)

    assert min(beat.waited) >= 0


def test_checks_come_when_they_ask_to_and_move_no_tick():
    """A window of 0.2 s that opens at the second tick is ended by a check between two ticks of a second."""
    beat, checks = Beat(ticks=4), []

    def check():
        checks.append(round(beat.now, 6))
        return {1: beat.now + 0.15, 2: beat.now + 0.05}.get(len(checks) - 1)

    run_ticks(beat.tick, interval_s=1.0, wait=beat.wait, monotonic=lambda: beat.now, check=check)

    assert beat.at == [1.0, 2.0, 3.0, 4.0]
    assert checks == [1.0, 2.0, 2.15, 2.2, 3.0, 4.0]


def test_ticks_go_on_while_a_check_is_far_off():
    beat = Beat(ticks=5)

    run_ticks(beat.tick, interval_s=0.5, wait=beat.wait, monotonic=lambda: beat.now, check=lambda: 1e9)

    assert beat.at == [0.5, 1.0, 1.5, 2.0, 2.5]


def test_a_check_that_is_late_does_not_keep_a_tick_from_coming():
    beat, checks = Beat(ticks=4, tick_s=[1.3]), []

    def check():
        checks.append(beat.now)
        return beat.now + 0.1

    run_ticks(beat.tick, interval_s=0.5, wait=beat.wait, monotonic=lambda: beat.now, check=check)

    assert beat.at == [0.5, 2.0, 2.5, 3.0]
