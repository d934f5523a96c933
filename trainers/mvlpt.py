"""``MVLPT``: the paper code's trainer, which takes its method from the context lengths."""

from __future__ import annotations

from yacs.config import CfgNode

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.errors import ConfigError
from mvlpt.trainers.prompt_trainer import PromptTrainer

METHODS = {
    ("COOP",): ("coop", "MVLPT.COOP"),
    ("VPT",): ("vpt", "MVLPT.VPT"),
    ("COOP", "VPT"): ("upt", "MVLPT"),
    ("COCOOP",): ("cocoop", "MVLPT.COCOOP"),
}


@TRAINER_REGISTRY.register()
class MVLPT(PromptTrainer):
    """Text prompts where ``COOP.N_CTX`` is set, visual ones where ``VPT.N_CTX`` is, unified ones where both are.

    ``COCOOP.N_CTX`` gives text prompts that are conditioned on the image. All under ``TRAINER.MVLPT``.
    """

    @classmethod
    def choose_method(cls, cfg: CfgNode) -> tuple[str, str]:
        """The method that the context lengths ask for.

        Raises:
            ConfigError: no context length is set, or conditional prompts are joined with others.
        """
        lengths = {name: cfg.TRAINER.MVLPT[name].N_CTX for name in ("COOP", "VPT", "COCOOP")}
        chosen = tuple(sorted(name for name, length in lengths.items() if length > 0))
        if chosen not in METHODS:
            given = ", ".join(f"TRAINER.MVLPT.{name}.N_CTX {length}" for name, length in lengths.items())
            raise ConfigError(
                f"The trainer MVLPT takes its method from the context lengths, but they are {given}; set COOP.N_CTX"
                " (text), VPT.N_CTX (visual), both (unified), or COCOOP.N_CTX alone"
            )
        return METHODS[chosen]

    def check_cfg(self, cfg: CfgNode) -> None:
        """Refuses context lengths that name no method, before anything is built."""
        super().check_cfg(cfg)
        self.choose_method(cfg)
