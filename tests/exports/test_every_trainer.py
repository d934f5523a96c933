"""Every registered trainer exports what equals the run, or is refused with one sentence that says why."""

from pathlib import Path

import pytest
import torch
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine import TRAINER_REGISTRY, run_config
from mvlpt.errors import PromptError
from mvlpt.exports import export
from mvlpt.inference import load

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
NAMES = sorted(
    name for name in TRAINER_REGISTRY.registered_names() if TRAINER_REGISTRY.get(name).__module__.startswith("mvlpt.")
)
EXPORTED = {
    "open_clip": {"CoOp", "MVLPT-CoOp", "ZeroshotCLIP", "LinearProbe", "KgCoOp", "ProGrad"},
    "torchscript": {"VPT", "UPT", "MVLPT-VPT", "MVLPT-UPT", "CoOp", "MVLPT-CoOp", "ZeroshotCLIP", "LinearProbe"},
}
"""Those that must be exported; others may be, or are refused."""


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_exports_or_says_why_not(toy_tasks, tmp_path, name):
    cfg = toy_config(tmp_path / "run")
    cfg.merge_from_file(CONFIGS / name / "embedded.yaml")
    cfg.merge_from_list(["OPTIM.MAX_EPOCH", 1, "DATASET.DATASET", "toy-cold"])
    cfg.freeze()
    run_config(cfg)
    for format in ("open_clip", "torchscript"):
        refused = None
        try:
            exported = export(tmp_path / "run", format)
        except PromptError as error:
            refused = str(error)
        if refused is not None:
            assert name not in EXPORTED[format], refused
            assert refused.startswith(str(tmp_path / "run"))
            assert "\n" not in refused
            assert [path.name for path in tmp_path.iterdir() if path.name not in (".state", "run")] == []
            continue
        assert "same logits" in exported.verified
        exported.folder.rename(tmp_path / "run" / format)
        if format == "torchscript":
            model = torch.jit.load(str(tmp_path / "run" / format / "model.pt"))
            classifier = load(tmp_path / "run", device="cpu")
            pixels = torch.randn(4, 3, 48, 48)
            torch.testing.assert_close(model(pixels), classifier.logits(pixels), atol=1e-4, rtol=1e-4)
