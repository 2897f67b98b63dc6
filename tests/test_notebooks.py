"""The notebooks run from top to bottom on the sample ledgers, and are committed as they ran."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

STRICT = "import warnings\nwarnings.simplefilter('error')"

MAX_BYTES = 300_000


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_there_are_three() -> None:
    assert [path.name for path in NOTEBOOKS] == ["01_memwatch.ipynb", "02_post_mortem.ipynb", "03_trend_report.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_without_an_error_or_a_warning_and_leaves_no_file(path: Path, tmp_path: Path) -> None:
    """In a copy, beside the sample ledgers, with every warning an error."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copytree(ROOT / "sample_ledgers", tmp_path / "sample_ledgers")
    notebook = read(path)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))

    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()

    errors = [each for cell in notebook.cells for each in cell.get("outputs", []) if each.get("name") == "stderr"]
    assert not errors
    assert not list(folder.iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_as_it_ran_from_top_to_bottom(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]

    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [each for cell in cells for each in cell.outputs if each.output_type == "error"]
    assert any(each.output_type in ("execute_result", "display_data") for cell in cells for each in cell.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_a_machine_is_in_it_and_it_is_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"(?<![\w.])/(?:root|home|work|tmp|usr|opt|var|Users)/", text)
    assert "ipykernel_" not in text
    assert len(text) < MAX_BYTES
