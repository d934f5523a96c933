"""Partitions of tasks into groups that share a prompt: the objective, its limits, exact methods and heuristics."""
