"""The trainer and the data set of ``docs/extend.md`` run as they are printed there."""

import re
from pathlib import Path

import pytest

from mvlpt.engine.results import read_results

PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def plugins(tmp_path):
    for name, body in FILES.items():
        (tmp_path / name).write_text(body)
    return [tmp_path / name for name in FILES]


def test_both_are_of_sixty_lines_or_fewer():
    assert list(FILES) == ["adapter.py", "tables.py"]
    assert all(len(body.splitlines()) <= 60 for body in FILES.values())


def test_the_trainer_learns_is_resumed_and_evaluated(plugins, tmp_path, train):
    words = ("--backbone", "embedded", "--shots", 2)
    options = {
        "INPUT__SIZE": "(48, 48)",
        "OPTIM__LR": 1e-3,
        "OPTIM__MAX_EPOCH": 2,
        "TRAINER__ADAPTER__RATIO": 0.2,
        "DATALOADER__TRAIN_X__BATCH_SIZE": 16,
    }
    assert train(plugins, "FeatureAdapter", "weather-plain", *words, **options) == 0
    evaluate = ("--eval-only", "--model-dir", tmp_path / "run")
    assert train(plugins, "FeatureAdapter", "weather-plain", *words, *evaluate, run="again", **options) == 0
    rows = [read_results(tmp_path / run / "results.jsonl")[0] for run in ("run", "again")]
    assert rows[0]["n"] == 143
    assert rows[0]["value"] == rows[1]["value"]


def test_the_data_set_is_a_task(plugins, colours, train, tmp_path):
    folder = colours / "image_table"
    (colours / "colours").rename(folder)
    rows = ["path,class,split"]
    for name in ("dark", "light"):
        for number in range(8):
            rows.append(
                f"{name}/{number}.png,{name},{('train', 'train', 'train', 'train', 'val', 'test')[min(number, 5)]}"
            )
    (folder / "images.csv").write_text("\n".join(rows) + "\n")
    words = ("--backbone", "embedded", "--shots", 2)
    options = {"INPUT__SIZE": "(48, 48)", "TEST__FINAL_MODEL": "best_val"}
    assert train(plugins, "FeatureAdapter", "ImageTable", *words, **options) == 0
    assert (tmp_path / "run" / "results.jsonl").is_file()
