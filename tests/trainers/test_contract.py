"""What every registered trainer must pass: registering is enough to be tested. Each starts from its own YAML file."""

import pytest
from support.contract import (
    ONE_TASK,
    check_evaluates,
    check_exports,
    check_groups,
    check_planned,
    check_predicts,
    check_repeatable,
    check_resumes,
    settings,
    shipped,
    trains,
)

from mvlpt.engine import run_config, shared_resources
from mvlpt.engine.registries import build_trainer
from mvlpt.errors import ConfigError
from mvlpt.experiment.costs.tuning import tuning_of

SUBJECTS = {subject.name: subject for subject in shipped()}
EXPORTED = {
    "open_clip": {"CoOp", "MVLPT-CoOp", "ZeroshotCLIP", "LinearProbe", "KgCoOp", "ProGrad"}
    | {"LP++", "CLAP", "TaskRes", "CrossModalProbe"},
    "torchscript": {"VPT", "UPT", "MVLPT-VPT", "MVLPT-UPT", "CoOp", "MVLPT-CoOp", "ZeroshotCLIP", "LinearProbe"}
    | {"MaPLe", "IVLP", "PromptSRC", "CLIP-LoRA", "LNTuning", "2SFS", "R-AMT"},
}
"""Those that must be exported; others may be, or are refused."""


@pytest.fixture(scope="module", autouse=True)
def kept_backbone():
    """The backbone is loaded once, as in a worker process."""
    with shared_resources():
        yield


@pytest.fixture(scope="module")
def finished(toy_tasks, tmp_path_factory):
    """A finished run of each trainer, made when it is asked for."""
    folders = {}

    def run(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("run")
            run_config(settings(SUBJECTS[name], folders[name]))
        return folders[name]

    return run


@pytest.fixture(scope="module")
def graph_folder(tmp_path_factory):
    """The graph that all trainers share: the tasks are embedded once."""
    return tmp_path_factory.mktemp("graph")


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_scores_every_task_and_is_repeatable(finished, tmp_path, name):
    check_repeatable(SUBJECTS[name], finished(name), tmp_path)


@pytest.mark.parametrize("name", SUBJECTS)
def test_stopped_and_resumed_it_ends_the_same(finished, tmp_path, name):
    if not trains(name):
        pytest.skip("it makes no steps")
    check_resumes(SUBJECTS[name], finished(name), tmp_path)


@pytest.mark.parametrize("name", SUBJECTS)
def test_evaluated_from_its_checkpoint_it_scores_the_same(finished, tmp_path, name):
    check_evaluates(SUBJECTS[name], finished(name), tmp_path)


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_predicts_what_the_run_recorded(finished, tmp_path, name):
    check_predicts(SUBJECTS[name], finished(name), tmp_path)


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_exports_or_says_why_not(finished, tmp_path, name):
    required = [format for format, names in EXPORTED.items() if name in names]
    check_exports(SUBJECTS[name], finished(name), tmp_path, required)


@pytest.mark.parametrize("name", SUBJECTS)
def test_tasks_are_grouped_by_its_gradients_or_it_says_why_not(toy_tasks, graph_folder, capsys, name):
    check_groups(SUBJECTS[name], graph_folder, capsys)


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_experiment_plans_it(toy_tasks, tmp_path, name):
    check_planned(SUBJECTS[name], tmp_path)


@pytest.mark.parametrize("name", SUBJECTS)
def test_its_cost_is_known_before_it_runs(toy_tasks, tmp_path, name):
    """The plan takes image features as kept exactly where the trainer's own loaders keep them."""
    cfg = settings(SUBJECTS[name], tmp_path)
    trainer = build_trainer(cfg)
    assert tuning_of(cfg).image == trainer.trains_images


@pytest.mark.parametrize("name", sorted(ONE_TASK))
def test_a_trainer_of_one_task_names_the_one_for_many(toy_tasks, tmp_path, name):
    with pytest.raises(ConfigError, match=f"MVLPT-{name}"):
        build_trainer(settings(SUBJECTS[name], tmp_path, DATASET__DATASET="toy-warm,toy-cold"))
