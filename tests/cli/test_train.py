"""``mvlpt train`` as a person uses it: runs, tables, and one sentence for each mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from support.plans import PATIENCE
from support.registries import restored_registries

from mvlpt.cli import main
from mvlpt.engine.checkpoints import save_checkpoint
from mvlpt.models import load_prompt

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml"
QUICK = ("OPTIM.MAX_EPOCH", 2, "RUN.TENSORBOARD", False)


def train(*flags, output, opts=()):
    """Status of a quick run."""
    line = ["train", "--config-file", CONFIG, "--output-dir", output, "--quiet", *flags, *QUICK, *opts]
    return main([str(word) for word in line])


def rows_of(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_one_task_leaves_the_promised_folder(toy_tasks, tmp_path, capsys):
    assert train("--dataset", "toy-warm", "--shots", 2, "--seed", 1, output=tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert "toy-warm" in shown
    assert "accuracy" in shown
    found = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert found == {
        "config.yaml", "run.json", "results.jsonl", "log.txt", "prompt.safetensors", "metrics.csv", "evaluation.json",
        "prompt_learner/model.pth.tar-2", "prompt_learner/checkpoint", "samples/toy-warm-independent-shots2-seed1.json",
    }  # fmt: skip
    state = json.loads((tmp_path / "run" / "run.json").read_text())
    assert state["state"] == "finished"
    assert state["trained_parameters"] == 4 * 128
    (row,) = rows_of(tmp_path / "run")
    assert (row["arm"], row["shots"], row["seed"], row["epoch"], row["n"]) == ("single", 2, 1, 2, 12)
    prompt = load_prompt(tmp_path / "run" / "prompt.safetensors")
    assert prompt.method == "coop"
    assert prompt.tensors["ctx"].shape == (4, 128)


@pytest.mark.parametrize("flags", [[], ["--multi-task-label-pertask"], ["--multi-task-label_pertask"]])
def test_several_tasks_share_one_prompt(toy_tasks, tmp_path, capsys, flags):
    words = ["--dataset", "toy-cold,toy-warm", "--multi-task", "--shots", 1, "--seed", 2, *flags]
    assert train(*words, output=tmp_path) == 0
    assert "mean" in capsys.readouterr().out
    assert [(row["task"], row["arm"]) for row in rows_of(tmp_path)] == [("toy-cold", "all"), ("toy-warm", "all")]


def test_a_source_prompt_starts_a_target_and_is_evaluated(toy_tasks, tmp_path):
    source, target, again = tmp_path / "source", tmp_path / "target", tmp_path / "again"
    assert train("--dataset", "toy-cold,toy-warm", "--shots", 1, "--seed", 1, output=source) == 0
    words = ["--dataset", "toy-all", "--shots", 1, "--seed", 1, "--model-dir", source]
    assert train(*words, output=target, opts=["OPTIM.LR", "1e-12"]) == 0
    begun, ended = (
        torch.load(folder / "prompt_learner" / "model.pth.tar-2", weights_only=True) for folder in (source, target)
    )
    torch.testing.assert_close(begun["state_dict"]["ctx"], ended["state_dict"]["ctx"], atol=1e-6, rtol=0)
    words = ["--dataset", "toy-all", "--seed", 1, "--model-dir", target, "--load-epoch", 2, "--eval-only"]
    assert train(*words, output=again) == 0
    assert rows_of(again)[0]["value"] == rows_of(target)[0]["value"]
    assert not (again / "prompt_learner").exists()


def test_zero_shot_is_evaluated_and_saves_no_model(toy_tasks, tmp_path):
    assert train("--trainer", "ZeroshotCLIP", "--dataset", "toy-warm", "--seed", 0, output=tmp_path) == 0
    (row,) = rows_of(tmp_path)
    assert (row["arm"], row["shots"], row["epoch"], row["seed"]) == ("zero_shot", 0, 0, 0)
    assert not (tmp_path / "prompt_learner").exists()


def test_without_a_seed_one_is_drawn_recorded_and_kept_on_resume(toy_tasks, tmp_path, capsys):
    assert train("--dataset", "toy-warm", "--shots", 1, output=tmp_path) == 0
    (row,) = rows_of(tmp_path)
    assert row["seed"] >= 0
    assert train("--dataset", "toy-warm", "--shots", 1, "--resume", output=tmp_path) == 0
    assert "finished; nothing was done" in capsys.readouterr().out.replace("\n", " ")


def test_no_train_checks_everything_and_writes_nothing(toy_tasks, tmp_path, capsys):
    assert train("--dataset", "toy-warm", "--shots", 1, "--no-train", output=tmp_path / "run") == 0
    assert "data and model fit" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_a_plugin_adds_a_trainer_with_options_of_its_own(toy_tasks, tmp_path):
    plugin = tmp_path / "short.py"
    plugin.write_text(
        "from yacs.config import CfgNode as CN\n"
        "from mvlpt.engine import TRAINER_REGISTRY\n"
        "from mvlpt.trainers.mvlpt_coop import MVLPTCoOp\n"
        "@TRAINER_REGISTRY.register(force=True)\n"
        "class ShortPrompt(MVLPTCoOp):\n"
        "    @staticmethod\n"
        "    def extend_cfg(cfg):\n"
        "        cfg.TRAINER.SHORT = CN({'LENGTH': 2})\n"
        "    def prompt_options(self, cfg):\n"
        "        return {**super().prompt_options(cfg), 'n_ctx': cfg.TRAINER.SHORT.LENGTH, 'ctx_init': ''}\n"
    )
    words = ["--plugin", plugin, "--trainer", "ShortPrompt", "--dataset", "toy-warm", "--shots", 1]
    with restored_registries():
        assert train(*words, output=tmp_path / "run", opts=["TRAINER.SHORT.LENGTH", 3]) == 0
    assert load_prompt(tmp_path / "run" / "prompt.safetensors").tensors["ctx"].shape == (3, 128)


def test_list_help_and_version(capsys):
    assert main(["train", "--list"]) == 0
    assert "MVLPT-CoOp" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["train", "--help"])
    assert left.value.code == 0
    assert "examples" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert main([]) == 2
    assert main(["trian"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err
    assert main(["--version"]) == 0


def broken_run(folder, kind):
    """A folder of checkpoints that do not fit."""
    if kind == "width":
        save_checkpoint({"state_dict": {"ctx": torch.zeros(4, 512)}, "epoch": 1}, folder / "prompt_learner")
    elif kind == "length":
        save_checkpoint({"state_dict": {"ctx": torch.zeros(7, 128)}, "epoch": 1}, folder / "prompt_learner")
    elif kind == "names":
        save_checkpoint(
            {"state_dict": {"vpt_embeddings": torch.zeros(1, 4, 160)}, "epoch": 1}, folder / "prompt_learner"
        )
    elif kind == "cut":
        path = save_checkpoint({"state_dict": {"ctx": torch.zeros(4, 128)}, "epoch": 1}, folder / "prompt_learner")
        path.write_bytes(path.read_bytes()[:100])
    return folder


# flags, overrides, and what the sentence says
WRONG = {
    "config missing": (["--config-file", "absent.yaml"], [], "No config file at absent.yaml"),
    "python config": (["--config-file", "config.py"], [], "a .py config would be executed and is refused"),
    "unknown key": ([], ["OPTIM.LRR", "1"], "unknown key OPTIM.LRR; did you mean 'OPTIM.LR'?"),
    "wrong type": ([], ["OPTIM.LR", "abc"], "OPTIM.LR takes a number, not 'abc'"),
    "odd overrides": ([], ["OPTIM.LR"], "OPTIM.LR has no value"),
    "trainer": (["--trainer", "MVLPT-Coop"], [], "No trainer is named 'MVLPT-Coop'; did you mean 'MVLPT-CoOp'?"),
    "data set": (["--dataset", "toy-wram"], [], "No data set is named 'toy-wram'; did you mean 'toy-warm'?"),
    "twice": (["--dataset", "toy-warm,toy-warm"], [], "task 'toy-warm' is named 2 times"),
    "backbone": (["--backbone", "ViT-B-61"], [], "No backbone is named 'ViT-B-61'; did you mean 'ViT-B-16'?"),
    "which weights": (["--backbone", "ViT-B-16"], [], "set MODEL.BACKBONE.PRETRAINED to open_clip's tag"),
    "no weights": (["--backbone", "ViT-B-16"], ["MODEL.BACKBONE.PRETRAINED", "/nowhere/w.pt"], "/nowhere/w.pt"),
    "image size": ([], ["INPUT.SIZE", "(224, 224)"], "takes images of 48 x 48 pixels"),
    "no val": (
        ["--dataset", "toy-noval"],
        ["TEST.FINAL_MODEL", "best_val"],
        "no validation split; test data never selects",
    ),
    "evaluate what": (["--eval-only"], [], "--eval-only needs --model-dir"),
    "no checkpoint": (["--eval-only", "--model-dir", "/nowhere"], [], "No checkpoint in /nowhere/prompt_learner"),
    "plugin missing": (["--plugin", "absent.py"], [], "No plugin file at absent.py"),
    "output is a file": (["--output-dir", __file__], [], "is a file; name a folder"),
    "no task": (["--dataset", ","], [], "No task is named"),
    "too many contexts": ([], ["TRAINER.MVLPT.COOP.N_CTX", "30", "TRAINER.MVLPT.COOP.CTX_INIT", ""], "30"),
    "CoOp on two": (["--trainer", "CoOp", "--dataset", "toy-warm,toy-cold"], [], "use --trainer MVLPT-CoOp"),
    "no contexts": (["--trainer", "MVLPT"], ["TRAINER.MVLPT.COOP.N_CTX", "0"], "its method from the context lengths"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_mistakes_are_one_sentence_with_status_2_and_nothing_written(toy_tasks, tmp_path, monkeypatch, capsys, kind):
    flags, overrides, expected = WRONG[kind]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text("raise SystemExit('ran')")
    line = [
        "train",
        "--config-file",
        str(CONFIG),
        "--dataset",
        "toy-warm",
        "--shots",
        "1",
        "--seed",
        "1",
        "--output-dir",
        "run",
    ]
    assert main([*line, *flags, "--quiet", *overrides]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert "\n" not in said
    assert expected in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.py"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("width", "another width"),
        ("length", "it has 7 contexts"),
        ("names", "it lacks ctx"),
        ("cut", "not a readable checkpoint"),
    ],
)
def test_checkpoints_that_do_not_fit(toy_tasks, tmp_path, capsys, kind, expected):
    source = broken_run(tmp_path / "source", kind)
    assert train("--dataset", "toy-warm", "--shots", 1, "--model-dir", source, output=tmp_path / "run") == 2
    said = capsys.readouterr().err.strip()
    assert expected in said
    assert "\n" not in said
    assert not (tmp_path / "run").exists()


def test_an_empty_task_is_named(toy_tasks, tmp_path, capsys):
    from support.toy import write_task

    from mvlpt.data.datasets import DATASET_REGISTRY
    from mvlpt.datasets.embedded import embedded_task

    (tmp_path / "tasks.json").write_text(
        json.dumps(
            {
                "format_version": 1,
                "tasks": {"toy-empty": write_task(tmp_path, "toy-empty", ["red", "blue"], splits=("test",))},
            }
        )
    )
    DATASET_REGISTRY.register(embedded_task("toy-empty", tmp_path), name="toy-empty", force=True)
    assert train("--dataset", "toy-empty", "--shots", 1, output=tmp_path / "run") == 2
    assert "toy-empty" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_where_nothing_can_be_made(toy_tasks, capsys):
    assert train("--dataset", "toy-warm", "--shots", 1, output="/proc/mvlpt/run") == 2
    assert "/proc/mvlpt/run" in capsys.readouterr().err


def test_ctrl_c_saves_and_exits_130_and_resume_finishes(tmp_path, capsys):
    line = [
        sys.executable,
        str(ROOT / "tools" / "train.py"),
        "--config-file",
        str(CONFIG),
        "--dataset",
        "weather-plain",
    ]
    line += ["--shots", "1", "--seed", "1", "--output-dir", str(tmp_path / "run")]
    opts = ["OPTIM.MAX_EPOCH", "100000", "RUN.TENSORBOARD", "False", "RUN.THREADS", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = subprocess.Popen([*line, *opts], stderr=subprocess.PIPE, text=True, env=environment)
    log = tmp_path / "run" / "log.txt"
    deadline = time.monotonic() + PATIENCE
    while not (log.exists() and "epoch [2/" in log.read_text()):
        assert time.monotonic() < deadline, "training did not begin"
        assert program.poll() is None, program.stderr.read()
        time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=PATIENCE)
    assert program.returncode == 130
    assert "add --resume to continue" in said
    assert (tmp_path / "run" / "resume.pth.tar").is_file()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "interrupted"
    assert main(["train", *line[2:], *opts]) == 2
    assert "add --resume" in capsys.readouterr().err
