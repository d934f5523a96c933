"""OpenAI's ``clip`` for plugins that bring none: its attributes, its numbers, its helpers, weights from files."""

import open_clip
import pytest
import torch
from PIL import Image
from support.dassl_repositories import HEADER
from support.tiny_clip import tiny_clip

from mvlpt.config import get_cfg_default
from mvlpt.dassl import load_plugin
from mvlpt.dassl.clip import weights
from mvlpt.dassl.no_gpu import accept_gpu_calls
from mvlpt.engine import TRAINER_REGISTRY, registries
from mvlpt.errors import BackboneError

pytestmark = pytest.mark.filterwarnings("ignore:.*:FutureWarning", "ignore:.*:torch.jit.TracerWarning")
NAMES = ["a photo of a cat.", "a photo of a dog."]
USER = (
    HEADER
    + """
import clip as top
from clip import clip
from clip.clip import _MODELS, _download, build_model
from clip.model import convert_weights
from clip.simple_tokenizer import SimpleTokenizer as _Tokenizer

_tokenizer = _Tokenizer()


def load_clip_to_cpu(name):
    path = clip._download(clip._MODELS[name])
    try:
        model = torch.jit.load(path, map_location="cpu").eval()
        state_dict = None
    except RuntimeError:
        state_dict = torch.load(path, map_location="cpu")
    return clip.build_model(state_dict or model.state_dict())


@TRAINER_REGISTRY.register()
class Context(TrainerX):
    def build_model(self):
        names = self.dm.dataset.classnames
        self.clip = load_clip_to_cpu(self.cfg.MODEL.BACKBONE.NAME).float()
        for parameter in self.clip.parameters():
            parameter.requires_grad_(False)
        self.tokens = torch.cat([clip.tokenize("X X " + name + ".") for name in names])
        with torch.no_grad():
            embedding = self.clip.token_embedding(self.tokens)
        self.prefix, self.suffix = embedding[:, :1], embedding[:, 3:]
        self.model = nn.Module()
        self.model.ctx = nn.Parameter(embedding[0, 1:3].clone())
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("prompt_learner", self.model, self.optim, self.sched)

    def model_inference(self, image):
        ctx = self.model.ctx.expand(len(self.tokens), -1, -1)
        x = torch.cat([self.prefix, ctx, self.suffix], dim=1) + self.clip.positional_embedding
        x = self.clip.ln_final(self.clip.transformer(x.permute(1, 0, 2)).permute(1, 0, 2))
        text = x[torch.arange(len(x)), self.tokens.argmax(dim=-1)] @ self.clip.text_projection
        image = self.clip.visual(image.type(self.clip.dtype))
        image, text = (F.normalize(part, dim=-1) for part in (image, text))
        return self.clip.logit_scale.exp() * image @ text.t()

    def forward_backward(self, batch):
        image, label, _ = self.parse_batch_train(batch)
        loss = F.cross_entropy(self.model_inference(image), label)
        self.model_backward_and_update(loss)
        return {"loss": loss.item()}
"""
)


@pytest.fixture(scope="module")
def reference():
    """open_clip's model in the shape that OpenAI's have: heads of 64, and weights that fp16 can hold."""
    vision = {"layers": 2, "width": 128, "head_width": 64, "patch_size": 16, "image_size": 32}
    return tiny_clip(vision=vision, text={"width": 64, "heads": 1, "layers": 2}).half().float().eval()


@pytest.fixture
def files(reference, tmp_path):
    """The weights as a state dict, and as the TorchScript archive that OpenAI distributes."""
    torch.save({k: v for k, v in reference.state_dict().items() if k != "attn_mask"}, tmp_path / "state.pt")
    example = (torch.zeros(1, 3, 32, 32), torch.zeros(1, 77, dtype=torch.long))
    torch.jit.trace(reference, example, check_trace=False).save(str(tmp_path / "script.pt"))
    return {"state": tmp_path / "state.pt", "script": tmp_path / "script.pt"}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The plugin's names, for a run with these weights."""
    monkeypatch.setattr(weights, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(weights, "OPENAI_CACHE", tmp_path / "openai")
    file = tmp_path / "context.py"
    file.write_text(USER)
    load_plugin(file)
    token = registries._current.set(None)

    def use(pretrained, name="ViT-B/16", size=32):
        cfg = get_cfg_default()
        cfg.MODEL.BACKBONE.NAME, cfg.MODEL.BACKBONE.PRETRAINED, cfg.INPUT.SIZE = name, pretrained, (size, size)
        registries._current.set(cfg)
        return TRAINER_REGISTRY.get("Context").forward_backward.__globals__

    yield use
    registries._current.reset(token)


@pytest.mark.parametrize("kind", ["state", "script"])
def test_features_are_those_of_open_clip(kind, files, reference, plugin):
    space = plugin(str(files[kind]))
    model = space["load_clip_to_cpu"]("ViT-B/16").float()
    images = torch.randn(3, 3, 32, 32)
    tokens = space["clip"].tokenize(NAMES)
    assert torch.equal(tokens, open_clip.tokenize(NAMES))
    with torch.no_grad():
        assert torch.allclose(model.encode_image(images), reference.encode_image(images), atol=1e-5)
        assert torch.allclose(model.encode_text(tokens), reference.encode_text(tokens), atol=1e-5)
        scores, transposed = model(images, tokens)
        wanted = reference.encode_image(images, True) @ reference.encode_text(tokens, True).T
    assert torch.allclose(scores, reference.logit_scale.exp() * wanted, atol=1e-3)
    assert torch.equal(scores.t(), transposed)


@pytest.mark.parametrize("kind", ["state", "script"])
def test_load_gives_a_model_and_a_transform(kind, files, reference, plugin):
    model, preprocess = plugin(True)["top"].load(str(files[kind]), device="cpu")
    image = preprocess(Image.new("L", (60, 40), 128))
    assert image.shape == (3, 32, 32)
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    assert torch.allclose(image[:, 0, 0], (128 / 255 - mean) / std, atol=1e-4)
    with torch.no_grad():
        assert torch.allclose(model.encode_image(image[None]), reference.encode_image(image[None]), atol=1e-5)


@pytest.mark.parametrize(("gpu", "device"), [(True, "cuda"), (False, "cpu")])
def test_a_model_goes_where_openais_goes(gpu, device, files, plugin, monkeypatch):
    moved, load = [], plugin(True)["top"].load
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, device: moved.append(device) or self)
    load(str(files["state"]))
    assert moved == [device]


def test_the_attributes_that_trainers_read(files, plugin):
    model = plugin(str(files["state"]))["load_clip_to_cpu"]("ViT-B/16")
    assert model.visual.conv1.weight.shape == (128, 3, 16, 16)
    assert (model.visual.input_resolution, model.visual.output_dim) == (32, 32)
    assert model.visual.class_embedding.shape == (128,)
    assert model.visual.positional_embedding.shape == (5, 128)
    assert model.visual.proj.shape == (128, 32)
    assert len(model.visual.transformer.resblocks) == len(model.transformer.resblocks) == 2
    assert {"ln_pre", "ln_post"} <= set(dict(model.visual.named_children()))
    block = model.transformer.resblocks[0]
    assert block.attn.in_proj_weight.shape == (192, 64)
    assert block.mlp.c_fc.weight.shape == (256, 64)
    assert block.attn_mask.shape == (77, 77)
    assert (model.transformer.width, model.transformer.layers, model.context_length) == (64, 2, 77)
    assert model.token_embedding.weight.shape == (49408, 64)
    assert model.ln_final.weight.shape == (64,)
    assert model.text_projection.shape == (64, 32)
    assert model.logit_scale.shape == ()
    assert model.dtype == model.visual.conv1.weight.dtype


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_model_stays_in_fp32(files, plugin):
    accept_gpu_calls()
    space = plugin(str(files["state"]))
    model = space["load_clip_to_cpu"]("ViT-B/16").cuda().half()
    space["convert_weights"](model)
    assert model.dtype == torch.float32
    assert model.encode_text(space["clip"].tokenize("a cat").cuda()).dtype == torch.float32


def test_the_tokenizer(plugin):
    space = plugin(True)
    tokenize, tokenizer = space["clip"].tokenize, space["_tokenizer"]
    assert tokenizer.decode(tokenizer.encode("a photo")).strip() == "a photo"
    assert tokenizer.encoder["<|startoftext|>"] == 49406
    assert tokenizer.encoder["<|endoftext|>"] == 49407
    long = "cat " * 100
    with pytest.raises(RuntimeError, match="the model takes 77"):
        tokenize(long)
    cut = tokenize([long, "cat"], truncate=True)
    assert cut.shape == (2, 77)
    assert cut[0, -1] == cut.max() == 49407
    assert tokenize("cat", context_length=8).shape == (1, 8)


def test_names_of_models_and_missing_weights(plugin):
    space = plugin(True)
    assert {"RN50", "ViT-B/32", "ViT-B/16", "ViT-L/14"} <= set(space["top"].available_models())
    assert set(space["top"].available_models()) == set(space["_MODELS"])
    with pytest.raises(BackboneError) as caught:
        space["_download"](space["_MODELS"]["ViT-B/16"])
    assert "ViT-B" in str(caught.value)


def test_a_trainer_that_is_written_for_openais_clip_learns(files, plugin, tmp_path, train):
    plugin(True)
    words = ("--backbone", "ViT-B/16")
    options = {"MODEL__BACKBONE__PRETRAINED": files["script"], "INPUT__SIZE": "(32, 32)", "OPTIM__MAX_EPOCH": 2}
    assert train(tmp_path / "context.py", "Context", "weather-plain", *words, DATASET__NUM_SHOTS=1, **options) == 0
    assert (tmp_path / "run" / "prompt_learner" / "model.pth.tar-2").is_file()
