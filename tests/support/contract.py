"""What a trainer must pass, as functions: :mod:`test_contract` applies them to each that ships; a plugin can, too.

A :class:`Subject` names a trainer, its YAML file and the toy tasks it is tried on (fixture ``toy_tasks``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.config import get_cfg_default
from mvlpt.data import build_dataset
from mvlpt.engine import TRAINER_REGISTRY, extend_config, read_results, run_config
from mvlpt.errors import PromptError
from mvlpt.experiment import Experiment, build_plan
from mvlpt.exports import export
from mvlpt.graph import TaskGraph
from mvlpt.inference import load
from mvlpt.runtime import Interrupted
from support.stopping import ctrl_c_after

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
ONE_TASK = {"CoOp", "VPT", "UPT"}
EPOCHS = 3


@dataclass(frozen=True)
class Subject:
    """A trainer under test.

    Attributes:
        name: in the registry.
        config: its YAML file for the embedded model.
        tasks: the toy tasks it is trained on.
        plugins: files that register it.
    """

    name: str
    config: Path
    tasks: tuple[str, ...] = ("toy-warm", "toy-cold")
    plugins: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def shipped() -> list[Subject]:
    """Every trainer of this repository; each has its own YAML file."""
    registered = sorted(TRAINER_REGISTRY.registered_names())
    names = [name for name in registered if TRAINER_REGISTRY.get(name).__module__.startswith("mvlpt.")]
    tasks = {name: ("toy-warm",) if name in ONE_TASK else Subject.tasks for name in names}
    return [Subject(name, CONFIGS / name / "embedded.yaml", tasks[name]) for name in names]


def settings(subject: Subject, folder: Path, **options: Any) -> Any:
    """A run of three epochs; ``options`` with ``__`` for dots."""
    cfg = get_cfg_default()
    extend_config(cfg, subject.name)
    cfg.merge_from_file(subject.config)
    small = {
        "DATASET.DATASET": ",".join(subject.tasks),
        "DATASET.NUM_SHOTS": 2,
        "DATALOADER.TRAIN_X.BATCH_SIZE": 4,
        "OPTIM.MAX_EPOCH": EPOCHS,
        "TEST.PREDICTIONS": True,
        "VERBOSE": False,
        "RUN.TENSORBOARD": False,
        "SEED": 1,
        "OUTPUT_DIR": str(folder),
    }
    cfg.merge_from_list([word for pair in small.items() for word in pair])
    cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
    cfg.freeze()
    return cfg


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """What a run's checkpoints hold."""
    found = {}
    for file in sorted(Path(folder).glob("*/model.pth.tar-*")):
        state = torch.load(file, weights_only=True)["state_dict"]
        found |= {f"{file.parent.name}/{file.name}/{key}": value for key, value in state.items()}
    return found


def scores(folder: Path) -> list[float]:
    """A run's scores, in their order."""
    return [json.loads(line)["value"] for line in (Path(folder) / "results.jsonl").read_text().splitlines()]


def trains(name: str) -> bool:
    """Whether a trainer makes steps."""
    kind = TRAINER_REGISTRY.get(name)
    head = getattr(kind, "head", None)
    return name not in ("ZeroshotCLIP", "TPT") and (head is None or head.trains)


def assert_same_run(folder: Path, other: Path) -> None:
    """Equal weights, bit for bit, and equal scores."""
    ours, theirs = weights(folder), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert scores(folder) == scores(other)


def check_repeatable(subject: Subject, finished: Path, folder: Path) -> None:
    """It scores every task, and the same run again gives the same."""
    assert len(scores(finished)) == len(subject.tasks)
    assert all(0 <= value <= 100 for value in scores(finished))
    run_config(settings(subject, folder))
    assert_same_run(finished, folder)


def check_resumes(subject: Subject, finished: Path, folder: Path) -> None:
    """Stopped after two steps and resumed, it ends as the unbroken run."""
    with ctrl_c_after(2), pytest.raises(Interrupted):
        run_config(settings(subject, folder))
    run_config(settings(subject, folder, RESUME=str(folder)))
    assert_same_run(finished, folder)


def check_evaluates(subject: Subject, finished: Path, folder: Path) -> None:
    """Evaluated from its checkpoint, it scores the same."""
    options = {"RUN__MODE": "eval", "RUN__INIT_FROM": str(finished) if weights(finished) else ""}
    run_config(settings(subject, folder, **options))
    assert scores(finished) == scores(folder)


def check_predicts(subject: Subject, finished: Path, folder: Path) -> None:
    """A classifier says of the test images what the run said: from the run, its prompt alone, its checkpoints."""
    cfg, task = settings(subject, finished), subject.tasks[-1]
    asked = task if len(subject.tasks) > 1 else None
    assert_equal_to_the_run(load(finished, asked, device="cpu"), cfg, task)
    if not (finished / "prompt.safetensors").exists():
        return
    alone = shutil.copy(finished / "prompt.safetensors", folder / "given.safetensors")
    assert_equal_to_the_run(load(alone, asked), cfg, task)
    without = shutil.copytree(finished, folder / "run", ignore=shutil.ignore_patterns("prompt.safetensors"))
    for place in ("", "prompt_learner", f"prompt_learner/model.pth.tar-{EPOCHS}"):
        assert_equal_to_the_run(load(without / place, asked), cfg, task)


def assert_equal_to_the_run(classifier: Any, cfg: Any, task: str) -> None:
    """The classifier's score, probabilities, names and classes are those that the run recorded."""
    folder = Path(cfg.OUTPUT_DIR)
    row = next(row for row in read_results(folder / "results.jsonl") if row["task"] == task)
    dataset = build_dataset(cfg, task)
    images = [item.impath for item in dataset.test]
    probabilities = classifier.predict_proba(images, batch_size=cfg.DATALOADER.TEST.BATCH_SIZE)
    score = 100 * np.mean(probabilities.argmax(axis=1) == [item.label for item in dataset.test])
    assert round(score, 6) == row["value"]
    index = json.loads((folder / "predictions" / "index.json").read_text())
    entry = next(entry for entry in index["tasks"] if entry["name"] == task)
    np.testing.assert_allclose(probabilities, np.load(folder / "predictions" / entry["file"]), atol=1e-5)
    assert list(classifier.class_names) == entry["classes"] == classifier.classes_.tolist()
    names = classifier.predict(images)
    assert names.tolist() == [entry["classes"][k] for k in probabilities.argmax(axis=1)]
    labels = [item.label for item in dataset.test]
    assert classifier.score(images, labels) == pytest.approx(row["value"] / 100)
    named = [dataset.classnames[label] for label in labels]
    assert classifier.score(images, named) == pytest.approx(row["value"] / 100)


def check_exports(subject: Subject, finished: Path, folder: Path, required: Collection[str] = ()) -> None:
    """It exports what equals the run, or is refused with a sentence that names the run.

    Args:
        subject: the trainer.
        finished: its run.
        folder: where to.
        required: formats that may not be refused.
    """
    for format in ("open_clip", "torchscript"):
        task, out = subject.tasks[-1] if len(subject.tasks) > 1 else None, folder / format
        refused = None
        try:
            exported = export(finished, format, out, task=task)
        except PromptError as error:
            refused = str(error)
        if refused is not None:
            assert format not in required, refused
            assert refused.startswith(str(finished))
            assert "\n" not in refused
            assert not out.exists()
            continue
        assert "same logits" in exported.verified
        if format == "torchscript":
            model = torch.jit.load(str(exported.folder / "model.pt"))
            pixels = torch.randn(4, 3, 48, 48)
            logits = load(finished, task, device="cpu").logits(pixels)
            torch.testing.assert_close(model(pixels), logits, atol=1e-4, rtol=1e-4)


def check_groups(subject: Subject, folder: Path, capsys: Any) -> None:
    """Tasks are grouped by its gradients, or it says in a sentence why it has none.

    Args:
        subject: the trainer.
        folder: of the graph, which several trainers may share.
        capsys: pytest's.
    """
    words = ["group", "--config-file", subject.config, "--dataset", "toy-warm,toy-cold", "--shots", 1, "--seed", 1]
    words += [word for file in subject.plugins for word in ("--plugin", file)]
    words += ["--output-dir", folder, "--affinity", "grad", "--steps", 1, "--groups", 1, "--no-pictures", "--quiet"]
    status = main([str(word) for word in words])
    said = capsys.readouterr().err.strip().splitlines()
    if status:
        assert status == 2, said
        assert said[-1].startswith("error: ")
        assert subject.name in said[-1]
        assert len(said) == 1
    else:
        assert f"grad.{subject.name}" in TaskGraph.load(folder / "task_graph.json").affinities


def check_planned(subject: Subject, folder: Path) -> None:
    """An experiment plans a run of it for each task, and one for all tasks where it takes them, with estimates."""
    arms = ("single", "all") if len(subject.tasks) > 1 else ("single",)
    experiment = Experiment(
        tasks=("toy-warm", "toy-cold"), trainers=(str(subject.config),), arms=arms, seeds=(1,), plugins=subject.plugins
    )
    jobs = [job for job in build_plan(experiment, folder) if job.labels.get("trainer") == subject.name]
    planned = {(job.labels["arm"], tuple(job.labels["tasks"])) for job in jobs if job.kind == "train"}
    expected = {("single", ("toy-warm",)), ("single", ("toy-cold",))}
    assert planned == expected | ({("all", ("toy-warm", "toy-cold"))} if "all" in arms else set())
    assert all(job.seconds > 0 for job in jobs)
