"""Runs one attempt of a job, in whatever process."""
