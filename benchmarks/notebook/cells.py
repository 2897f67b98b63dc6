"""Forty ordinary cells, each with the line that makes its peak, known by construction.

The first line of a cell is that of ``%%memwatch``, so the body begins at line 2.
"""

from dataclasses import dataclass

__all__ = ["CELLS", "SETUP", "BenchmarkCell"]

SETUP = """
import collections, io, json, re, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np, pandas as pd
df = pd.DataFrame({'k': np.arange(500_000) % 1000, 'v': np.random.rand(500_000)})
A = np.random.rand(3000, 1000)
text = json.dumps([{'id': i, 'name': 'n%d' % i} for i in range(200_000)])
words = pd.Series(['word %d' % i for i in range(300_000)])
"""


@dataclass(frozen=True, slots=True)
class BenchmarkCell:
    """A cell, the lines that may be named for its peak, and what kind of memory that is.

    ``kind`` is ``array`` (numpy data), ``object`` (Python's small objects) or ``native`` (neither allocates it).
    ``setup`` runs before, unmeasured: what is large when it is imported would itself be the peak.
    """

    name: str
    body: str
    lines: tuple[int, ...]
    kind: str
    needs: str = "numpy"
    setup: str = "pass"


CELLS = (
    BenchmarkCell("numpy temporary", "b = np.ones((3000, 3000))\nt = (b * 2 + 1).sum()", (3,), "array"),
    BenchmarkCell("numpy astype", "small = A[:10].copy()\nm = A.astype('complex128').mean()", (3,), "array"),
    BenchmarkCell("numpy sort", "x = 1\ns = np.sort(A, axis=None)[:5].copy()\ny = 2", (3,), "array"),
    BenchmarkCell("numpy matmul", "n = 2000\nm = np.ones((n, n))\np = (m @ np.ones((n, 2 * n))).sum()", (4,), "array"),
    BenchmarkCell("numpy concatenate", "parts = [A, A, A]\nc = np.concatenate(parts)\nn = c.sum()", (3,), "array"),
    BenchmarkCell("numpy in a loop", "acc = 0.0\nfor i in range(20):\n    acc += (A * i).sum()", (4,), "array"),
    BenchmarkCell("numpy loop that keeps", "held = []\nfor i in range(10):\n    held.append(A * i)", (4,), "array"),
    BenchmarkCell("two phases", "big = np.ones(8_000_000)\ndel big\nsmall = np.ones(1_000_000)", (2,), "array"),
    BenchmarkCell(
        "function with a temporary",
        "def f(n):\n    big = np.ones(n)\n    return (big * 3).sum()\nn = f(5_000_000)",
        (3, 4),
        "array",
    ),
    BenchmarkCell(
        "sleeping function",
        "def f():\n    big = np.ones(10_000_000)\n    time.sleep(0.3)\n    return big.sum()\nn = f()",
        (3,),
        "array",
    ),
    BenchmarkCell("bytearray", "data = bytearray(60 * 2**20)\nn = len(data)", (2,), "array"),
    BenchmarkCell("bytes repeated", "head = b'x' * 100\nblob = head * 600_000\nn = len(blob)", (3,), "array"),
    BenchmarkCell("string join", "parts = ['abc'] * 10\ns = 'abcdefgh' * 6_000_000\nn = len(s)", (3,), "array"),
    BenchmarkCell("pandas sort", "x = 1\ns = df.sort_values('v').v.sum()\ny = 2", (3,), "array"),
    BenchmarkCell(
        "pandas merge", "n = 0\nn = len(df.merge(df.groupby('k').v.mean().rename('m'), on='k'))", (3,), "array"
    ),
    BenchmarkCell("pandas concat", "n = 0\nwide = pd.concat([df] * 6)\nm = wide.v.mean()", (3,), "array"),
    BenchmarkCell("pandas assign", "d = df.copy()\nd = d.assign(z=d.v * 2, w=d.v + 1)\nn = 1", (3,), "array"),
    BenchmarkCell("pandas pivot", "n = 0\ndum = pd.get_dummies(df.k % 100)\nn = dum.shape", (3,), "array"),
    BenchmarkCell("pandas apply", "n = 0\nr = df.v.head(200_000).map(lambda x: (x, x))\nn = len(r)", (3,), "object"),
    BenchmarkCell("pandas itertuples", "rows = list(df.head(100_000).itertuples())\nn = len(rows)", (2,), "object"),
    BenchmarkCell("list comprehension", "n = 0\nn = sum([i * i for i in range(1_000_000)])", (3,), "object"),
    BenchmarkCell("list kept", "n = 0\nrows = [str(i) for i in range(500_000)]", (3,), "object"),
    BenchmarkCell("dict", "c = collections.Counter()\nn = len({i: str(i) for i in range(300_000)})", (3,), "object"),
    BenchmarkCell("set", "n = 0\nn = len({i * 3 for i in range(600_000)})", (3,), "object"),
    BenchmarkCell("json", "n = 0\nn = len(json.loads(text))", (3,), "object"),
    BenchmarkCell("json kept", "records = json.loads(text)\nnames = [r['name'] for r in records]", (2, 3), "object"),
    BenchmarkCell("split", "n = 0\nn = len(text.split(','))", (3,), "object"),
    BenchmarkCell("regular expression", "n = 0\nn = len(re.findall(r'\\d+', text))", (3,), "object"),
    BenchmarkCell(
        "append in a loop",
        "rows = []\nfor i in range(400_000):\n    rows.append({'id': i})\nn = len(rows)",
        (4,),
        "object",
    ),
    BenchmarkCell(
        "objects in a function",
        "class P:\n    def __init__(self, x):\n        self.x = [x]\n"
        "def make(n):\n    return [P(i) for i in range(n)]\npoints = make(200_000)",
        (4, 6),
        "object",
    ),
    BenchmarkCell(
        "recursion",
        "def tree(n):\n    return None if n == 0 else [tree(n - 1), tree(n - 1), 'x' * n]\nt = tree(17)",
        (3,),
        "object",
    ),
    BenchmarkCell("tuples sorted", "pairs = [(i % 7, str(i)) for i in range(200_000)]\npairs.sort()", (2,), "object"),
    BenchmarkCell("generator", "n = sum(i for i in range(300_000))\nheld = list(range(1_500_000))", (3,), "object"),
    BenchmarkCell(
        "threads",
        "def work(i):\n    return (A * i).copy()\nwith ThreadPoolExecutor(2) as pool:\n"
        "    out = list(pool.map(work, range(4)))",
        (3,),
        "array",
    ),
    BenchmarkCell(
        "csv text", "buffer = io.StringIO()\ndf.head(100_000).to_csv(buffer)\nn = buffer.tell()", (3,), "object"
    ),
    BenchmarkCell("pandas strings", "n = 0\nup = words.str.cat(words, sep='-')\nm = 1", (3,), "native", "pyarrow"),
    BenchmarkCell(
        "Arrow",
        "import pyarrow as pa\nn = 0\nt = pa.array(np.arange(6_000_000))\nu = pa.concat_arrays([t, t])\nn = len(u)",
        (5,),
        "native",
        "pyarrow",
    ),
    BenchmarkCell(
        "polars",
        "import polars as pl\np = pl.select(a=pl.int_range(0, 4_000_000))\n"
        "q = p.with_columns(b=pl.col('a') * 2, c=pl.col('a') * 3)\nn = len(q)",
        (4,),
        "native",
        "polars",
    ),
    BenchmarkCell(
        "polars strings",
        "import polars as pl\nn = 0\ns = pl.select(a=pl.int_range(0, 1_000_000).cast(pl.String) + '-a-tail')\nn = 1",
        (4,),
        "native",
        "polars",
    ),
    BenchmarkCell(
        "mapped memory",
        "import mmap\nheld = mmap.mmap(-1, 64 * 2**20)\nfor start in range(0, len(held), 4096):\n    held[start] = 1",
        (4, 5),
        "native",
    ),
    BenchmarkCell(
        "random forest",
        "X = A[:, :8]\ny = X.sum(axis=1)\nm = RandomForestRegressor(60).fit(X, y)",
        (4,),
        "native",
        "sklearn",
        setup="from sklearn.ensemble import RandomForestRegressor",
    ),
    BenchmarkCell(
        "torch",
        "x = torch.ones(4000, 4000)\ny = (x @ x.T).relu().mean()\nn = 1",
        (3,),
        "native",
        "torch",
        setup="import torch; torch.ones(100, 100) @ torch.ones(100, 100)",
    ),
    BenchmarkCell(
        "torch training",
        "net = nn.Sequential(nn.Linear(1000, 4000), nn.ReLU(), nn.Linear(4000, 1))\n"
        "loss = net(from_numpy(A).float()).mean()\nloss.backward()",
        (4,),
        "native",
        "torch",
        setup="from torch import from_numpy, nn",
    ),
)
"""At least 40 where neither scikit-learn nor torch is installed."""
