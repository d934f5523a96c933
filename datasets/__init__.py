"""The shipped data sets. Importing this package registers them; their tables are read when a name is asked for."""

from mvlpt.datasets import coop, elevater, embedded, own

__all__ = ["coop", "elevater", "embedded", "own"]
