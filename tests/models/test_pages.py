"""The examples of the pages on models and trainers run."""

import re
from pathlib import Path

import pytest
from support.registries import restored_registries

from mvlpt.cli import main
from mvlpt.models import load_prompt
from mvlpt.models.prompts import PROMPT_METHODS

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = [
    ("models.md", "scaled.py", "MVLPT-Scaled"),
    ("trainers.md", "short.py", "ShortPrompt"),
    ("trainers.md", "short_norm.py", "ShortNorm"),
]


@pytest.fixture(autouse=True)
def only_shipped_methods_afterwards():
    with restored_registries():
        yield


@pytest.mark.parametrize(("page", "name", "trainer"), EXAMPLES)
def test_examples_of_plugins_train(toy_tasks, tmp_path, page, name, trainer):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)
    (code,) = [block for block in blocks if block.startswith(f"# {name}")]
    (tmp_path / name).write_text(code)
    line = ["train", "--plugin", str(tmp_path / name), "--trainer", trainer, "--dataset", "toy-warm", "--shots", "1"]
    line += ["--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml", "--seed", "1", "--quiet"]
    keys = ["OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]
    assert main([*line, "--output-dir", str(tmp_path / "run"), *keys]) == 0
    assert load_prompt(tmp_path / "run" / "prompt.safetensors").tensors["ctx"].isfinite().all()


def test_the_page_names_every_method_with_its_options():
    table = (DOCS / "models.md").read_text().split("## Prompt methods")[1].split("###")[0]
    for name in PROMPT_METHODS:
        for word in {name, *PROMPT_METHODS.get(name).option_names()} - {"legacy"}:
            assert f"`{word}`" in table
