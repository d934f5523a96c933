"""Prompts travel: upstream's state dicts, our files, and explanations of what does not fit."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from support.tiny_clip import NAMES, tiny_backbone, tiny_images

from mvlpt.errors import CheckpointError
from mvlpt.models import build_prompted_clip, load_prompt, load_prompt_state, save_prompt


def build(method="coop", seed=0, **options):
    return build_prompted_clip(tiny_backbone(), NAMES, method, seed=seed, **{"n_ctx": 3, **options})


def test_upstreams_old_names_and_derived_tensors():
    source, target = build("upt", seed=1), build("upt", seed=2)
    old = {
        name.replace("mvlpt_proj.", "upt_proj."): value for name, value in source.prompt_learner.state_dict().items()
    }
    old = {name.replace("mvlpt_proj_", "upt_proj_"): value for name, value in old.items()}
    old |= {"token_prefix": torch.zeros(99, 1, 48), "token_suffix": torch.zeros(99, 73, 48)}
    load_prompt_state(target.prompt_learner, old)
    for name, value in source.prompt_learner.state_dict().items():
        assert torch.equal(target.prompt_learner.state_dict()[name], value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("ctx"), "lacks ctx"),
        (lambda state: state.update(extra=torch.zeros(1)), "holds extra, which is unknown here"),
        (lambda state: state.update(ctx=torch.zeros(3, 64)), r"ctx is \(3, 64\) and not \(3, 48\) .*another width"),
        (lambda state: state.update(ctx=torch.zeros(5, 48)), "has 5 contexts, the configuration asks for 3"),
        (lambda state: state.update(ctx=torch.zeros(7, 3, 48)), "class-specific"),
        (lambda state: state.update(vpt_embeddings_deep=torch.zeros(11, 3, 64)), "backbone of 12 blocks.* has 3"),
        (lambda state: state["ctx"].fill_(float("nan")), "not finite in ctx"),
        (lambda state: state.update(ctx="text"), "a str, not a tensor"),
    ],
)
def test_what_does_not_fit_is_explained_and_changes_nothing(change, message):
    target = build("upt", project_method="identity")
    before = {name: value.clone() for name, value in target.prompt_learner.state_dict().items()}
    state = {
        name: value.clone()
        for name, value in build("upt", seed=5, project_method="identity").prompt_learner.state_dict().items()
    }
    change(state)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_prompt_state(target.prompt_learner, state, source="run/model-best.pth.tar")
    assert "\n" not in str(caught.value)
    assert all(torch.equal(target.prompt_learner.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize("method", ["vpt", "ivlp", "decomposed", "coop"])
def test_numbers_and_vectors_in_the_place_of_prompts(method):
    learner = build(method, private_rank=2).prompt_learner
    for name, value in learner.state_dict().items():
        for wrong in (torch.zeros(()), torch.zeros(value.shape[-1:])):
            with pytest.raises(CheckpointError, match=f"{name} is "):
                load_prompt_state(learner, {**learner.state_dict(), name: wrong})


def test_class_specific_prompts_of_other_classes():
    state = build(csc=True).prompt_learner.state_dict()
    target = build_prompted_clip(tiny_backbone(), NAMES[:4], n_ctx=3, csc=True)
    with pytest.raises(CheckpointError, match="trained for 7 classes, there are 4"):
        load_prompt_state(target.prompt_learner, state)


@pytest.mark.parametrize("method", ["coop", "vpt", "upt", "cocoop"])
def test_a_prompt_file_gives_the_same_logits(method, tmp_path):
    source = build(method, seed=1)
    tasks = [{"name": "all of them", "class_names": list(source.class_names)}]
    path = save_prompt(tmp_path / "new folder" / "prompt.safetensors", source, tasks=tasks, extra={"shots": 5})
    assert [file.name for file in path.parent.iterdir()] == ["prompt.safetensors"]
    read = load_prompt(path)
    assert (read.method, read.backbone, read.tasks, read.extra) == (method, "tiny", tuple(tasks), {"shots": 5})
    assert read.class_names == source.class_names
    assert read.fingerprint == source.backbone.fingerprint
    target = build(method, seed=2)
    read.load_into(target, source=str(path))
    images = tiny_images(source.backbone)
    assert torch.equal(source.eval()(images), target.eval()(images))
    assert torch.equal(source(images), read.build(tiny_backbone())(images))
    other = read.build(tiny_backbone(), ["zebra", *NAMES[:2]])
    assert torch.allclose(other(images)[:, 1:], source(images)[:, :2], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value"), [("n_ctx", 10**9), ("project_dim", 10**9), ("csc", "yes"), ("legacy", None), ("surprise", 1)]
)
def test_damaged_options_are_refused_before_anything_is_allocated(name, value, tmp_path):
    read = load_prompt(save_prompt(tmp_path / "p.safetensors", build()))
    read.options[name] = value
    with pytest.raises(CheckpointError, match=rf"p\.safetensors has .*{name}"):
        read.build(tiny_backbone())


def test_whole_numbers_given_for_fractions_are_read_again(tmp_path):
    source = build("lora", alpha=2, lora_dropout=0)
    read = load_prompt(save_prompt(tmp_path / "p.safetensors", source))
    images = tiny_images(source.backbone)
    assert torch.equal(read.build(tiny_backbone())(images), source(images))


def test_saving_is_deterministic(tmp_path):
    paths = [save_prompt(tmp_path / f"{n}.safetensors", build(seed=1)) for n in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_prompt_of_another_method_backbone_or_classes(tmp_path):
    path = save_prompt(tmp_path / "p.safetensors", build())
    with pytest.raises(CheckpointError, match="method 'coop', not 'vpt'"):
        load_prompt(path).load_into(build("vpt"))
    other = build()
    with torch.no_grad():
        other.backbone.model.ln_final.bias.add_(1)
    with pytest.raises(CheckpointError, match="are not the same"):
        load_prompt(path).load_into(other)
    path = save_prompt(path, build(csc=True))
    changed = build_prompted_clip(tiny_backbone(), [*NAMES[:-1], "zebra"], n_ctx=3, csc=True)
    with pytest.raises(CheckpointError, match="other classes"):
        load_prompt(path).load_into(changed)


def test_files_that_are_no_prompts(tmp_path):
    path = tmp_path / "p.safetensors"
    with pytest.raises(CheckpointError, match="There is no prompt file"):
        load_prompt(path)
    path.write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_prompt(path)
    save_file({"ctx": torch.zeros(2)}, str(path))
    with pytest.raises(CheckpointError, match="no MVLPT header"):
        load_prompt(path)
    for header in ("[]", "{}", json.dumps({"format": 99}), json.dumps({"format": 1})):
        save_file({"ctx": torch.zeros(2)}, str(path), metadata={"mvlpt": header})
        with pytest.raises(CheckpointError, match=r"version|header"):
            load_prompt(path)
    save_prompt(path, build(), extra={"preprocessing": 3})
    with pytest.raises(CheckpointError, match="how images are prepared: 3"):
        load_prompt(path)


def test_damage_is_noticed(tmp_path):
    path = save_prompt(tmp_path / "p.safetensors", build())
    with safe_open(str(path), framework="pt") as opened:
        metadata = opened.metadata()
    save_file({"ctx": torch.zeros(3, 48)}, str(path), metadata=metadata)
    with pytest.raises(CheckpointError, match="damaged"):
        load_prompt(path)
    prompted = build()
    prompted.prompt_learner.ctx.data[0, 0] = float("inf")
    with pytest.raises(CheckpointError, match="not finite in 'ctx'"):
        load_prompt(save_prompt(path, prompted))


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_prompt(tmp_path / "p.safetensors", build(seed=1))
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_prompt(path, build(seed=2))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["p.safetensors"]


@pytest.mark.parametrize(
    "prefix", ["_orig_mod.", "module._orig_mod.prompt_learner.", "module.prompt_learner._orig_mod."]
)
def test_prompts_saved_by_wrapped_models_load(prefix):
    source, target = build(seed=1), build(seed=2)
    state = {f"{prefix}{name}": value for name, value in source.prompt_learner.state_dict().items()}
    load_prompt_state(target.prompt_learner, state)
    assert torch.equal(source.prompt_learner.ctx, target.prompt_learner.ctx)
