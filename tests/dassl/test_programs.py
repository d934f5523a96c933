"""What the ``train.py`` of a repository says of options besides declaring them."""

from support.dassl_repositories import write_repository


def test_a_plugin_may_give_our_options_values_that_only_its_code_knows(tmp_path, train, capsys):
    root = write_repository(tmp_path / "repo", "Mine")
    program = root / "train.py"
    section = 'cfg.TRAINER.COOP = CN()\n    cfg.TRAINER.COOP.CLASS_TOKEN_POSITION = "nowhere"\n    cfg.OPTIM.LR'
    program.write_text(program.read_text().replace("cfg.OPTIM.LR", section))
    assert train(root, "Mine", "MineColours", OPTIM__MAX_EPOCH=1) == 0
    options = {"TRAINER__COOP__CLASS_TOKEN_POSITION": "elsewhere"}
    assert train(root, "Mine", "MineColours", run="other", **options) == 2
    assert "TRAINER.COOP.CLASS_TOKEN_POSITION is 'elsewhere'" in capsys.readouterr().err
