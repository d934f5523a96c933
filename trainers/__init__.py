"""The shipped trainers. Importing this package registers them."""

from mvlpt.trainers import cocoop, linear_probe, mvlpt, mvlpt_coop, mvlpt_upt, mvlpt_vpt, zeroshot

__all__ = ["cocoop", "linear_probe", "mvlpt", "mvlpt_coop", "mvlpt_upt", "mvlpt_vpt", "zeroshot"]
