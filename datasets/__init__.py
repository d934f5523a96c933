"""The shipped data sets. Importing this package registers them; their tables are read when a name is asked for."""

from mvlpt.datasets import coop, custom, elevater, embedded

__all__ = ["coop", "custom", "elevater", "embedded"]
