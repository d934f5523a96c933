"""Private parts of tasks: against a reference model that carries each task's own prompt, and in files."""

import dataclasses

import pytest
import torch
from support.tiny_clip import NAMES, RANGES, reference_of, tiny_backbone, tiny_images

from mvlpt.errors import CheckpointError, PromptError
from mvlpt.models import build_prompted_clip, load_prompt, load_prompt_state, save_prompt

TASKS = ("pets.v2", "fields", "flowers")
TASK = torch.tensor([2, 0, 1, 0])
METHODS = ["coop", "vpt", "upt"]


def build(method="coop", rank=2, trained=True, **options):
    """A prompt with private parts, moved away from the shared one."""
    options = {"n_ctx": 3, "seed": 1, "task_ranges": RANGES, "task_names": TASKS, **options}
    prompted = build_prompted_clip(tiny_backbone(), NAMES, method, private_rank=rank, **options)
    noise = torch.Generator().manual_seed(11)
    if trained and rank:
        with torch.no_grad():
            for parameter in prompted.prompt_learner.private.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=noise) * 0.5)
    return prompted.eval()


def prompt_by_formula(prompted, task):
    """P * (1 + U V), written out entry by entry, in the parameters of a prompt without private parts."""
    shared, state = prompted.prompt_learner(), prompted.prompt_learner.state_dict()
    own = {}
    for field, name in (("text", "ctx"), ("first", "vpt_embeddings"), ("deep", "vpt_embeddings_deep")):
        prompt = getattr(shared, field)
        if prompt is not None:
            key = f"private.task_{TASKS[task].replace('.', '%2E')}.{field}"
            product = torch.einsum("...pr,...rd->...pd", state[f"{key}_u"], state[f"{key}_v"])
            own[name] = (prompt + prompt * product).detach().reshape(prompt.shape)
    if "vpt_embeddings" in own:
        own["vpt_embeddings"] = own["vpt_embeddings"][None]
    return own


def logits_by_formula(prompted, images, method):
    """Images through the prompt of their own task, classes through that of theirs; the reference computes each pair."""
    rows = torch.empty(len(images), len(NAMES))
    plain = build_prompted_clip(tiny_backbone(), NAMES, method, n_ctx=3, project_method="identity").eval()
    for row, image_task in enumerate(TASK.tolist()):
        for class_task, (start, stop) in enumerate(RANGES):
            texts, visuals = prompt_by_formula(prompted, class_task), prompt_by_formula(prompted, image_task)
            own = {name: (texts if name == "ctx" else visuals)[name] for name in plain.prompt_learner.state_dict()}
            plain.prompt_learner.load_state_dict(own)
            logits = reference_of(plain)(images[row : row + 1])
            rows[row, start:stop] = logits[0, start:stop].detach()
    return rows


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("space", ["joint", "per_task"])
def test_logits_equal_those_of_each_tasks_own_prompt(method, space):
    prompted = build(method, label_space=space)
    images = tiny_images(prompted.backbone)
    expected = logits_by_formula(prompted, images, method)
    if space == "per_task":
        expected = prompted.label_space.restrict(expected, TASK)
    with torch.no_grad():
        torch.testing.assert_close(prompted(images, TASK), expected, rtol=1e-5, atol=1e-4)  # at a scale of 55
    one = torch.zeros(len(images), dtype=torch.int64)
    with torch.enable_grad():
        alone, mixed = prompted(images, one), prompted(images, TASK)
    same = TASK == 0
    torch.testing.assert_close(alone[same], mixed[same], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_training_starts_at_the_shared_prompt(method):
    private, shared = build(method, trained=False), build(method, rank=0)
    images = tiny_images(shared.backbone)
    assert "private_rank" not in shared.options
    for name, value in shared.prompt_learner.state_dict().items():
        assert torch.equal(private.prompt_learner.state_dict()[name], value)
    with torch.no_grad():
        torch.testing.assert_close(private(images, TASK), shared(images, TASK), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_only_the_tasks_of_a_batch_get_gradients(method):
    prompted = build(method, trained=False, label_space="per_task").train()
    task = torch.tensor([0, 0, 2, 0])
    torch.nn.functional.cross_entropy(prompted(tiny_images(prompted.backbone), task), task * 2).backward()
    private = prompted.prompt_learner.private.named_parameters()
    moved = {name.split(".")[0] for name, parameter in private if parameter.grad is not None}
    assert moved == {"task_pets%2Ev2", "task_flowers"}


def test_the_values_of_a_task_do_not_depend_on_the_other_tasks():
    state = build(trained=False).prompt_learner.state_dict()
    other = build(trained=False, task_names=("a", "fields", "b")).prompt_learner.state_dict()
    name = "private.task_fields.text_v"
    assert torch.equal(state[name], other[name])
    assert not torch.equal(state[name], state["private.task_flowers.text_v"])
    assert not state["private.task_fields.text_u"].any()


@pytest.mark.parametrize("method", METHODS)
def test_a_prompt_file_holds_every_tasks_prompt(method, tmp_path):
    source = build(method)
    images = tiny_images(source.backbone)
    read = load_prompt(save_prompt(tmp_path / "prompt.safetensors", source))
    with torch.no_grad():
        expected = source(images, TASK)
        assert torch.equal(read.build(tiny_backbone())(images, TASK), expected)
        for number, (start, stop) in enumerate(RANGES):
            one = read.build(tiny_backbone(), task=TASKS[number])
            assert one.class_names == source.class_names[start:stop]
            mine = source(images, torch.full((len(images),), number))[:, start:stop]
            torch.testing.assert_close(one(images), mine, rtol=1e-5, atol=1e-4)
        others = read.build(tiny_backbone(), ["zebra", "cat"])
        shared = build(method, rank=0)
        assert others.prompt_learner.private is None
        torch.testing.assert_close(others(images)[:, 1], shared(images)[:, 0], rtol=1e-5, atol=1e-4)
    with pytest.raises(CheckpointError, match="not trained on task 'fieds'; did you mean 'fields'"):
        read.build(tiny_backbone(), task="fieds")
    damaged = dataclasses.replace(read, tasks=({"name": "pets"}, 3))
    with pytest.raises(CheckpointError, match=r"prompt\.safetensors has a damaged list of tasks"):
        damaged.build(tiny_backbone())


def test_other_tasks_take_what_belongs_to_them():
    source = build().prompt_learner.state_dict()
    target = build(trained=False, seed=3, task_names=("fields", "new", "flowers"))
    fresh = {name: value.clone() for name, value in target.prompt_learner.state_dict().items()}
    load_prompt_state(target.prompt_learner, source)
    state = target.prompt_learner.state_dict()
    for name in ("ctx", "private.task_fields.text_u", "private.task_flowers.text_v"):
        assert torch.equal(state[name], source[name])
    assert torch.equal(state["private.task_new.text_v"], fresh["private.task_new.text_v"])
    plain = build(rank=0, seed=3)
    load_prompt_state(plain.prompt_learner, source)
    assert torch.equal(plain.prompt_learner.ctx, source["ctx"])
    with pytest.raises(CheckpointError, match="private parts have rank 2, the configuration asks for 1"):
        load_prompt_state(build(rank=1).prompt_learner, source)


def test_what_cannot_be_used_is_refused():
    with pytest.raises(PromptError, match="differ for every image"):
        build("cocoop")
    with pytest.raises(PromptError, match="of different names"):
        build(task_names=("a", "b", "a"))
    with pytest.raises(PromptError, match="names for 2 tasks, but 3 ranges"):
        build(task_names=("a", "b"))
    with pytest.raises(PromptError, match="names for 2 tasks, but 3 ranges"):
        build("two_stage", rank=0, task_names=("a", "b"))
    with pytest.raises(PromptError, match="'lora' has no contexts or visual prompts"):
        build("lora")
    prompted = build("vpt")
    images = tiny_images(prompted.backbone)
    with pytest.raises(PromptError, match="name the task of each image"):
        prompted(images)
    for wrong in (3, -1):
        with pytest.raises(PromptError, match=f"names task {wrong} of 3"):
            prompted(images, torch.full((len(images),), wrong))
