"""A library of prompts: what it stores, how it ranks, what a new task starts from."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from support.toy import draw, toy_config
from torch.nn import functional as F

from mvlpt.cli import main
from mvlpt.engine import run_config
from mvlpt.errors import LibraryError
from mvlpt.inference import load
from mvlpt.io import file_lock
from mvlpt.library import Entry, PromptLibrary, Suggestion, mixture_weights, rank, suggest_prompts
from mvlpt.models import load_backbone, load_prompt

ROOT = Path(__file__).resolve().parents[2]


def tune(folder, task, trainer="MVLPT-CoOp", **options):
    cfg = toy_config(folder, DATASET__DATASET=task, TRAINER__NAME=trainer, **options)
    cfg.freeze()
    run_config(cfg)
    return folder


@pytest.fixture(scope="module")
def runs(toy_tasks, tmp_path_factory):
    root = tmp_path_factory.mktemp("stored")
    tune(root / "warm", "toy-warm")
    tune(root / "cold", "toy-cold", SEED=2)
    tune(root / "both", "toy-warm,toy-cold", SEED=3)
    tune(root / "bound", "toy-warm", TRAINER__MVLPT__COOP__CSC=True, TRAINER__MVLPT__COOP__CTX_INIT="")
    return root


@pytest.fixture(scope="module")
def library(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("library") / "prompts"
    assert main(["library", "add", str(folder), str(runs), "--quiet"]) == 0
    return folder


def suggestion(loss=None, similarity=0.0):
    return Suggestion(Entry("0" * 16, "coop", "", (), 1, 1, 1, False, ""), similarity, loss)


def test_ranking_is_the_cosine_without_what_all_have_in_common():
    rng = np.random.default_rng(0)
    common, directions = 10 * rng.normal(size=6), rng.normal(size=(5, 6))
    stored, query = common + directions, common + 0.9 * directions[3] + 0.01 * rng.normal(size=6)
    order, similarity = rank(query, stored)
    for index in range(5):
        a, b = query - stored.mean(axis=0), stored[index] - stored.mean(axis=0)
        assert similarity[index] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert order[0] == 3
    assert list(similarity[order]) == sorted(similarity, reverse=True)


def test_a_single_stored_prompt_and_equal_ones_can_be_ranked():
    order, similarity = rank(np.array([1.0, 0.0]), np.array([[2.0, 0.0]]))
    assert order.tolist() == [0]
    assert similarity[0] == pytest.approx(1)
    order, similarity = rank(np.array([1.0, 0.0]), np.ones((3, 2)))
    assert order.tolist() == [0, 1, 2]
    assert np.isfinite(similarity).all()


def test_weights_follow_losses_and_else_similarities():
    weights = mixture_weights([suggestion(1.0), suggestion(2.0)])
    np.testing.assert_allclose(weights, [1 / (1 + np.exp(-1)), 1 / (1 + np.e)])
    np.testing.assert_allclose(mixture_weights([suggestion(None, 0.6), suggestion(None, 0.2)]), [0.75, 0.25])
    np.testing.assert_allclose(mixture_weights([suggestion(None, -0.6), suggestion(None, -0.2)]), [0.5, 0.5])
    assert mixture_weights([suggestion(1e4), suggestion(2e4)]).tolist() == [1.0, 0.0]


def test_it_stores_each_prompt_once_with_where_it_comes_from(library, runs, capsys):
    assert main(["library", "add", str(library), str(runs / "warm"), "--quiet"]) == 0
    assert "0 prompts added, 1 known before; 4 in all" in capsys.readouterr().out
    opened = PromptLibrary(library)
    found = [("+".join(entry.tasks), entry.class_bound) for entry in opened.entries]
    assert sorted(found) == [("toy-cold", False), ("toy-warm", False), ("toy-warm", True), ("toy-warm+toy-cold", False)]
    [entry] = [entry for entry in opened.entries if entry.tasks == ("toy-cold",)]
    assert (entry.method, entry.trainer, entry.shots, entry.seed) == ("coop", "MVLPT-CoOp", 2, 2)
    stored, own = opened.prompt(entry), load_prompt(runs / "cold" / "prompt.safetensors")
    assert torch.equal(stored.tensors["ctx"], own.tensors["ctx"])
    assert opened.vectors.shape == (4, 128)


def test_what_it_says_of_images_is_what_the_prompt_says(library, capsys):
    command = ["library", "suggest", str(library), "toy-all", "--shots", "2", "--seed", "4", "--json", "--quiet"]
    assert main(command) == 0
    records = json.loads(capsys.readouterr().out)
    assert len(records) == 3  # the class-specific prompt fits no other classes
    assert [record["loss"] for record in records] == sorted(record["loss"] for record in records)
    best = records[0]
    names, images, labels = few_shot("toy-all", 2, 4)
    logits = load(PromptLibrary(library).folder / "prompts" / f"{best['key']}.safetensors", classes=names).logits(
        images
    )
    assert best["loss"] == pytest.approx(F.cross_entropy(torch.as_tensor(logits), labels).item(), rel=1e-4)
    assert best["accuracy"] == pytest.approx(100 * (torch.as_tensor(logits).argmax(1) == labels).float().mean().item())


def few_shot(task, shots, seed):
    from mvlpt.data import DataManager

    cfg = toy_config("unused", DATASET__DATASET=task, DATASET__NUM_SHOTS=shots, SEED=seed)
    cfg.freeze()
    with DataManager(cfg) as manager:
        items = manager.dataset.train_x
        return (
            list(manager.tasks[0].classnames),
            [item.impath for item in items],
            torch.tensor([i.label for i in items]),
        )


def test_a_run_starts_from_the_best_or_from_the_weighted_mean(library, toy_tasks, tmp_path):
    config = str(ROOT / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml")
    base = ["train", "--config-file", config, "--dataset", "toy-all", "--shots", "2", "--seed", "4", "--quiet"]
    for count in (1, 2):
        folder = tmp_path / str(count)
        words = ["--init-from", str(library), "--init-mix", str(count), "--output-dir", str(folder)]
        words += ["OPTIM.MAX_EPOCH", "1"]
        assert main([*base, *words]) == 0
        start = load_prompt(folder / "start.safetensors")
        used = [PromptLibrary(library).folder / "prompts" / f"{key}.safetensors" for key in start.extra["started_from"]]
        tensors = [load_prompt(path).tensors["ctx"].double() for path in used]
        expected = sum(weight * tensor for weight, tensor in zip(start.extra["weights"], tensors, strict=True))
        torch.testing.assert_close(start.tensors["ctx"].double(), expected, atol=1e-4, rtol=1e-3)
        assert len(used) == count
        assert sum(start.extra["weights"]) == pytest.approx(1, abs=1e-3)
        before = (folder / "results.jsonl").read_text()
        assert main([*base, *words]) == 0  # the same command again: nothing is chosen or run anew
        assert (folder / "results.jsonl").read_text() == before


def start_words(library, folder, *options):
    config = str(ROOT / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml")
    words = ["train", "--config-file", config, "--dataset", "toy-all", "--shots", "2", "--seed", "4", "--quiet"]
    return [*words, "--init-from", str(library), "--output-dir", str(folder), *options]


def test_prompts_of_another_size_are_passed_over(library, toy_tasks, tmp_path, capsys):
    longer = "TRAINER.MVLPT.COOP.N_CTX", "2", "TRAINER.MVLPT.COOP.CTX_INIT", "", "OPTIM.MAX_EPOCH", "1"
    assert main(start_words(library, tmp_path / "none", *longer)) == 2
    assert "no prompt of the method 'coop' fits this run" in (message := capsys.readouterr().err)
    assert "the configuration asks for 2" in message
    assert not (tmp_path / "none").exists()
    mixed = tmp_path / "mixed"
    tune(tmp_path / "short", "toy-warm", TRAINER__MVLPT__COOP__N_CTX=2, TRAINER__MVLPT__COOP__CTX_INIT="")
    shutil.copytree(library, mixed)
    assert main(["library", "add", str(mixed), str(tmp_path / "short"), "--quiet"]) == 0
    assert main(start_words(mixed, tmp_path / "run", *longer)) == 0
    [key] = load_prompt(tmp_path / "run" / "start.safetensors").extra["started_from"]
    assert key == PromptLibrary(mixed).entries[-1].key


def test_a_start_belongs_to_its_run(library, runs, toy_tasks, tmp_path, capsys):
    """It is chosen anew until the run has begun, and never written beside another run or where nothing is trained."""
    folder = tmp_path / "run"
    assert main(start_words(library, folder, "--no-train")) == 0
    assert not folder.exists()
    folder.mkdir()
    (folder / "start.safetensors").write_text("of a run that never began")
    assert main(start_words(library, folder, "--init-mix", "2", "OPTIM.MAX_EPOCH", "1")) == 0
    assert main(start_words(library, folder, "OPTIM.MAX_EPOCH", "1")) == 2
    assert "started with --init-mix 2, not 1" in capsys.readouterr().err
    assert main(start_words(library, runs / "warm")) == 2
    assert "did not start from a library" in capsys.readouterr().err
    assert not (runs / "warm" / "start.safetensors").exists()
    words = start_words(library, folder)
    words[words.index("--init-from") : words.index("--output-dir")] = ["--init-mix", "2"]
    assert main(words) == 2
    assert "name it with --init-from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list", "{empty}"], "There is no library"),
        (["suggest", "{library}", "toy-all", "--try", "-1"], "--try is -1"),
        (["suggest", "{library}", "toy-all", "--top", "0"], "--top is 0"),
        (["suggest", "{library}", "toy-all", "--seed", "-1"], "--seed is -1"),
        (["suggest", "{library}", "toy-al"], "toy-all"),
        (["suggest", "{empty}", "toy-all"], "holds no prompts"),
        (["suggest", "{other}", "toy-all"], "is no library"),
        (["suggest", "{library}", "toy-all", "--method", "vpt"], "'vpt'"),
        (["suggest", "{library}", "toy-warm,toy-cold"], "one task"),
        (["add", "{library}", "{empty}"], "is no folder"),
        (["add", "{library}", "{other}"], "no run with a prompt"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(library, tmp_path, capsys, words, says):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("not a library")
    places = {"library": library, "empty": tmp_path / "empty", "other": tmp_path / "other"}
    before = sorted((path, path.stat().st_mtime_ns) for path in library.rglob("*"))
    assert (
        main(["library", *(word.format(**places) for word in words), *(["--quiet"] if words[0] != "list" else [])]) == 2
    )
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1
    assert sorted((path, path.stat().st_mtime_ns) for path in library.rglob("*")) == before
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"damaged")])
def test_a_lost_prompt_is_named_and_comes_back_with_its_run(library, runs, tmp_path, capsys, damage):
    copy = shutil.copytree(library, tmp_path / "copy")
    [entry] = [entry for entry in PromptLibrary(copy).entries if entry.tasks == ("toy-cold",)]
    damage(PromptLibrary(copy).prompt_path(entry))
    assert main(["library", "suggest", str(copy), "toy-all", "--quiet"]) == 2
    assert f"add its run again: mvlpt library add {copy} {runs / 'cold'}" in capsys.readouterr().err
    assert main(["library", "add", str(copy), str(runs / "cold"), "--quiet"]) == 0
    opened = PromptLibrary(copy)
    assert opened.entries == PromptLibrary(library).entries
    assert torch.equal(opened.prompt(entry).tensors["ctx"], PromptLibrary(library).prompt(entry).tensors["ctx"])


def test_a_library_that_another_process_holds_is_named(library, runs, tmp_path, capsys):
    copy = shutil.copytree(library, tmp_path / "copy", ignore=shutil.ignore_patterns("*.safetensors"))
    with file_lock(copy / ".lock"):
        assert main(["library", "add", str(copy), str(runs / "warm"), "--quiet"]) == 2
    assert f"Another process holds {copy / '.lock'}; wait for it" in capsys.readouterr().err


def test_what_a_killed_writer_leaves_does_not_spoil_the_folder(runs, tmp_path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / ".embeddings.npy.0123456789abcdef.tmp").write_bytes(b"half")
    assert main(["library", "add", str(tmp_path), str(runs / "warm"), "--quiet"]) == 0
    assert len(PromptLibrary(tmp_path)) == 1


def test_images_that_cannot_be_read_are_skipped_where_the_configuration_says_so(library, tmp_path):
    for name in ("red", "blue"):
        (tmp_path / name).mkdir()
        for number in range(6):
            draw(name, number, "photos").save(tmp_path / name / f"{number}.png")
    names, images, labels = few_shot(str(tmp_path), 2, 1)
    Path(images[0]).write_bytes(b"no image")
    cfg = toy_config("unused", DATASET__DATASET=str(tmp_path), DATASET__ON_BAD_IMAGE="skip")
    cfg.freeze()
    best = suggest_prompts(PromptLibrary(library), cfg, load_backbone("embedded"))[0]
    prompted = load(PromptLibrary(library).prompt_path(best.entry), classes=names)
    expected = F.cross_entropy(torch.as_tensor(prompted.logits(images[1:])), labels[1:]).item()
    assert best.loss == pytest.approx(expected, rel=1e-4)


def test_a_folder_that_cannot_be_written_is_one_sentence(runs, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["library", "add", str(tmp_path / "file" / "prompts"), str(runs / "warm"), "--quiet"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_prompts_of_another_backbone_are_refused(library, runs, toy_tasks, tmp_path, monkeypatch):
    opened = PromptLibrary(library)
    with pytest.raises(LibraryError, match="backbone 'embedded'"):
        opened.check_backbone("0" * 64, "ViT-B/16")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("library.json", "{"),
        ("library.json", '{"format": "mvlpt-prompt-library", "version": 9}'),
        (
            "library.json",
            '{"format": "mvlpt-prompt-library", "version": 1, "backbone": {}, "prompts": [{"key": "../x"}]}',
        ),
        ("embeddings.npy", "text"),
        ("embeddings.npy", None),
    ],
)
def test_a_damaged_library_is_one_sentence(library, tmp_path, capsys, name, content):
    copy = tmp_path / "copy"
    shutil.copytree(library, copy)
    if content is None:
        os.remove(copy / name)
    else:
        (copy / name).write_text(content)
    assert main(["library", "list", str(copy)]) == 2
    message = capsys.readouterr().err
    assert name in message
    assert message.count("\n") == 1
