"""Tables of results: methods on tasks, gains, ranks, paired tests, in several formats."""
