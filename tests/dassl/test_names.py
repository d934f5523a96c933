"""Code written for Dassl runs unchanged: its import lines, a data set of its kind, a trainer of its kind."""

import importlib
import sys

import pytest
from PIL import Image

from mvlpt.cli import main
from mvlpt.dassl import provide_dassl_names
from mvlpt.dassl.surface import SURFACE
from mvlpt.data import DATASET_REGISTRY
from mvlpt.engine import TRAINER_REGISTRY

# What the public trainers and data sets of CoOp, MaPLe, PromptSRC, KgCoOp and MVLPT import.
IMPORTS = """
from dassl.engine import TRAINER_REGISTRY, TrainerX, build_trainer
from dassl.optim import build_optimizer, build_lr_scheduler
from dassl.metrics import compute_accuracy
from dassl.utils import (load_pretrained_weights, load_checkpoint, setup_logger, set_random_seed, collect_env_info,
    mkdir_if_missing, listdir_nohidden, read_json, write_json, check_isfile, MetricMeter, AverageMeter, tolist_if_not,
    count_num_param, save_checkpoint, resume_from_checkpoint)
from dassl.config import get_cfg_default
from dassl.data import DatasetWrapper, DataManager
from dassl.data.datasets import DATASET_REGISTRY, Datum, DatasetBase, build_dataset
from dassl.data.data_manager import build_data_loader
from dassl.data.samplers import build_sampler
from dassl.data.transforms import build_transform, INTERPOLATION_MODES
from dassl.evaluation import EVALUATOR_REGISTRY, build_evaluator
"""

PLUGIN = (
    IMPORTS
    + """
import os.path as osp
import torch.nn as nn
import torch.nn.functional as F

@DATASET_REGISTRY.register(force=True)
class TwoColours(DatasetBase):
    dataset_dir = "two_colours"

    def __init__(self, cfg):
        root = osp.abspath(osp.expanduser(cfg.DATASET.ROOT))
        self.dataset_dir = osp.join(root, self.dataset_dir)
        train, test = [], []
        for label, name in enumerate(["dark", "light"]):
            folder = osp.join(self.dataset_dir, name)
            for place, file in enumerate(listdir_nohidden(folder, sort=True)):
                item = Datum(impath=osp.join(folder, file), label=label, classname=name)
                (train if place < 4 else test).append(item)
        if cfg.DATASET.NUM_SHOTS >= 1:
            train = self.generate_fewshot_dataset(train, num_shots=cfg.DATASET.NUM_SHOTS)
        super().__init__(train_x=train, val=test, test=test)


@TRAINER_REGISTRY.register(force=True)
class Brightness(TrainerX):
    def check_cfg(self, cfg):
        assert cfg.TRAINER.COOP.PREC in ["fp16", "fp32", "amp"]

    def build_model(self):
        self.model = nn.Linear(1, self.num_classes)
        self.model.to(self.device)
        assert self.dm.dataset.classnames == ["dark", "light"]
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("brightness", self.model, self.optim, self.sched)

    def model_inference(self, input):
        return self.model(input.mean(dim=(1, 2, 3))[:, None])

    def forward_backward(self, batch):
        input, label = self.parse_batch_train(batch)
        output = self.model_inference(input)
        loss = F.cross_entropy(output, label)
        self.model_backward_and_update(loss)
        loss_summary = {"loss": loss.item(), "acc": compute_accuracy(output, label)[0].item()}
        if (self.batch_idx + 1) == self.num_batches:
            self.update_lr()
        return loss_summary

    def parse_batch_train(self, batch):
        return batch["img"].to(self.device), batch["label"].to(self.device)
"""
)


@pytest.fixture
def clean_modules():
    """The names as they were, before and after."""
    names = list(SURFACE)
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    yield
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


def test_import_lines_of_public_code_work_and_reach_one_registry(clean_modules):
    assert provide_dassl_names()
    assert provide_dassl_names()
    space = {}
    exec(IMPORTS, space)
    assert space["TRAINER_REGISTRY"] is TRAINER_REGISTRY


def test_an_installed_dassl_that_was_imported_stays(clean_modules, tmp_path, monkeypatch):
    (tmp_path / "dassl").mkdir()
    (tmp_path / "dassl" / "__init__.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module("dassl").real
    assert not provide_dassl_names()
    assert importlib.import_module("dassl").real


def test_a_dassl_trainer_and_data_set_run_under_our_tool(clean_modules, tmp_path, capsys, request):
    for registry, name in ((TRAINER_REGISTRY, "Brightness"), (DATASET_REGISTRY, "TwoColours")):
        request.addfinalizer(lambda registry=registry, name=name: registry._entries.pop(name, None))
    for name, level in (("dark", 40), ("light", 210)):
        (tmp_path / "two_colours" / name).mkdir(parents=True)
        for number in range(8):
            Image.new("RGB", (20, 20), (level + number,) * 3).save(tmp_path / "two_colours" / name / f"{number}.png")
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    line = [
        "train",
        "--plugin",
        str(plugin),
        "--trainer",
        "Brightness",
        "--dataset",
        "TwoColours",
        "--root",
        str(tmp_path),
    ]
    line += ["--shots", "2", "--seed", "1", "--output-dir", str(tmp_path / "run"), "--quiet"]
    options = {"OPTIM.LR": 0.5, "OPTIM.MAX_EPOCH": 30, "OPTIM.NAME": "adam", "INPUT.SIZE": "(20, 20)"}
    options |= {"DATALOADER.NUM_WORKERS": 0, "RUN.TENSORBOARD": False, "TEST.FINAL_MODEL": "best_val"}
    assert main([*line, *(str(word) for pair in options.items() for word in pair)]) == 0
    assert "100.00" in capsys.readouterr().out
    assert (tmp_path / "run" / "brightness" / "model-best.pth.tar").is_file()
