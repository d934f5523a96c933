"""How the embedded model is made: its tokenizer, fast pretraining, augmentation, and resuming."""

from collections import Counter

import numpy as np
import open_clip
import pytest
import torch
from embedded import (
    augment,
    bpe,
    captions,
    corpus,
    fast_forward,
    model,
    pretrain,
)
from support.drawings import glyph


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
