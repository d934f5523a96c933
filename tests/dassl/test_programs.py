"""What the ``train.py`` of a repository says of options besides declaring them, and programs of other names."""

import pytest
import yaml
from support.dassl_repositories import trainer_source, write_repository


def options_of(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())


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
