"""Small tasks made of random features, for the tests of the task graph."""

import numpy as np

from mvlpt.graph import TaskEmbedding


def unit_rows(rng, rows, width):
    out = rng.normal(size=(rows, width))
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def random_task(rng, name="task", classes=3, images=8, width=5):
    return TaskEmbedding.of(
        name,
        [f"{name} class {k}" for k in range(classes)],
        "accuracy",
        rng.normal(size=(images, width)),
        [i % classes for i in range(images)],
        rng.normal(size=(classes, width)),
    )


def random_similarity(rng, tasks):
    out = rng.uniform(size=(tasks, tasks))
    out = (out + out.T) / 2
    np.fill_diagonal(out, 1)
    return out
