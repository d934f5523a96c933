"""The shipped data sets. Importing this package registers them; their tables are read when a name is asked for."""

from mvlpt.datasets import embedded

__all__ = ["embedded"]
