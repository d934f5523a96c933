"""`mvlpt predict`: what it prints, what it refuses, and that it holds a few images at a time."""

import csv
import io
import json
import os
import shutil
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.toy import COLOURS, draw, toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.engine import run_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(toy_tasks, tmp_path_factory):
    """A text prompt tuned on three colours."""
    folder = tmp_path_factory.mktemp("runs") / "warm"
    cfg = toy_config(folder)
    cfg.freeze()
    run_config(cfg)
    return folder


@pytest.fixture(scope="module")
def shared(toy_tasks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "shared"
    cfg = toy_config(folder, DATASET__DATASET="toy-warm,toy-cold", OPTIM__MAX_EPOCH=1)
    cfg.freeze()
    run_config(cfg)
    return folder


@pytest.fixture
def photos(tmp_path):
    """Five images in two folders, beside files that are none."""
    folder = tmp_path / "photos"
    for number, colour in enumerate(COLOURS):
        path = folder / ("more" if number % 2 else ".") / f"{colour}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(colour, number, "photos").save(path)
    (folder / "notes.txt").write_text("no image")
    (folder / "__MACOSX").mkdir()
    draw("red", 9, "photos").save(folder / "__MACOSX" / "ghost.png")
    return folder


def predict(*words):
    return main(["predict", *map(str, words)])


def typed(paths):
    """A standard input, as strict as that of a terminal in UTF-8."""
    return io.TextIOWrapper(io.BytesIO(os.fsencode(paths)), encoding="utf-8", errors="strict")


def lines_of(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_table_names_classes_probabilities_and_files(run, photos, capsys):
    assert predict(run, photos, "--top-k", 2) == 0
    rows = lines_of(capsys)
    assert len(rows) == 5
    assert all(row.count("%") == 2 and str(photos) in row for row in rows)
    assert predict(run, photos / "red.png", "--top-k", 50) == 0
    assert sum(float(cell.split()[-1]) for cell in lines_of(capsys)[0].split("%")[:3]) == pytest.approx(100, abs=0.2)


def test_many_classes_get_a_line_each(run, photos, capsys):
    classes = [f"thing number {number} with a name" for number in range(9)]
    assert predict(run, photos / "red.png", "--classes", ",".join(classes), "--top-k", 9) == 0
    first, *rest = lines_of(capsys)
    assert first == str(photos / "red.png")
    assert sorted(row.split("%")[1].strip() for row in rest) == classes


def test_csv_and_json_lines_say_the_same(run, photos, tmp_path, capsys):
    out = tmp_path / "deep" / "labels.csv"
    assert predict(run, photos, "--format", "csv", "--top-k", 2, "--out", out) == 0
    assert lines_of(capsys) == []
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert predict(run, photos, "--format", "jsonl", "--top-k", 2) == 0
    objects = [json.loads(line) for line in lines_of(capsys)]
    assert [row["image"] for row in rows] == [one["image"] for one in objects]
    for row, one in zip(rows, objects, strict=True):
        assert [row["label"], row["label_2"]] == [entry["label"] for entry in one["predictions"]]
        assert float(row["probability"]) == one["predictions"][0]["probability"]
    assert list(out.parent.iterdir()) == [out]


def test_paths_come_from_the_standard_input_one_by_one(run, photos, capsys, monkeypatch):
    """Also names with spaces and of unknown encoding."""
    odd = photos / "ein Bild, 星 \udcff.png"
    shutil.copy(photos / "red.png", odd)
    monkeypatch.setattr(sys, "stdin", typed(f"{odd}\n\n{photos / 'red.png'}\n"))
    assert predict(run, "-", "--format", "jsonl", "--top-k", 1) == 0
    first, second = (json.loads(line) for line in lines_of(capsys))
    assert first["image"] == str(odd)
    assert first["predictions"] == second["predictions"]


def test_an_empty_standard_input_is_called_by_its_name(run, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", typed("\n"))
    assert predict(run, "-") == 2
    assert capsys.readouterr().err == "error: There is no image in the lines of the standard input\n"


def test_zip_files_and_several_names(run, photos, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(photos / "red.png", "in/red.png")
        archive.writestr("in/readme.txt", "no image")
    assert predict(run, tmp_path / "p.zip", photos / "red.png", "--top-k", 1) == 0
    first, second = lines_of(capsys)
    assert "p.zip@in/red.png" in first
    assert first.split("%")[0] == second.split("%")[0]


def test_unreadable_images_are_named_and_the_others_done(run, photos, tmp_path, capsys):
    (photos / "broken.png").write_bytes((photos / "red.png").read_bytes()[:200])
    (photos / "fake.jpg").write_text("no image")
    assert predict(run, photos, "--format", "csv", "--out", tmp_path / "out.csv") == 1
    errors = capsys.readouterr().err.splitlines()
    assert len([line for line in errors if "broken.png" in line or "fake.jpg" in line]) == 2
    assert errors[-1] == "2 of 7 images could not be read"
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
    assert predict(run, photos, "--on-bad-image", "skip") == 0
    capsys.readouterr()
    assert predict(run, photos, "--on-bad-image", "error", "--out", tmp_path / "none.csv") == 2
    assert "broken.png" in capsys.readouterr().err
    assert not (tmp_path / "none.csv").exists()


def test_new_classes_for_a_prompt_that_classes_share(run, photos, capsys):
    assert predict(run, photos / "red.png", "--classes", 'red, blue,"light, and dark"', "--format", "jsonl") == 0
    (one,) = (json.loads(line) for line in lines_of(capsys))
    assert {entry["label"] for entry in one["predictions"]} == {"red", "blue", "light, and dark"}


def test_one_of_several_tasks(shared, photos, capsys):
    assert predict(shared, photos, "--task", "toy-cold", "--format", "jsonl") == 0
    for line in lines_of(capsys):
        assert {entry["label"] for entry in json.loads(line)["predictions"]} == {"blue", "green"}
    assert predict(shared / "prompt.safetensors", photos, "--task", "toy-cold") == 0


REFUSED = {
    "no run": (["nowhere", "PHOTOS"], "There is no run and no prompt at nowhere"),
    "no image": (["RUN", "nowhere"], "There is no image and no folder at nowhere"),
    "empty folder": (["RUN", "EMPTY"], "There is no image in "),
    "several tasks": (["SHARED", "PHOTOS"], "choose one with --task (task= in Python): toy-warm, toy-cold"),
    "another task": (["SHARED", "PHOTOS", "--task", "toy-hot"], "not trained on a task 'toy-hot'; did you mean"),
    "no class": (["RUN", "PHOTOS", "--classes", " , "], "--classes names no class"),
    "a class twice": (
        ["RUN", "PHOTOS", "--classes", "a,a"],
        "Classes must be different names; given more than once: a",
    ),
    "fewer than no threads": (["RUN", "PHOTOS", "--workers", "-1"], "--workers is -1, but must be at least 0"),
    "no top": (["RUN", "PHOTOS", "--top-k", "0"], "--top-k is 0, but must be at least 1"),
    "another backbone": (["RUN/prompt.safetensors", "PHOTOS", "--backbone", "ViT-S-32-alt"], "trained with backbone"),
    "an unknown backbone": (["RUN", "PHOTOS", "--backbone", "ViT-Q"], "No backbone is named 'ViT-Q'"),
    "no such device": (["RUN", "PHOTOS", "--device", "cpux"], "The device 'cpux' cannot be used"),
    "an empty folder as a run": (
        ["EMPTY", "PHOTOS"],
        "is not the folder of a run: it has no config.yaml and no prompt.safetensors; mvlpt runs ",
    ),
    "an image as a run": (["PHOTOS/red.png", "PHOTOS"], "is neither a run's folder nor"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_one_sentence_says_what_cannot_be_used(case, run, shared, photos, tmp_path, capsys):
    words, expected = REFUSED[case]
    (tmp_path / "EMPTY").mkdir()
    known = {"RUN": run, "SHARED": shared, "PHOTOS": photos, "EMPTY": tmp_path / "EMPTY"}
    full = [str(known.get(word.split("/")[0], word.split("/")[0])) + word[len(word.split("/")[0]) :] for word in words]
    assert predict(*full) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert len(captured.err.strip().splitlines()) == 1 or "random weights" in captured.err
    assert captured.out == ""


def test_a_run_without_its_weights(run, photos, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "bare")
    (tmp_path / "bare" / "prompt.safetensors").unlink()
    shutil.rmtree(tmp_path / "bare" / "prompt_learner")
    assert predict(tmp_path / "bare", photos) == 2
    assert "No checkpoint in" in capsys.readouterr().err
    shutil.copytree(run / "prompt_learner", tmp_path / "alone" / "prompt_learner")
    assert predict(tmp_path / "alone", photos) == 2
    assert "neither config.yaml nor prompt.safetensors" in capsys.readouterr().err


def test_a_trainer_that_is_not_registered(run, photos, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "foreign")
    config = tmp_path / "foreign" / "config.yaml"
    config.write_text(config.read_text().replace("NAME: MVLPT-CoOp", "NAME: MyTrainer"))
    assert predict(tmp_path / "foreign", photos) == 2
    assert "the trainer 'MyTrainer', which is not registered; name the file" in capsys.readouterr().err


def test_class_specific_prompts_and_probes_take_no_new_classes(toy_tasks, photos, tmp_path, capsys):
    for name, words in (("MVLPT-CoOp", ["TRAINER.MVLPT.COOP.CSC", "True", "TRAINER.MVLPT.COOP.CTX_INIT", ""]),
                        ("LinearProbe", [])):  # fmt: skip
        file = ROOT / "configs" / "trainers" / name / "embedded.yaml"
        line = ["train", "--quiet", "--config-file", str(file), "--dataset", "toy-cold", "--shots", "1", "--seed", "1"]
        fast = ["OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]
        assert main([*line, "--output-dir", str(tmp_path / name), *fast, *words]) == 0
        assert predict(tmp_path / name, photos) == 0
        capsys.readouterr()
        assert predict(tmp_path / name, photos, "--classes", "cat,dog") == 2
        assert "each of its own classes, so it cannot take new ones" in capsys.readouterr().err


def test_hundreds_of_images_take_the_memory_of_a_few(run, tmp_path, capsys, monkeypatch):
    """Each image is 1.2 MB once it is decoded; all of them would be 184 MB."""
    from PIL import Image

    big = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    path = tmp_path / "big.jpg"
    Image.fromarray(big).resize((640, 640)).save(path)
    monkeypatch.setattr(sys, "stdin", typed(f"{path}\n" * 150))
    tracemalloc.start()
    try:
        assert predict(run, "-", "--top-k", 1, "--format", "csv", "--out", tmp_path / "out.csv") == 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 151
    assert peak < 60e6
