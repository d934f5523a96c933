"""Prompts and probes record what they were trained with; every way of loading compares it."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from support.tiny_clip import NAMES, tiny_backbone
from support.toy import toy_config, write_task

import mvlpt
import mvlpt.trainers
from mvlpt.engine import load_checkpoint, run_config
from mvlpt.errors import CheckpointError
from mvlpt.experiment import average_runs
from mvlpt.models import Origin, build_prompted_clip, compare_origins, load_prompt, save_prompt

CSC = {"TRAINER__MVLPT__COOP__CSC": True, "TRAINER__MVLPT__COOP__CTX_INIT": ""}
PROBE = {"TRAINER__NAME": "LinearProbe"}
UNIFIED = {"TRAINER__NAME": "MVLPT-UPT", **CSC, "TRAINER__MVLPT__COOP__N_CTX": 2,
           "TRAINER__MVLPT__VPT__N_CTX": 2}  # fmt: skip


@pytest.fixture(scope="module")
def tasks(toy_tasks, tmp_path_factory):
    """Three classes like toy-warm's: others, and the same in another order."""
    from mvlpt.data import DATASET_REGISTRY
    from mvlpt.datasets.embedded import embedded_names, embedded_task

    root = tmp_path_factory.mktemp("more")
    classes = {"toy-others": ["blue", "green", "red"], "toy-turned": ["white", "red", "yellow"]}
    written = {name: write_task(root, name, names) for name, names in classes.items()}
    (root / "tasks.json").write_text(json.dumps({"format_version": 1, "tasks": written}))
    DATASET_REGISTRY.register_family(lambda: embedded_names(root), lambda name: embedded_task(name, root))
    return toy_tasks


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory):
    """A backbone of the embedded one's size with other weights."""
    from safetensors.torch import load_file, save_file

    source, folder = Path(mvlpt.__file__).parent / "assets" / "model", tmp_path_factory.mktemp("model") / "other"
    shutil.copytree(source, folder)
    state = load_file(folder / "open_clip_model.safetensors")
    save_file({key: value * 1.01 for key, value in state.items()}, folder / "open_clip_model.safetensors")
    return {"MODEL__BACKBONE__NAME": f"local-dir:{folder}"}


def run(folder, task="toy-warm", start=None, **options):
    options = {"OPTIM__MAX_EPOCH": 1, **options}
    if start is not None:
        options["RUN__INIT_FROM"] = str(start)
    cfg = toy_config(folder, DATASET__DATASET=task, **options)
    cfg.freeze()
    return run_config(cfg)


@pytest.mark.parametrize("options", [CSC, PROBE, UNIFIED], ids=["class-specific", "probe", "unified"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_weights_of_other_classes_are_refused_and_force_insists(tasks, tmp_path, options, mode, caplog):
    run(tmp_path / "run", **options)
    again = {**options, "RUN__MODE": mode}
    with pytest.raises(CheckpointError, match=r"trained on the classes red, yellow, white, not on blue, green, red;"):
        run(tmp_path / "others", "toy-others", tmp_path / "run", **again)
    with pytest.raises(
        CheckpointError, match="the classes in another order: red, yellow, white, not white, red, yellow"
    ):
        run(tmp_path / "turned", "toy-turned", tmp_path / "run", **again)
    assert not (tmp_path / "others").exists()
    run(tmp_path / "forced", "toy-others", tmp_path / "run", RUN__FORCE=True, **again)
    assert "used all the same (--force)" in caplog.text
    run(tmp_path / "same", "toy-warm", tmp_path / "run", **again)


def test_shared_prompts_move_to_other_classes_with_a_word_where_they_are_only_evaluated(tasks, tmp_path, caplog):
    run(tmp_path / "run")
    with caplog.at_level(logging.WARNING, logger="mvlpt"):
        run(tmp_path / "tuned", "toy-others", tmp_path / "run")
        assert "trained on the classes" not in caplog.text
        run(tmp_path / "scored", "toy-others", tmp_path / "run", RUN__MODE="eval")
    assert "was trained on the classes red, yellow, white, not on blue, green, red" in caplog.text


@pytest.mark.parametrize("options", [{}, PROBE], ids=["shared", "probe"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_weights_of_another_backbone_are_refused_whatever_their_width(
    tasks, other_weights, tmp_path, caplog, options, mode
):
    run(tmp_path / "run", **options)
    other = {**other_weights, **options, "RUN__MODE": mode}
    with pytest.raises(CheckpointError, match=r"was trained with backbone embedded, not local-dir:.*add --force"):
        run(tmp_path / "x", "toy-warm", tmp_path / "run", **other)
    with caplog.at_level(logging.WARNING, logger="mvlpt"):
        run(tmp_path / "x", "toy-warm", tmp_path / "run", **other, RUN__FORCE=True)
    assert "was trained with backbone embedded" in caplog.text


def test_other_preprocessing_and_another_layout_are_named(tasks, tmp_path, caplog):
    run(tmp_path / "run")
    other = {"INPUT__INTERPOLATION": "bilinear", "TRAINER__MVLPT__COOP__CLASS_TOKEN_POSITION": "front"}
    with caplog.at_level(logging.WARNING, logger="mvlpt"):
        run(tmp_path / "scored", "toy-warm", tmp_path / "run", RUN__MODE="eval", **other)
    assert "images with interpolation bicubic, not bilinear" in caplog.text
    assert "was trained with class_token_position 'end', not 'front'" in caplog.text


def test_what_is_recorded_and_where(tasks, tmp_path):
    run(tmp_path / "run", "toy-warm,toy-cold")
    checkpoint = load_checkpoint(tmp_path / "run" / "prompt_learner" / "model.pth.tar-1")["trained_with"]
    assert checkpoint == json.loads((tmp_path / "run" / "run.json").read_text())["trained_with"]
    assert checkpoint["class_names"] == ["red", "yellow", "white", "blue", "green"]
    assert (checkpoint["tasks"], checkpoint["label_space"]) == (["toy-warm", "toy-cold"], "joint")
    assert (checkpoint["backbone"], len(checkpoint["fingerprint"])) == ("embedded", 64)
    assert checkpoint["sampling"] == {"rule": "independent", "shots": 2, "seed": 1, "merge_val": False}
    exported = load_prompt(tmp_path / "run" / "prompt.safetensors").origin
    assert exported == Origin.from_record(checkpoint, "x")


def test_checkpoints_without_a_record_are_compared_by_the_prompt_file_beside_them(tasks, tmp_path, caplog):
    run(tmp_path / "run", **CSC)
    for path in (tmp_path / "run" / "prompt_learner").glob("model*"):
        content = torch.load(path, weights_only=True)
        del content["trained_with"]
        torch.save(content, path)
    with pytest.raises(CheckpointError, match="trained on the classes red"):
        run(tmp_path / "x", "toy-others", tmp_path / "run", **CSC, RUN__MODE="eval")
    (tmp_path / "run" / "prompt.safetensors").unlink()
    run(tmp_path / "y", "toy-others", tmp_path / "run", **CSC, RUN__MODE="eval")
    assert "does not say which classes it was trained on" in caplog.text


def test_means_are_of_prompts_of_the_same_classes_and_backbone(tasks, other_weights, tmp_path):
    folders = [tmp_path / name for name in ("warm", "others", "random")]
    run(folders[0], **CSC)
    run(folders[1], "toy-others", **CSC)
    run(folders[2], **CSC, **other_weights)
    with pytest.raises(CheckpointError, match="unlike the first, was trained on the classes blue, green, red"):
        average_runs([str(f) for f in folders[:2]], tmp_path / "mean")
    with pytest.raises(CheckpointError, match="unlike the first, was trained with backbone local-dir"):
        average_runs([str(folders[0]), str(folders[2])], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
    mean, _ = average_runs([str(f) for f in folders[:2]], tmp_path / "mean", force=True)
    assert mean["trained_with"]["class_names"] == []
    run(tmp_path / "again", SEED=2, **CSC)
    average_runs([str(folders[0]), str(tmp_path / "again")], tmp_path / "good")
    with pytest.raises(CheckpointError, match="trained on the classes red, yellow, white"):
        run(tmp_path / "x", "toy-others", tmp_path / "good", **CSC)


def test_prompt_files_are_built_for_other_classes_or_backbones_by_force_only(tmp_path):
    source = build_prompted_clip(tiny_backbone(), NAMES, n_ctx=3, csc=True, seed=1)
    read = load_prompt(save_prompt(tmp_path / "p.safetensors", source))
    others = [f"class {k}" for k in range(len(NAMES))]
    with pytest.raises(CheckpointError, match="class-specific contexts of other classes, or in another order: cat, "):
        read.build(tiny_backbone(), others)
    with pytest.raises(CheckpointError, match="in another order"):
        read.build(tiny_backbone(), NAMES[::-1])
    built = read.build(tiny_backbone(), others, force=True)
    assert torch.equal(built.prompt_learner.ctx, source.prompt_learner.ctx)


def test_the_same_weights_in_another_precision_are_the_same_backbone():
    one = Origin(backbone="ViT-B/16", pretrained="openai", fingerprint="a", precision="float32", class_bound=True)
    half = Origin(backbone="ViT-B/16", pretrained="openai", fingerprint="b", precision="float16")
    other = Origin(backbone="ViT-B/16", pretrained="laion", fingerprint="b", precision="float16")
    assert not compare_origins(one, half).refused
    assert compare_origins(one, other).refused == ("was trained with backbone ViT-B/16 (openai), not ViT-B/16 (laion)",)


@pytest.mark.parametrize("record", ["x", {}, {**Origin().as_record(), "class_names": "abc"}, [1]])
def test_damaged_records_are_refused_in_a_sentence(record):
    with pytest.raises(CheckpointError, match=r"^x\.pth has a damaged record of its training"):
        Origin.from_record(record, str(Path("x.pth")))
