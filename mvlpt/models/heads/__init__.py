"""Heads: classifiers on frozen image features, one file each. They fit a task in seconds."""

from mvlpt.models.heads.base import ClassTexts, FeatureHead, Support, options_of
from mvlpt.models.heads.clap import CLAPHead
from mvlpt.models.heads.cross_modal import CrossModalHead
from mvlpt.models.heads.knn import KNNHead
from mvlpt.models.heads.linear import LinearHead
from mvlpt.models.heads.lp_plus_plus import LPPlusPlusHead
from mvlpt.models.heads.task_residual import TaskResHead
from mvlpt.models.heads.texts import class_texts
from mvlpt.models.heads.tfup import TFUPHead
from mvlpt.models.heads.tip_adapter import TipAdapterFHead, TipAdapterHead

__all__ = [
    "CLAPHead",
    "ClassTexts",
    "CrossModalHead",
    "FeatureHead",
    "KNNHead",
    "LPPlusPlusHead",
    "LinearHead",
    "Support",
    "TFUPHead",
    "TaskResHead",
    "TipAdapterFHead",
    "TipAdapterHead",
    "class_texts",
    "options_of",
]
