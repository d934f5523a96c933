"""Stand-ins for recorded CUDA graphs, on a CPU."""

from functools import partial

import torch

from mvlpt.models.towers.replay import Replays


class Tape:
    """A recording that computes.

    Args:
        left: where it and the other recordings of a tower leave what the backward pass needs.
    """

    made = 0

    def __init__(self, left, function, inputs, memory):
        assert memory is None
        Tape.made += 1
        left.clear()  # what recording computes lies there, too
        self.left, self.function = left, function
        self.inputs = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in inputs]
        self.output = torch.full_like(function(*self.inputs), torch.nan).detach()
        self.grad_output = torch.full_like(self.output, torch.nan)
        self.gradients = [torch.full_like(t, torch.nan) if t.requires_grad else None for t in self.inputs]

    def forward(self):
        with torch.enable_grad():
            self.left.clear()
            self.left[self] = self.function(*self.inputs)
            self.output.copy_(self.left[self].detach())

    def backward(self):
        trained = [tensor for tensor in self.inputs if tensor.requires_grad]
        found = torch.autograd.grad(self.left.pop(self), trained, self.grad_output)  # KeyError: another pass has run
        for own, gradient in zip([g for g in self.gradients if g is not None], found, strict=True):
            own.copy_(gradient)


class Still:
    """A recording that keeps what it computed while it was made."""

    def __init__(self, function, inputs, memory):
        self.inputs = [tensor.detach().clone() for tensor in inputs]
        self.output = function(*inputs).detach()
        self.grad_output, self.gradients = torch.zeros_like(self.output), list(map(torch.zeros_like, inputs))
        self.forward = self.backward = lambda: None


def taped(weights):
    """Recordings on tapes that share one place."""
    return Replays(weights, partial(Tape, {}))
