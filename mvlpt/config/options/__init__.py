"""The table of options: every key of the configuration, declared once.

Defaults, checks, a run's identity and the help that people read all follow from it. Keys of Dassl and of the paper's
code keep their names and meaning, so their YAML files and command lines load unchanged.
"""

from mvlpt.config.options.data import DATALOADER, DATASET, INPUT
from mvlpt.config.options.option import Option
from mvlpt.config.options.run import ROOT, RUN, TEST, TRAIN
from mvlpt.config.options.training import MODEL, OPTIM, TRAINER

OPTIONS: dict[str, Option] = {
    option.key: option
    for section in (ROOT, INPUT, DATASET, DATALOADER, MODEL, OPTIM, TRAIN, TEST, TRAINER, RUN)
    for option in section
}

__all__ = ["OPTIONS", "Option"]
