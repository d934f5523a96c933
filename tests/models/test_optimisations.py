"""Each optimisation changes no result, alone and left out, and each one saves work."""

import pytest
import torch
from support.tiny_clip import NAMES, RANGES, compare, outcome, tiny_backbone, tiny_images
from test_against_reference import PROMPTS
from torch.utils.flop_counter import FlopCounterMode

from mvlpt.models import ComputeOptimisations, build_prompted_clip
from mvlpt.models.towers import prompt_layout
from mvlpt.models.towers.text_plan import shared_prefix

KINDS = ["coop middle", "coop csc", "vpt deep", "vpt shallow", "upt transformer", "cocoop"]


@pytest.mark.parametrize("switch", ComputeOptimisations.names())
@pytest.mark.parametrize("kind", KINDS)
def test_an_optimisation_changes_nothing(kind, switch):
    method, options = PROMPTS[kind]
    for optimisations in (ComputeOptimisations.only(switch), ComputeOptimisations(**{switch: False})):
        compare(tiny_backbone(), method, optimisations, text_chunk=20, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_without_any_optimisation(kind):
    method, options = PROMPTS[kind]
    compare(tiny_backbone(), method, ComputeOptimisations.none(), **options)


def test_blocks_of_an_unknown_kind_run_whole():
    backbone = tiny_backbone(vision={"scale_heads": True}, text={"scale_heads": True})
    for method in ("coop", "vpt", "upt"):
        results = []
        for optimisations in (ComputeOptimisations(), ComputeOptimisations.none()):
            prompted = build_prompted_clip(
                backbone, NAMES, method, n_ctx=2, seed=0, optimisations=optimisations
            ).train()
            results.append(outcome(prompted, dict(prompted.prompt_learner.named_parameters()), tiny_images(backbone)))
        assert torch.allclose(results[0][0], results[1][0], atol=1e-4)
    with torch.no_grad():  # no prompts: equal to open_clip's own forward pass
        zero = build_prompted_clip(backbone, NAMES, "coop", n_ctx=2, seed=0)
        own = torch.nn.functional.normalize(backbone.encode_image(tiny_images(backbone)), dim=-1)
        assert torch.allclose(zero.image_features(tiny_images(backbone)), own, atol=1e-5)


@pytest.mark.parametrize(
    ("launching", "classes", "chunk_tokens", "shared"),
    [
        ("cpu", 2, 8192, 17),
        ("replayed", 20, 8192, 0),
        ("replayed", 100, 8192, 17),
        ("cuda", 100, 8192, 0),  # 1,683 tokens saved: less than twelve blocks more to launch
        ("cuda", 1000, 100_000, 17),
        ("cuda", 100, 1000, 17),  # copies would not fit into one batch, and would be computed twice
    ],
)
def test_few_classes_run_their_own_copies_of_shared_tokens_on_a_gpu(launching, classes, chunk_tokens, shared):
    names = ["cat", "dog"] * (classes // 2)
    layout = prompt_layout(tiny_backbone().tokenizer, names, n_ctx=16, position="end", context_length=77)
    assert shared_prefix(layout, range(classes), chunk_tokens, launching) == shared


def work(optimisations: ComputeOptimisations, kind: str, **more) -> int:
    method, options = PROMPTS[kind]
    prompted = build_prompted_clip(
        tiny_backbone(), NAMES, method, optimisations=optimisations, seed=0, **options, **more
    ).train()
    task = torch.zeros(4, dtype=torch.long)
    images = tiny_images(prompted.backbone)
    prompted(images, task)
    with FlopCounterMode(display=False) as counter:
        prompted(images, task).sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("switch", "kind"),
    [
        ("text_cut", "coop end"),
        ("text_prefix", "coop end"),
        ("text_last_query", "coop end"),
        ("image_last_query", "vpt shallow"),
        ("image_last_query", "vpt deep"),
        ("image_deep_keys", "vpt deep"),
        ("text_reuse", "vpt deep"),
    ],
)
def test_an_optimisation_saves_work(switch, kind):
    everything = work(ComputeOptimisations(), kind)
    assert everything < 0.97 * work(ComputeOptimisations(**{switch: False}), kind)
    assert everything < 0.5 * work(ComputeOptimisations.none(), kind)


def test_buckets_save_padding():
    names = ["cat"] * 40 + ["a very long name of many words indeed it is"] * 40
    tokens = []
    for optimisations in (ComputeOptimisations(), ComputeOptimisations(text_buckets=False)):
        prompted = build_prompted_clip(tiny_backbone(), names, "coop", n_ctx=2, optimisations=optimisations)
        tokens.append(prompted.text_tower._plan(prompted.layout, None).tokens)
    assert tokens[0] < 0.7 * tokens[1]


def test_only_the_tasks_of_the_batch_are_encoded():
    options = {"label_space": "per_task", "task_ranges": RANGES}
    assert work(ComputeOptimisations(), "coop csc", **options) < 0.7 * work(
        ComputeOptimisations(task_classes=False), "coop csc", **options
    )


def test_chunks_are_recomputed_and_gradients_stay_exact():
    for kind in ("coop end", "coop csc middle", "upt transformer", "cocoop"):
        method, options = PROMPTS[kind]
        prompted = compare(tiny_backbone(), method, text_chunk=12, **options)
        plan = prompted.text_tower._plan(prompted.layout, None)
        assert len(plan.chunks) > 2
        assert all(chunk.ids.numel() <= 12 or len(chunk.ids) == 1 for chunk in plan.chunks)


def test_memory_is_bounded_by_a_chunk():
    """The bytes that the graph of 400 classes keeps are not much more than those of 100."""

    def kept(count: int, chunk: int) -> int:
        names = [f"thing {n}" for n in range(count)]
        prompted = build_prompted_clip(
            tiny_backbone(), names, "coop", n_ctx=4, class_token_position="middle", text_chunk=chunk
        ).train()
        weights = {p.untyped_storage().data_ptr() for p in prompted.clip.parameters()}
        seen: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            prompted._text_features(prompted.prompt_learner(), None)
        return sum(seen.values())

    whole = kept(400, 10**6)
    assert kept(400, 200) < 0.1 * whole


def test_text_features_are_kept_until_the_prompt_changes():
    prompted = build_prompted_clip(tiny_backbone(), NAMES, "coop", n_ctx=3, seed=0).eval()
    calls = []
    encode = prompted.text_tower.encode
    prompted.text_tower.encode = lambda *args, **options: (calls.append(1), encode(*args, **options))[1]
    with torch.no_grad():
        first = prompted.text_features()
        assert prompted.text_features() is first
        prompted(tiny_images(prompted.backbone))
        assert len(calls) == 1
        prompted.prompt_learner.ctx.data.mul_(1.5)  # does not touch the version counter
        second = prompted.text_features()
        assert len(calls) == 2
        assert not torch.allclose(first, second)
    assert prompted.text_features().requires_grad
    assert len(calls) == 3


@pytest.mark.parametrize("method", ["coop", "vpt"])
def test_features_kept_in_inference_mode_serve_training(method):
    prompted = build_prompted_clip(tiny_backbone(), NAMES, method, n_ctx=3, seed=0)
    with torch.inference_mode():
        prompted.eval()(tiny_images(prompted.backbone))
    prompted.train()(tiny_images(prompted.backbone)).sum().backward()


def test_constant_text_is_encoded_once_even_while_training():
    prompted = build_prompted_clip(tiny_backbone(), NAMES, "vpt", n_ctx=3, seed=0).train()
    calls = []
    encode = prompted.text_tower.encode
    prompted.text_tower.encode = lambda *args, **options: (calls.append(1), encode(*args, **options))[1]
    for _ in range(3):
        prompted(tiny_images(prompted.backbone)).sum().backward()
    assert len(calls) == 1


def test_the_former_names_still_work():
    with pytest.warns(DeprecationWarning, match="now called ComputeOptimisations"):
        from mvlpt.models import Economy
    assert Economy is ComputeOptimisations
    with pytest.warns(DeprecationWarning, match="now called 'optimisations'"):
        prompted = build_prompted_clip(tiny_backbone(), NAMES, "coop", n_ctx=2, economy=Economy.none())
    assert prompted.optimisations == ComputeOptimisations.none()
