"""Options of one method given to another are refused; those of plugins, which may read any section, are not."""

from pathlib import Path

import pytest
from support.experiments import COOP, toy_experiment

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.config import OPTIONS
from mvlpt.engine import TRAINER_REGISTRY, unread_option
from mvlpt.engine.unread_options import sections_read
from mvlpt.errors import ConfigError
from mvlpt.experiment import build_plan
from mvlpt.experiment.configurations import Configurations
from mvlpt.trainers import PromptTrainer

SECTIONS = {key.split(".")[1] for key in OPTIONS if key.startswith("TRAINER.") and key.count(".") > 1}
SHIPPED = [
    name for name in TRAINER_REGISTRY.registered_names() if sections_read(TRAINER_REGISTRY.get(name)) is not None
]


def test_every_section_is_read_by_a_shipped_trainer():
    """A trainer that reads more than its ``section``, ``prompt_section`` and head's says so in ``further_sections``."""
    assert set().union(*(sections_read(TRAINER_REGISTRY.get(name)) for name in SHIPPED)) >= SECTIONS


@pytest.mark.parametrize("name", SHIPPED)
def test_a_trainer_takes_its_own_options_and_those_of_all(name):
    own = sections_read(TRAINER_REGISTRY.get(name))
    keys = [key for key in OPTIONS if not key.startswith("TRAINER.") or key.count(".") == 1 or key.split(".")[1] in own]
    assert unread_option(keys, [name]) == ""


def test_others_are_named_with_their_trainer():
    said = unread_option(["OPTIM.LR", "TRAINER.TIPADAPTER.ALPHA"], ["MVLPT-CoOp"])
    assert said.startswith(
        "TRAINER.TIPADAPTER.ALPHA is an option of TipAdapter, TipAdapter-F, not of MVLPT-CoOp, which"
    )
    assert "which reads TRAINER.MVLPT;" in said
    assert "has no options of its own" in unread_option(["TRAINER.COOP.N_CTX"], ["LinearProbe"])
    assert unread_option(["TRAINER.COOP.N_CTX"], ["LinearProbe", "CoOp"]) == ""


def test_a_plugins_trainer_may_read_any_section():
    theirs = type("Theirs", (PromptTrainer,), {"__module__": "theirs"})
    assert sections_read(theirs) is None
    assert unread_option(["TRAINER.COOP.N_CTX"], ["no such trainer"]) == ""


def test_the_command_refuses_it_but_a_file_of_several_methods_serves_all(toy_tasks, tmp_path, capsys):
    file = tmp_path / "shared.yaml"
    file.write_text(f"_BASE_: {Path(COOP).resolve()}\nTRAINER: {{TIPADAPTER: {{ALPHA: 3.0}}}}\n")
    words = ["train", "--config-file", str(file), "--dataset", "toy-warm", "--shots", "1", "--seed", "1", "--no-train"]
    assert main([*words, "--quiet"]) == 0
    assert main([*words, "--quiet", "TRAINER.TIPADAPTER.ALPHA", "3"]) == 2
    assert capsys.readouterr().err.startswith("error: TRAINER.TIPADAPTER.ALPHA is an option of TipAdapter")


def test_an_experiment_refuses_what_none_of_its_trainers_reads(toy_tasks, tmp_path):
    options = {"TRAINER.TIPADAPTER.ALPHA": 3.0}
    with pytest.raises(
        ConfigError, match=r"experiment's options: TRAINER\.TIPADAPTER\.ALPHA is an option of TipAdapter"
    ):
        Configurations(toy_experiment(options=options)).check()
    both = toy_experiment(options=options, trainers=(COOP, COOP.replace("MVLPT-CoOp", "TipAdapter")))
    Configurations(both).check()
    assert len([job for job in build_plan(both, tmp_path) if job.kind == "train"]) == 4
