"""The shipped trainers. Importing this package registers them."""

from mvlpt.trainers.cocoop import CoCoOp
from mvlpt.trainers.deep_prompts import IVLP, MaPLe
from mvlpt.trainers.dept import DePT
from mvlpt.trainers.feature_head import FeatureHeadTrainer
from mvlpt.trainers.feature_heads import CLAP, KNN, TFUP, CrossModalProbe, LPPlusPlus, TaskRes, TipAdapter, TipAdapterF
from mvlpt.trainers.frozen_clip import FrozenCLIPTrainer, TaskInput
from mvlpt.trainers.guided import GuidedTrainer
from mvlpt.trainers.kgcoop import KgCoOp
from mvlpt.trainers.linear_probe import LinearProbe
from mvlpt.trainers.losses import correct, prompt_losses
from mvlpt.trainers.mask_tuning import RegularisedMaskTuning
from mvlpt.trainers.mvlpt import MVLPT
from mvlpt.trainers.mvlpt_coop import CoOp, MVLPTCoOp
from mvlpt.trainers.mvlpt_upt import MVLPTUPT, UPT
from mvlpt.trainers.mvlpt_vpt import MVLPTVPT, VPT
from mvlpt.trainers.prograd import ProGrad
from mvlpt.trainers.prompt_trainer import PromptTrainer
from mvlpt.trainers.promptsrc import PromptSRC
from mvlpt.trainers.pseudo_labelling import PseudoLabelTrainer
from mvlpt.trainers.single_task import SingleTask
from mvlpt.trainers.tpt import TPT
from mvlpt.trainers.two_stage import TwoStageAdaptation
from mvlpt.trainers.weight_tuning import CLIPLoRA, LNTuning
from mvlpt.trainers.zeroshot import ZeroshotCLIP

__all__ = [
    "CLAP",
    "IVLP",
    "KNN",
    "MVLPT",
    "MVLPTUPT",
    "MVLPTVPT",
    "TFUP",
    "TPT",
    "UPT",
    "VPT",
    "CLIPLoRA",
    "CoCoOp",
    "CoOp",
    "CrossModalProbe",
    "DePT",
    "FeatureHeadTrainer",
    "FrozenCLIPTrainer",
    "GuidedTrainer",
    "KgCoOp",
    "LNTuning",
    "LPPlusPlus",
    "LinearProbe",
    "MVLPTCoOp",
    "MaPLe",
    "ProGrad",
    "PromptSRC",
    "PromptTrainer",
    "PseudoLabelTrainer",
    "RegularisedMaskTuning",
    "SingleTask",
    "TaskInput",
    "TaskRes",
    "TipAdapter",
    "TipAdapterF",
    "TwoStageAdaptation",
    "ZeroshotCLIP",
    "correct",
    "prompt_losses",
]
