"""Every shipped data-set file names a known task, every known task has a file, and a run accepts it."""

from pathlib import Path

import pytest

from mvlpt.cli.train import build_parser, setup_cfg
from mvlpt.config import get_cfg_default
from mvlpt.data import DATASET_REGISTRY
from mvlpt.data.sources import known_tasks
from mvlpt.engine.registries import load_shipped

FOLDER = Path(__file__).resolve().parent.parent / "configs" / "datasets"
FILES = sorted(FOLDER.rglob("*.yaml"))


def name_in(path):
    cfg = get_cfg_default()
    cfg.merge_from_file(path)
    return cfg.DATASET.NAME


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_file_names_a_registered_task(path):
    load_shipped()
    name = name_in(path)
    assert name in DATASET_REGISTRY.registered_names()
    family = "elevater" if path.parent.name == "elevater" else "coop"
    assert name in {metadata.name for metadata in known_tasks(family)}
    args = build_parser().parse_args(["--dataset-config-file", str(path), "--seed", "1"])
    assert name == setup_cfg(args).DATASET.NAME


def test_every_task_that_needs_data_has_one_file():
    wanted = [metadata.name for family in ("elevater", "coop") for metadata in known_tasks(family)]
    assert sorted(map(name_in, FILES)) == sorted(wanted)
    assert len(wanted) == 35
