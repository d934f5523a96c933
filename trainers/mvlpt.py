"""``MVLPT``: the paper code's trainer, which takes its method from the context lengths."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.errors import ConfigError
from mvlpt.trainers.prompt_options import text_options, unified_options, visual_options
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class MVLPT(PromptTrainer):
    """Text prompts where ``COOP.N_CTX`` is set, visual ones where ``VPT.N_CTX`` is, unified ones where both are.

    ``COCOOP.N_CTX`` gives text prompts that are conditioned on the image. All under ``TRAINER.MVLPT``.
    """

    def check_cfg(self, cfg: CfgNode) -> None:
        """Picks the method.

        Raises:
            ConfigError: no context length is set, or conditional prompts are joined with others.
        """
        node = cfg.TRAINER.MVLPT
        lengths = {name: node[name].N_CTX for name in ("COOP", "VPT", "COCOOP")}
        chosen = {name for name, length in lengths.items() if length > 0}
        methods = {("COOP",): "coop", ("VPT",): "vpt", ("COOP", "VPT"): "upt", ("COCOOP",): "cocoop"}
        try:
            self.method = methods[tuple(sorted(chosen))]
        except KeyError:
            told = ", ".join(f"TRAINER.MVLPT.{name}.N_CTX {length}" for name, length in lengths.items())
            raise ConfigError(
                f"The trainer MVLPT takes its method from the context lengths, but they are {told}; set COOP.N_CTX"
                " (text), VPT.N_CTX (visual), both (unified), or COCOOP.N_CTX alone"
            ) from None

    def prompt_options(self, cfg: CfgNode) -> dict[str, Any]:
        """Those of the chosen method."""
        node = cfg.TRAINER.MVLPT
        match self.method:
            case "coop":
                return text_options(node.COOP)
            case "vpt":
                return visual_options(node.VPT)
            case "upt":
                return unified_options(node)
            case _:
                return {"n_ctx": node.COCOOP.N_CTX, "ctx_init": node.COCOOP.CTX_INIT}
