"""Carrying one attempt of a job out, in whatever process: output, environment, time limit, result."""
