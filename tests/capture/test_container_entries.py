"""The containers whose new entries take most, found in programs of a few lines in processes of their own."""

from collections import deque

import pytest
from app_program import run_beside_app

from memanalysis.capture.objects import name_type

MEASURE = """

import app
from memanalysis.capture.container_entries import find_grown_entries, read_lengths

for number in range(100):
    app.add(number)
before = read_lengths()
for number in range(100, 1100):
    app.add(number)
for row in find_grown_entries(before, seconds=30)[:1]:
    if row.size_bytes > 100_000:
        print(row.text, round(row.size_bytes / 1000, -3))
"""


@pytest.fixture
def find_in(tmp_path):
    """Run a module ``app`` whose ``add`` is called a thousand times; give the container whose entries take most."""

    def find(source):
        return run_beside_app(tmp_path, app=source, main=MEASURE)

    return find


LEAKS = {
    "bytes in a dict of a module": (
        "CACHE = {}\ndef add(n): CACHE[str(n)] = bytes(4000)\n",
        "app.CACHE -> dict -> bytes",
    ),
    "keys of a dict": ("SEEN = {}\ndef add(n): SEEN['k' * 4000 + str(n)] = True\n", "app.SEEN -> dict -> str"),
    "a list in an attribute": (
        "class Store:\n    def __init__(self): self.rows = []\nstore = Store()\n"
        "def add(n): store.rows.append(bytes(4000))\n",
        "app.store -> app.Store.rows -> list -> bytes",
    ),
    "arrays in a list": (
        "import numpy\nROWS = []\ndef add(n): ROWS.append(numpy.ones(500))\n",
        "app.ROWS -> list -> ndarray",
    ),
    "text in a set": ("SEEN = set()\ndef add(n): SEEN.add('k' * 4000 + str(n))\n", "app.SEEN -> set -> str"),
    "a deque without a bound": (
        "from collections import deque\nROWS = deque()\ndef add(n): ROWS.append(bytes(4000))\n",
        f"app.ROWS -> {name_type(deque)} -> bytes",
    ),
    "an ordered dict": (
        "from collections import OrderedDict\nROWS = OrderedDict()\ndef add(n): ROWS[n] = bytes(4000)\n",
        "app.ROWS -> OrderedDict -> bytes",
    ),
    "a dict of a class": (
        "class Registry:\n    entries = {}\ndef add(n): Registry.entries[n] = bytes(4000)\n",
        "app.Registry -> type.entries -> dict -> bytes",
    ),
    "a cache without a bound on a method": (
        "import functools\nclass Service:\n    @functools.lru_cache(maxsize=None)\n"
        "    def load(self, n): return bytes(4000)\nservice = Service()\ndef add(n): service.load(n)\n",
        "app.Service -> type.load -> functools._lru_cache_wrapper -> dict -> bytes",
    ),
    "dicts of plain values": (
        "ROWS = []\ndef add(n): ROWS.append({'n': n, 'text': 'x' * 4000 + str(n)})\n",
        "app.ROWS -> list -> dict",
    ),
    "many lists that are held in one way": (
        "USERS = {n: [] for n in range(10)}\ndef add(n): USERS[n % 10].append(bytes(4000))\n",
        "app.USERS -> dict -> list -> bytes",
    ),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_the_container_whose_entries_take_most_is_named(find_in, kind):
    """A thousand entries of 4,000 bytes more: 4.0 MB in all, and some tens of bytes an entry for the table."""
    source, text = LEAKS[kind]

    (line,) = find_in(source)

    assert line.rpartition(" ")[0] == text
    assert 4_000 <= float(line.rpartition(" ")[2]) <= 5_000


HEALTHY = {
    "a deque with a bound": (
        "from collections import deque\nROWS = deque(maxlen=2000)\ndef add(n): ROWS.append(bytes(4000))\n"
    ),
    "a cache with a bound": ("import functools\n@functools.lru_cache(maxsize=2000)\ndef add(n): return bytes(4000)\n"),
    "a cache that reached its bound": (
        "ROWS = {}\ndef add(n):\n    ROWS[n] = bytes(4000)\n"
        "    if len(ROWS) > 90:\n        del ROWS[next(iter(ROWS))]\n"
    ),
    "values that are shared": "TEXT = 'x' * 4000\nROWS = {}\ndef add(n): ROWS[n % 500] = TEXT\n",
    "a container that is new": (
        "ROWS = []\ndef add(n):\n    if n == 100:\n        globals()['ROWS'] = []\n    ROWS.append(bytes(4000))\n"
    ),
    "what was taken out of the collector's sight": (
        "import gc\nROWS = []\ndef add(n):\n    ROWS.append(bytes(4000))\n    if n == 1099:\n        gc.freeze()\n"
    ),
}


@pytest.mark.parametrize("kind", HEALTHY)
def test_what_does_not_leak_is_not_named(find_in, kind):
    assert find_in(HEALTHY[kind]) == []


def test_no_method_of_the_program_is_called(find_in):
    lines = find_in(
        "class Meta(type):\n    __hash__ = type.__hash__\n"
        "    def __eq__(cls, other): raise SystemExit('eq of a class')\n"
        "def refuse(*args): raise SystemExit('a method of the program')\n"
        "class Rows(list, metaclass=Meta):\n"
        "    __len__ = __iter__ = __reversed__ = __getitem__ = __sizeof__ = refuse\n"
        "    __class__ = property(refuse)\n"
        "ROWS = Rows()\ndef add(n): ROWS.append(bytes(4000))\n"
    )

    assert [line.rpartition(" ")[0] for line in lines] == ["app.ROWS -> app.Rows -> bytes"]


def test_the_keys_of_the_program_are_not_hashed_or_compared(find_in):
    lines = find_in(
        "class Key:\n    is_asked = False\n"
        "    def __hash__(self):\n        if Key.is_asked: raise SystemExit('hash')\n        return id(self)\n"
        "    def __eq__(self, other): raise SystemExit('eq')\n"
        "ROWS, SEEN = {}, set()\n"
        "def add(n):\n    Key.is_asked = False\n    ROWS[Key()] = bytes(4000)\n    SEEN.add(Key())\n"
        "    Key.is_asked = True\n"
    )

    assert [line.rpartition(" ")[0] for line in lines] == ["app.ROWS -> dict -> bytes"]
