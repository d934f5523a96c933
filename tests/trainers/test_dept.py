"""DePT: contexts and offsets learn at two rates of one schedule."""

import pytest
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine.registries import build_trainer


def test_offsets_have_a_learning_rate_of_their_own(toy_tasks, tmp_path):
    options = {"TRAINER__NAME": "DePT", "TRAINER__DEPT__OFFSET_LR_MULT": 0.25, "OPTIM__LR": 0.02}
    cfg = toy_config(tmp_path, **options)
    cfg.freeze()
    trainer = build_trainer(cfg)
    learner, (contexts, offsets) = trainer.model.prompt_learner, trainer.optim.param_groups
    assert {id(p) for p in contexts["params"]} == {id(learner.ctx)}
    assert {id(p) for p in offsets["params"]} == {id(learner.offset_down), id(learner.offset_up)}
    rates = []
    for _ in range(3):
        rates.append((contexts["lr"], offsets["lr"]))
        trainer.update_lr()
    assert rates[0] == (0.02, 0.005)
    assert rates[2][0] < rates[1][0] < rates[0][0]
    assert all(slow == pytest.approx(fast / 4) for fast, slow in rates)
