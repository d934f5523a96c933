"""Test-time tuning against its formula, written once more: each image alone, from the first prompt, with autograd."""

import zlib
from pathlib import Path

import pytest
import torch
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.data.loading import random_views
from mvlpt.engine import run_config
from mvlpt.engine.initial import load_weights
from mvlpt.engine.registries import build_trainer
from mvlpt.experiment.costs.model import work_of
from mvlpt.models import confident_views
from mvlpt.randomness import torch_stream
from mvlpt.trainers import TaskInput

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
CLASSES = {0: slice(0, 3), 1: slice(3, 5)}


def settings(folder, trainer="TPT", **options):
    cfg = toy_config(folder, DATASET__DATASET="toy-warm,toy-cold")
    cfg.merge_from_file(CONFIGS / trainer / "embedded.yaml")
    words = {"TRAINER.TPT.VIEWS": 12, "TRAINER.TPT.CONFIDENT": 0.25, "OPTIM.MAX_EPOCH": 1, "OPTIM.LR": 0.05}
    words |= {key.replace("__", "."): value for key, value in options.items()}
    cfg.merge_from_list([word for pair in words.items() for word in pair])
    cfg.freeze()
    return cfg


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(1))


TASK = torch.tensor([0, 1, 0])


def scored(trainer, images, task=TASK):
    with torch.no_grad():
        return trainer.model_inference(TaskInput(images, None, task))


def expected(trainer, image, task, steps):
    """Logits of the image after AdamW's steps on the entropy of the mean of the surest views."""
    stream = torch_stream("test-time views", 1, zlib.crc32(image.numpy().tobytes()))
    views = torch.cat([image[None], random_views(image, 11, stream, scale=(0.08, 1.0))])
    model, learner = trainer.model, trainer.model.prompt_learner
    first = learner.ctx.detach().clone()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=0.005)
    kept = None
    for _ in range(steps):
        probability = model(views)[:, CLASSES[task]].softmax(dim=1)
        if kept is None:
            entropies = [-(p * p.log()).sum().item() for p in probability]
            kept = sorted(range(12), key=lambda view: entropies[view])[:3]
        mean = sum(probability[view] for view in kept) / 3
        optimizer.zero_grad()
        (-(mean * mean.log()).sum()).backward()
        optimizer.step()
    with torch.no_grad():
        logits = model(image[None])[0, CLASSES[task]]
        learner.ctx.copy_(first)
    return logits


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("options", [{}, {"TRAINER__ACT_CKPT": 400}], ids=["whole", "in chunks"])
def test_it_is_the_papers_formula_for_each_image_alone(toy_tasks, tmp_path, images, steps, options):
    trainer = build_trainer(settings(tmp_path, TRAINER__TPT__STEPS=steps, **options))
    before = trainer.model.prompt_learner.ctx.detach().clone()
    with torch.no_grad():  # AdamW's first step is the gradient's sign: keep gradients away from rounding errors
        trainer.backbone.logit_scale.fill_(2.3)
    scores = scored(trainer, images)
    assert torch.equal(trainer.model.prompt_learner.ctx, before)
    for row, (image, task) in enumerate(zip(images, TASK.tolist(), strict=True)):
        torch.testing.assert_close(scores[row, CLASSES[task]], expected(trainer, image, task, steps), atol=1e-4, rtol=0)
        assert torch.isinf(scores[row]).sum() == 5 - len(range(5)[CLASSES[task]])


def test_views_depend_on_the_seed_and_the_image_alone(toy_tasks, tmp_path, images):
    trainer = build_trainer(settings(tmp_path))
    together, other_order = scored(trainer, images), scored(trainer, images.flip(0), TASK.flip(0)).flip(0)
    alone = torch.cat([scored(trainer, images[i : i + 1], TASK[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together, other_order, atol=1e-5, rtol=0)
    assert not torch.allclose(together, scored(build_trainer(settings(tmp_path, SEED=2)), images), atol=1e-4)


def test_it_starts_from_a_tuned_prompt(toy_tasks, tmp_path, images):
    """With a learning rate of zero it predicts what that prompt does."""
    run_config(settings(tmp_path / "tuned", "MVLPT-CoOp", DATASET__MULTITASK_LABEL_PERTASK=True))
    still = {"TRAINER__TPT__LR": 0.0, "RUN__INIT_FROM": str(tmp_path / "tuned")}
    tuned = build_trainer(settings(tmp_path, "MVLPT-CoOp", DATASET__MULTITASK_LABEL_PERTASK=True))
    trainer = build_trainer(settings(tmp_path, **still))
    fresh = scored(trainer, images)
    for one in (tuned, trainer):
        load_weights(one, tmp_path / "tuned")
    tuned.set_model_mode("eval")
    torch.testing.assert_close(scored(trainer, images), scored(tuned, images), atol=1e-4, rtol=0)
    assert not torch.allclose(scored(trainer, images), fresh, atol=1e-2)
    again = run_config(settings(tmp_path / "tpt", **still))
    plain = {row["task"]: row["value"] for row in run_config(settings(tmp_path / "tuned", "MVLPT-CoOp",
             DATASET__MULTITASK_LABEL_PERTASK=True)).rows}  # fmt: skip
    assert {row["task"]: row["value"] for row in again.rows} == plain


def test_the_plan_counts_every_view_and_no_training(toy_tasks, tmp_path):
    few, many = (work_of(settings(tmp_path, TRAINER__TPT__VIEWS=views), "train") for views in (12, 24))
    assert few.steps == many.steps == 0
    encoded = work_of(settings(tmp_path, "ZeroshotCLIP"), "features").flops
    assert many.flops - few.flops == pytest.approx(12 * encoded, rel=0.2)
    assert work_of(settings(tmp_path), "train", features_kept=True).images == few.images  # none can be kept


def test_a_share_of_the_views_is_rounded_down_once():
    """0.29 of 100 is 29, though the product of the floating-point numbers is a little less."""
    assert [len(confident_views(torch.zeros(100, 2), share)) for share in (0.29, 0.295, 0.001)] == [29, 29, 1]
