"""What public trainers do beside the plain hooks: each habit trains, stops, goes on to the same weights, is scored."""

import json
import textwrap
from urllib.error import URLError

import pytest
import torch
from support.dassl_repositories import DATASET, HEADER, INTERRUPT, trainer_source

from mvlpt.engine import read_results
from mvlpt.io import read_tensors

CALLED = """
class Ramp:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.calls
"""
HABITS = {
    "plain": "",
    "counters": """
        def build_model(self):
            super_build(self)
            self.steps = 0
            self.average = {}
            self.model.calls = torch.zeros(())
            self.noise = random.Random(3)
            self.ramp = Ramp()

        def forward_backward(self, batch):
            self.steps += self.ramp()
            self.model.calls += 1
            out = super_step(self, batch)
            for name, value in self.model.state_dict().items():
                self.average[name] = self.average.get(name, 0) * 0.5 + value.clone() * self.steps
            with torch.no_grad():
                self.model.bias.add_(0.01 * self.average["bias"] + 0.01 * self.noise.random() * self.model.calls)
            return out
        """,
    "unregistered": """
        def build_model(self):
            super_build(self)
            self.teacher = nn.Linear(3, self.num_classes)
            self.others = {"slow": [nn.Linear(3, self.num_classes)]}
            self.teacher_optim = torch.optim.SGD(self.teacher.parameters(), lr=0.1, momentum=0.9)

        def forward_backward(self, batch):
            image, label = self.parse_batch_train(batch)
            loss = F.cross_entropy(self.teacher(image.mean(dim=(2, 3))), label)
            self.teacher_optim.zero_grad()
            loss.backward()
            self.teacher_optim.step()
            with torch.no_grad():
                (slow,) = self.others["slow"]
                slow.weight.lerp_(self.teacher.weight, 0.1)
                self.model.weight.add_(0.1 * self.teacher.weight + slow.weight)
            return super_step(self, batch)
        """,
    "run_epoch": """
        def run_epoch(self):
            self.set_model_mode("train")
            self.num_batches = len(self.train_loader_x)
            for self.batch_idx, batch in enumerate(self.train_loader_x):
                self.forward_backward(batch)
        """,
    "around_run_epoch": """
        def build_model(self):
            super_build(self)
            self.rounds = 0

        def run_epoch(self):
            self.rounds += 1
            super().run_epoch()
            with torch.no_grad():
                self.model.bias.add_(self.rounds)
        """,
    "hooks_without_super": """
        def before_epoch(self):
            self.shift = torch.randn(())

        def after_epoch(self):
            if self.epoch + 1 == self.max_epoch:
                self.save_model(self.epoch, self.output_dir)

        def after_train(self):
            self.test()

        def forward_backward(self, batch):
            with torch.no_grad():
                self.model.bias.add_(0.01 * self.shift)
            return super_step(self, batch)
        """,
    "own_loader": """
        def build_data_loader(self):
            super().build_data_loader()
            from torch.utils.data import DataLoader, TensorDataset
            source = self.dm.dataset.train_x
            items = [dict(img=torch.full((3, 4, 4), float(i)), label=item.label) for i, item in enumerate(source)]
            self.train_loader_x = DataLoader(items, batch_size=2, shuffle=True)
        """,
}


def source(extra):
    """The trainer ``Habit`` on top of a plain one that may be interrupted at its steps."""
    plain = trainer_source("Plain", head=INTERRUPT + CALLED + "\nimport random\n")
    plain = plain.replace("        output = ", "        maybe_interrupt(self)\n        output = ", 1)
    head = "super_build, super_step = Plain.build_model, Plain.forward_backward"
    body = textwrap.indent(textwrap.dedent(extra), "    ")
    habit = f"@TRAINER_REGISTRY.register()\nclass Habit(Plain):\n    marker = True\n{body}"
    return f"{plain}\n{head}\n\n\n{habit}\n{DATASET.replace('NAME', 'Colours')}"


@pytest.mark.parametrize("habit", HABITS)
def test_a_run_that_is_stopped_and_resumed_ends_as_one_that_is_not(habit, tmp_path, train):
    file = tmp_path / "habit.py"
    file.write_text(source(HABITS[habit]))
    assert train(file, "Habit", "Colours", run="stopped") == 130
    (tmp_path / "calm").touch()
    assert train(file, "Habit", "Colours", "--resume", run="stopped") == 0
    assert train(file, "Habit", "Colours", run="whole") == 0
    states = [read_tensors(tmp_path / run / "linear" / "model.pth.tar-3")["state_dict"] for run in ("stopped", "whole")]
    for name in states[0]:
        assert torch.equal(states[0][name], states[1][name]), name
    assert read_results(tmp_path / "stopped" / "results.jsonl")[0]["epoch"] == 3


EVALUATION = (
    HEADER
    + """
from dassl.evaluation import EVALUATOR_REGISTRY, Classification, EvaluatorBase


@EVALUATOR_REGISTRY.register()
class Halves(EvaluatorBase):
    def __init__(self, cfg, lab2cname=None):
        super().__init__(cfg)
        self.seen = 0

    def reset(self):
        self.seen = 0

    def process(self, mo, gt):
        self.seen += len(gt)

    def evaluate(self):
        return {"half_of_the_images": self.seen / 2}


@EVALUATOR_REGISTRY.register()
class Shouted(Classification):
    def __init__(self, cfg, lab2cname=None, **kwargs):
        super().__init__(cfg, lab2cname, **kwargs)

    def evaluate(self):
        results = super().evaluate()
        results["shouted"] = results["accuracy"]
        return results
"""
)
OWN_TEST = """
def test(self, split=None):
    self.set_model_mode("eval")
    self.evaluator.reset()
    for batch in self.test_loader:
        input, label = self.parse_batch_test(batch)
        self.evaluator.process(self.model_inference(input), label)
    return list(self.evaluator.evaluate().values())[0]
"""
BARE_TEST = """
def test(self, split=None):
    return 12.5
"""


@pytest.mark.parametrize(
    ("extra", "evaluator", "metric", "value"),
    [
        ("", "Halves", "half_of_the_images", 2.0),
        ("", "Shouted", "accuracy", 100.0),
        (OWN_TEST, "Classification", "accuracy", 100.0),
        (OWN_TEST, "Halves", "accuracy", 2.0),
        (BARE_TEST, "Classification", "accuracy", 12.5),
    ],
)
def test_evaluators_and_tests_of_a_plugin_leave_results(extra, evaluator, metric, value, tmp_path, train):
    file = tmp_path / "scored.py"
    file.write_text(EVALUATION + trainer_source("Scored", extra) + DATASET.replace("NAME", "Colours"))
    assert train(file, "Scored", "Colours", TEST__EVALUATOR=evaluator, OPTIM__MAX_EPOCH=20, OPTIM__NAME="adam") == 0
    (row,) = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert (row["metric"], row["value"], row["task"], row["n"]) == (metric, value, "Colours", 4)


def test_evaluation_without_an_epoch_takes_the_last_where_there_is_no_best(tmp_path, train):
    load = """
def load_model(self, directory, epoch=None):
    import os
    name = "model-best.pth.tar" if epoch is None else f"model.pth.tar-{epoch}"
    path = os.path.join(directory, "linear", name)
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    from dassl.utils import load_checkpoint
    self.model.load_state_dict(load_checkpoint(path)["state_dict"])
"""
    file = tmp_path / "loader.py"
    file.write_text(trainer_source("Loader", load) + DATASET.replace("NAME", "Colours"))
    assert train(file, "Loader", "Colours") == 0
    words = ("--eval-only", "--model-dir", tmp_path / "run")
    assert train(file, "Loader", "Colours", *words, run="again") == 0
    assert train(file, "Loader", "Colours", run="best", TEST__FINAL_MODEL="best_val") == 0
    words = ("--eval-only", "--model-dir", tmp_path / "best")
    assert train(file, "Loader", "Colours", *words, run="again_best") == 0


DATA_MANAGER = """
from dassl.data import DataManager
from dassl.data.data_manager import build_data_loader
from dassl.data.datasets import build_dataset
from dassl.data.transforms import build_transform


class OwnManager(DataManager):
    def __init__(self, cfg):
        self.dataset = build_dataset(cfg)
        loader = dict(cfg=cfg, sampler_type="SequentialSampler", batch_size=2, tfm=build_transform(cfg, is_train=False))
        self.train_loader_x = build_data_loader(data_source=self.dataset.train_x, is_train=True, **loader)
        self.train_loader_u = None
        self.val_loader = None
        self.test_loader = build_data_loader(data_source=self.dataset.test, is_train=False, **loader)
        self._num_classes = self.dataset.num_classes
        self._num_source_domains = len(cfg.DATASET.SOURCE_DOMAINS)
        self._lab2cname = self.dataset.lab2cname
        self.show_dataset_summary(cfg)
"""
BUILD_LOADER = """
def build_data_loader(self):
    dm = OwnManager(self.cfg)
    self.train_loader_x, self.train_loader_u = dm.train_loader_x, dm.train_loader_u
    self.val_loader, self.test_loader = dm.val_loader, dm.test_loader
    self.num_classes, self.num_source_domains = dm.num_classes, dm.num_source_domains
    self.lab2cname = dm.lab2cname
    self.dm = dm
"""


def test_a_model_that_is_registered_in_its_wrapper_is_loaded_again(tmp_path, train):
    wrapped = trainer_source("Wrapped").replace(
        "to(self.device)\n", "to(self.device)\n        self.model = nn.DataParallel(self.model)\n", 1
    )
    file = tmp_path / "wrapped.py"
    file.write_text(wrapped + DATASET.replace("NAME", "Colours"))
    assert train(file, "Wrapped", "Colours", OPTIM__MAX_EPOCH=1, TEST__FINAL_MODEL="best_val") == 0
    assert train(file, "Wrapped", "Colours", "--eval-only", "--model-dir", tmp_path / "run", run="again") == 0


def test_a_data_manager_of_its_own(tmp_path, train, capsys):
    file = tmp_path / "managed.py"
    file.write_text(trainer_source("Managed", BUILD_LOADER, DATA_MANAGER) + DATASET.replace("NAME", "Colours"))
    assert train(file, "Managed", "Colours", DATASET__NUM_SHOTS=2) == 0
    assert (tmp_path / "run" / "results.jsonl").is_file()
    assert train(file, "Managed", "Colours", run="recorded", TEST__PREDICTIONS=True) == 2
    assert "TEST.PREDICTIONS needs loaders that know their tasks" in capsys.readouterr().err
    assert not (tmp_path / "recorded").exists()


def test_a_trainer_may_learn_without_a_registered_model(tmp_path, train):
    body = """
    def build_model(self):
        self.centres = torch.zeros(self.num_classes, 3)

    def forward_backward(self, batch):
        for image, label in zip(batch["img"], batch["label"]):
            self.centres[label] += image.mean(dim=(1, 2))
        return {"loss": 0.0}

    def model_inference(self, input):
        return -torch.cdist(input.mean(dim=(2, 3)), self.centres / self.centres.sum(dim=1, keepdim=True))
"""
    file = tmp_path / "means.py"
    file.write_text(trainer_source("Means", body=body) + DATASET.replace("NAME", "Colours"))
    assert train(file, "Means", "Colours", OPTIM__MAX_EPOCH=1) == 0


def test_the_default_model_is_a_backbone_with_a_classifier(tmp_path, train, monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise URLError("no network")

    source_of = trainer_source("Default").replace("    def build_model", "    def unused_build", 1)
    source_of = source_of.replace("input.mean(dim=(2, 3))", "input")
    file = tmp_path / "default.py"
    file.write_text(source_of + DATASET.replace("NAME", "Colours"))
    words = ("--backbone", "resnet18")
    options = {"MODEL__BACKBONE__PRETRAINED": False, "INPUT__SIZE": "(32, 32)", "OPTIM__MAX_EPOCH": 1}
    options |= {"MODEL__HEAD__NAME": "mlp", "MODEL__HEAD__HIDDEN_LAYERS": "(8,)"}
    assert train(file, "Default", "Colours", *words, **options) == 0
    assert (tmp_path / "run" / "model" / "model.pth.tar-1").is_file()
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert (
        train(file, "Default", "Colours", *words, run="other", **{**options, "MODEL__BACKBONE__PRETRAINED": True}) == 2
    )
    error = capsys.readouterr().err
    assert "weights of resnet18 cannot be downloaded (no network); place https://" in error
    assert f"in {tmp_path}/hub/checkpoints, or set MODEL.BACKBONE.PRETRAINED False" in error


def test_a_trainer_without_its_hook_and_one_that_has_nothing_to_train(tmp_path, train, capsys):
    hookless = trainer_source("Hookless").replace("def forward_backward", "def unused_step", 1)
    idle = trainer_source("Idle").replace(
        '        self.register_model("linear", self.model, self.optim, self.sched)\n', ""
    )
    idle = idle.replace("def forward_backward", "def unused_step", 1)
    file = tmp_path / "bad.py"
    file.write_text(hookless + idle + DATASET.replace("NAME", "Colours"))
    assert train(file, "Hookless", "Colours") == 2
    assert "Hookless does not define forward_backward(batch)" in capsys.readouterr().err
    assert train(file, "Idle", "Colours") == 2
    assert "--eval-only" in capsys.readouterr().err
    assert train(file, "Idle", "Colours", "--eval-only") == 0


def test_several_tasks_share_a_trainer_of_a_plugin(tmp_path, train, capsys):
    file = tmp_path / "shared.py"
    data = DATASET.replace("NAME", "Colours") + DATASET.replace("NAME", "MoreColours")
    file.write_text(trainer_source("Shared") + trainer_source("SharedTest", OWN_TEST) + data)
    assert train(file, "Shared", "Colours,MoreColours", TEST__PREDICTIONS=True) == 0
    assert train(file, "SharedTest", "Colours,MoreColours", run="own_test", TEST__PREDICTIONS=True) == 0
    assert "SharedTest tests in a way of its own: no predictions are recorded" in capsys.readouterr().err
    rows, own = (
        [json.loads(line) for line in (tmp_path / run / "results.jsonl").read_text().splitlines()]
        for run in ("run", "own_test")
    )
    assert [row["task"] for row in rows] == ["Colours", "MoreColours"]
    assert [(row["task"], row["value"], row["n"]) for row in own] == [(r["task"], r["value"], r["n"]) for r in rows]
    assert (tmp_path / "run" / "predictions" / "Colours.npy").is_file()
