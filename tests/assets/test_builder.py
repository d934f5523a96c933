"""The pure functions behind the embedded tasks and the embedded model."""

import io
import json
import random
import zipfile
from collections import Counter

import numpy as np
import open_clip
import pytest
import torch
from embedded import (
    augment,
    bpe,
    candidates,
    captions,
    corpus,
    duplicates,
    fast_forward,
    looks,
    model,
    naming,
    packages,
    pretrain,
    selection,
    splits,
    writing,
)


def glyph(seed=0):
    """(48, 48) uint8 of a random blob."""
    rng = np.random.default_rng(seed)
    alpha = np.zeros((48, 48), np.uint8)
    for _ in range(5):
        top, left = rng.integers(4, 30, 2)
        alpha[top : top + rng.integers(4, 14), left : left + rng.integers(4, 14)] = 255
    return alpha


def candidate(class_name="sun", designer="a", icon="sun", seed=0, subject="weather", alpha=None):
    pixels = glyph(seed) if alpha is None else alpha
    return candidates.Candidate(subject, class_name, designer, designer, icon, pixels)


# ------------------------------------------------------------------------------------------------------------ naming


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


# ------------------------------------------------------------------------------------------------------------- looks


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


# -------------------------------------------------------------------------------------------------------- duplicates


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


# --------------------------------------------------------------------------------------------------------- selection


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


# ----------------------------------------------------------------------------------------------------------- writing


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


# ------------------------------------------------------------------------------------------------------------- model


def test_merges_make_the_tokenizer_that_was_learnt(tmp_path):
    words = Counter({"cloud": 10, "clouds": 5, "rain": 7, "train": 3})
    merges = bpe.learn_merges(words, n_merges=40)
    assert merges == bpe.learn_merges(Counter(dict(reversed(words.items()))), n_merges=40)
    bpe.write_merges(tmp_path / "m.gz", merges)
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(tmp_path / "m.gz"), context_length=8)
    assert tokenizer.vocab_size == bpe.vocabulary_size(merges)
    assert [len(tokenizer.encode(word)) for word in words] == [1, 1, 1, 1]
    assert tokenizer.decode(tokenizer.encode("cloud trains")) == "cloud trains "


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    config = model.configuration(600, width=32, layers=2, text_width=32, text_layers=2, embed_dim=16)
    return config, model.build(config).eval()


def test_fast_forward_equals_open_clip(tiny):
    _, net = tiny
    image = torch.randn(3, 3, 48, 48)
    tokens = torch.zeros(3, 24, dtype=torch.long)
    for row, length in enumerate((3, 7, 5)):
        tokens[row, :length] = torch.randint(1, 590, (length,))
        tokens[row, length] = 599
    torch.testing.assert_close(fast_forward.encode_image(net.visual, image), net.encode_image(image))
    torch.testing.assert_close(fast_forward.encode_text(net, tokens), net.encode_text(tokens))


def test_dropping_no_patch_of_an_order_changes_nothing(tiny):
    _, net = tiny
    image = torch.randn(2, 3, 48, 48)
    generator = torch.Generator().manual_seed(0)
    nearly_none = fast_forward.encode_image(net.visual, image, drop=1e-6, generator=generator)
    torch.testing.assert_close(nearly_none, net.encode_image(image))


def test_exported_folder_loads_in_open_clip(tiny, tmp_path):
    config, net = tiny
    model.export(tmp_path, config, net.state_dict())
    loaded = open_clip.create_model(f"local-dir:{tmp_path}").eval()
    image = torch.randn(2, 3, 48, 48)
    torch.testing.assert_close(loaded.encode_image(image), net.encode_image(image), atol=5e-3, rtol=5e-3)


def test_augmentation_repeats_under_one_seed():
    pixels = torch.from_numpy(np.stack([np.dstack([np.zeros((48, 48, 3), np.uint8), glyph(i)]) for i in range(8)]))
    pixels = pixels.permute(0, 3, 1, 2)
    coloured = torch.zeros(8, dtype=torch.bool)
    views = [augment.augment(pixels, ~coloured, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert views[0].shape == (8, 3, 48, 48)
    assert torch.equal(*views)
    assert 0 <= views[0].min() <= views[0].max() <= 1
    assert torch.equal(augment.plain_view(pixels)[:, 0] < 0.5, pixels[:, 3] > 127)


def test_sentences_hold_a_name_and_fit_the_context():
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        text = captions.sentences(["sun", "cog"], [[], ["gear"]], generator)
        assert "sun" in text[0]
        assert "cog" in text[1] or "gear" in text[1]


# ------------------------------------------------------------------------------------------------------- pretraining


@pytest.fixture
def small_run(tmp_path, monkeypatch):
    """A prepared work folder with 40 names and a recipe small enough for seconds; returns the command line."""
    rng = np.random.default_rng(0)
    names = sorted({"".join(rng.choice(list("abcdefgh"), 4)) for _ in range(40)})
    pixels = np.zeros((4 * len(names), 48, 48, 4), np.uint8)
    for i in range(len(pixels)):
        pixels[i, ..., 3] = glyph(i)
    label = np.arange(len(pixels)) % len(names)
    work = tmp_path / "work"
    work.mkdir()
    sources = [f"s:{i}" for i in range(len(pixels))]
    corpus.Corpus(pixels, np.ones(len(pixels), bool), label, names, [[] for _ in names], sources).save(
        work / "corpus.npz"
    )
    bpe.write_merges(work / model.MERGES_NAME, bpe.learn_merges(Counter(names), n_merges=30))
    np.savez(
        work / "validation.npz",
        alpha=pixels[:4, ..., 3],
        subject=np.array(["x"] * 4),
        class_name=np.array(names[:4]),
        key=np.array(list("abcd")),
    )
    (work / "summary.json").write_text("{}")
    small = pretrain.Recipe(width=32, layers=1, text_width=32, text_layers=1, embed_dim=16, batch=8)
    monkeypatch.setattr(pretrain, "Recipe", lambda seed: small)
    monkeypatch.setattr(pretrain, "HELD_OUT_PAIRS", 8)
    return ["--steps", "6", "--work", str(work), "--out", str(tmp_path / "model"), "--save-minutes", "0"]


def test_killed_and_resumed_pretraining_equals_unbroken(small_run, tmp_path, monkeypatch):
    pretrain.run(pretrain.parse(small_run))
    unbroken = torch.load(tmp_path / "work" / "checkpoint.pt", weights_only=True)

    step = pretrain.train_step

    def killed_at_four(*args, **kwargs):
        if kwargs["step"] == 4:
            raise KeyboardInterrupt
        return step(*args, **kwargs)

    monkeypatch.setattr(pretrain, "train_step", killed_at_four)
    with pytest.raises(KeyboardInterrupt):
        pretrain.run(pretrain.parse(small_run))
    assert torch.load(tmp_path / "work" / "checkpoint.pt", weights_only=True)["step"] == 4
    monkeypatch.setattr(pretrain, "train_step", step)
    pretrain.run(pretrain.parse([*small_run, "--resume"]))
    resumed = torch.load(tmp_path / "work" / "checkpoint.pt", weights_only=True)
    assert resumed["step"] == unbroken["step"] == 6
    for part in ("model", "average"):
        assert all(torch.equal(resumed[part][name], value) for name, value in unbroken[part].items())


def test_resume_without_a_checkpoint_says_so(small_run):
    with pytest.raises(SystemExit, match="start without --resume"):
        pretrain.run(pretrain.parse([*small_run, "--resume"]))


def test_schedule_warms_up_and_falls():
    recipe = pretrain.Recipe()
    rates = [recipe.learning_rate(i / 1000) for i in range(1001)]
    peak = rates.index(max(rates))
    assert rates[peak] == pytest.approx(recipe.lr)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(recipe.lr / 100)
    assert [recipe.patch_dropout(p) for p in (0, 0.7, 1.0)] == [0.5, 0.25, 0.0]
