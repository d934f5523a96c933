"""What a head keeps of the model that ``--model-dir`` loads: its images' fit comes afterwards."""

import pytest
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine import load_checkpoint, run_config

TRAINERS = ("TipAdapter", "TipAdapter-F", "LP++", "CLAP", "TaskRes", "CrossModalProbe", "kNN", "TFUP")


def trained(folder, trainer, **options):
    cfg = toy_config(folder, TRAINER__NAME=trainer, OPTIM__MAX_EPOCH=1, INPUT__TRANSFORMS=("normalize",), **options)
    cfg.freeze()
    run_config(cfg)
    return load_checkpoint(folder / "head" / "model.pth.tar-1")["state_dict"]


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_head_that_is_fitted_anew_says_so(toy_tasks, tmp_path, trainer):
    """A start from other images changes what is trained, or there is a warning that it does not."""
    start, fresh = (tmp_path / name for name in ("start", "fresh"))
    trained(start, trainer, SEED=2, OPTIM__LR=0.1)
    alone = trained(fresh, trainer)
    after = trained(tmp_path / "after", trainer, RUN__INIT_FROM=str(start))
    same = all(values.equal(after[key]) for key, values in alone.items())
    said = [
        "nothing of --model-dir remains" in (folder / "log.txt").read_text() for folder in (fresh, tmp_path / "after")
    ]
    assert said == [False, same]
