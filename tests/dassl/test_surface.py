"""Dassl's public surface: every name of every module, one object whatever module it comes from, the same parameters.

``dassl_surface.json`` lists the names of Dassl 0.6.3 that are here, the modules that have them and their parameters;
``mvlpt.dassl.LEFT_OUT`` what is left out, and why.
"""

import inspect
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from mvlpt.dassl import LEFT_OUT, SURFACE
from mvlpt.dassl.names import dassl_modules
from mvlpt.dassl.surface import names_of

NAMES = json.loads((Path(__file__).parent / "dassl_surface.json").read_text())
VARIADIC = (inspect.Parameter.VAR_KEYWORD,)


def parameters(function, *, method=False):
    listed = list(inspect.signature(function).parameters.values())
    return [one.name for one in listed[method:] if one.kind not in VARIADIC]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_object_in_all_of_dassls_modules(name):
    modules = dassl_modules()
    found = [getattr(modules[module], name) for module in NAMES[name]["modules"]]
    assert all(one is found[0] for one in found)
    everywhere = [getattr(modules[module], name) for module in SURFACE if name in names_of(module)]
    assert all(one is found[0] for one in everywhere)


@pytest.mark.parametrize("name", NAMES)
def test_functions_classes_and_methods_take_dassls_parameters(name):
    ours, theirs = getattr(dassl_modules()[NAMES[name]["modules"][0]], name), NAMES[name]["parameters"]
    if isinstance(theirs, list):
        wanted = [one for one in theirs if one != "kwargs"]
        assert parameters(ours)[: len(wanted)] == wanted
    for method, names in (theirs or {}).items() if isinstance(theirs, dict) else ():
        attribute = ours.__init__ if not method else inspect.getattr_static(ours, method)
        if names is None:
            assert isinstance(attribute, property)
            continue
        wanted = [one for one in names if one != "kwargs"]
        static = isinstance(attribute, staticmethod)
        assert parameters(getattr(attribute, "__func__", attribute), method=not static)[: len(wanted)] == wanted


@pytest.mark.parametrize("name", [name for name in NAMES if "defaults" in NAMES[name]])
def test_parameters_have_dassls_defaults(name):
    ours = getattr(dassl_modules()[NAMES[name]["modules"][0]], name)
    for method, defaults in NAMES[name]["defaults"].items():
        start = ours.__init__ if isinstance(ours, type) else ours
        function = inspect.getattr_static(ours, method) if method else start
        listed = inspect.signature(getattr(function, "__func__", function)).parameters
        for parameter, value in defaults.items():
            value = tuple(value) if isinstance(value, list) else value
            default = listed[parameter].default
            assert (tuple(default) if isinstance(default, list) else default) == value, (method, parameter)


def test_importing_a_submodule_makes_no_second_copy():
    source = """
from mvlpt.dassl import provide_dassl_names
provide_dassl_names()
import dassl.data.datasets.build, dassl.data.datasets.base_dataset, dassl.engine.trainer, dassl.utils.tools
from dassl.data.datasets import DATASET_REGISTRY, DatasetBase
from mvlpt.data.datasets import DATASET_REGISTRY as ours
assert dassl.data.datasets.build.DATASET_REGISTRY is DATASET_REGISTRY is ours
assert dassl.data.datasets.base_dataset.DatasetBase is DatasetBase
assert dassl.engine.trainer.TrainerX is dassl.engine.TrainerX
from dassl.utils import *
from dassl.engine import *
assert mkdir_if_missing is dassl.utils.tools.mkdir_if_missing and TrainerX is dassl.engine.TrainerX
"""
    space = {}
    exec(source, space)


def test_registering_as_dassl_does():
    registry = dassl_modules()["dassl.utils"].Registry("THING")

    def thing():
        """Registered twice."""

    registry.register(thing)
    registry.register(thing, True)
    with pytest.raises(KeyError):
        registry.register(type("thing", (), {}))
    assert registry.register(force=True)(thing) is thing
    assert registry.get("thing") is thing
    assert registry.registered_names() == ["thing"]


def test_distances():
    metrics = dassl_modules()["dassl.metrics"]
    left, right = torch.randn(3, 4), torch.randn(5, 4)
    expected = torch.cdist(left, right) ** 2
    assert torch.allclose(metrics.compute_distance_matrix(left, right), expected, atol=1e-4)
    cosines = torch.nn.functional.cosine_similarity(left[:, None], right[None], dim=2)
    assert torch.allclose(metrics.compute_distance_matrix(left, right, "cosine"), 1 - cosines, atol=1e-5)
    with pytest.raises(ValueError, match="manhattan"):
        metrics.compute_distance_matrix(left, right, metric="manhattan")


def test_helpers_for_layers_and_rates():
    utils = dassl_modules()["dassl.utils"]
    model = torch.nn.Sequential()
    model.base, model.head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    utils.open_specified_layers(model, "head")
    assert [model.base.weight.requires_grad, model.head.weight.requires_grad] == [False, True]
    assert not model.base.training
    utils.open_all_layers(model)
    assert model.base.weight.requires_grad
    utils.init_network_weights(model, "xavier")
    assert not model.head.bias.any()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    utils.adjust_learning_rate(optimizer, 1.0, 40, stepsize=20, gamma=0.5)
    assert optimizer.param_groups[0]["lr"] == 0.25
    utils.adjust_learning_rate(optimizer, 1.0, 50, linear_decay=True, final_lr=0.5, max_epoch=100)
    assert optimizer.param_groups[0]["lr"] == 0.75
    norm = torch.nn.BatchNorm1d(2).train()
    utils.set_bn_to_eval(norm)
    assert not norm.training
    with pytest.raises(ValueError, match="did you mean 'cosine'"):
        utils.check_availability("cosin", ["cosine", "constant"])


def test_what_is_left_out_is_listed_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "dassl.md").read_text()
    assert all(part in page for part in LEFT_OUT)
    for module in SURFACE:
        assert f"`{module}`" in page


def test_warm_up_schedulers_that_code_builds_itself():
    schedulers = dassl_modules()["dassl.optim.lr_scheduler"]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    successor = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    warm = schedulers.LinearWarmupScheduler(optimizer, successor, 2, 1e-3)
    rates = []
    for _ in range(6):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        warm.step()
    assert rates == pytest.approx([1e-3, 0.05, 0.1, 0.1, 0.05, 0.05])
    assert schedulers.ConstantWarmupScheduler(optimizer, successor, 1, 1e-5).get_last_lr() == [1e-5]


def trained(optimizer_of, steps=40):
    """The values of one parameter while an optimiser follows the same gradients."""
    parameter, noise = torch.nn.Parameter(torch.ones(3)), torch.Generator().manual_seed(1)
    optimizer, values = optimizer_of([parameter]), []
    for _ in range(steps):
        parameter.grad = torch.randn(3, generator=noise)
        optimizer.step()
        values.append(parameter.detach().clone())
    return torch.stack(values)


def test_optimisers_that_code_builds_itself():
    radam = dassl_modules()["dassl.optim.radam"]
    options = {"lr": 0.1, "betas": (0.9, 0.99), "weight_decay": 0.1}
    expected = trained(lambda p: torch.optim.RAdam(p, decoupled_weight_decay=True, **options))
    for kind in (radam.RAdam, radam.PlainRAdam):
        assert torch.allclose(trained(lambda p, kind=kind: kind(p, **options)), expected, atol=1e-5)
    waiting = trained(lambda p: radam.RAdam(p, degenerated_to_sgd=False, **options))
    assert torch.equal(waiting[3], torch.ones(3))
    assert not torch.equal(waiting[9], torch.ones(3))
    expected = trained(lambda p: torch.optim.AdamW(p, eps=0, **options))
    assert torch.allclose(trained(lambda p: radam.AdamW(p, eps=0, **options)), expected, atol=1e-5)
    slow = trained(lambda p: radam.AdamW(p, warmup=10, eps=0, lr=0.1))
    assert torch.allclose((slow[0] - 1).abs(), torch.tensor(0.01), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["ImageNetPolicy", "CIFAR10Policy", "SVHNPolicy", "RandAugment", "RandAugment2", "RandAugmentFixMatch"]
)
def test_augmentations_that_code_builds_itself(name):
    image = Image.new("RGB", (12, 10), (200, 100, 50))
    augment = getattr(dassl_modules()["dassl.data.transforms.transforms"], name)()
    assert all(augment(image).size == (12, 10) for _ in range(8))
