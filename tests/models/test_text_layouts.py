"""Class names become token rows: order, punctuation, synonyms, lengths, shared beginnings, buckets."""

import pytest
import torch
from support.tiny_clip import NAMES, TOKENIZER, tiny_backbone

from mvlpt.errors import PromptError
from mvlpt.models import ComputeOptimisations, build_prompted_clip, zero_shot_text_features
from mvlpt.models.towers.text_layout import clean_class_names, plain_layout, prompt_layout
from mvlpt.models.towers.text_plan import _buckets

START, END = TOKENIZER.sot_token_id, TOKENIZER.eot_token_id


def row(name, position, n_ctx=4):
    return prompt_layout(TOKENIZER, [name], n_ctx=n_ctx, position=position, context_length=77).rows[0]


def test_positions():
    (cat,), (dot,) = TOKENIZER.encode("cat"), TOKENIZER.encode(".")
    assert row("cat", "end") == (START, -1, -2, -3, -4, cat, dot, END)
    assert row("cat", "middle") == (START, -1, -2, cat, -3, -4, dot, END)
    assert row("cat", "middle", 3) == (START, -1, cat, -2, -3, dot, END)
    assert row("cat", "front") == (START, cat, -1, -2, -3, -4, dot, END)


def test_punctuation_at_the_end_of_a_name():
    run = TOKENIZER.encode("x (y).")
    assert len(TOKENIZER.encode("x (y)")) == len(run), "')' and '.' are one token"
    assert row("x (y)", "middle", 2) == (START, -1, *run, -2, END)
    assert clean_class_names(["St._Bernard.", "U.S.A.", "a_b"]) == ["St. Bernard", "U.S.A", "a b"]


def test_of_synonyms_the_first_is_used():
    assert clean_class_names([["plane", "aircraft"], "car"]) == ["plane", "car"]


@pytest.mark.parametrize("names", [[], "cat", ["cat", " _ "], ["."], [[]]])
def test_names_that_cannot_be_used(names):
    with pytest.raises(PromptError):
        clean_class_names(names)


def test_duplicates_are_warned_of_within_a_task_only(caplog):
    build_prompted_clip(tiny_backbone(), ["cat", "dog", "cat"], n_ctx=2, task_ranges=[(0, 2), (2, 3)])
    assert not caplog.text
    build_prompted_clip(tiny_backbone(), ["cat", "dog", "Cat"], n_ctx=2)
    assert "more than once" in caplog.text
    assert "Cat" in caplog.text


def test_a_name_that_is_too_long_is_named_with_its_excess():
    names = ["cat", "dog " * 80, "cow " * 75]
    with pytest.raises(PromptError, match=r"class 'dog dog.*' is 10 tokens too long: it has 87.* 1 more"):
        build_prompted_clip(tiny_backbone(), names, n_ctx=4)
    with pytest.raises(PromptError, match="too long"):
        zero_shot_text_features(tiny_backbone(), names)
    fits = "dog " * 70
    with pytest.raises(PromptError, match="is 1 token too long"):
        build_prompted_clip(tiny_backbone(), [fits], n_ctx=5)
    build_prompted_clip(tiny_backbone(), [fits], n_ctx=4)


def test_shared_beginnings():
    def layout(names, position="end", **options):
        return prompt_layout(TOKENIZER, names, n_ctx=4, position=position, context_length=77, **options)

    assert layout(["cat", "dog"]).shared_prefix() == 5
    assert layout(["cat", "dog"], "middle").shared_prefix() == 3
    assert layout(["cat", "dog"], "front").shared_prefix() == 1
    assert layout(["cat", "dog"], class_specific=True).shared_prefix() == 1
    assert layout(["red cat", "red dog"]).shared_prefix() == 6
    assert layout(["cat"]).shared_prefix() == 7, "all but the end token"
    assert plain_layout(TOKENIZER, ["a photo of a cat.", "a photo of a dog."], 77).shared_prefix() == 5


def test_buckets_weigh_padding_against_batches():
    lengths = sorted([3] * 50 + [4] * 50 + [20] * 2)
    assert _buckets(lengths, cost=0) == [50, 100, 102]
    assert _buckets(lengths, cost=60) == [100, 102]
    assert _buckets(lengths, cost=10**6) == [102]

    def price(stops, cost):
        starts = [0, *stops[:-1]]
        return sum((b - a) * lengths[b - 1] + cost for a, b in zip(starts, stops, strict=True))

    best = min(price([*cuts, 102], 60) for cuts in ([], [50], [100], [50, 100]))
    assert price(_buckets(lengths, 60), 60) == best


def test_features_do_not_depend_on_other_classes():
    backbone = tiny_backbone()
    alone = zero_shot_text_features(backbone, NAMES[:1])
    together = zero_shot_text_features(backbone, NAMES)
    assert torch.allclose(alone, together[:1], atol=1e-5)


def test_zero_shot_features_equal_open_clips_with_and_without_optimisations():
    backbone = tiny_backbone()
    templates = ["a photo of a {}.", "itap of {}.", "a bad photo of the {} {}."]
    cleaned = clean_class_names(NAMES)
    expected = 0
    for template in templates:
        texts = [template.replace("{}", name) for name in cleaned]
        expected = expected + torch.nn.functional.normalize(backbone.encode_text(backbone.tokenize(texts)), dim=-1)
    expected = torch.nn.functional.normalize(expected / 3, dim=-1)
    for optimisations in (ComputeOptimisations(), ComputeOptimisations.none()):
        ours = zero_shot_text_features(backbone, NAMES, templates, optimisations=optimisations)
        assert not ours.requires_grad
        assert torch.allclose(ours, expected, atol=1e-5)


def test_names_that_are_sentences_keep_their_full_stop_in_templates():
    import open_clip

    backbone = tiny_backbone()
    sentences = ["a photo i took of a car on my left or right side.", "a photo i took with no car."]
    tokens = open_clip.tokenize(sentences)  # the same tokens as the benchmark's own program
    expected = torch.nn.functional.normalize(backbone.model.encode_text(tokens), dim=-1)
    assert torch.allclose(zero_shot_text_features(backbone, sentences, ["{}"]), expected, atol=1e-5)
    without = zero_shot_text_features(backbone, [name.rstrip(".") for name in sentences], ["{}"])
    assert not torch.allclose(without, expected, atol=1e-2)


def test_templates_that_cannot_be_used():
    with pytest.raises(PromptError, match="at least one template"):
        zero_shot_text_features(tiny_backbone(), NAMES, [])
    with pytest.raises(PromptError, match="where the class name goes"):
        zero_shot_text_features(tiny_backbone(), NAMES, ["a photo"])
