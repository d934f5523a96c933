"""Names, shapes, order and initial values of the parameters are upstream's."""

import math

import pytest
import torch
from support.tiny_clip import NAMES, TEXT, VISION, tiny_backbone

from mvlpt.errors import BackboneError, PromptError
from mvlpt.models import build_prompted_clip

DT, DV, L = TEXT["width"], VISION["width"], VISION["layers"]


def shapes(method, **options):
    learner = build_prompted_clip(tiny_backbone(), NAMES, method, seed=0, **options).prompt_learner
    assert list(learner.state_dict()) == [name for name, _ in learner.named_parameters()]
    return {name: tuple(parameter.shape) for name, parameter in learner.named_parameters()}


def test_text():
    assert shapes("coop", n_ctx=5) == {"ctx": (5, DT)}
    assert shapes("coop", n_ctx=5, csc=True) == {"ctx": (len(NAMES), 5, DT)}


def test_visual():
    assert shapes("vpt", n_ctx=5) == {"vpt_embeddings": (1, 5, DV), "vpt_embeddings_deep": (L - 1, 5, DV)}
    assert shapes("vpt", n_ctx=5, vpt_deep=False) == {"vpt_embeddings": (1, 5, DV)}
    assert shapes("vpt", n_ctx=5, vpt_project=9, vpt_deep=False) == {
        "vpt_embeddings": (1, 5, 9),
        "vpt_proj.weight": (DV, 9),
        "vpt_proj.bias": (DV,),
    }


def test_unified_in_upstreams_order():
    block = "mvlpt_proj.resblocks.0."
    expected = [
        ("vpt_embeddings", (1, 3, DV)),
        ("vpt_embeddings_deep", (L - 1, 3, DV)),
        ("ctx", (2, DT)),
        (f"{block}attn.in_proj_weight", (384, 128)),
        (f"{block}attn.in_proj_bias", (384,)),
        (f"{block}attn.out_proj.weight", (128, 128)),
        (f"{block}attn.out_proj.bias", (128,)),
        (f"{block}ln_1.weight", (128,)),
        (f"{block}ln_1.bias", (128,)),
        (f"{block}mlp.c_fc.weight", (512, 128)),
        (f"{block}mlp.c_fc.bias", (512,)),
        (f"{block}mlp.c_proj.weight", (128, 512)),
        (f"{block}mlp.c_proj.bias", (128,)),
        (f"{block}ln_2.weight", (128,)),
        (f"{block}ln_2.bias", (128,)),
        ("mvlpt_proj_ctx_vpt_pre.weight", (128, DV)),
        ("mvlpt_proj_ctx_vpt_pre.bias", (128,)),
        ("mvlpt_proj_ctx_vpt_post.weight", (DV, 128)),
        ("mvlpt_proj_ctx_vpt_post.bias", (DV,)),
        ("mvlpt_proj_ctx_coop_pre.weight", (128, DT)),
        ("mvlpt_proj_ctx_coop_pre.bias", (128,)),
        ("mvlpt_proj_ctx_coop_post.weight", (DT, 128)),
        ("mvlpt_proj_ctx_coop_post.bias", (DT,)),
    ]
    assert list(shapes("upt", n_ctx=2, vpt_n_ctx=3).items()) == expected


def test_a_side_of_the_projections_width_has_no_bridge():
    assert not any("coop_p" in name for name in shapes("upt", n_ctx=2, project_dim=DT))
    assert not any("vpt_p" in name for name in shapes("upt", n_ctx=2, project_dim=DV))
    identity = shapes("upt", n_ctx=2, project_method="identity")
    assert list(identity) == ["vpt_embeddings", "vpt_embeddings_deep", "ctx"]


def test_conditional():
    assert shapes("cocoop", n_ctx=4) == {
        "cocoop_ctx": (4, DT),
        "meta_net.linear1.weight": (2, 32),
        "meta_net.linear1.bias": (2,),
        "meta_net.linear2.weight": (DT, 2),
        "meta_net.linear2.bias": (DT,),
    }


def test_random_initial_values():
    learner = build_prompted_clip(tiny_backbone(), ["a"], "upt", n_ctx=60, vpt_n_ctx=300, seed=0).prompt_learner
    assert learner.ctx.std().item() == pytest.approx(0.02, rel=0.1)
    bound = math.sqrt(6 / (3 * 8 * 8 + DV))
    for values in (learner.vpt_embeddings, learner.vpt_embeddings_deep):
        assert values.abs().max() <= bound
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_words_give_as_many_contexts_as_there_are_words():
    backbone = tiny_backbone()
    table = backbone.model.token_embedding.weight
    prompted = build_prompted_clip(backbone, NAMES, "coop", n_ctx=16, ctx_init="a_photo of a")
    ids = backbone.tokenizer.encode("a photo of a")
    assert torch.equal(prompted.prompt_learner.ctx, table[ids])
    # a word of several tokens: the tokens that find no context stay as fixed text behind the contexts
    ids = backbone.tokenizer.encode("an abyssinianlike photo")
    assert len(ids) > 3
    prompted = build_prompted_clip(backbone, ["cat"], "coop", ctx_init="an abyssinianlike photo")
    assert torch.equal(prompted.prompt_learner.ctx, table[ids[:3]])
    assert prompted.layout.rows[0][1 : 1 + len(ids)] == (-1, -2, -3, *ids[3:])
    whole = backbone.encode_text(backbone.tokenize("an abyssinianlike photo cat."))
    assert torch.allclose(prompted.text_features(), torch.nn.functional.normalize(whole, dim=-1), atol=1e-5)


def test_words_are_shared_even_if_contexts_were_to_be_class_specific(caplog):
    assert shapes("coop", ctx_init="a photo", csc=True) == {"ctx": (2, DT)}
    assert "CSC is ignored" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "cop"}, "did you mean 'coop'"),
        ({"class_token_position": "ende"}, "did you mean 'end'"),
        ({"n_ctx": 0}, "at least one context"),
        ({"method": "vpt", "n_ctx": 0}, "at least one context"),
        ({"n_ctx": 74}, "use at most 73"),
        ({"method": "vpt", "vpt_dropout": 1.0}, "DROPOUT"),
        ({"method": "vpt", "vpt_project": 0}, "VPT.PROJECT"),
        ({"method": "upt", "vpt_project": 8}, "set it to -1"),
        ({"method": "upt", "project_method": "transfomer"}, "did you mean 'transformer'"),
        ({"method": "upt", "project_dim": 0}, "PROJECT_DIM"),
        ({"label_space": "pertask"}, "did you mean 'per_task'"),
        ({"task_ranges": [(0, 3), (4, 7)]}, "follow one another"),
        ({"task_ranges": [(0, 3)]}, "end at class 3"),
        ({"text_chunk": 0}, "text chunk"),
    ],
)
def test_bad_options_are_one_sentence(options, message):
    with pytest.raises(PromptError, match=message) as caught:
        build_prompted_clip(tiny_backbone(), NAMES, **{"n_ctx": 4, **options})
    assert "\n" not in str(caught.value)


def test_wrong_image_size():
    prompted = build_prompted_clip(tiny_backbone(), NAMES, "vpt", n_ctx=2)
    with pytest.raises(BackboneError, match="takes images of 24 x 24 pixels, not 32 x 32"):
        prompted(torch.zeros(1, 3, 32, 32))
