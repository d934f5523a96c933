"""What code for Dassl does with its objects: meters, errors, loaders, evaluators, a trainer used from a script."""

import sys

import pytest
import torch
from PIL import Image

from mvlpt.dassl.names import dassl_modules

DASSL = dassl_modules()
engine, utils, evaluation = (DASSL[f"dassl.{name}"] for name in ("engine", "utils", "evaluation"))
DatasetWrapper, DataManager = DASSL["dassl.data"].DatasetWrapper, DASSL["dassl.data"].DataManager
Datum, DatasetBase = DASSL["dassl.data.datasets"].Datum, DASSL["dassl.data.datasets"].DatasetBase
build_transform = DASSL["dassl.data.transforms"].build_transform
build_optimizer, build_lr_scheduler = DASSL["dassl.optim"].build_optimizer, DASSL["dassl.optim"].build_lr_scheduler


class Net(torch.nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layer = torch.nn.Linear(3, num_classes)

    def forward(self, x):
        return self.layer(x.mean((2, 3)))


class Plain(engine.TrainerX):
    def build_model(self):
        self.model = Net(self.num_classes)
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("net", self.model, self.optim, self.sched)

    def forward_backward(self, batch):
        image, label, _ = self.parse_batch_train(batch)
        loss = torch.nn.functional.cross_entropy(self.model(image), label)
        self.model_backward_and_update(loss)
        return {"loss": loss.item()}


@pytest.fixture
def items(tmp_path):
    listed = []
    for number in range(6):
        Image.new("RGB", (20, 20), (number * 10, 5, 200 - number * 20)).save(tmp_path / f"{number}.png")
        listed.append(Datum(str(tmp_path / f"{number}.png"), number % 3, number % 2, "abc"[number % 3]))
    return listed


@pytest.fixture
def config(items, tmp_path):
    """A configuration as a script makes it, for a data set and a trainer that are registered."""

    class Tiny(DatasetBase):
        def __init__(self, cfg):
            super().__init__(train_x=items, val=items[:3], test=items)

    DASSL["dassl.data.datasets"].DATASET_REGISTRY.register(Tiny, True)
    engine.TRAINER_REGISTRY.register(Plain, True)

    def config(**options):
        cfg = DASSL["dassl.config"].get_cfg_default()
        cfg.DATASET.NAME, cfg.TRAINER.NAME, cfg.OUTPUT_DIR, cfg.SEED = "Tiny", "Plain", str(tmp_path / "out"), 1
        cfg.INPUT.SIZE, cfg.DATALOADER.NUM_WORKERS, cfg.VERBOSE, cfg.OPTIM.MAX_EPOCH = (16, 16), 0, False, 1
        cfg.DATALOADER.TRAIN_X.BATCH_SIZE = cfg.DATALOADER.TEST.BATCH_SIZE = 2
        cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
        return cfg

    return config


def test_meters():
    meter = utils.MetricMeter()
    meter.update({"a": torch.tensor(2.0), "b": 3})
    meter.update({"a": 4.0})
    meter.update(None)
    assert str(meter) == "a 4.0000 (3.0000) b 3.0000 (3.0000)"
    with pytest.raises(TypeError):
        meter.update([1])
    moving = utils.AverageMeter(ema=True)
    moving.update(1)
    moving.update(2)
    assert moving.avg == pytest.approx(1.1)


def test_a_script_trains_saves_loads_and_tests(config, tmp_path):
    trainer = engine.build_trainer(config())
    trainer.train()
    assert (tmp_path / "out" / "net" / "model.pth.tar-1").is_file()
    assert isinstance(trainer.test(), float)
    assert isinstance(trainer.test(split="val"), float)
    trainer.load_model(str(tmp_path / "out"), epoch=1)
    trainer.save_model(0, str(tmp_path / "saved"), is_best=True, val_result=12.5)
    kept = utils.load_checkpoint(str(tmp_path / "saved" / "net" / "model-best.pth.tar"))
    assert {"state_dict", "epoch", "optimizer", "scheduler", "val_result"} <= set(kept)
    assert trainer.get_model_names("net") == ["net"]
    assert trainer.get_current_lr(["net"]) > 0


def test_errors_are_of_the_kinds_that_code_for_dassl_catches(config, tmp_path):
    trainer = engine.build_trainer(config())
    with pytest.raises(FileNotFoundError, match="No checkpoint"):
        trainer.load_model(str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match="No checkpoint"):
        utils.load_checkpoint(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="None"):
        utils.load_checkpoint(None)
    with pytest.raises(FloatingPointError, match="loss is nan"):
        trainer.detect_anomaly(torch.tensor(float("nan")))
    with pytest.raises(OSError, match="does not exist"):
        utils.read_image(str(tmp_path / "none.png"))
    with pytest.raises(KeyError):
        engine.TRAINER_REGISTRY.get("Nobody")
    with pytest.raises(ValueError, match="OPTIM"):
        build_optimizer(Net(2), config(OPTIM__NAME="foo").OPTIM)


def test_weights_are_those_of_a_checkpoint_or_of_a_plain_state_dict(tmp_path, caplog):
    source = Net(2)
    torch.save(source.state_dict(), tmp_path / "plain.pth")
    torch.save({"state_dict": {f"module.{key}": value for key, value in source.state_dict().items()}}, tmp_path / "run")
    for path in (tmp_path / "plain.pth", tmp_path / "run"):
        model = Net(2)
        utils.load_pretrained_weights(model, str(path))
        assert torch.equal(model.layer.weight, source.layer.weight)
    unbiased = torch.nn.ModuleDict({"layer": torch.nn.Linear(3, 2, bias=False)})
    with caplog.at_level("WARNING", logger="mvlpt.engine.utils"):
        utils.load_pretrained_weights(unbiased, tmp_path / "plain.pth")
    assert "plain.pth the model does not take layer.bias" in caplog.text
    with pytest.raises(ValueError, match=r"Nothing in .*plain\.pth fits the model"):
        utils.load_pretrained_weights(Net(5), tmp_path / "plain.pth")


def test_accuracy_of_a_list_that_begins_with_scores():
    accuracy = DASSL["dassl.metrics"].compute_accuracy
    first, second = accuracy([torch.eye(3)], torch.tensor([0, 1, 1]), topk=(1, 2))
    assert first.item() == pytest.approx(66.667, abs=0.01)
    assert second.item() >= first.item()


def test_counts_of_an_evaluator_and_one_that_keeps_its_own(config):
    evaluator = evaluation.build_evaluator(config(), lab2cname={0: "a", 1: "b", 2: "c"})
    evaluator.process(torch.eye(3), torch.tensor([0, 1, 1]))
    assert (evaluator._total, evaluator._correct) == (3, 2)
    assert (evaluator._y_true, evaluator._y_pred) == ([0, 1, 1], [0, 1, 2])

    class Counting(evaluation.Classification):
        def reset(self):
            super().reset()
            self._total = 0

        def process(self, mo, gt):
            super().process(mo, gt)
            self._total += len(gt)

    counting = Counting(config())
    counting.process(torch.eye(3), torch.tensor([0, 1, 1]))
    assert counting._total == 3
    assert not hasattr(counting, "_nothing")


def test_a_wrapper_of_its_own_and_several_transforms(config):
    class Marked(DatasetWrapper):
        def __getitem__(self, index):
            return {**super().__getitem__(index), "mark": torch.tensor(7)}

    batch = next(iter(DataManager(config(), dataset_wrapper=Marked).train_loader_x))
    assert batch["mark"].tolist() == [7, 7]
    twice = [build_transform(config(), is_train=True)] * 2
    batch = next(iter(DataManager(config(), custom_tfm_train=twice).train_loader_x))
    assert batch["img"].shape == batch["img2"].shape == (2, 3, 16, 16)
    for name in ("cfg", "data_source", "transform", "is_train", "k_tfm", "return_img0", "to_tensor"):
        assert hasattr(DatasetWrapper(config(), [], is_train=True), name), name


def test_a_log_as_a_script_of_dassls_users_opens_it(config, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    utils.setup_logger(str(tmp_path / "out"))
    engine.build_trainer(config()).train()
    sys.stdout.flush()
    text = (tmp_path / "out" / "log.txt").read_text()
    assert "=> result" in text
    assert "Finish training" in text


def test_what_a_loader_of_its_own_leaves_out_is_completed(config):
    class Forgetful(Plain):
        def build_data_loader(self):
            manager = DataManager(self.cfg)
            self.train_loader_x, self.test_loader = manager.train_loader_x, manager.test_loader
            self.num_classes = manager.num_classes

    engine.TRAINER_REGISTRY.register(Forgetful, True)
    trainer = engine.build_trainer(config(TRAINER__NAME="Forgetful"))
    assert trainer.lab2cname == {0: "a", 1: "b", 2: "c"}
    assert trainer.dm.dataset.classnames == ["a", "b", "c"]
    trainer.train()
