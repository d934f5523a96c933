"""What the ``train.py`` of a repository says of options besides ``extend_cfg``, and programs of other names."""

import pytest
import yaml
from support.dassl_repositories import DATASET, trainer_source, write_repository

from mvlpt.cli import main
from mvlpt.dassl import load_plugin
from mvlpt.errors import ConfigError

SETUP = """
def more(cfg):
    if cfg.DATASET.NUM_SHOTS == 2:
        cfg.TRAINER.MINE.WORD = "two"


def reset_cfg(cfg, args):
    if args.root:
        cfg.DATASET.ROOT = args.root
    if args.device:
        cfg.DEVICE = args.device
    if args.slow:
        cfg.TRAINER.MINE.SLOW = args.slow


def setup_cfg(args):
    cfg = get_cfg_default()
    extend_cfg(cfg)
    cfg.merge_from_file(args.config_file)
    reset_cfg(cfg, args)
    cfg.merge_from_list(args.opts)
    if cfg.DATASET.NUM_SHOTS in (1, 2) and not args.of_nobody:
        cfg.OPTIM.MAX_EPOCH = 2
    more(cfg)
    cfg.freeze()
    a_package_that_nobody_has.check(cfg)
    return cfg


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=str, default="", help="path to dataset")
    parser.add_argument("--device", type=str, default="", help="device")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--rest", type=int)
"""


@pytest.fixture
def repository(tmp_path):
    """One whose program goes on with the options after the command line, and has flags of its own."""
    root = write_repository(tmp_path / "repo", "Mine")
    program = root / "train.py"
    text = program.read_text().replace("    cfg.OPTIM.LR", '    cfg.TRAINER.MINE.WORD = "none"\n    cfg.OPTIM.LR')
    program.write_text(text[: text.index("if __name__")] + SETUP)
    return root


def options_of(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())


def test_what_setup_cfg_does_after_the_command_line_counts_for_the_plugins_trainers(repository, tmp_path, train):
    assert train(repository, "Mine", "MineColours", DATASET__NUM_SHOTS=2) == 0
    cfg = options_of(tmp_path / "run")
    assert cfg["TRAINER"]["MINE"]["WORD"] == "two"
    assert cfg["OPTIM"]["MAX_EPOCH"] == 3  # given for this run


def test_what_nobody_gave_follows_setup_cfg_also_where_the_run_goes_on(repository, tmp_path, colours, capfd):
    words = ["train", "--plugin", repository, "--trainer", "Mine", "--dataset", "MineColours", "--root", colours]
    words += ["--shots", "2", "--output-dir", tmp_path / "run", "--quiet"]
    words = [*map(str, words), "INPUT.SIZE", "(16,16)", "DATALOADER.NUM_WORKERS", "0"]
    assert main(words) == 0
    assert options_of(tmp_path / "run")["OPTIM"]["MAX_EPOCH"] == 2
    assert "would set" not in capfd.readouterr().err
    assert main([*words, "OPTIM.MAX_EPOCH", "1", "OUTPUT_DIR", str(tmp_path / "other")]) == 0
    assert "would set OPTIM.MAX_EPOCH 2; what is given for this run stays" in capfd.readouterr().err
    assert options_of(tmp_path / "other")["OPTIM"]["MAX_EPOCH"] == 1
    again = ["train", "--plugin", str(repository), "--resume", str(tmp_path / "other")]
    assert main(again) == 0
    assert options_of(tmp_path / "other")["OPTIM"]["MAX_EPOCH"] == 1


def test_a_trainer_of_ours_keeps_its_options_beside_the_plugin(repository, tmp_path, train):
    options = {"DATASET__NUM_SHOTS": 2, "TEST__NO_TEST": True, "INPUT__SIZE": "(48, 48)", "OPTIM__MAX_EPOCH": 1}
    words = ("--backbone", "embedded")
    assert train(repository, "LinearProbe", "MineColours", *words, **options) == 0
    assert options_of(tmp_path / "run")["TRAINER"]["MINE"]["WORD"] == "none"


def test_setup_cfg_that_fails_changes_nothing_and_is_named(repository, tmp_path, train, capfd):
    program = repository / "train.py"
    program.write_text(program.read_text().replace("    more(cfg)", "    more(cfg.NOTHING)"))
    assert train(repository, "Mine", "MineColours", DATASET__NUM_SHOTS=2, OPTIM__MAX_EPOCH=1) == 0
    assert f"setup_cfg of {program} fails, and changes nothing" in capfd.readouterr().err
    assert options_of(tmp_path / "run")["TRAINER"]["MINE"]["WORD"] == "none"


def test_what_setup_cfg_needs_and_is_not_there_is_named_with_its_line(repository, train, capfd):
    program = repository / "train.py"
    program.write_text(program.read_text().replace("    more(cfg)", "    a_package_that_nobody_has.more(cfg)"))
    assert train(repository, "Mine", "MineColours", OPTIM__MAX_EPOCH=1) == 0
    assert f"left out: {program}, line 3, which setup_cfg needs, fails" in capfd.readouterr().err


def test_options_by_data_set_are_merged_after_the_command_line(repository, tmp_path, train, capfd):
    program = repository / "train.py"
    table = 'cfg.merge_from_list(["TRAINER.MINE.WORD", "of " + cfg.DATASET.NAME, "TRAINER.MINE.SIZE", 9])'
    program.write_text(program.read_text().replace("more(cfg)\n    cfg.freeze", f"{table}\n    cfg.freeze"))
    assert train(repository, "Mine", "MineColours", OPTIM__MAX_EPOCH=1, TRAINER__MINE__SIZE=4) == 0
    section = options_of(tmp_path / "run")["TRAINER"]["MINE"]
    assert (section["WORD"], section["SIZE"]) == ("of MineColours", 4)
    assert "would set TRAINER.MINE.SIZE 9" in capfd.readouterr().err


@pytest.mark.parametrize("route", ["", "train.py", "trainers/mine.py"])
def test_flags_of_the_programs_own_set_its_options(route, repository, tmp_path, train):
    words = ("--device", "cuda:1", "--slow")
    assert train(repository / route, "Mine", "MineColours", *words, OPTIM__MAX_EPOCH=1) == 0
    cfg = options_of(tmp_path / "run")
    assert (cfg["DEVICE"], cfg["TRAINER"]["MINE"]["SLOW"]) == ("cuda:1", True)
    assert train(repository / route, "Mine", "MineColours", run="plain", OPTIM__MAX_EPOCH=1) == 0
    cfg = options_of(tmp_path / "plain")
    assert (cfg["DEVICE"], cfg["TRAINER"]["MINE"]["SLOW"]) == ("", False)


def test_an_option_at_the_root_is_set_as_key_and_value(repository, tmp_path, train):
    words = ("DEVICE", "cuda:1", "OPTIM.MAX_EPOCH", "1")
    assert train(repository, "Mine", "MineColours", *words) == 0
    assert options_of(tmp_path / "run")["DEVICE"] == "cuda:1"


def test_the_help_names_flags_of_the_program(repository, capsys):
    with pytest.raises(SystemExit):
        main(["train", "--plugin", str(repository), "--help"])
    assert "sets DEVICE" in capsys.readouterr().out


def test_a_flag_that_sets_nothing_stays_unknown(repository, train, capsys):
    assert train(repository, "Mine", "MineColours", "--rest", "3") == 2
    assert "has no option --rest" in capsys.readouterr().err


@pytest.mark.parametrize("route", ["search.py", "trainers/search.py"])
def test_a_program_of_another_name_knows_the_options_of_its_trainers(route, tmp_path, train):
    root = write_repository(tmp_path / "repo", "Mine")
    (root / "trainers" / "search.py").write_text(trainer_source("Search"))
    text = (root / "train.py").read_text().replace("trainers.mine", "trainers.search").replace(".MINE", ".SEARCH")
    (root / "search.py").write_text(text)
    assert train(root / route, "Search", "Colours,", OPTIM__MAX_EPOCH=1, TRAINER__SEARCH__SIZE=5) == 2
    assert train(root / route, "Mine", "MineColours") == 2  # it is not imported
    names = [root / route, root / "datasets" / "colours.py"]
    assert train(names, "Search", "MineColours", OPTIM__MAX_EPOCH=1, TRAINER__SEARCH__SIZE=5) == 0
    assert options_of(tmp_path / "run")["TRAINER"]["SEARCH"]["SIZE"] == 5


def test_a_plugin_may_give_our_options_values_that_only_its_code_knows(tmp_path, train, capsys):
    root = write_repository(tmp_path / "repo", "Mine")
    program = root / "train.py"
    section = 'cfg.TRAINER.COOP = CN()\n    cfg.TRAINER.COOP.CLASS_TOKEN_POSITION = "nowhere"\n    cfg.OPTIM.LR'
    program.write_text(program.read_text().replace("cfg.OPTIM.LR", section))
    assert train(root, "Mine", "MineColours", OPTIM__MAX_EPOCH=1) == 0
    options = {"TRAINER__COOP__CLASS_TOKEN_POSITION": "elsewhere"}
    assert train(root, "Mine", "MineColours", run="other", **options) == 2
    assert "TRAINER.COOP.CLASS_TOKEN_POSITION is 'elsewhere'" in capsys.readouterr().err


def test_no_images_a_class_means_all_to_a_plugin_as_to_dassl(tmp_path, train):
    file = tmp_path / "plain.py"
    file.write_text(trainer_source("Plain") + DATASET.replace("NAME", "Colours"))
    assert train(file, "Plain", "Colours", "--shots", "0", OPTIM__MAX_EPOCH=1) == 0
    assert options_of(tmp_path / "run")["DATASET"]["NUM_SHOTS"] == -1


def test_a_program_that_cannot_be_read_is_reported_by_the_plugin_not_by_its_flags(repository):
    (repository / "train.py").write_text("def extend_cfg(:\n")
    with pytest.raises(ConfigError, match="Cannot read"):
        load_plugin(repository / "trainers" / "mine.py")
