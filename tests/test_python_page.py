"""The page on Python runs as it stands, and so does the notebook."""

import importlib.util
import re
import subprocess
import sys

import pytest
from support.imports import ROOT
from support.toy import draw

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)

HIDE = """import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == 'ipywidgets' else find(name, *more)"""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """`photos/` with three classes in two splits, and `photo.jpg`."""
    for split, count in (("train", 4), ("test", 3)):
        for colour in ("red", "blue", "white"):
            for number in range(count):
                path = tmp_path / "photos" / split / colour / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw(colour, number, split).save(path)
    draw("red", 77, "photo").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_page_runs_word_for_word(photos, capsys):
    assert len(BLOCKS) >= 8
    space = {}
    pandas = importlib.util.find_spec("pandas") is not None
    for block in BLOCKS:
        if "pandas" in block and not pandas:
            block = "\n".join(line for line in block.splitlines() if "pandas" not in line and "table[" not in line)
        exec(compile(block, "docs/python.md", "exec"), space)
    assert space["names"].shape == (9,)
    assert space["scores"].shape == (1, 3)
    assert space["weather"].task.name == "weather-dark"
    assert space["done"].state == "finished"
    assert space["adapted"].results[0]["arm"] == "adapted"
    printed = capsys.readouterr().out
    assert "(1, 2)" in printed
    assert str(space["run"].folder).startswith("output/MVLPT-VPT-photos-4shots-seed1-")


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("torch", "numpy", "PIL", "rich", "yaml")
    code = f"import sys, mvlpt; mvlpt.__version__; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def run_notebook(notebook, folder, monkeypatch):
    """Runs a notebook in a folder; returns the outputs of its cells."""
    missing = [name for name in ("nbclient", "ipykernel", "ipywidgets") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'mvlpt[notebook]'")
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def read_notebook():
    nbformat = pytest.importorskip("nbformat", reason="pip install 'mvlpt[notebook]'")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "docs/quickstart.ipynb is kept without outputs"
    return notebook


def widgets(outputs):
    return [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]


def tables(outputs):
    return [output.get("data", {}).get("text/html", "") for output in outputs]


@pytest.mark.notebook
@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    outputs = run_notebook(read_notebook(), tmp_path, monkeypatch)
    text = "".join(output.get("text", "") for output in outputs)
    assert any("<table>" in table and "accuracy" in table for table in tables(outputs))
    assert any("weather-" in table for table in tables(outputs))
    assert "Classifier('weather-dark', 14 classes, embedded, " in text
    assert "Warning" not in text
    assert widgets(outputs)


@pytest.mark.notebook
@pytest.mark.slow
def test_the_notebook_trains_without_widgets(tmp_path, monkeypatch):
    notebook = read_notebook()
    from nbformat.v4 import new_code_cell

    last = next(
        i for i, cell in enumerate(notebook.cells) if "mvlpt.train(" in cell.source and cell.cell_type == "code"
    )
    notebook.cells = [new_code_cell(HIDE), *notebook.cells[: last + 1]]
    outputs = run_notebook(notebook, tmp_path, monkeypatch)
    assert any("weather-dark" in table for table in tables(outputs))
    assert not any("Warning" in output.get("text", "") for output in outputs)
    assert not widgets(outputs)
