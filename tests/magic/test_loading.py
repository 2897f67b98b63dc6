"""Loading the extension is felt at every start of a kernel: it loads what later commands need when they are typed."""

import json
import subprocess
import sys

LOAD = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "memanalysis")
shell.run_cell("rows = [1]")
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_loading_and_a_plain_cell_load_nothing_that_watches_or_measures(tmp_path):
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)

    assert "memanalysis.magic" in loaded
    assert "memanalysis.notebook.measure" not in loaded
    assert [name for name in loaded if name.startswith(("memanalysis.watcher", "numpy", "pandas"))] == []
