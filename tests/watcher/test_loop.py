"""The beat: it keeps to its times, skips what it missed, and stops when told."""

from memanalysis.watcher.loop import run_ticks


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


def test_it_stops_at_once_when_told_to():
    assert Beat(ticks=0).run(1.0) == []


def test_it_never_waits_a_negative_time():
    beat = Beat(ticks=5, tick_s=[0.5, 0.50001, 3.0, 0.0])
    beat.run(0.5)

    assert min(beat.waited) >= 0
