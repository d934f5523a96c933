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
        """Forgets the epoch."""
        self._sums.zero_()
        self._norms.clear()

    def update(self, losses: torch.Tensor, hits: torch.Tensor, task: torch.Tensor) -> None:
        """Adds a batch: losses (B,), hits (B,) and task ids (B,)."""
        rows = torch.stack([torch.ones_like(losses), losses.detach(), hits.to(losses.dtype)])
        self._sums.index_add_(1, task, rows)

    def measure_gradients(
        self, losses: torch.Tensor, task: torch.Tensor, parameters: Iterable[torch.nn.Parameter]
    ) -> None:
        """Notes the gradient norm of each task in a mixed batch that has none yet in this epoch; ``.grad`` stays.

        Each costs a backward pass, so a task is measured on the first batch of the epoch that it occurs in. The norm is
        that of the mean loss over the task's images. A batch of one task costs nothing: :meth:`read_gradients`.
        """
        present = task.unique().tolist()
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for identity in present if len(present) > 1 else ():
            if identity not in self._norms:
                loss = losses[task == identity].mean()
                gradients = torch.autograd.grad(loss, trained, retain_graph=True, allow_unused=True)
                self._norms[identity] = _norm(gradients)

    def read_gradients(self, task: torch.Tensor, parameters: Iterable[torch.nn.Parameter]) -> None:
        """After the backward pass of a batch of one task, notes the norm of ``.grad`` for it, once an epoch."""
        identity = int(task[0])
        if identity not in self._norms and bool((task == identity).all()):
            self._norms[identity] = _norm([parameter.grad for parameter in parameters])

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean loss, accuracy in percent, gradient norm (where measured) and images of every task seen."""
        images, losses, hits = self._sums.tolist()
        table = {}
        for identity, name in enumerate(self.names):
            if images[identity]:
                seen = images[identity]
                table[name] = {"loss": losses[identity] / seen, "acc": 100 * hits[identity] / seen, "images": seen}
                if identity in self._norms:
                    table[name]["grad_norm"] = self._norms[identity]
        return table


def _norm(gradients: Iterable[torch.Tensor | None]) -> float:
    """Euclidean norm of all entries together."""
    return float(sum(g.float().square().sum() for g in gradients if g is not None)) ** 0.5
