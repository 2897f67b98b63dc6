"""The engine is loaded beside numpy where the program has it, and not while the program still loads it."""

import sys

import pytest

from memanalysis.verdicts.engine_loading import ENGINE, load_engine_beside_numpy


def test_nothing_is_loaded_into_a_program_without_numpy(run_program) -> None:
    done = run_program(
        "import sys\n"
        "from memanalysis.verdicts.engine_loading import load_engine_beside_numpy\n"
        "print(load_engine_beside_numpy(), 'numpy' in sys.modules)\n"
        "import numpy\n"
        "print(load_engine_beside_numpy(), 'memanalysis.analysis.series_verdict' in sys.modules)\n"
    )

    assert done.stdout == "False False\nTrue True\n"


def test_who_is_loading_numpy_is_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy

    monkeypatch.delitem(sys.modules, ENGINE, raising=False)
    assert numpy.__spec__ is not None
    monkeypatch.setattr(numpy.__spec__, "_initializing", True, raising=False)

    assert not load_engine_beside_numpy()
    assert ENGINE not in sys.modules
