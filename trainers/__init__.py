"""The shipped trainers. Importing this package registers them."""

from mvlpt.trainers import coop, mvlpt_coop, zeroshot

__all__ = ["coop", "mvlpt_coop", "zeroshot"]
