"""A classifier: what it takes as images, what it offers, and the runs and prompts that it is made from."""

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.toy import COLOURS, draw, toy_config

import mvlpt
from mvlpt.cli import main
from mvlpt.data import read_image
from mvlpt.engine import read_results, run_config
from mvlpt.errors import CheckpointError, ConfigError, DataError, PromptError
from mvlpt.inference import load, trained_tasks
from mvlpt.models import load_backbone, save_prompt

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
FAST = ["OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]


@pytest.fixture(scope="module")
def run(toy_tasks, tmp_path_factory):
    load_shipped_once()
    folder = tmp_path_factory.mktemp("runs") / "warm"
    cfg = toy_config(folder)
    cfg.freeze()
    run_config(cfg)
    return folder


def load_shipped_once():
    import mvlpt.trainers  # noqa: F401 - registers them


@pytest.fixture(scope="module")
def classifier(run):
    return load(run)


@pytest.fixture
def files(tmp_path):
    paths = []
    for number, colour in enumerate(COLOURS):
        paths.append(tmp_path / "photos" / f"{number}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        draw(colour, number, "photos").resize((70, 55)).save(paths[-1])
    return paths


def train(folder, trainer, *words, tasks="toy-cold", more=()):
    file = CONFIGS / trainer / "embedded.yaml"
    line = ["--config-file", file, "--dataset", tasks, "--shots", 1, "--seed", 1, "--output-dir", folder, *words]
    assert main(["train", "--quiet", *map(str, line), *FAST, *more]) == 0
    return folder


def test_every_kind_of_image_gives_the_same(classifier, files):
    expected = classifier.predict_proba(files)
    assert expected.shape == (5, 3)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-6)
    images = [Image.open(path) for path in files]
    arrays = [np.asarray(image) for image in images]
    prepared = torch.stack([classifier.preprocess(image) for image in images])
    kinds = {
        "names": [str(path) for path in files],
        "a folder": files[0].parent,
        "PIL images": images,
        "arrays": arrays,
        "one array": np.stack(arrays),
        "a tensor of bytes": torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2),
        "prepared tensors": prepared,
        "prepared arrays": prepared.numpy(),
        "a generator": (path for path in files),
        "a column": np.array([str(path) for path in files], dtype=object),
    }
    for kind, given in kinds.items():
        np.testing.assert_allclose(classifier.predict_proba(given), expected, atol=1e-5, err_msg=kind)
    for single in (files[1], images[1], arrays[1], prepared[1], np.asarray(images[1].convert("L"))):
        assert classifier.logits(single).shape == (1, 3)
    assert classifier.logits([]).shape == (0, 3)


def test_batches_and_threads_change_nothing(classifier, files):
    expected = classifier.logits(files * 3)
    for options in ({"batch_size": 1}, {"batch_size": 4, "workers": 0}, {"batch_size": 100, "workers": 3}):
        torch.testing.assert_close(classifier.logits(files * 3, **options), expected, atol=1e-4, rtol=0)
    for method in (classifier.logits, classifier.image_features):
        with pytest.raises(DataError, match="A batch needs at least one image, not 0"):
            method(files, batch_size=0)


def test_scikit_learns_names(classifier, files):
    assert classifier.classes_.tolist() == list(classifier.class_names) == ["red", "yellow", "white"]
    predicted = classifier.predict(files)
    assert predicted.tolist() == classifier.classes_[classifier.predict_proba(files).argmax(axis=1)].tolist()
    assert classifier.score(files, predicted) == 1.0
    assert classifier.score(files, [0] * 5) == np.mean(predicted == "red")
    assert classifier.score(files, torch.zeros(5)) == classifier.score(files, ["red"] * 5)
    assert np.isnan(classifier.score([], []))
    for labels, message in (
        (["red", "red"], "5 images, but 2 labels"),
        (["rad"] * 5, "named 'rad'; did you mean 'red'?"),
        ([0, 1, 2, 3, 0], "The label 3 is no class: give a name, or a whole number from 0 to 2"),
        ([0, 0, 0, 0, -1], "The label -1 is no class"),
        ([0, 0, 0, 0, np.nan], "The label nan is no class"),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            classifier.score(files, labels)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (7, "An object of type int is no image"),
        ([3.5], "An object of type float is no image"),
        (b"abc", "An object of type bytes is no image"),
        (np.array(3), "An object of type ndarray is no image"),
        (np.zeros((0, 5, 3), np.uint8), "An image without pixels"),
        (Image.new("RGB", (0, 5)), "An image without pixels"),
        (torch.zeros(3, 20, 20), r"of shape \(3, 48, 48\), not \(3, 20, 20\)"),
        ([np.zeros((8, 8, 7), np.uint8)], r"An array \(8, 8, 7\) of uint8 is no image"),
        (["missing.png"], "missing.png does not exist"),
    ],
)
def test_what_is_no_image_is_refused(classifier, image, message):
    with pytest.raises(DataError, match=message):
        classifier.predict(image)


def test_a_stream_reads_two_batches_ahead_and_keeps_nothing(classifier):
    """300 arrays of 1.2 MB each are made as they are asked for."""
    asked = 0

    def images():
        nonlocal asked
        for _ in range(300):
            asked += 1
            yield np.zeros((640, 640, 3), np.uint8)

    tracemalloc.start()
    try:
        for done, scored in enumerate(classifier.stream(images(), batch_size=8), start=1):
            assert scored.error is None
            assert asked - done <= 16
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done == 300
    assert peak < 80e6


def test_weights_of_classes_give_the_logits(toy_tasks, files, tmp_path):
    for trainer in ("MVLPT-CoOp", "MVLPT-VPT", "MVLPT-UPT", "LinearProbe", "ZeroshotCLIP"):
        folder = train(tmp_path / trainer, trainer, tasks="toy-warm,toy-cold")
        classifier = load(folder, "toy-cold")
        features = classifier.image_features(files)
        assert classifier.class_weights().shape == (2, features.shape[1])
        by_hand = classifier.logit_scale * features @ classifier.class_weights().T + classifier.class_bias()
        torch.testing.assert_close(by_hand, classifier.logits(files), atol=1e-3, rtol=0)
    conditional = load(train(tmp_path / "cocoop", "CoCoOp"))
    with pytest.raises(PromptError, match="they depend on the image"):
        conditional.class_weights()


def test_tasks_with_private_parts(toy_tasks, files, tmp_path):
    folder = train(tmp_path / "run", "MVLPT-VPT", tasks="toy-warm,toy-cold", more=["TRAINER.MVLPT.PRIVATE.RANK", "1"])
    assert trained_tasks(folder) == ["toy-warm", "toy-cold"]
    one = load(folder, "toy-cold")
    assert one.class_names == ("blue", "green")
    assert load(folder / "prompt.safetensors", "toy-cold").logits(files).equal(one.logits(files))
    assert load(folder, classes=["a", "b", 3]).logits(files).shape == (5, 3)
    with pytest.raises(CheckpointError, match="trained on 2 tasks; choose one with --task"):
        load(folder)


def test_an_evaluation_gives_what_it_evaluated(run, toy_tasks, files, tmp_path):
    words = ["--model-dir", run, "--eval-only"]
    for trainer, tasks in (("MVLPT-CoOp", "toy-warm"), ("MVLPT-CoOp", "toy-cold")):
        folder = train(tmp_path / tasks, trainer, *words, tasks=tasks)
        assert load(folder).class_names == load(run, classes=load(folder).class_names).class_names
        torch.testing.assert_close(
            load(folder).logits(files), load(run, classes=load(folder).class_names).logits(files)
        )


def test_a_prompt_file_alone_starts_a_run_and_is_evaluated(run, toy_tasks, tmp_path):
    alone = tmp_path / "given.safetensors"
    alone.write_bytes((run / "prompt.safetensors").read_bytes())
    checkpoints = run / "prompt_learner"
    scores = [
        read_results(train(tmp_path / str(number), "MVLPT-CoOp", "--model-dir", source, "--eval-only", tasks="toy-warm")
                     / "results.jsonl")[0]["value"]
        for number, source in enumerate((run, alone, checkpoints, checkpoints / "model.pth.tar-3"))
    ]  # fmt: skip
    assert scores == [read_results(run / "results.jsonl")[0]["value"]] * 4
    started = [train(tmp_path / f"from{k}", "MVLPT-CoOp", "--model-dir", s) for k, s in enumerate((run, alone))]
    first, second = (load(folder).model.prompt_learner.state_dict()["ctx"] for folder in started)
    assert first.equal(second)


def test_a_prompt_of_another_method_is_refused(run, toy_tasks, tmp_path, capsys):
    for trainer, message in (("MVLPT-VPT", "holds a prompt of method 'coop', but MVLPT-VPT tunes 'vpt'"),
                             ("LinearProbe", "holds a prompt, and LinearProbe tunes none")):  # fmt: skip
        line = ["train", "--quiet", "--config-file", str(CONFIGS / trainer / "embedded.yaml"), "--dataset", "toy-cold"]
        line += ["--output-dir", str(tmp_path), "--seed", "1", "--model-dir", str(run / "prompt.safetensors")]
        assert main(line) == 2
        assert message in capsys.readouterr().err


PLUGIN = """
import torch
from dassl.engine import TRAINER_REGISTRY, TrainerX
from dassl.optim import build_lr_scheduler, build_optimizer

@TRAINER_REGISTRY.register()
class PixelNet(TrainerX):
    def build_model(self):
        width = 3 * self.cfg.INPUT.SIZE[0] * self.cfg.INPUT.SIZE[1]
        self.model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, self.num_classes))
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("pixels", self.model, self.optim, self.sched)

    def forward_backward(self, batch):
        image, label, _ = self.parse_batch_train(batch)
        loss = torch.nn.functional.cross_entropy(self.model(image), label)
        self.model_backward_and_update(loss)
        return {"loss": loss.item()}

    def model_inference(self, image):
        return -self.model(image)
"""


def test_a_trainer_in_dassls_style(toy_tasks, files, tmp_path):
    (tmp_path / "pixels.py").write_text(PLUGIN)
    words = ["--plugin", tmp_path / "pixels.py", "--trainer", "PixelNet"]
    folder = train(tmp_path / "run", "ZeroshotCLIP", *words, tasks="toy-warm")
    classifier = load(folder)
    assert classifier.backbone is not None or classifier.class_names == ("red", "yellow", "white")
    pixels = torch.stack([classifier.preprocess(read_image(str(path))) for path in files])
    with torch.no_grad():
        torch.testing.assert_close(classifier.logits(files), -classifier.model(pixels))
    with pytest.raises(PromptError, match=r"PixelNet has no class_weights"):
        classifier.class_weights()


def test_a_loaded_backbone_is_used_and_another_one_refused(run, files):
    backbone = load_backbone("embedded")
    shared = load(run / "prompt.safetensors", backbone=backbone)
    assert shared.backbone is backbone
    assert shared.to("cpu") is shared
    other = load_backbone("embedded")
    with torch.no_grad():
        other.visual.conv1.weight.add_(0.1)
    with pytest.raises(CheckpointError, match="was trained with backbone embedded, not embedded of these weights"):
        load(run / "prompt.safetensors", backbone=other)
    assert load(run / "prompt.safetensors", backbone=other, force=True).logits(files).shape == (5, 3)


def test_a_prompt_file_whose_tasks_do_not_fit_its_classes(classifier, tmp_path):
    path = save_prompt(tmp_path / "p.safetensors", classifier.model, tasks=[{"name": "a", "class_names": ["x"]}])
    with pytest.raises(CheckpointError, match="is damaged: its tasks have 1 classes, and it has 3"):
        load(path)
    path = save_prompt(path, classifier.model, tasks=[{"name": 7, "class_names": ["x"]}])
    with pytest.raises(CheckpointError, match="damaged header"):
        load(path)


def test_options_that_were_edited_are_checked(run, tmp_path):
    content = (run / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(content.replace("TEST_CROP: task", "TEST_CROP: middle"))
    with pytest.raises(ConfigError, match=r"config.yaml: .*INPUT.TEST_CROP is 'middle'; known: center, squash, task"):
        load(tmp_path)


def test_the_package_offers_it_without_loading_torch_before_it_is_used():
    assert mvlpt.load is load
    assert "load" in mvlpt.__all__


@pytest.mark.gpu
def test_on_a_gpu(run, files):
    classifier = load(run, device="cpu")
    expected = classifier.logits(files)
    assert classifier.to("cuda").device.type == "cuda"
    torch.testing.assert_close(classifier.logits(files), expected, atol=0.05, rtol=0.01)
    assert classifier.to("cpu").logits(files).equal(expected)
