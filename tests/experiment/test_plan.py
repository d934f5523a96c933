"""From experiments to plans: how many jobs, what they need, what their ids depend on, whether commands can be run."""

import dataclasses
import functools
from collections import Counter
from math import comb
from pathlib import Path

import pytest
from support.experiments import COOP, GROUPS, TASKS, VPT, cfg_of, count, embedded_experiment, names, option

from mvlpt.cli.average import build_parser as average_parser
from mvlpt.errors import ConfigError, PlanError
from mvlpt.experiment import load_experiment
from mvlpt.experiment.plan import STORE, build_plan, check_same_folder
from mvlpt.graph import Grouping

ROOT = Path(__file__).resolve().parents[2]


TRAINERS = ROOT / "configs" / "trainers"


SHOTS, SEEDS, METHODS, ELEVATER, TARGETS = 3, 3, 3, 20, 12


@functools.cache  # plans of hundreds of jobs, which several tests look at and none changes
def paper(name, *groups):
    file = f"configs/experiments/{name}.yaml"
    return build_plan(load_experiment(file), "out", Grouping(groups) if groups else None, experiment_file=file)


def test_eleven_sources_to_twelve_targets_by_hand():
    plan = paper("coop_to_elevater")
    each = METHODS * SHOTS
    assert count(plan) == {
        ("features", ""): TARGETS,  # text prompts and the baseline read them
        ("train", "single"): each * SEEDS * TARGETS,
        ("train", "all"): each * SEEDS,  # the sources, together
        ("average", "source"): each,
        ("adapt", "transfer"): each * SEEDS * TARGETS,
        ("evaluate", "zero_shot"): TARGETS,
        ("report", ""): 1,
    }
    coop = {"Caltech101", "DescribableTextures", "EuroSAT", "FGVCAircraft", "Food101", "ImageNet", "OxfordFlowers"}
    coop |= {"OxfordPets", "SUN397", "StanfordCars", "UCF101"}
    sources = {frozenset(job.labels["tasks"]) for job in plan if job.labels.get("arm") == "all"}
    assert sources == {frozenset(coop)}
    targets = {job.labels["task"] for job in plan if job.kind == "adapt"}
    assert targets == {
        "cifar-10", "cifar-100", "country211", "fer-2013", "gtsrb", "hateful-memes", "kitti-distance", "mnist",
        "patch-camelyon", "rendered-sst2", "resisc45_clip", "voc-2007-classification",
    }  # fmt: skip


def test_a_shared_prompt_is_adapted_to_each_task_with_its_own_seed():
    plan = build_plan(
        embedded_experiment(arms=("adapted", "all", "grouped"), trainers=(VPT,), zero_shot=""), "out", GROUPS
    )
    assert count(plan) == {("train", "all"): 2, ("train", "grouped"): 4, ("adapt", "adapted"): 2 * 2 * 4}
    jobs = {job.id: job for job in plan}
    for job in plan:
        if job.kind == "adapt":
            (source,) = (jobs[need] for need in job.needs)
            assert source.labels["arm"] == job.labels["group"]
            assert source.labels["seed"] == job.labels["seed"]
            assert job.labels["task"] in source.labels["tasks"]
            assert option(job, "--model-dir").endswith(source.name)
            assert f"{source.name}/results.jsonl" in source.outputs  # the arm's own run, which is tested
    assert names(plan, "train") == names(
        build_plan(embedded_experiment(arms=("all", "grouped"), trainers=(VPT,), zero_shot=""), "out", GROUPS)
    )


def test_a_prompt_that_is_only_adapted_is_not_tested():
    changes = {"trainers": (VPT,), "zero_shot": "", "seeds": (1,), "arm_options": {"adapted": {"OPTIM.LR": 0.5}}}
    plan = build_plan(embedded_experiment(arms=("single", "adapted"), **changes), "out")
    assert count(plan) == {("train", "single"): 4, ("train", "all"): 1, ("adapt", "adapted"): 4}
    (source,) = (job for job in plan if job.labels["arm"] == "all")
    assert cfg_of(source).TEST.NO_TEST
    assert not any(output.endswith("results.jsonl") for output in source.outputs)
    rates = {(job.labels["arm"], cfg_of(job).OPTIM.LR) for job in plan}
    assert len(rates) == 3
    assert ("adapted", 0.5) in rates
    both = build_plan(embedded_experiment(arms=("single", "adapted", "all"), **changes), "out")
    check_same_folder(both, plan, Path("out"))  # the arm added later has a folder of its own


def test_where_groups_overlap_a_task_is_adapted_from_the_group_that_serves_it():
    groups = Grouping((TASKS[:3], TASKS[1:]), serves=dict(zip(TASKS, ("g1", "g1", "g1", "g2"), strict=True)))
    one = embedded_experiment(arms=("adapted",), adapt_from=("grouped",), trainers=(VPT,), zero_shot="", seeds=(1,))
    assert one.needs_groups
    assert one.without_groups().arms == ()
    plan = build_plan(one, "out", groups)
    starts = {job.labels["task"]: option(job, "--model-dir") for job in plan if job.kind == "adapt"}
    assert len(starts) == 4
    assert len({starts[task] for task in TASKS[:3]}) == 1
    assert len(set(starts.values())) == 2


def test_grouped_adaptation_of_twenty_tasks_by_hand():
    tasks = load_experiment("configs/experiments/grouped_elevater.yaml").tasks
    groups = tasks[:7], tasks[7:14], tasks[14:]
    each = METHODS * SHOTS * SEEDS
    assert count(paper("grouped_elevater", *groups)) == {
        ("features", ""): ELEVATER,
        ("train", "single"): each * ELEVATER,
        ("train", "all"): each,
        ("train", "grouped"): each * 3,
        ("evaluate", "zero_shot"): ELEVATER,
        ("report", ""): 1,
    }


@pytest.mark.parametrize("method", ["coop", "vpt", "upt"])
def test_four_hundred_pairs_by_hand(method):
    plan = paper(f"transferability_{method}")
    expected = {
        ("train", "single"): ELEVATER * SEEDS,  # each task's own prompt is the source, too
        ("average", "source"): ELEVATER,
        ("adapt", "transfer"): ELEVATER * ELEVATER * SEEDS,
        ("evaluate", "zero_shot"): ELEVATER,
        ("report", ""): 1,
    }
    if method == "coop":  # visual prompts change the features
        expected["features", ""] = ELEVATER
    assert count(plan) == expected
    pairs = {(job.labels["group"], job.labels["task"]) for job in plan if job.kind == "adapt"}
    assert len(pairs) == 400


def test_every_pair_of_tasks_is_tuned_together():
    plan = build_plan(embedded_experiment(arms=("pair",), zero_shot="", features=False), "out")
    assert count(plan) == {("train", "pair"): comb(len(TASKS), 2) * 2 * 2}
    assert "MVLPT-VPT/pair/1shot/seed2/tools-plain+weather-dark" in names(plan)


def test_the_demo_has_every_arm():
    plan = build_plan(
        load_experiment("configs/experiments/demo.yaml"), "out", Grouping((load_demo()[:9], load_demo()[9:]))
    )
    kinds = count(plan)
    assert kinds["train", "single"] == 2 * 3 * 24
    assert kinds["train", "all"] == 2 * 3
    assert kinds["train", "grouped"] == 2 * 3 * 2
    assert kinds["evaluate", "zero_shot"] == 24


def load_demo():
    return load_experiment("configs/experiments/demo.yaml").tasks


def test_adaptations_start_from_the_mean_of_all_seeds():
    plan = build_plan(
        embedded_experiment(arms=("transfer",), sources=TASKS[:2], targets=TASKS[2:], trainers=(VPT,)), "out"
    )
    (mean,) = (job for job in plan if job.kind == "average")
    sources = [plan[ident] for ident in mean.needs]
    assert sorted(job.labels["seed"] for job in sources) == [1, 2]
    assert {tuple(job.labels["tasks"]) for job in sources} == {TASKS[:2]}
    arguments = average_parser().parse_args(list(mean.command[2:]))
    assert arguments.resume
    assert arguments.runs == [str(Path("out").resolve() / job.name) for job in sources]
    adaptations = [job for job in plan if job.kind == "adapt"]
    assert {(job.labels["task"], job.labels["seed"]) for job in adaptations} == {
        (t, s) for t in TASKS[2:] for s in (1, 2)
    }
    for job in adaptations:
        assert job.needs == (mean.id,)
        assert str(Path("out").resolve() / mean.name) == cfg_of(job).RUN.INIT_FROM


def test_with_one_seed_there_is_nothing_to_average():
    plan = build_plan(embedded_experiment(arms=("transfer",), seeds=(3,), trainers=(VPT,), zero_shot=""), "out")
    assert not names(plan, "average")
    assert {plan[job.needs[0]].kind for job in plan if job.kind == "adapt"} == {"train"}


def test_sources_that_are_no_arm_are_not_tested():
    plan = build_plan(embedded_experiment(arms=("single", "transfer"), sources=TASKS[:2]), "out")
    sources = [job for job in plan if "/source/" in job.name and job.kind == "train"]
    assert sources
    assert all(cfg_of(job).TEST.NO_TEST and job.outputs == (f"{job.name}/run.json",) for job in sources)
    reused = build_plan(embedded_experiment(arms=("single", "transfer"), source_prompts="alone"), "out")
    assert not [job for job in reused if "/source/" in job.name and job.kind == "train"]


def test_runs_with_a_frozen_image_tower_read_features_that_are_kept_once():
    plan = build_plan(embedded_experiment(arms=("single", "all")), "out")
    features = {job.id: job.labels["task"] for job in plan if job.kind == "features"}
    assert sorted(features.values()) == sorted(TASKS)
    for job in plan:
        if job.kind in ("train", "evaluate"):
            wanted = set() if job.labels["trainer"] == "MVLPT-VPT" else set(job.labels["tasks"])
            assert {features[need] for need in job.needs} == wanted
            assert (STORE in job.inputs) == bool(wanted)
    without = build_plan(embedded_experiment(arms=("single", "all"), features=False), "out")
    assert not names(without, "features")
    assert {job.id for job in without} == {job.id for job in plan if job.kind != "features"}


def test_the_report_needs_every_scored_run():
    plan = build_plan(embedded_experiment(arms=("single",)), "out", experiment_file="configs/experiments/demo.yaml")
    (report,) = (job for job in plan if job.kind == "report")
    assert {plan[need].name for need in report.needs} == names(plan, "train") | names(plan, "evaluate")
    assert list(plan)[-1] is report


def test_each_group_shares_a_prompt():
    plan = build_plan(embedded_experiment(arms=("grouped",), trainers=(COOP,), zero_shot=""), "out", GROUPS)
    runs = [job for job in plan if job.kind == "train"]
    assert sorted((job.labels["group"], job.labels["seed"]) for job in runs) == [
        ("g1", 1), ("g1", 2), ("g2", 1), ("g2", 2),
    ]  # fmt: skip
    cfg = cfg_of(next(job for job in runs if job.labels["group"] == "g2"))
    assert (",".join(TASKS[2:]), "grouped", "g2") == (cfg.DATASET.DATASET, cfg.RUN.ARM, cfg.RUN.GROUP)


def test_other_members_of_a_group_get_a_folder_of_their_own():
    plans = [
        build_plan(embedded_experiment(arms=("grouped",)), "out", Grouping((TASKS[:n], TASKS[n:]))) for n in (2, 3)
    ]  # fmt: skip
    assert not names(plans[0], "train") & names(plans[1], "train")
    check_same_folder(plans[1], plans[0], Path("out"))


def test_each_trainer_may_have_groups_of_its_own():
    groups = {VPT: GROUPS, COOP: Grouping((TASKS,))}
    plan = build_plan(embedded_experiment(arms=("grouped",)), "out", groups)
    sizes = Counter((job.labels["trainer"], len(job.labels["tasks"])) for job in plan if job.kind == "train")
    assert sizes == {("MVLPT-VPT", 2): 4, ("MVLPT-CoOp", 4): 2}


def test_where_groups_overlap_a_task_counts_in_the_one_that_serves_it():
    overlapping = Grouping((TASKS[:3], TASKS[2:]), serves=dict(zip(TASKS, ("g1", "g1", "g2", "g2"), strict=True)))
    plan = build_plan(embedded_experiment(arms=("grouped",), trainers=(VPT,), seeds=(1,)), "out", overlapping)
    serves = {job.labels["group"]: job.labels["serves"] for job in plan if job.kind == "train"}
    assert serves == {"g1": list(TASKS[:2]), "g2": list(TASKS[2:])}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, "need groups"),
        (Grouping((TASKS[:2],)), "'weather-dark' is in no group; 'tools-dark' is in no group"),
        (Grouping((TASKS, ("power-dark",))), "'power-dark' is no task of the experiment"),
    ],
)
def test_groups_that_do_not_fit(groups, expected):
    with pytest.raises(PlanError, match=expected):
        build_plan(embedded_experiment(arms=("grouped",)), "out", groups)


@pytest.mark.parametrize("file", sorted((ROOT / "configs" / "experiments").glob("*.yaml")), ids=lambda file: file.stem)
def test_commands_of_every_shipped_experiment_can_be_run(file):
    """One command of each kind, trainer, arm and number of shots goes through the parser and the checks of the tool."""
    loaded = load_experiment(file)
    plan = paper(file.stem, *([loaded.tasks] if loaded.needs_groups else []))
    samples = {}
    for job in plan:
        kind = (job.kind, job.labels.get("trainer"), job.labels.get("arm"), job.labels.get("shots"))
        samples.setdefault(kind, job)
    assert len(samples) >= 5
    for job in samples.values():
        assert job.command[0] == "mvlpt"
        if job.command[1] in ("train", "features"):
            cfg = cfg_of(job)
            assert job.labels["trainer"] == cfg.TRAINER.NAME
            assert cfg.DATASET.DATASET.split(",") == job.labels["tasks"]
            assert cfg.RUN.THREADS == 1
            assert not cfg.VERBOSE
            assert str(Path("out").resolve() / job.name) == cfg.OUTPUT_DIR
            assert (cfg.OUTPUT_DIR if job.command[1] == "train" else "") == cfg.RESUME
        for path in (*job.inputs, *job.outputs):
            assert not Path(path).is_absolute()


def test_a_configuration_of_the_user_is_named_by_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/vpt.yaml").write_text(
        (TRAINERS / "MVLPT-VPT" / "embedded.yaml").read_text().replace("..", str(TRAINERS))
    )
    plan = build_plan(embedded_experiment(trainers=("mine/vpt.yaml",), arms=("single",)), "out")
    job = next(job for job in plan if job.kind == "train")
    assert option(job, "--config-file") == str(tmp_path / "mine" / "vpt.yaml")
    assert job.name.startswith("mine/single")


def test_what_cannot_be_planned_is_reported_together():
    wrong = embedded_experiment(
        tasks=("weather-plian", "tools-plain", "country-211"),
        options={"OPTIM.LRR": 1, "OPTIM.LR": "abc"},
        trainers=(VPT, "MVLPT-VPT/embedded", "configs/trainers/absent.yaml"),
    )
    with pytest.raises(ConfigError) as caught:
        build_plan(wrong, "out")
    for expected in (
        "did you mean 'weather-plain'",
        "country-211",
        "OPTIM.LRR; did you mean 'OPTIM.LR'",
        "'abc'",
        f"{VPT} and MVLPT-VPT/embedded have the same folder, MVLPT-VPT-embedded; rename one of them, or drop it",
        "absent",
    ):
        assert expected in str(caught.value)
    assert str(caught.value).count("weather-plian") == 1


def test_a_trainer_without_a_backbone_is_reported(tmp_path):
    (tmp_path / "bare.yaml").write_text("TRAINER: {NAME: MVLPT-VPT}\n")
    with pytest.raises(ConfigError, match="names no backbone; set backbone in the experiment"):
        build_plan(embedded_experiment(trainers=(str(tmp_path / "bare.yaml"),)), "out")
    build_plan(embedded_experiment(trainers=(str(tmp_path / "bare.yaml"),), backbone={"name": "embedded"}), "out")


def test_a_folder_keeps_one_experiment(tmp_path):
    first = build_plan(embedded_experiment(arms=("single",)), tmp_path)
    other = build_plan(embedded_experiment(arms=("single",), options={"OPTIM.MAX_EPOCH": 2}), tmp_path)
    check_same_folder(other, first, tmp_path)  # nothing has been run
    (tmp_path / next(job.name for job in first if job.kind == "train")).mkdir(parents=True)
    with pytest.raises(PlanError, match=r"holds another experiment.*\); choose another --output-dir, or delete [^ ]*$"):
        check_same_folder(other, first, tmp_path)
    for job in first:
        (tmp_path / job.name).mkdir(parents=True, exist_ok=True)
    with pytest.raises(PlanError, match=r"; 19 more runs too\); choose .* and the folders of the others$"):
        check_same_folder(other, first, tmp_path)
    more = dataclasses.replace(embedded_experiment(arms=("single", "all")), seeds=(1, 2, 3))
    check_same_folder(build_plan(more, tmp_path), first, tmp_path)
