"""Requests for groupings of the toy tasks, and a guard against computing what a folder holds already."""

from mvlpt.experiment.grouping import DataChoice, affinities, grouping_requests, similarities

CONFIG = "configs/trainers/MVLPT-CoOp/embedded.yaml"
TASKS = ("toy-warm", "toy-cold", "toy-all")


def toy_request(tasks=TASKS, overrides=(), **options):
    """The grouping of toy tasks, two images a class, under the trainer MVLPT-CoOp."""
    [request] = grouping_requests(CONFIG, DataChoice(tuple(tasks), shots=2, seed=1), options, overrides=overrides)
    return request


def forbid_computing(monkeypatch):
    """Makes every embedding, comparison and affinity fail."""

    def refuse(*args, **options):
        raise AssertionError("something was computed again")

    monkeypatch.setattr(similarities, "similarity_matrices", refuse)
    for name in ("gradient_affinity", "lookahead_affinity", "transferability_affinity"):
        monkeypatch.setattr(affinities, name, refuse)
    monkeypatch.setattr("mvlpt.graph.embeddings.embed.encode_views", refuse)
