"""Loss, accuracy and gradient norm of each task over an epoch, kept on the device until they are read.

Shapes: B batch, T tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch


class TaskMeter:
    """Sums per task.

    Args:
        names: the tasks, in the order of their ids.
        device: where batches are.
    """

    def __init__(self, names: Sequence[str], device: torch.device) -> None:
        self.names = list(names)
        self._sums = torch.zeros(3, len(names), device=device)  # images, losses, hits
        self._norms: dict[int, float] = {}

    def reset(self) -> None:
        """Clears the sums, at the start of an epoch."""
        self._sums.zero_()
        self._norms.clear()

    def update(self, losses: torch.Tensor, hits: torch.Tensor, task: torch.Tensor) -> None:
        """Adds a batch: losses (B,), hits (B,) and task ids (B,)."""
        rows = torch.stack([torch.ones_like(losses), losses.detach(), hits.to(losses.dtype)])
        self._sums.index_add_(1, task, rows)

    def measure_gradients(
        self, losses: torch.Tensor, task: torch.Tensor, parameters: Iterable[torch.nn.Parameter]
    ) -> None:
        """Measures the gradient norm of each task in a mixed batch, once an epoch; leaves ``.grad`` as it is.

        Each costs a backward pass, so a task is measured on the first batch of the epoch that it occurs in. The norm is
        that of the mean loss over the task's images. A batch of one task costs nothing: :meth:`read_gradients`.
        """
        present = task.unique().tolist()
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for task_id in present if len(present) > 1 else ():
            if task_id not in self._norms:
                loss = losses[task == task_id].mean()
                gradients = torch.autograd.grad(loss, trained, retain_graph=True, allow_unused=True)
                self._norms[task_id] = _norm(gradients)

    def read_gradients(self, task: torch.Tensor, parameters: Iterable[torch.nn.Parameter]) -> None:
        """After the backward pass of a batch of one task, takes the norm of ``.grad`` as its own, once an epoch."""
        task_id = int(task[0])
        if task_id not in self._norms and bool((task == task_id).all()):
            self._norms[task_id] = _norm([parameter.grad for parameter in parameters])

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean loss, accuracy in percent, gradient norm (where measured) and number of images of every task seen."""
        images, losses, hits = self._sums.tolist()
        table = {}
        for task_id, name in enumerate(self.names):
            if images[task_id]:
                seen = images[task_id]
                table[name] = {"loss": losses[task_id] / seen, "acc": 100 * hits[task_id] / seen, "images": seen}
                if task_id in self._norms:
                    table[name]["grad_norm"] = self._norms[task_id]
        return table


def _norm(gradients: Iterable[torch.Tensor | None]) -> float:
    """Euclidean norm of all entries together."""
    return float(sum(g.float().square().sum() for g in gradients if g is not None)) ** 0.5
