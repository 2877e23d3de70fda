"""A block of updates as one CUDA graph: the same update code, its inputs and outputs at fixed places.

Not run on a device yet: this project's machines have none. What is tested without one is that the fixed places change
no bit, and that no update waits for the device or makes a tensor from numbers of the host: neither can be recorded.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from deep.core.phase import Update

Metrics = dict[str, Tensor]
Block = Callable[[Tensor, Mapping[str, Tensor]], Metrics]
"""(steps (count,), draws (count, n, *shape)) -> metrics (count, n)."""


def eager(update: Update) -> Block:
    """The updates of a block, one after the other. Nothing waits for the device."""

    def block(steps: Tensor, draws: Mapping[str, Tensor]) -> Metrics:
        rows: list[Metrics] = []
        for k, step in enumerate(steps.unbind()):
            metrics = update(step, {name: values[k] for name, values in draws.items()})
            rows.append({name: value.clone() for name, value in metrics.items()})  # it may return what it changes
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    return block


def cuda_graph(work: Callable[[], None]) -> Callable[[], None]:
    """What replays the work, recorded and not carried out."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def graphed(update: Update, record: Callable[[Callable[[], None]], Callable[[], None]] = cuda_graph) -> Block:
    """The same block, recorded once as a CUDA graph and launched from then on.

    The first block runs as it is, which makes libraries allocate what a recording may not, and so does a last block
    that is shorter. `record` is for tests on a CPU: there, "replaying" is to do the work again.
    """
    block = eager(update)
    inputs: dict[str, Tensor] = {}
    outputs: Metrics = {}
    replay: Callable[[], None] | None = None

    def work() -> None:
        outputs.update(block(inputs["step"], {name: inputs[name] for name in inputs if name != "step"}))

    def run(steps: Tensor, draws: Mapping[str, Tensor]) -> Metrics:
        nonlocal replay
        new = {**draws, "step": steps}
        if not inputs:
            inputs.update({name: value.clone() for name, value in new.items()})
            return block(steps, draws)
        if len(steps) != len(inputs["step"]):
            return block(steps, draws)
        for name, value in new.items():
            inputs[name].copy_(value)
        if replay is None:
            replay = record(work)
        replay()
        return outputs

    return run
