"""The content of a policy's file: the replica that is meant, the metadata, the formats."""

import io
import json
import warnings
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.jit._trace import TracerWarning  # which torch does not export elsewhere

from deep.core.files import read_json, wrong_form
from deep.export.inference_graph import InferenceGraph
from deep.export.with_state import WithState
from deep.runs.config_file import read_config
from deep.runs.experiment import Experiment
from theory.support.errors import InputError

Graph = InferenceGraph | WithState
METADATA = "metadata.json"
"""Where a TorchScript file holds its metadata; an ONNX file has them as its properties."""
OPSET = 17
"""Of the year 2022, so that runtimes which are not of today read it too."""


def choose(experiment: Experiment, seed: int | None, cost_limit: float | None) -> int:
    """The number of the replica that is meant; raises `InputError` where there is none or several."""
    replicas = experiment.problem.replicas
    meant = [i for i, r in enumerate(replicas) if seed in (None, r.seed) and cost_limit in (None, r.cost_limit)]
    if len(meant) == 1:
        return meant[0]
    seeds, limits = (", ".join(f"{x:g}" for x in dict.fromkeys(column)) for column in zip(*replicas, strict=True))
    asked = {"--seed": seed, "--cost-limit": cost_limit}
    given = " ".join(f"{option} {value:g}" for option, value in asked.items() if value is not None)
    found = f"{len(meant)} of the run's policies are meant" if meant else "the run has no such policy"
    raise InputError(f"{given or 'no choice'}: {found}; accepted are --seed {seeds} and --cost-limit {limits}")


def metadata(experiment: Experiment, policy: Graph, index: int, run: Path) -> dict[str, Any]:
    """What the file says of itself."""
    task, settings, replica = experiment.task, experiment.settings, experiment.problem.replicas[index]
    if not (run / "summary.json").exists():
        raise InputError(f"the run in {run} was not evaluated to its end: go on with deep.train --resume")
    config, summary = read_config(run), read_json(run / "summary.json")
    with wrong_form(run / "summary.json", "the results of all replicas"):
        (result,) = [r for r in summary["results"] if (r["seed"], r["cost_limit"]) == tuple(replica)]
    with wrong_form(run / "config.json", "the versions of a run"):
        software = {name: config[name] for name in ("commit", "versions")}
    return {
        "task": task.name,
        "observation_size": task.observation_size,
        "action_size": task.action_size,
        "action_low": (policy.centre - policy.scale).tolist(),
        "action_high": (policy.centre + policy.scale).tolist(),
        "noise_shape": list(policy.inputs.get("noise", ())),
        "state": {name: value.tolist() for name, value in policy.start.items()},
        "acts_by": policy.how,
        "algorithm": settings.algorithm,
        "preset": settings.preset,
        "hyper_parameters": asdict(settings.method),
        "gamma": settings.gamma,
        "seed": replica.seed,
        "cost_limit": replica.cost_limit,
        "result": result,
        "dataset_sha256": experiment.data.sha256,
        **software,
    }


def to_torchscript(policy: Graph, about: dict[str, Any]) -> bytes:
    """The policy as TorchScript; raw float32 tensors in and out."""
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # torch advises its newer format, which libtorch cannot load without compiling it for a machine. What depends on
        # the batch alone in Python is compared with other batches in the tests.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        warnings.filterwarnings("ignore", category=TracerWarning)
        traced = torch.jit.trace(policy, examples(policy), check_trace=False)
        torch.jit.save(traced, buffer, _extra_files={METADATA: json.dumps(about)})
    return without_source_paths(buffer.getvalue())


def examples(policy: Graph) -> tuple[torch.Tensor, ...]:
    """Inputs to trace with, for a batch of two."""
    return tuple(torch.zeros(2, *shape) for shape in policy.inputs.values())


def without_source_paths(archive: bytes) -> bytes:
    """A TorchScript file without its debug entries, which name the exporting machine's folders; torch needs none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))
    return buffer.getvalue()


def to_onnx(policy: Graph, about: dict[str, Any]) -> bytes:
    """The policy as an ONNX model; raises `InputError` where the package onnx is missing."""
    try:
        import onnx
    except ImportError as error:
        raise InputError(
            f"--format onnx needs a package that is not installed ({error}): `pip install onnx onnxruntime` installs "
            "it and what runs the file, and --format torchscript needs neither"
        ) from error
    buffer, names = io.BytesIO(), [*policy.inputs, *policy.outputs]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, and in favour of an exporter that needs two more packages
        torch.onnx.export(
            policy,
            examples(policy),
            buffer,  # pyright: ignore[reportArgumentType]  (which this exporter takes)
            dynamo=False,
            opset_version=OPSET,
            input_names=[*policy.inputs],
            output_names=policy.outputs,
            dynamic_axes={name: {0: "batch"} for name in names},
        )
    made = onnx.load_from_string(buffer.getvalue())
    merge_constants(made.graph)
    for node in made.graph.node:
        node.doc_string = ""  # it names the exporting machine's folders
    made.producer_name = "safe-offline-rl"
    properties = {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}
    onnx.helper.set_model_props(made, properties)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def merge_constants(graph: Any) -> None:
    """Keep one of the equal constants of an ONNX graph: the exporter writes a planner's weights anew for each pass."""
    first: dict[bytes, str] = {}
    renamed: dict[str, str] = {}
    kept = []
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if node.op_type == "Constant":
            value = b"".join(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
            name = renamed[node.output[0]] = first.setdefault(value, node.output[0])
            if name != node.output[0]:
                continue
        kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
