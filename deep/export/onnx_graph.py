"""An ONNX graph, written by running a function on its inputs: each operation adds a node.

A `Value` stands for a tensor that the graph will compute, and has those operators and methods of a torch tensor that
`deep.nn.inference` uses. Needs the package onnx; torch's own exporter would need another, and knows no such plain
graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
"""Of the year 2022, so that runtimes which are not of today read it too."""


def model(
    function: Callable[..., Value], inputs: Mapping[str, tuple[int, ...]], output: str, size: int
) -> onnx.ModelProto:
    """The graph of `function`: float32 inputs (batch, *shape) by name to an output (batch, size); checked."""
    graph = Graph()
    result = function(*(Value(graph, name) for name in inputs))
    graph.nodes.append(helper.make_node("Identity", [result.name], [output]))

    def described(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    body = helper.make_graph(
        graph.nodes,
        "policy",
        [described(name, shape) for name, shape in inputs.items()],
        [described(output, (size,))],
        graph.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    made = helper.make_model(body, opset_imports=[opset], ir_version=IR_VERSION, producer_name="safe-offline-rl")
    onnx.checker.check_model(made, full_check=True)
    return made


class Graph:
    """Nodes and constants, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:
        """The name of a new constant: numbers become float32, index arrays stay int64."""
        array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        name = f"constant_{len(self.constants)}"
        kept = array if array.dtype == np.int64 and array.ndim else array.astype(np.float32)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
        return name

    def node(self, kind: str, *inputs: Any, **attributes: Any) -> Value:
        """A new node's output; inputs that are no values become constants."""
        names = [value.name if isinstance(value, Value) else self.constant(value) for value in inputs]
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [name], **attributes))
        return Value(self, name)


class Value:
    """What a tensor is in `deep.nn.inference`; each method does what torch's of that name does."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def _node(self, kind: str, *others: Any, **attributes: Any) -> Value:
        return self.graph.node(kind, self, *others, **attributes)

    def __add__(self, other: Any) -> Value:
        return self._node("Add", other)

    def __sub__(self, other: Any) -> Value:
        return self._node("Sub", other)

    def __mul__(self, other: Any) -> Value:
        return self._node("Mul", other)

    def __rmul__(self, other: Any) -> Value:
        return self._node("Mul", other)

    def __truediv__(self, other: Any) -> Value:
        return self._node("Div", other)

    def __matmul__(self, other: Any) -> Value:
        return self._node("MatMul", other)

    def __le__(self, other: Any) -> Value:
        return self._node("LessOrEqual", other)

    def relu(self) -> Value:
        return self._node("Relu")

    def tanh(self) -> Value:
        return self._node("Tanh")

    def exp(self) -> Value:
        return self._node("Exp")

    def log(self) -> Value:
        return self._node("Log")

    def minimum(self, other: Value) -> Value:
        return self._node("Min", other)

    def maximum(self, other: Value) -> Value:
        return self._node("Max", other)

    def clamp(self, low: float, high: float) -> Value:
        return self._node("Clip", low, high)

    def where(self, condition: Value, other: Value) -> Value:
        return self.graph.node("Where", condition, self, other)

    def amin(self, dim: int, keepdim: bool) -> Value:
        return self._node("ReduceMin", axes=[dim], keepdims=int(keepdim))

    def argmax(self, dim: int, keepdim: bool) -> Value:
        return self._node("ArgMax", axis=dim, keepdims=int(keepdim))

    def unsqueeze(self, dim: int) -> Value:
        return self._node("Unsqueeze", np.array([dim]))

    def select(self, dim: int, index: int) -> Value:
        return self._node("Gather", np.array([index]), axis=dim)._node("Squeeze", np.array([dim]))

    def take_along_dim(self, indices: Value, dim: int) -> Value:
        """For self (batch, n, a), indices (batch, 1, 1) and dim 1: (batch, 1, a)."""
        assert dim == 1
        chosen = self._node("GatherND", indices._node("Squeeze", np.array([2])), batch_dims=1)
        return chosen.unsqueeze(1)
