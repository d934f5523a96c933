"""``mvlpt tasks`` as a person uses it: the table, the checks, the page, the download that never leaves the machine."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from mvlpt.cli import main
from mvlpt.data import DATASET_REGISTRY
from mvlpt.data.sources import known_tasks

ONE_SENTENCE = {
    "unknown": (["check", "dtdd"], "did you mean 'dtd'?"),
    "absent": (["check", "dtd", "--root", "nowhere"], "looked for nowhere/classification/dtd_20211007"),
    "a folder like a number": (["check", "dtd", "--root", "2024"], "looked for 2024/classification/dtd_20211007"),
    "comma": (["check", "a,b/"], "There is no folder a,b/ in "),
    "two meanings": (["show", "Caltech-101x", "--out", "a.png"], "No data set is named"),
    "no root": (["download", "dtd"], "--root is missing"),
    "no program": (
        ["download", "hateful-memes", "--root", "x"],
        "cannot be downloaded automatically. Accept the licence",
    ),
    "coop": (["download", "DescribableTextures", "--root", "x"], "ELEVATER's 'dtd' has the same pictures"),
    "embedded": (["download", "weather-dark"], "ships with the package"),
    "nothing per class": (["show", "weather-dark", "--out", "a.png", "--per-class", "0"], "--per-class is 0"),
    "too wide": (
        ["show", "weather-dark", "--out", "a.webp", "--per-class", "200", "--classes", "1"],
        "pixels, but a side of a WEBP has at most 16,383; name a file that ends in .png",
    ),
    "not a picture": (["show", "weather-dark", "--out", "a.txt"], "name a file that ends in .png"),
    "family": (["list", "--family", "elevator"], "did you mean 'elevater'?"),
    "no shots": (["samples", "weather-dark", "--shots", "0", "--output", "a.jsonl"], "--shots is 0 and --seed 1"),
    "not lines": (["samples", "weather-dark", "--shots", "1", "--output", "a.json"], "a.json does not end in .jsonl"),
    "no images": (["samples", "ImageNetA", "--shots", "1", "--output", "a.jsonl"], "ImageNetA"),
    "source": (["check", "dtd", "--root", "x", "--source", "zip"], "DATASET.SOURCE is 'zip'"),
}


def tasks(*words):
    return main(["tasks", *map(str, words)])


@pytest.mark.parametrize("kind", ONE_SENTENCE)
def test_mistakes_are_one_sentence_with_status_2(tmp_path, monkeypatch, capsys, kind):
    words, expected = ONE_SENTENCE[kind]
    monkeypatch.chdir(tmp_path)
    assert tasks(*words) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert expected in said
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == []


def test_the_list_says_where_everything_is_or_was_looked_for(tmp_path, capsys):
    (tmp_path / "classification" / "dtd_20211007").mkdir(parents=True)
    (tmp_path / "classification" / "dtd_20211007" / "train.txt").write_text("")
    assert tasks("list", "--root", tmp_path) == 0
    shown = capsys.readouterr().out
    assert all(metadata.name in shown for metadata in known_tasks())
    assert "classification/country211_20210924" in shown
    assert tasks("list", "--root", tmp_path, "--family", "elevater", "--json") == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert len(records) == 20
    assert records["dtd"]["source"] == "official"
    assert "labels.txt" in records["dtd"]["missing"]
    assert records["mnist"]["source"] is None
    assert records["mnist"]["looked"]


def test_the_embedded_tasks_are_sound(capsys):
    assert tasks("check", "weather-plain") == 0
    assert "nothing is wrong" in capsys.readouterr().out


@pytest.fixture
def spoiled(tmp_path):
    """A task of one's own with most of what can be wrong; its folder, one folder per split and class."""
    root, rng = tmp_path / "spoiled", np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 1), ("test", 2)):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    with Image.open(root / "train/cat/0.png") as image:
        image.save(root / "test/cat/same.bmp")  # other bytes, the same pixels
        image.save(root / "train/dog/again.png")
    (root / "test/dog/1.png").write_bytes((root / "test/dog/1.png").read_bytes()[:60])
    return root


def test_a_check_names_what_is_wrong(spoiled, capsys):
    assert tasks("check", f"{spoiled}/") == 1
    shown = capsys.readouterr().out
    assert "problem: test: 1 image cannot be read" in shown
    assert "test/dog/1.png" in shown
    assert "problem: 1 image has the same pixels in test as one in train" in shown
    assert "same.bmp" in shown
    assert "remark: train: 1 image has the pixels of another one of train" in shown
    assert "the pixels of another one with another label" in shown
    assert "2 problems" in shown


def test_an_image_that_is_too_large_is_one_problem_without_a_warning_of_pillow(tmp_path, capsys, recwarn):
    for name in ("crow", "owl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.pbm").write_bytes(b"P4 10000 9000\n")  # refused by its header, before a pixel is read
    assert tasks("check", f"{tmp_path}/") == 1
    assert "10000 x 9000 pixels; at most" in capsys.readouterr().out.replace("\n", " ")
    assert not [str(warning.message) for warning in recwarn]


def test_sizes_are_held_against_the_benchmark(tmp_path, capsys):
    folder = tmp_path / "classification" / "mnist_20211008"
    folder.mkdir(parents=True)
    (folder / "labels.txt").write_text("\n".join(map(str, range(10))))
    for split, archive in (("train", "train.zip"), ("test", "val.zip")):
        with zipfile.ZipFile(folder / archive, "w") as pages:
            lines = []
            for label in range(9):
                pixels = np.random.default_rng([label, len(split)]).integers(0, 256, (5, 5), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "one.png")
                pages.write(tmp_path / "one.png", f"{label}.png")
                lines.append(f"{archive}@{label}.png {label}")
        (folder / f"{split}.txt").write_text("\n".join(lines))
    assert tasks("check", "mnist", "--root", tmp_path) == 1
    shown = capsys.readouterr().out
    assert "problem: train: 9 images, but the benchmark states 60,000" in shown
    assert "remark: train: 1 of 10 classes has no image" in shown
    (folder / "train.txt").write_text("train.zip@0.png 11")
    assert tasks("check", "mnist", "--root", tmp_path) == 2
    assert "train.txt:1: label 11 is outside the 10 classes" in capsys.readouterr().err


def test_a_page_shows_images_of_every_class(tmp_path, spoiled, capsys):
    out = tmp_path / "page.png"
    assert tasks("show", "weather-plain", "--out", out, "--per-class", 2) == 0
    assert "28 images of 14 classes" in capsys.readouterr().out
    with Image.open(out) as page:
        assert page.format == "PNG"
        first = np.asarray(page)
    assert (first < 128).any()
    assert tasks("show", "weather-plain", "--out", out, "--per-class", 2) == 0
    assert np.array_equal(np.asarray(Image.open(out)), first)
    assert tasks("show", "weather-plain", "--out", out, "--per-class", 2, "--seed", 1) == 0
    assert not np.array_equal(np.asarray(Image.open(out)), first)
    assert tasks("show", f"{spoiled}/", "--split", "test", "--out", tmp_path / "test.png") == 0  # a crossed box for one


def test_multi_label_tasks_and_one_split_used_twice(tmp_path, capsys):
    from mvlpt.data import DatasetBase, Datum

    for number in range(3):
        Image.new("RGB", (4, 4), (number * 80, 0, 0)).save(tmp_path / f"{number}.png")
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]

    class Several(DatasetBase):
        multi_label, metric = True, "11point_mAP"

        def __init__(self, cfg):
            test = [Datum(paths[1], (0, 1)), Datum(paths[2], ())]
            super().__init__(train_x=[Datum(paths[0], (1,))], val=list(test), test=test, classnames=["a", "b"])

    DATASET_REGISTRY.register(Several, name="tasks-test-several", force=True)
    assert tasks("check", "tasks-test-several") == 0
    assert "remark: val: it is the test split" in capsys.readouterr().out
    assert tasks("show", "tasks-test-several", "--split", "test", "--out", tmp_path / "page.png") == 0
    assert "2 images of 2 classes" in capsys.readouterr().out


def test_downloads_go_through_torchvision_and_nowhere_else(tmp_path, monkeypatch, capsys):
    asked = []

    def fetch(cls, root, arguments):
        asked.append((cls, dict(arguments)))
        (root / "eurosat" / "2750").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("mvlpt.data.sources.download.torchvision_fetch", fetch)
    assert tasks("download", "eurosat_clip", "--root", tmp_path / "data") == 0
    assert asked == [("EuroSAT", {})]
    assert "results are marked with the split 'torchvision'" in capsys.readouterr().out

    def refuse(cls, root, arguments):
        raise OSError("no route to host\nat all")

    monkeypatch.setattr("mvlpt.data.sources.download.torchvision_fetch", refuse)
    assert tasks("download", "mnist", "--root", tmp_path / "data") == 2
    said = capsys.readouterr().err
    assert "torchvision's MNIST could not be downloaded" in said
    assert "no route to host at all" in said
    monkeypatch.setattr("mvlpt.data.sources.download.torchvision_fetch", lambda *_: None)
    assert tasks("download", "mnist", "--root", tmp_path / "data") == 2
    assert "was downloaded, but" in capsys.readouterr().err


@pytest.mark.parametrize("held", [(), ("dtd/dtd_v1.tar.gz.part",), ("other/file",)], ids=("nothing", "part", "other"))
def test_a_download_that_fails_leaves_no_empty_folder(tmp_path, monkeypatch, held):
    root = tmp_path / "data"
    before = [root / path for path in held if "other" in path]
    for path in before:
        path.parent.mkdir(parents=True)
        path.touch()

    def fail(cls, root, arguments):
        (root / "dtd" / "dtd").mkdir(parents=True)
        for path in held:
            if "dtd" in path:
                (root / path).touch()
        raise OSError("no route to host")

    monkeypatch.setattr("mvlpt.data.sources.download.torchvision_fetch", fail)
    assert tasks("download", "dtd", "--root", root) == 2
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == [root / path for path in held]
    assert all(any(folder.iterdir()) for folder in tmp_path.rglob("*") if folder.is_dir())


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        tasks("--help")
    shown = capsys.readouterr().out
    for verb in ("list", "check", "show", "download"):
        assert f"mvlpt tasks {verb}" in shown


def test_a_published_sample_is_trained_on(toy_tasks, tmp_path, capsys):
    file, folder = tmp_path / "toy-warm.jsonl", tmp_path / "run"
    assert tasks("samples", "toy-warm", "--shots", 1, "--seed", 7, "--output", file) == 0
    assert "3 training and 3 validation images of 3 classes" in capsys.readouterr().out
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [list(row) for row in rows] == [["split", "path", "label", "classname"]] * 6
    words = ["train", "--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml", "--dataset", "toy-warm", "--quiet"]
    words += ["--seed", "1", "--samples", str(tmp_path / "{task}.jsonl"), "--output-dir", str(folder)]
    assert main([*words, "--shots", "2"]) == 2
    assert "has 1 training images of class 0" in capsys.readouterr().err
    assert main([*words, "--shots", "1", "OPTIM.MAX_EPOCH", "1"]) == 0
    kept = json.loads((folder / "samples" / "toy-warm-published-shots1-seed1.json").read_text())
    assert kept["train"] == [[row["path"], row["label"]] for row in rows if row["split"] == "train"]
    assert main([*words, "--shots", "1", "OPTIM.MAX_EPOCH", "1"]) == 0  # it is this run, finished
