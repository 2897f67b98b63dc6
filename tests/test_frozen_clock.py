"""Tests that hold the clock, as freezegun does, ask every loaded module for each of its names."""

import subprocess
import sys

import pytest

FREEZE = """
import datetime, sys, time
class Metaclass(type):
    pass
class FakeDatetime(datetime.datetime, metaclass=Metaclass):
    pass
def read_all_names():
    for module in list(sys.modules.values()):
        for name in dir(module):
            try:
                getattr(module, name)
            except (AttributeError, ImportError, TypeError):
                pass
real_datetime, real_time = datetime.datetime, time.time
FIRST
datetime.datetime, time.time = FakeDatetime, lambda: 0.0
THEN
read_all_names()
datetime.datetime = real_datetime
read_all_names()
time.time = real_time
print("pandas" in sys.modules, "assess" in dir(memanalysis))
"""
"""What freezegun does. Its class for ``datetime`` crashes pandas where that is imported meanwhile."""


@pytest.mark.parametrize("place", ["FIRST", "THEN"])
def test_a_frozen_clock_loads_nothing_and_crashes_nothing(place: str):
    other = {"FIRST": "THEN", "THEN": "FIRST"}[place]
    code = FREEZE.replace(place, "import memanalysis").replace(other, "")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout.strip()) == (0, "False True"), done.stderr
