"""Loading backbones: names, files, precision, and refusals of one sentence."""

import io
import json
import zipfile
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from support.tiny_clip import NAMES, TEXT, TOKENIZER, VISION, tiny_backbone, tiny_clip, tiny_images

from mvlpt.errors import BackboneError
from mvlpt.models import Backbone, build_prompted_clip, load_backbone, zero_shot_text_features
from mvlpt.models.backbone import COOP_NAMES, backbone_images, missing_weights, resolve_name
from mvlpt.models.backbone.weights import find_cached

TINY = "MVLPT-tiny"
TIMM = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "token", "timm_proj": "linear", "image_size": 32}


@pytest.fixture(scope="module", autouse=True)
def tiny_architecture(tmp_path_factory):
    """Registers a tiny architecture with open_clip for this module."""
    folder = tmp_path_factory.mktemp("configs")
    config = {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT}
    (folder / f"{TINY}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    yield folder
    open_clip.factory._MODEL_CONFIG_PATHS.remove(folder)
    open_clip.factory._rescan_model_configs()


@pytest.mark.parametrize("form", ["safetensors", "state dict", "wrapped", "distributed", "openai keys"])
def test_weight_files(form, tmp_path):
    state = tiny_clip().state_dict()
    path = tmp_path / f"weights of {form}.pt"
    if form == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file(state, str(path))
    elif form == "wrapped":
        torch.save({"state_dict": state, "epoch": 3}, path)
    elif form == "distributed":
        torch.save({f"module.{name}": value for name, value in state.items()}, path)
    elif form == "openai keys":
        sizes = {
            "input_resolution": torch.tensor(24),
            "context_length": torch.tensor(77),
            "vocab_size": torch.tensor(9),
        }
        torch.save({**{name: value.half() for name, value in state.items()}, **sizes}, path)
    else:
        torch.save(state, path)
    backbone = load_backbone(TINY, str(path))
    assert backbone.pretrained == path.name
    tolerance = 1e-2 if form == "openai keys" else 0
    for name, value in backbone.model.state_dict().items():
        assert (value - state[name]).abs().max() <= tolerance * state[name].abs().max()
    quick = type(backbone.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert quick is (form == "openai keys")


@pytest.mark.filterwarnings("ignore")
def test_openais_archive_is_read_without_running_it(tmp_path):
    clip = tiny_clip().half()
    clip.register_buffer("input_resolution", torch.tensor(24))
    path = tmp_path / "ViT-tiny.pt"
    traced = torch.jit.trace_module(
        clip.float(), {"encode_text": (TOKENIZER(["a cat"]),), "encode_image": (torch.zeros(1, 3, 24, 24),)}
    )
    traced.half().save(str(path))
    assert zipfile.is_zipfile(path)
    backbone = load_backbone(TINY, str(path))
    for name, value in tiny_clip().half().float().state_dict().items():
        assert torch.equal(backbone.model.state_dict()[name], value), name
    assert type(backbone.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"


def test_an_archive_that_asks_for_code_is_refused(tmp_path):
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("x/data.pkl", b"cposix\nsystem\n(S'touch /tmp/owned'\ntR.")
        archive.writestr("x/code/__torch__.py", "")
    path = tmp_path / "evil.pt"
    path.write_bytes(evil.getvalue())
    with pytest.raises(BackboneError, match=r"'posix.system', which is refused"):
        load_backbone(TINY, str(path))


def test_a_pickle_that_asks_for_code_is_refused(tmp_path):
    path = tmp_path / "evil.pt"
    path.write_bytes(b"cposix\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(BackboneError, match="not a readable checkpoint"):
        load_backbone(TINY, str(path))


def test_weights_that_do_not_fit_say_what_differs(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file(tiny_clip(text={"width": 64}).state_dict(), str(path))
    with pytest.raises(BackboneError, match=r"positional_embedding is \(77, 64\) and not \(77, 48\).* more"):
        load_backbone(TINY, str(path))
    save_file({"a": torch.zeros(2)}, str(path))
    with pytest.raises(BackboneError, match="do not fit"):
        load_backbone(TINY, str(path))
    state = tiny_clip().state_dict()
    save_file({**state, "logit_scale": torch.zeros(2)}, str(path))
    with pytest.raises(BackboneError, match=r"logit_scale is \(2,\) and not \(\)"):
        load_backbone(TINY, str(path))
    state["ln_final.weight"] = torch.full_like(state["ln_final.weight"], float("nan"))
    save_file(state, str(path))
    with pytest.raises(BackboneError, match=r"not finite, the first in 'ln_final.weight'"):
        load_backbone(TINY, str(path))


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x80\x02garbage"])
def test_files_that_are_no_weights(content, tmp_path):
    for name in ("x.pt", "x.safetensors"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BackboneError) as caught:
            load_backbone(TINY, str(path))
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "pretrained", "message"),
    [
        ("ViT-B/61", "", "did you mean 'ViT-B"),
        ("", "", "needs a name"),
        ("ViT-B-32", "opneai", "did you mean 'openai'"),
        ("ViT-B-32", "/nowhere/weights.pt", "there is no file /nowhere/weights.pt"),
        ("local-dir:/nowhere", "", "open_clip_config.json in the folder /nowhere"),
    ],
)
def test_unknown_names(name, pretrained, message):
    with pytest.raises(BackboneError, match=message):
        load_backbone(name, pretrained)


def test_without_a_network_the_error_says_which_file_to_place_where(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BackboneError, match=r"place https://\S+/ViT-B-32.pt at \S+/.cache/clip/ViT-B-32.pt"):
        load_backbone("ViT-B/32", "")
    with pytest.raises(BackboneError, match=r"place https://huggingface.co/laion/\S+ anywhere"):
        load_backbone("ViT-B-32", "laion2b_s34b_b79k")


def test_weights_at_the_place_that_the_error_names_are_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ".cache/clip/vit_b_32" in missing_weights("ViT-B-32", "laion400m_e31")
    with pytest.raises(BackboneError, match=r"at (\S+/.cache/clip/vit_b_32\S+.pt)") as caught:
        load_backbone("ViT-B-32", "laion400m_e31")
    place = Path(str(caught.value).split(" at ")[1].split(",")[0])
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    assert missing_weights("ViT-B-32", "laion400m_e31") == ""
    assert find_cached("ViT-B-32", "laion400m_e31", "ViT-B-32") == place


def test_coops_spelling_means_openais_weights_and_quick_gelu():
    for name in COOP_NAMES:
        if "/" in name:
            resolved = resolve_name(name, "")
            assert (resolved.weights, resolved.quick_gelu) == ("openai", True)
            assert resolve_name(name, None).weights is None
    assert resolve_name("ViT-B-16", "openai").quick_gelu
    assert not resolve_name("ViT-B-16", "laion2b_s34b_b88k").quick_gelu
    assert resolve_name("ViT-B-16", "").weights is None


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "fp64"])
def test_precision(precision):
    torch.manual_seed(0)
    backbone = load_backbone(TINY, None, precision=precision)
    prompted = build_prompted_clip(backbone, NAMES, "upt", n_ctx=2, seed=0).train()
    logits = prompted(tiny_images(backbone))
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    with pytest.raises(BackboneError, match="Precision 'fp8'"):
        load_backbone(TINY, None, precision="fp8")


def test_the_embedded_model_is_like_any_other():
    backbone = load_backbone("embedded")
    assert backbone.context_length == 24
    assert backbone.image_size == (48, 48)
    assert backbone.tokenizer.vocab_size == backbone.model.vocab_size
    features = zero_shot_text_features(backbone, ["brown bear", "dog"])
    own = backbone.encode_text(backbone.tokenize(["a photo of a brown bear.", "a photo of a dog."]))
    assert torch.allclose(features, torch.nn.functional.normalize(own, dim=-1), atol=1e-5)
    prompted = build_prompted_clip(backbone, ["brown bear", "dog"], "upt", n_ctx=4, seed=0).train()
    prompted(torch.zeros(2, 3, 48, 48)).sum().backward()


def test_a_local_folder_with_merges_of_its_own(tmp_path, caplog):
    config = {"model_cfg": {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=r"place open_clip_model.safetensors there"):
        load_backbone(f"local-dir:{tmp_path}")
    save_file(tiny_clip().state_dict(), str(tmp_path / "open_clip_model.safetensors"))
    assert load_backbone(f"local-dir:{tmp_path}").text_width == TEXT["width"]
    assert not caplog.messages
    load_backbone(f"local-dir:{tmp_path}", "random")
    assert "has weights of its own; the pretrained ones 'random' are ignored" in caplog.text
    config["preprocess_cfg"] = {"mean": None, "size": 24}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    assert backbone_images(f"local-dir:{tmp_path}").mean == load_backbone(f"local-dir:{tmp_path}").image_mean
    config["model_cfg"]["text_cfg"] = {**TEXT, "tokenizer_kwargs": {"bpe_path": "../secret.gz"}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=r"'../secret.gz' is not in the folder"):
        load_backbone(f"local-dir:{tmp_path}")


@pytest.mark.parametrize("content", ["[1]", '{"model_cfg": {"embed_dim": 8, "vision_cfg": [1], "text_cfg": {}}}'])
def test_a_damaged_configuration_of_a_folder(content, tmp_path):
    (tmp_path / "open_clip_config.json").write_text(content)
    with pytest.raises(BackboneError, match=r"open_clip_config.json: '(model|vision)_cfg' is"):
        backbone_images(f"local-dir:{tmp_path}")


@pytest.mark.parametrize("name", ["", "-custom", "-timm", "-coca"])
def test_a_model_without_starting_values_is_what_its_weights_say(name, tiny_architecture, tmp_path):
    """Every parameter and every buffer, also those that no file holds (masks), against open_clip's own loading."""
    config = {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT}
    config |= {"custom_text": True} if name == "-custom" else {}
    config |= {"vision_cfg": TIMM} if name == "-timm" else {}
    config |= {"custom_text": True, "multimodal_cfg": TEXT} if name == "-coca" else {}
    (tiny_architecture / f"{TINY}{name}.json").write_text(json.dumps(config))
    open_clip.factory._rescan_model_configs()
    expected = open_clip.create_model(f"{TINY}{name}", pretrained=None)
    torch.save(expected.state_dict(), tmp_path / "weights.pt")
    loaded = load_backbone(f"{TINY}{name}", str(tmp_path / "weights.pt")).model
    for kind in ("named_parameters", "named_buffers"):
        there, here = dict(getattr(expected, kind)()), dict(getattr(loaded, kind)())
        assert there.keys() == here.keys()
        assert all(torch.equal(value, here[key]) for key, value in there.items())


def test_random_weights_are_those_of_open_clip():
    torch.manual_seed(4)
    expected = open_clip.create_model(TINY, pretrained=None).state_dict()
    torch.manual_seed(4)
    drawn = load_backbone(TINY, "random").model.state_dict()
    assert all(torch.equal(value, drawn[key]) for key, value in expected.items())


def test_fingerprints_tell_weights_apart():
    one, same, other = tiny_backbone(), tiny_backbone(), tiny_backbone()
    with torch.no_grad():
        other.model.ln_final.bias[0] += 1
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.fingerprint) == 64


def resnet() -> Backbone:
    vision = {"layers": [1, 1, 1, 1], "width": 16, "patch_size": None, "image_size": 64, "head_width": 16}
    return Backbone(open_clip.CLIP(32, vision, TEXT), TOKENIZER, name="RN-tiny")


def test_a_resnet_takes_text_prompts_and_refuses_visual_ones():
    backbone = resnet()
    prompted = build_prompted_clip(backbone, NAMES, "coop", n_ctx=2, seed=0).train()
    images = torch.randn(2, 3, 64, 64)
    prompted(images).sum().backward()
    assert prompted.prompt_learner.ctx.grad.norm() > 0
    own = torch.nn.functional.normalize(backbone.encode_image(images), dim=-1)
    assert torch.allclose(prompted.image_features(images), own)
    for method in ("vpt", "upt"):
        with pytest.raises(BackboneError, match="cannot carry visual prompts: its image tower is a ModifiedResNet"):
            build_prompted_clip(backbone, NAMES, method, n_ctx=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"no_causal_mask": True}, "no causal mask"),
        ({"pool_type": "last"}, "read by 'last'"),
        ({"embed_cls": True}, "appends a token"),
    ],
)
def test_text_towers_that_cannot_carry_a_prompt(text, message):
    backbone = Backbone(open_clip.CustomTextCLIP(32, VISION, {**TEXT, **text}), TOKENIZER, name="odd")
    with pytest.raises(BackboneError, match=message):
        build_prompted_clip(backbone, NAMES, "coop", n_ctx=2)
    features = zero_shot_text_features(backbone, NAMES)  # needs no prompt: open_clip's own forward pass
    assert features.shape == (len(NAMES), 32)


@pytest.mark.parametrize("vision", [{"pool_type": "avg"}, {"attentional_pool": True, "attn_pooler_heads": 4}])
def test_image_towers_that_do_not_read_the_class_token(vision):
    backbone = tiny_backbone(vision=vision)
    with pytest.raises(BackboneError, match="does not read the class token"):
        build_prompted_clip(backbone, NAMES, "vpt", n_ctx=2)
    prompted = build_prompted_clip(backbone, NAMES, "coop", n_ctx=2, seed=0)
    own = torch.nn.functional.normalize(backbone.encode_image(tiny_images(backbone)), dim=-1)
    assert torch.allclose(prompted.image_features(tiny_images(backbone)), own)


@pytest.mark.slow
def test_a_siglip_is_refused_in_a_sentence():
    model = open_clip.create_model("ViT-B-16-SigLIP", pretrained=None)
    backbone = Backbone(model, TOKENIZER, name="ViT-B-16-SigLIP")
    with pytest.raises(BackboneError, match="cannot carry text prompts: its text tower has no causal mask"):
        build_prompted_clip(backbone, NAMES, "coop", n_ctx=2)
    with pytest.raises(BackboneError, match="cannot carry visual prompts: its image tower is a TimmModel"):
        backbone.require_visual_prompts()
