"""Replays the forward and the backward pass of a tower as CUDA graphs.

A training step launches hundreds of small kernels in a tower, and a GPU computes them faster than Python launches
them. The shapes of a step rarely change, so that the kernels can be recorded once and launched together (CUDA C++
Programming Guide, "CUDA Graphs"; ``torch.cuda.graph``). They are the same kernels on the same numbers, so that results
are equal bit for bit.

All recordings of a tower share one pool of memory, so that together they hold as much as the largest of them. Whatever
a forward pass left there for its backward pass is lost once another pass has run; then the forward pass runs again,
from a copy of its inputs.
"""

from __future__ import annotations

import gc
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

USES_BEFORE = 2  # passes before one is recorded: recording takes as long as a few of them
KEPT = 32  # recordings of a tower, more than one for each of twenty tasks; further passes run without graphs
COUNTED = 64  # how many kinds of passes have their uses counted: the most recent ones

Function = Callable[..., Tensor]


class Replays:
    """The recorded passes of one tower.

    Args:
        weights: frozen tensors that the passes read. Recordings read them at their addresses in memory, and are dropped
            when one moves; values may change.
        recorder: makes a recording of a function and its inputs; a :class:`Recording` by default.

    Attributes:
        enabled: ``False`` runs every pass without graphs, so that a counter of operations sees its kernels.
    """

    def __init__(self, weights: Iterable[Tensor], recorder: Callable[..., Any] | None = None) -> None:
        self._weights = list(weights)
        self._recorder = recorder
        self.enabled = True
        self.pass_number = 0  # of the last pass that wrote into the shared memory
        self._uses: OrderedDict[Hashable, float] = OrderedDict()
        self._recordings: dict[Hashable, Any] = {}
        self._memory: Memory | None = None
        self._addresses = self._addresses_now()

    @classmethod
    def of(cls, model: nn.Module) -> Replays:
        """For passes through a model's frozen towers."""
        return cls([*model.parameters(), *model.buffers()])

    def __reduce__(self) -> tuple[Any, ...]:
        return Replays, (self._weights, self._recorder)  # a copy of a model records anew

    def release(self) -> None:
        """Gives the memory of all recordings back; a pass is recorded again when it next runs."""
        if self._recordings:
            self._recordings, self._memory = {}, None
            self.pass_number += 1
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()

    def __call__(self, key: Hashable, function: Function, *inputs: Tensor) -> Tensor:
        """``function(*inputs)``, replayed once it has been called a few times.

        Args:
            key: what else the function depends on; together with the inputs' shapes and types it says that a recording
                fits. It is kept, and with it the tensors in it that the function reads.
            function: of tensors alone; it draws no random numbers, and does nothing that waits for the GPU.
            inputs: at least one requires gradients.

        Returns:
            What the function returns, with gradients to the inputs.
        """
        if (addresses := self._addresses_now()) != self._addresses:
            self.release()
            self._addresses = addresses
            self._uses.clear()
        kinds = tuple((tensor.shape, tensor.dtype, tensor.requires_grad) for tensor in inputs)
        dtype = autocast_dtype(inputs[0].device)
        key = (key, kinds, dtype)
        # a cast that autocast had kept from before the recording would never be computed again
        with _uncached(inputs[0].device, dtype):
            if not self.enabled or (key not in self._recordings and not self._record(key, function, inputs)):
                return function(*inputs)
        return _Replayed.apply(self, self._recordings[key], function, *inputs)

    def _record(self, key: Hashable, function: Function, inputs: Sequence[Tensor]) -> bool:
        """Makes a recording, if it is time to; says whether there is one."""
        self._uses[key] = self._uses.pop(key, 0) + 1
        if len(self._uses) > COUNTED:
            self._uses.popitem(last=False)
        if self._uses[key] <= USES_BEFORE or len(self._recordings) >= KEPT:
            return False
        if self._memory is None and inputs[0].is_cuda:
            self._memory = Memory(torch.cuda.graph_pool_handle(), torch.cuda.Stream(inputs[0].device))
        try:
            self._recordings[key] = (self._recorder or Recording)(function, inputs, self._memory)
        except RuntimeError as error:  # too little memory, or an operation that cannot be recorded
            log.debug("A pass runs without CUDA graphs, since it could not be recorded: %s", error)
            self._uses[key], self._memory = -math.inf, None
            return False
        self.pass_number += 1
        return True

    def _addresses_now(self) -> list[int]:
        return [weight.data_ptr() for weight in self._weights]


class Memory(NamedTuple):
    """Where recordings keep what they compute; torch lets recordings share a pool's memory on one stream only."""

    pool: Any
    stream: torch.cuda.Stream


class Recording:
    """One function's forward and backward pass as two CUDA graphs.

    Args:
        function: see :class:`Replays`.
        inputs: example inputs.
        memory: where its results and intermediate values lie.

    Attributes:
        inputs: tensors of their own that the graphs read.
        output: what the forward pass writes.
        grad_output: the gradient with respect to the output, which the backward pass reads.
        gradients: what it writes; ``None`` for inputs without one.
    """

    def __init__(self, function: Function, inputs: Sequence[Tensor], memory: Memory) -> None:
        self.inputs = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in inputs]
        trained = [tensor for tensor in self.inputs if tensor.requires_grad]
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        # other threads, such as the one that pins a loader's memory, go on meanwhile
        options = {"pool": memory.pool, "stream": memory.stream, "capture_error_mode": "thread_local"}
        with torch.cuda.device(memory.stream.device), _undisturbed():
            memory.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(memory.stream):  # libraries take their workspaces before anything is recorded
                output = function(*self.inputs)
                self.grad_output = torch.zeros_like(output)
                torch.autograd.grad(output, trained, self.grad_output, allow_unused=True)
                del output
            torch.cuda.current_stream().wait_stream(memory.stream)
            with torch.cuda.graph(self._forward, **options):
                output = function(*self.inputs)
            with torch.cuda.graph(self._backward, **options):
                found = iter(torch.autograd.grad(output, trained, self.grad_output, allow_unused=True))
        self.output = output.detach()
        self.gradients = [next(found) if tensor.requires_grad else None for tensor in self.inputs]

    def forward(self) -> None:
        """Computes :attr:`output`, and what the backward pass needs."""
        self._forward.replay()

    def backward(self) -> None:
        """Computes :attr:`gradients`; what the forward pass left is lost."""
        self._backward.replay()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Collects no garbage, since freeing another model's graphs would abort a recording; keeps the current stream."""
    current, collects = torch.cuda.current_stream(), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        torch.cuda.set_stream(current)  # a recording that fails leaves its own
        if collects:
            gc.enable()


class _Replayed(torch.autograd.Function):
    """A pass that is replayed, as a node of the graph of autograd."""

    @staticmethod
    def forward(ctx: Any, replays: Replays, recording: Any, function: Function, *inputs: Tensor) -> Tensor:
        ctx.replays, ctx.recording, ctx.function = replays, recording, function
        ctx.save_for_backward(*inputs)  # for second derivatives
        ctx.values = [tensor.detach().clone() if tensor.requires_grad else tensor for tensor in inputs]
        ctx.dtype = autocast_dtype(inputs[0].device)
        ctx.number = _run_forward(replays, recording, inputs)
        return recording.output.clone()

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        replays, recording = ctx.replays, ctx.recording
        if torch.is_grad_enabled():  # the gradients will be differentiated: autograd must see what they come from
            return None, None, None, *_gradients(ctx.function, ctx.saved_tensors, grad_output, ctx.dtype)
        if ctx.number != replays.pass_number:
            _run_forward(replays, recording, ctx.values)
        recording.grad_output.copy_(grad_output)
        recording.backward()
        replays.pass_number += 1
        gradients = (None if gradient is None else gradient.clone() for gradient in recording.gradients)
        return None, None, None, *gradients


def _gradients(
    function: Function, inputs: Sequence[Tensor], grad_output: Tensor, dtype: torch.dtype | None
) -> list[Tensor | None]:
    """The gradients of a function, as functions of its inputs and of the gradient with respect to its output."""
    with _uncached(inputs[0].device, dtype):
        output = function(*inputs)
    trained = [tensor for tensor in inputs if tensor.requires_grad]
    found = iter(torch.autograd.grad(output, trained, grad_output, create_graph=True, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in inputs]


def _uncached(device: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    """Autocast as it is, but that it keeps no tensors that it has cast."""
    return torch.autocast(device.type, dtype, enabled=dtype is not None, cache_enabled=False)


@torch.no_grad()
def _run_forward(replays: Replays, recording: Any, inputs: Sequence[Tensor]) -> int:
    """Runs the forward pass and returns its number."""
    for own, given in zip(recording.inputs, inputs, strict=True):
        own.copy_(given)
    recording.forward()
    replays.pass_number += 1
    return replays.pass_number


def can_replay(device: torch.device, inputs: Iterable[Tensor]) -> bool:
    """Whether a pass may be recorded: for training on a GPU, and not while torch compiles or records it already."""
    return (
        device.type == "cuda"
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.cuda.is_current_stream_capturing()
        and any(tensor.requires_grad for tensor in inputs)
    )


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """The number type of autocast on a device; ``None`` while it is off."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
