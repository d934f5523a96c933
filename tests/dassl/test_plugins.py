"""A file of a repository, a whole repository, two at once: their packages are their own, and nobody else sees them."""

import importlib
import logging
import os
import sys

import pytest
import torch
from support.dassl_repositories import trainer_source, write_repository

from mvlpt.cli import main
from mvlpt.config import get_cfg_default
from mvlpt.dassl import load_plugin
from mvlpt.dassl.no_gpu import accept_gpu_calls, refuse_gpu_calls
from mvlpt.data import DATASET_REGISTRY
from mvlpt.engine import TRAINER_REGISTRY, extend_config
from mvlpt.errors import ConfigError

LATER = """
def before_train(self):
    super().before_train()
    from clip import clip as later
    from .helper import ORIGIN as relative
    import trainers.helper
    self.seen = (clip.origin, later.origin, relative, trainers.helper.ORIGIN)
"""


def test_a_file_of_a_repository_sees_the_repositorys_packages_and_nobody_else_does(tmp_path, train):
    root = write_repository(tmp_path / "repo", "Mine", extra=LATER)
    before = set(sys.modules)
    path = list(sys.path)
    assert train(root / "trainers" / "mine.py", "Mine", "MineColours", DATASET__NUM_SHOTS=2) == 0
    assert (tmp_path / "run" / "linear" / "model.pth.tar-3").is_file()
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert not new & {"trainers", "datasets", "clip"}
    assert sys.path == path
    assert not list(root.rglob("__pycache__"))


def test_imports_inside_functions_still_find_the_repository(tmp_path):
    root = write_repository(tmp_path / "repo", "Mine", extra=LATER)
    load_plugin(root / "trainers" / "mine.py")
    trainer = object.__new__(TRAINER_REGISTRY.get("Mine"))
    trainer.__class__.__mro__[1].before_train, kept = lambda self: None, trainer.__class__.__mro__[1].before_train
    try:
        trainer.before_train()
    finally:
        trainer.__class__.__mro__[1].before_train = kept
    assert trainer.seen == (str(root),) * 4


@pytest.mark.parametrize("route", ["", "train.py", "trainers/mine.py"])
def test_every_route_knows_the_options_of_train_py_and_its_yaml_files(tmp_path, train, route):
    root = write_repository(tmp_path / "repo", "Mine")
    words = ("--config-file", "configs/trainers/Mine/slow.yaml")
    assert train(root / route, "Mine", "MineColours", *words, OPTIM__MAX_EPOCH=1, TRAINER__MINE__SIZE=5) == 0
    text = (tmp_path / "run" / "config.yaml").read_text()
    assert "PREC: fp32" in text
    assert "SIZE: 5" in text


def test_defaults_of_a_plugin_count_for_its_own_trainers_only(tmp_path):
    load_plugin(write_repository(tmp_path / "repo", "Mine"))
    for trainer, rate in (("Mine", 0.125), ("MVLPT-CoOp", get_cfg_default().OPTIM.LR)):
        cfg = get_cfg_default()
        extend_config(cfg, trainer)
        assert rate == cfg.OPTIM.LR
        assert cfg.TRAINER.MINE.PREC == "fp16"


EXTENDED = {
    "a decorator of others": (
        "def helper(",
        "import nobody_has_this as nb\n\n\n@nb.main()\ndef main(cfg=PREC): ...\n\n\ndef helper(",
    ),
    "an import that fails": ("import argparse", "import argparse, broken_library"),
    "a constant and a class": (
        "def extend_cfg(cfg):",
        "class Sizes:\n    small = SMALL = 7\n\n\nTABLE = {}\nTABLE['size'] = Sizes.small\n\n\n"
        "def extend_cfg(cfg):\n    cfg.SEED = TABLE['size']",
    ),
    "a module of its own": (
        "def extend_cfg(cfg):",
        "from trainers.options import seed\n\n\ndef extend_cfg(cfg):\n    seed(cfg)",
    ),
    "a name that a module brings along": (
        "def extend_cfg(cfg):",
        "from trainers.options import *\n\n\ndef extend_cfg(cfg):\n    seed(cfg)",
    ),
    "a default of the same name": (
        "def extend_cfg(cfg):",
        "seed = 7\n\n\ndef extend_cfg(cfg, seed=seed):\n    cfg.SEED = seed",
    ),
    "a byte-order mark": ("", "\ufeff"),
}


@pytest.mark.parametrize("name", EXTENDED)
def test_extend_cfg_gets_what_it_needs_of_train_py_and_nothing_else_runs(name, tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('of another NumPy')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    root = write_repository(tmp_path / "repo", "Mine")
    (root / "trainers" / "options.py").write_text("def seed(cfg):\n    cfg.SEED = 7\n")
    (root / "train.py").write_text((root / "train.py").read_text().replace(*EXTENDED[name], 1), encoding="utf-8")
    load_plugin(root / "trainers" / "mine.py")
    cfg = get_cfg_default()
    extend_config(cfg, "Mine")
    assert (cfg.TRAINER.MINE.SIZE, cfg.OPTIM.LR) == (3, 0.125)
    assert "SEED" not in "".join(EXTENDED[name]) or cfg.SEED == 7


def test_what_extend_cfg_needs_and_is_not_there_is_named_with_its_line(tmp_path):
    root = write_repository(tmp_path / "repo", "Mine")
    main_file = root / "train.py"
    main_file.write_text(main_file.read_text().replace("helper(cfg", "a_package_that_nobody_has.helper(cfg"))
    with pytest.raises(ConfigError, match=r"train\.py, line 3, which extend_cfg needs, fails with ModuleNotFoundError"):
        load_plugin(root / "trainers" / "mine.py")


def test_two_repositories_with_the_same_package_names(tmp_path):
    for name in ("First", "Second"):
        load_plugin(write_repository(tmp_path / name, name))
    for name in ("First", "Second"):
        method = TRAINER_REGISTRY.get(name).forward_backward
        assert method.__globals__["clip"].origin == method.__globals__["ORIGIN"] == str(tmp_path / name)


def test_a_name_that_is_taken_changes_hands_and_one_line_says_so(tmp_path, caplog):
    ours = TRAINER_REGISTRY.get("CoOp")
    with caplog.at_level(logging.WARNING, logger="mvlpt"):
        logging.getLogger("mvlpt").propagate = True
        load_plugin(write_repository(tmp_path / "repo", "CoOp"))
    assert TRAINER_REGISTRY.get("CoOp") is not ours
    (line,) = {record.getMessage() for record in caplog.records if "takes over" in record.getMessage()}
    assert "trainer" in line
    assert "CoOp" in line


@pytest.mark.parametrize("folders", [("one", "one"), ("one", "other")])
def test_of_two_plugins_with_one_name_the_last_counts_and_one_line_says_so(folders, tmp_path, caplog):
    files = [tmp_path / folder / f"plugin_{number}.py" for number, folder in enumerate(folders)]
    logging.getLogger("mvlpt").propagate = True
    for number, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        file.write_text(trainer_source("Same", head=f"NUMBER = {number}"))
        with caplog.at_level(logging.WARNING, logger="mvlpt"):
            load_plugin(file)
    assert TRAINER_REGISTRY.get("Same").forward_backward.__globals__["NUMBER"] == 1
    assert [record.getMessage() for record in caplog.records if "takes over" in record.getMessage()]
    load_plugin(files[0])  # once more: nothing runs again, and the names of its folder count
    assert TRAINER_REGISTRY.get("Same").forward_backward.__globals__["NUMBER"] == (1 if folders[1] == "one" else 0)


def test_a_plugin_that_registers_a_name_twice_is_refused(tmp_path):
    file = tmp_path / "twice.py"
    file.write_text(trainer_source("Twice") + trainer_source("Twice"))
    with pytest.raises(ConfigError, match="registered already"):
        load_plugin(file)


def test_a_repository_one_folder_down_and_one_without_train_py(tmp_path):
    root = write_repository(tmp_path / "outer" / "inner", "Inner")
    load_plugin(tmp_path / "outer")
    (root / "train.py").unlink()
    other = write_repository(tmp_path / "bare", "Bare")
    (other / "train.py").unlink()
    load_plugin(other)
    assert {"Inner", "Bare"} <= set(TRAINER_REGISTRY.registered_names())
    assert {"InnerColours", "BareColours"} <= set(DATASET_REGISTRY.registered_names())


def test_code_of_a_library_with_a_module_of_that_name_still_finds_its_own(tmp_path, monkeypatch):
    library = tmp_path / "library"
    library.mkdir()
    (library / "datasets.py").write_text("kind = 'library'\n")
    (library / "reader.py").write_text("import datasets\nkind = datasets.kind\n")
    monkeypatch.syspath_prepend(str(library))
    head = "import reader\nimport datasets\nBOTH = (reader.kind, hasattr(datasets, 'kind'))"
    load_plugin(write_repository(tmp_path / "repo", "Mine", head=head) / "trainers" / "mine.py")
    assert TRAINER_REGISTRY.get("Mine").forward_backward.__globals__["BOTH"] == ("library", False)
    assert importlib.import_module("datasets").kind == "library"
    for name in ("datasets", "reader"):
        del sys.modules[name]


# Bad input ---------------------------------------------------------------------------------------------------


def test_a_plugin_that_raises_shows_the_lines_of_its_own(tmp_path, train, capsys):
    head = "\ndef broken(rate):\n    return 1 / rate\n\nbroken(0)"
    root = write_repository(tmp_path / "repo", "Mine", head=head)
    assert train(root / "trainers" / "mine.py", "Mine", "MineColours") == 2
    error = capsys.readouterr().err
    assert f"The plugin {root / 'trainers' / 'mine.py'} fails with ZeroDivisionError" in error
    assert "return 1 / rate" in error
    assert "importlib" not in error
    assert "Traceback" not in error


def test_a_package_that_is_not_installed_is_named_with_the_command(tmp_path, train, capsys):
    root = write_repository(tmp_path / "repo", "Mine", head="import sklearn_of_nobody.parts")
    assert train(root / "trainers" / "mine.py", "Mine", "MineColours") == 2
    assert "needs the package 'sklearn_of_nobody', which is not installed: pip install" in capsys.readouterr().err


def test_what_fails_in_a_whole_repository_is_reported_and_the_rest_serves(tmp_path, train, capfd):
    root = write_repository(tmp_path / "repo", "Mine")
    (root / "trainers" / "other.py").write_text("import sklearn_of_nobody\n")
    main_file = root / "train.py"
    main_file.write_text(
        main_file.read_text().replace("import datasets.colours", "import trainers.other, datasets.colours")
    )
    assert train(root, "Mine", "MineColours", OPTIM__MAX_EPOCH=1) == 0
    assert train(root, "Nobody", "MineColours", run="other") == 2


def test_a_trainer_of_a_file_that_fails_is_not_replaced_by_one_of_ours(tmp_path, train, capsys):
    root = write_repository(tmp_path / "repo", "Mine")
    (root / "trainers" / "other.py").write_text("import sklearn_of_nobody\n" + trainer_source("CoOp"))
    main_file = root / "train.py"
    main_file.write_text(
        main_file.read_text().replace("import datasets.colours", "import trainers.other, datasets.colours")
    )
    assert train(root, "CoOp", "MineColours") == 2
    assert "needs the package 'sklearn_of_nobody'" in capsys.readouterr().err.splitlines()[-1]


def test_an_option_that_only_a_plugin_knows(tmp_path, capsys):
    words = ["train", "--trainer", "MVLPT-CoOp", "--dataset", "weather-plain", "--output-dir", str(tmp_path / "run")]
    assert main([*words, "TRAINER.MINE.SIZE", "5"]) == 2
    error = capsys.readouterr().err
    assert "unknown key TRAINER.MINE.SIZE" in error
    assert "--plugin" in error


def test_paths_that_are_no_plugins(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    os.mkfifo(tmp_path / "pipe.py")
    for path, message in (
        ("absent.py", "No plugin file"),
        ("empty", "neither a train.py nor"),
        ("notes.txt", "not a Python file"),
        ("pipe.py", "not a Python file"),
        ("x" * 5000, "No plugin file"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_plugin(tmp_path / path)


# Without a GPU -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpu_calls_do_nothing_where_there_is_no_gpu():
    accept_gpu_calls()
    try:
        tensor, layer = torch.ones(2), torch.nn.Linear(2, 1)
        assert tensor.cuda() is tensor.half() is tensor
        assert layer.cuda() is layer
        assert tensor.to("cuda:0").device.type == layer.to(torch.device("cuda")).weight.device.type == "cpu"
        assert tensor.to(0).device.type == layer.to(device=0, dtype=torch.float64).weight.device.type == "cpu"
        assert layer.weight.dtype == torch.float64
        assert tensor.to("cuda", torch.float16).dtype == torch.float16
    finally:
        refuse_gpu_calls()
    with pytest.raises((AssertionError, RuntimeError)):
        torch.ones(2).cuda()
