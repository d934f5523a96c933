"""The pure functions behind the embedded tasks and the embedded model."""

import io
import json
import random
import zipfile
from collections import Counter

import numpy as np
import pytest
from embedded import (
    candidates,
    corpus,
    duplicates,
    looks,
    naming,
    packages,
    selection,
    splits,
    writing,
)
from support.drawings import glyph


def candidate(class_name="sun", designer="a", icon="sun", seed=0, subject="weather", alpha=None):
    pixels = glyph(seed) if alpha is None else alpha
    return candidates.Candidate(subject, class_name, designer, designer, icon, pixels)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("sun-2-bold-duotone", "sun"),
        ("cloud_rain-outline", "cloud rain"),
        ("traffic-light", "traffic light"),
        ("traffic-light-fill", "traffic light"),
        ("format-bold", "format bold"),
        ("bold", "bold"),
        ("line-md", "line"),
        ("file-o", "file"),
        ("add-24-filled", "add"),
    ],
)
def test_style_is_stripped_from_names(name, label):
    assert naming.strip_style(name)[0] == label


def test_stripping_is_stable_and_never_empties():
    for name in ["outline", "2", "s-2-bold", "fill-fill", "arrow-up-s-line"]:
        label, _ = naming.strip_style(name)
        assert label
        assert naming.strip_style(label.replace(" ", "-"))[0] == label


def test_captions_are_words():
    assert naming.is_caption("cloud rain")
    assert not naming.is_caption("waving hand light skin tone")
    assert not naming.is_caption("24 hours")
    assert not naming.is_caption("x")


def test_class_index_refuses_a_name_with_two_classes():
    assert naming.class_index({"moon": ["moon"], "fog": ["fog", "haze"]})["haze"] == "fog"
    with pytest.raises(ValueError, match="'haze'"):
        naming.class_index({"mist": ["haze"], "fog": ["fog", "haze"]})


def test_subjects_pins_and_split_fit_together():
    pins = packages.load_pins()
    split = splits.load_split()
    task_designers = {pin.designer for pin in pins if pin.role == "tasks"}
    assert set(split) == task_designers
    assert not task_designers & {pin.designer for pin in pins if pin.role == "pretraining"}
    chosen = candidates.load_chosen()
    assert len(chosen) == 8
    for classes in chosen.values():
        naming.class_index(classes)
    rejected = selection.load_rejected()
    for subject, classes in rejected.items():
        assert set(classes) <= set(chosen[subject])
        assert all(reason for icons in classes.values() for reason in icons.values())


def test_share_alike_artwork_is_refused(tmp_path):
    pin = {"version": "1", "integrity": "sha512-", "license": "CC-BY-SA-4.0", "role": "tasks", "designer": "x"}
    (tmp_path / "pins.json").write_text(json.dumps({"packages": {"x": pin}}))
    with pytest.raises(packages.ArtworkError, match=r"CC-BY-SA-4\.0 may not be shipped"):
        packages.load_pins(tmp_path / "pins.json")


def test_altered_package_is_refused(tmp_path):
    pin = packages.load_pins()[0]
    (tmp_path / pin.file_name).write_bytes(b"something else")
    with pytest.raises(packages.ArtworkError, match="is not the pinned file"):
        packages.fetch(pin, tmp_path)


@pytest.mark.parametrize("look", looks.LOOKS)
def test_looks_are_functions_of_glyph_and_name(look):
    alpha = glyph()
    first = looks.render(alpha, look=look, name="a:sun")
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.uint8
    assert (first == looks.render(alpha.copy(), look=look, name="a:sun")).all()
    assert (first != looks.render(glyph(1), look=look, name="a:sun")).any()
    if look != "plain":
        assert (first != looks.render(alpha, look=look, name="b:sun")).any()
    assert looks.describe(look)


def test_dark_glyph_is_light_and_smaller():
    alpha = np.full((48, 48), 255, np.uint8)
    plain, dark = (looks.render(alpha, look=look, name="x").mean(2) for look in ("plain", "dark"))
    assert (plain == 0).all()
    assert abs((dark > 128).mean() - 4 / 9) < 0.03
    assert dark[:6].mean() < 60
    assert dark[20:28, 20:28].mean() > 180


def test_unknown_look_names_the_known():
    with pytest.raises(ValueError, match="plain, dark, blueprint"):
        looks.render(glyph(), look="neon", name="x")


def test_near_pairs_equal_brute_force():
    rng = np.random.default_rng(3)
    base = [glyph(seed) for seed in range(20)]
    noisy = [np.clip(a.astype(int) + rng.integers(-20, 20, a.shape), 0, 255).astype(np.uint8) for a in base[:10]]
    shifted = [np.roll(a, 3, axis=1) for a in base[10:]]
    left, right = duplicates.signatures(np.stack(base)), duplicates.signatures(np.stack(noisy + shifted))
    expected = [
        [i, j]
        for i in range(left.shape[1])
        for j in range(right.shape[1])
        if min(np.sqrt(((left[k, i] - right[k, j]) ** 2).mean()) for k in (0, 1)) < duplicates.THRESHOLD
    ]
    assert duplicates.near_pairs(left, right, chunk=7).tolist() == expected
    assert {(i, i) for i in range(10)} <= {tuple(pair) for pair in expected}, "noisy copies are found"
    assert {(i, i) for i in range(10, 20)} <= {tuple(pair) for pair in expected}, "moved copies are found by cropping"


def test_twins_of_two_designers_both_go_and_of_one_designer_one_stays():
    drawn = [
        candidate(designer="a", icon="sun", seed=1),
        candidate(designer="b", icon="sun", seed=1),
        candidate(designer="a", icon="sun-2", seed=2),
        candidate(designer="a", icon="sun-3", seed=2),
        candidate(designer="c", icon="moon", class_name="moon", seed=3),
        candidate(designer="c", icon="sun", seed=3),
        candidate(designer="d", icon="sun", seed=4),
    ]
    tally = selection.Tally()
    pretraining = duplicates.signatures(np.stack([glyph(4)]))
    left = selection.drop_near_duplicates(drawn, pretraining, tally)
    assert [d.icon for d in left] == ["sun-2"]
    counts = (tally.near_pretraining, tally.near_other_designer, tally.near_other_class, tally.near_same_drawing)
    assert counts == (1, 2, 2, 1)


def test_pretraining_drops_twins_of_task_drawings():
    pixels = np.zeros((3, 48, 48, 4), np.uint8)
    for i in range(3):
        pixels[i, ..., 3] = glyph(i)
    data = corpus.Corpus(pixels, np.ones(3, bool), np.arange(3), ["a", "b", "c"], [[], [], []], ["s:a", "s:b", "s:c"])
    clean, removed = corpus.without_duplicates_of(data, np.stack([glyph(1)]))
    assert removed == 1
    assert clean.sources == ["s:a", "s:c"]


def test_corpus_comes_back_from_disk(tmp_path):
    data = corpus.Corpus(
        np.zeros((2, 48, 48, 4), np.uint8),
        np.array([True, False]),
        np.array([1, 0]),
        ["a", "b"],
        [["x", "y"], []],
        ["s", "t"],
    )
    data.save(tmp_path / "c.npz")
    back = corpus.Corpus.load(tmp_path / "c.npz")
    assert (back.names, back.other_names, back.sources) == (data.names, data.other_names, data.sources)
    assert (back.label == data.label).all()


def test_audit_takes_patterns_and_tells_unused():
    drawn = [candidate(designer="solar", icon=icon) for icon in ("plane", "plane-2", "jet")]
    tally = selection.Tally()
    rejected = {"weather": {"sun": {"solar:plane*": "a paper plane", "x:y": "gone"}}}
    assert [d.icon for d in selection.audit(drawn, rejected, tally)] == ["jet"]
    assert tally.audit == 2
    assert tally.unused_rejections == ["weather/sun/x:y"]


def test_looks_take_different_drawings_where_there_are_enough():
    many = [candidate(icon=f"sun-{i}") for i in range(6)]
    shares = [selection.share_for_look(many, i) for i in range(3)]
    assert sorted(d.icon for share in shares for d in share) == [d.icon for d in many]
    assert [len(selection.share_for_look(many[:1], i)) for i in range(3)] == [1, 1, 1]
    assert all(len({d.icon for d in selection.share_for_look(many[:3], i)}) == 2 for i in range(3))


def test_small_classes_go():
    split_of = {**{f"t{i}": "train" for i in range(4)}, "v": "val", **{f"e{i}": "test" for i in range(4)}}
    full = [candidate(designer=d, icon=f"sun{d}") for d in split_of]
    lacking = [candidate(class_name="moon", designer=d) for d in split_of if d != "v"]
    tally = selection.Tally()
    assert selection.drop_small_classes(full + lacking, split_of, tally) == full
    assert tally.small_classes == ["weather/moon"]


def test_split_serves_most_classes_and_repeats():
    rng = random.Random(0)
    designers = [f"d{i}" for i in range(20)]
    drew = {("s", f"c{i}"): set(rng.sample(designers, 12)) for i in range(30)}
    split_of, seed = splits.choose_split(drew, seeds=50)
    best = max(len(splits.complete_classes(drew, splits.draw_split(designers, seed=s))) for s in range(50))
    assert len(splits.complete_classes(drew, split_of)) == best
    assert splits.choose_split(drew, seeds=50) == (split_of, seed)
    assert Counter(split_of.values()) == Counter(dict(zip(splits.SPLITS, splits.split_sizes(20), strict=True)))


def test_zip_has_equal_bytes_whatever_the_order(tmp_path):
    entries = {"b/x.png": b"1", "a/y.png": b"2", "sources.txt": b"3"}
    first = writing.write_zip(tmp_path / "1.zip", entries)
    second = writing.write_zip(tmp_path / "2.zip", dict(reversed(entries.items())))
    assert first == second
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert archive.namelist() == sorted(entries)


def test_written_task_can_be_read(tmp_path):
    images = [
        writing.TaskImage(c, split, d, n, f"{d}:{c}", looks.render(glyph(n), look="dark", name=f"{d}:{c}{n}"))
        for c in ("sun", "cloud rain")
        for d, split in (("a", "train"), ("b", "val"), ("c", "test"))
        for n in (1, 2)
    ]
    entry = writing.write_task(tmp_path / "t", images)
    assert entry["classes"] == ["cloud rain", "sun"]
    assert entry["images"] == {"train": 4, "val": 4, "test": 4}
    lines = (tmp_path / "t" / "train.txt").read_text().splitlines()
    assert lines[:2] == ["images.zip@cloud-rain/a.webp 0", "images.zip@cloud-rain/a-2.webp 0"]
    with zipfile.ZipFile(tmp_path / "t" / "images.zip") as archive:
        assert writing.Image.open(io.BytesIO(archive.read("sun/c.webp"))).size == (48, 48)
