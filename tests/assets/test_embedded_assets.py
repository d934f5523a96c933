"""What ships in ``mvlpt/assets``: files agree with the manifest, designers are kept apart, the model works."""

import hashlib
import io
import json
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import open_clip
import pytest
import torch
from PIL import Image

ASSETS = Path(__file__).resolve().parents[2] / "mvlpt" / "assets"
TASKS, MODEL = ASSETS / "tasks", ASSETS / "model"
SPLITS = ("train", "val", "test")
MIB = 2**20
MANIFEST = json.loads((TASKS / "tasks.json").read_text())
NAMES = sorted(MANIFEST["tasks"])


def index(name, split):
    """(path, label) pairs of one split."""
    lines = (TASKS / name / f"{split}.txt").read_text().splitlines()
    rows = [line.removeprefix("images.zip@").rsplit(" ", 1) for line in lines]
    return [(path, int(label)) for path, label in rows]


def designer(path):
    """Designer of an image: the file name without the number of a second drawing."""
    return Path(path).stem.removesuffix("-2")


def folder_size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_sizes_stay_small():
    assert folder_size(TASKS) <= 12 * MIB
    assert folder_size(MODEL) <= 12 * MIB


def test_manifest_names_every_folder_and_plants_the_structure():
    assert {path.name for path in TASKS.iterdir() if path.is_dir()} == set(NAMES)
    assert 20 <= len(NAMES) <= 24
    subjects = {task["subject"] for task in MANIFEST["tasks"].values()}
    assert {f"{subject}-{look}" for subject in subjects for look in MANIFEST["looks"]} == set(NAMES)
    for subject in subjects:
        classes = {tuple(t["classes"]) for t in MANIFEST["tasks"].values() if t["subject"] == subject}
        assert len(classes) == 1, f"{subject}: looks differ in their classes"


@pytest.mark.parametrize("name", NAMES)
def test_files_agree_with_the_manifest(name):
    task, folder = MANIFEST["tasks"][name], TASKS / name
    data = (folder / "images.zip").read_bytes()
    assert hashlib.sha256(data).hexdigest() == task["sha256"]
    assert len(data) == task["bytes"]
    assert (folder / "labels.txt").read_text().splitlines() == task["classes"]
    assert 12 <= len(task["classes"]) <= 16
    listed = []
    for split, least in zip(SPLITS, (4, 1, 4), strict=True):
        rows = index(name, split)
        assert len(rows) == task["images"][split]
        assert sorted({designer(path) for path, _ in rows}) == task["designers"][split]
        counts = Counter(label for _, label in rows)
        assert sorted(counts) == list(range(len(task["classes"])))
        assert min(counts.values()) >= least
        for path, label in rows:
            assert path.split("/")[0] == task["classes"][label].replace(" ", "-")
        listed += [path for path, _ in rows]
    assert len(listed) == len(set(listed))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert set(listed) == set(archive.namelist()) - {"sources.txt"}
        for path in listed:
            with Image.open(io.BytesIO(archive.read(path))) as image:
                assert image.convert("RGB").size == (48, 48)


def test_no_designer_is_on_two_sides():
    sides = defaultdict(set)
    for name in NAMES:
        for split in SPLITS:
            for path, _ in index(name, split):
                sides[designer(path)].add(split)
    assert all(len(where) == 1 for where in sides.values())
    assert {d: next(iter(where)) for d, where in sides.items()}.items() <= {
        d: split for split in SPLITS for d in MANIFEST["designers"][split]
    }.items()
    assert not set(MANIFEST["pretraining_designers"]) & set(sides)


def test_sources_name_only_pinned_packages_of_the_right_role():
    pins = json.loads((ASSETS.parents[1] / "tools" / "embedded" / "artwork.json").read_text())["packages"]
    for name in NAMES:
        with zipfile.ZipFile(TASKS / name / "images.zip") as archive:
            for line in archive.read("sources.txt").decode().splitlines():
                path, source = line.split(" ", 1)
                pin = pins[source.split(":")[0]]
                assert pin["role"] == "tasks"
                assert pin["designer"] == designer(path)


def test_notice_covers_every_set():
    notice = (ASSETS.parents[1] / "NOTICE").read_text()
    pins = json.loads((ASSETS.parents[1] / "tools" / "embedded" / "artwork.json").read_text())["packages"]
    used = {name for name, pin in pins.items() if pin["role"] == "pretraining"}
    for name in NAMES:
        with zipfile.ZipFile(TASKS / name / "images.zip") as archive:
            used |= {line.split(" ", 1)[1].split(":")[0] for line in archive.read("sources.txt").decode().splitlines()}
    assert [name for name in sorted(used) if f"@iconify-json/{name} {pins[name]['version']}" not in notice] == []
    assert "SA" not in {part for pin in pins.values() for part in pin["license"].split("-")}


@pytest.fixture(scope="module")
def served():
    """Model and tokenizer as open_clip serves them."""
    model = open_clip.create_model(f"local-dir:{MODEL}").eval()
    context = model.context_length
    tokenizer = open_clip.get_tokenizer(
        f"local-dir:{MODEL}", bpe_path=str(MODEL / "bpe_merges.txt.gz"), context_length=context
    )
    return model, tokenizer


def test_model_is_an_ordinary_open_clip_vit(served):
    model, tokenizer = served
    assert type(model) is open_clip.CLIP
    assert type(tokenizer) is open_clip.SimpleTokenizer
    assert model.visual.image_size == (48, 48)
    assert tokenizer.vocab_size == model.token_embedding.num_embeddings
    assert torch.isfinite(model.logit_scale)
    image = model.encode_image(torch.zeros(2, 3, 48, 48))
    text = model.encode_text(tokenizer(["a photo of a cat.", "sun"]))
    assert image.shape == text.shape
    assert torch.isfinite(image).all()
    assert torch.isfinite(text).all()


def test_tokenizer_round_trips_and_leaves_room_for_prompts(served):
    model, tokenizer = served
    for task in MANIFEST["tasks"].values():
        for name in task["classes"]:
            tokens = tokenizer.encode(f"{name}.")
            assert tokenizer.decode(tokens).replace(" ", "") == f"{name}.".replace(" ", "")
            assert 1 + 8 + len(tokens) + 1 <= model.context_length


@pytest.mark.parametrize("name", ["power-plain", "commerce-plain", "tools-plain"])
def test_zero_shot_on_validation_designers_is_well_above_chance(served, name):
    model, tokenizer = served
    _, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{MODEL}")
    rows = index(name, "val")
    with zipfile.ZipFile(TASKS / name / "images.zip") as archive:
        images = [preprocess(Image.open(io.BytesIO(archive.read(path))).convert("RGB")) for path, _ in rows]
    classes = MANIFEST["tasks"][name]["classes"]
    with torch.no_grad():
        image = model.encode_image(torch.stack(images), normalize=True)
        text = model.encode_text(tokenizer([f"a photo of a {c}." for c in classes]), normalize=True)
    hits = (image @ text.T).argmax(1) == torch.tensor([label for _, label in rows])
    assert hits.float().mean() > 3 / len(classes)


def test_card_and_curve_are_there():
    report = json.loads((MODEL / "training_curve.json").read_text())
    assert len(report["curve"]) >= 5
    first, last = report["curve"][0], report["curve"][-1]
    assert last["val_zero_shot_plain"] > first["val_zero_shot_plain"]
    assert last["held_out_loss"] < first["held_out_loss"]
    assert "zero-shot" in (MODEL / "README.md").read_text().lower()
