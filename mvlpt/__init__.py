"""MVLPT: multitask vision-language prompt tuning (Shen et al., arXiv 2211.11720).

Importing this package reads nothing but its version, downloads nothing and changes no global state.
"""

from pathlib import Path

__version__ = (Path(__file__).parent / "VERSION").read_text(encoding="utf-8").strip()
