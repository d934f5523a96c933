"""Base to new and cross-dataset: which runs they are, what is evaluated, and the harmonic mean."""

import json

import pytest
from PIL import Image

from mvlpt.cli import main
from mvlpt.errors import ConfigError
from mvlpt.experiment import Experiment, load_experiment
from mvlpt.experiment.arms import planned_runs
from mvlpt.experiment.configurations import Configurations
from mvlpt.report.results.base_to_new import base_to_new, harmonic_mean
from mvlpt.report.results.scores import Scores

COOP = "configs/trainers/MVLPT-CoOp/embedded.yaml"
ZERO_SHOT = "configs/trainers/ZeroshotCLIP/embedded.yaml"
HALF = "DATASET.SUBSAMPLE_CLASSES"


def row(arm, task, seed, value):
    return {
        "trainer": "CoOp", "arm": arm, "group": None, "task": task, "split": "test", "metric": "accuracy",
        "value": value, "higher_is_better": True, "shots": 16, "seed": seed, "epoch": 1, "n": 10, "run": arm,
    }  # fmt: skip


def test_base_to_new_tunes_on_one_half_and_evaluates_that_prompt_on_the_other():
    experiment = Experiment(tasks=("tools-plain", "files-plain"), trainers=(COOP,), arms=("base_to_new",), seeds=(1,))
    runs = list(planned_runs(experiment))
    pairs = list(zip(runs[::2], runs[1::2], strict=True))
    assert [(base.arm, new.arm) for base, new in pairs] == [("base", "new")] * 2
    for base, new in pairs:
        assert (base.options[HALF], new.options[HALF]) == ("base", "new")
        assert new.start.runs == (base,)
        assert (base.tasks, new.options["RUN.MODE"]) == (new.tasks, "eval")
        assert "RUN.MODE" not in base.options


def test_cross_dataset_evaluates_each_source_prompt_on_each_target():
    fields = {"sources": ("tools-plain",), "targets": ("files-plain", "power-plain"), "seeds": (1, 2)}
    runs = list(planned_runs(Experiment(trainers=(COOP,), arms=("cross_dataset",), **fields)))
    tested = [run for run in runs if run.arm == "cross_dataset"]
    assert [(run.seed, run.tasks) for run in tested] == [(s, (t,)) for s in (1, 2) for t in fields["targets"]]
    assert all(run.start.runs[0].tasks == ("tools-plain",) and run.start.runs[0].seed == run.seed for run in tested)
    assert all(run.options["RUN.MODE"] == "eval" for run in tested)


def test_the_whole_protocol_on_images(toy_tasks, tmp_path, capsys):
    """The scores on the base half are those of a plain run on it; the harmonic mean is in the tables."""
    file = tmp_path / "protocol.yaml"
    file.write_text(
        f"tasks: [toy-all]\ntrainers: [{COOP}]\nprotocol: base_to_new\nshots: 2\nseeds: [1]\n"
        f"zero_shot: {ZERO_SHOT}\noptions: {{OPTIM.MAX_EPOCH: 2}}\nexecutor: {{name: inline}}\n"
    )
    out = tmp_path / "out"
    assert main(["experiment", "--config-file", str(file), "--output-dir", str(out)]) == 0
    _, _, table = capsys.readouterr().out.partition("that a prompt was tuned on")
    assert "harmonic mean" in table
    assert "ZeroshotCLIP" in table
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    untrained = {(one["arm"], one["shots"], one["seed"]) for one in rows if one["trainer"] == "ZeroshotCLIP"}
    assert untrained == {("zero_shot", 0, 0), ("base", 0, 0), ("new", 0, 0)}
    values = {one["arm"]: one["value"] for one in rows if one["trainer"] != "ZeroshotCLIP"}
    assert set(values) == {"base", "new"}
    plain = ["train", "--config-file", COOP, "--dataset", "toy-all", "--shots", "2", "--seed", "1", "--quiet"]
    assert main([*plain, "--output-dir", str(tmp_path / "plain"), "OPTIM.MAX_EPOCH", "2", HALF, "base"]) == 0
    assert json.loads((tmp_path / "plain" / "results.jsonl").read_text())["value"] == values["base"]
    again = [*plain, "--eval-only", "--model-dir", str(tmp_path / "plain"), "--output-dir", str(tmp_path / "new")]
    assert main([*again, HALF, "new"]) == 0
    assert json.loads((tmp_path / "new" / "results.jsonl").read_text())["value"] == values["new"]


def test_the_harmonic_mean_is_that_of_the_means_over_tasks_seed_by_seed():
    assert harmonic_mean(80, 60) == pytest.approx(4800 / 70)
    assert harmonic_mean(0, 60) == 0
    rows = [row("base", "a", 1, 80), row("base", "b", 1, 60), row("new", "a", 1, 50), row("new", "b", 1, 70)]
    rows += [row("base", "a", 2, 90), row("base", "b", 2, 70), row("new", "a", 2, 40), row("new", "b", 2, 40)]
    [(base, new, both)] = base_to_new(Scores.of(rows)).values()
    assert (base.mean, new.mean) == (75, 50)
    by_seed = [2 * 70 * 60 / 130, 2 * 80 * 40 / 120]
    assert both.mean == pytest.approx(sum(by_seed) / 2)
    assert both.sd == pytest.approx(abs(by_seed[0] - by_seed[1]) / 2**0.5)
    assert base_to_new(Scores.of(rows[:2])) == {}


@pytest.mark.parametrize("arm", ["base_to_new", "adapted"])
def test_what_fits_no_other_classes_is_refused_before_anything_runs(arm):
    fields = {"tasks": ("tools-plain", "files-plain"), "arms": (arm,)}
    heads = Experiment(trainers=("configs/trainers/LP++/embedded.yaml",), **fields)
    with pytest.raises(ConfigError, match=rf"LP\+\+ has weights for each class and cannot do {arm}; name the file"):
        Configurations(heads).check()
    choosing = Experiment(trainers=heads.trainers, tasks=heads.tasks, arms=("chosen",), grouping={"method": "choose"})
    with pytest.raises(ConfigError, match="cannot do grouping by choose, which tries adaptation; name the file"):
        Configurations(choosing).check()
    own_contexts = {"TRAINER.MVLPT.COOP.CSC": True, "TRAINER.MVLPT.COOP.CTX_INIT": ""}
    with pytest.raises(ConfigError, match=rf"MVLPT-CoOp has weights for each class and cannot do {arm}"):
        Configurations(Experiment(trainers=(COOP,), options=own_contexts, **fields)).check()
    Configurations(Experiment(trainers=(COOP, "configs/trainers/2SFS/embedded.yaml"), **fields)).check()


def test_a_task_of_one_class_has_no_halves(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "one" / split / "red").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "one" / split / "red" / "0.png")
    experiment = Experiment(tasks=(f"{tmp_path / 'one'}/",), trainers=(COOP,), arms=("base_to_new",))
    with pytest.raises(ConfigError, match="base_to_new halves the classes of a task, and 'one' has one; leave it out"):
        Configurations(experiment).check()


@pytest.mark.parametrize(
    ("lines", "says"),
    [("protocol: base_to_old", "base_to_new"), ("protocol: base_to_new\narms: [single]", "leave one out")],
)
def test_a_wrong_protocol_is_one_sentence(tmp_path, lines, says):
    file = tmp_path / "experiment.yaml"
    file.write_text(f"tasks: [tools-plain]\ntrainers: [{COOP}]\n{lines}\n")
    with pytest.raises(ConfigError, match=says):
        load_experiment(file)
