"""`python -m deep.export DIR --format onnx`: the policy of a finished run as one file that acts without this project.

The file takes raw observations and returns actions in the simulator's units: normalisation is part of it. It computes
what the run's own policy does. Where that draws random numbers, as Safe-DQL and the planners do, the file takes
standard normals as an input, `noise`, drawn anew for each step. A policy with a memory takes the reward and the cost of
the step before, and its state, whose first value is in the metadata. What the file is, is written into it. To act with
any of them, without this project:

    import json
    import gymnasium
    import numpy as np
    import onnxruntime

    policy = onnxruntime.InferenceSession("policy.onnx")
    about = policy.get_modelmeta().custom_metadata_map
    state = {name: np.array([value], dtype="float32") for name, value in json.loads(about["state"]).items()}
    wanted = [entry.name for entry in policy.get_inputs()]
    env, rng = gymnasium.make("Pendulum-v1"), np.random.default_rng(0)
    observation, _ = env.reset(seed=0)
    reward, cost, done = 0.0, 0.0, False
    while not done:
        noise = rng.standard_normal((1, *json.loads(about["noise_shape"])))
        inputs = {"observation": observation[None], "reward": [reward], "cost": [cost], "noise": noise, **state}
        inputs = {name: np.asarray(inputs[name], dtype="float32") for name in wanted}
        action, *after = policy.run(None, inputs)
        state = dict(zip(state, after))
        observation, reward, terminated, truncated, info = env.step(action[0])
        cost, done = info.get("cost", 0.0), terminated or truncated
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from deep.cli.run_folder import check_run
from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import write_whole

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt"}


@dataclass(frozen=True)
class Options:
    """Write one policy of a run as a file of its own."""

    directory: Annotated[Path, tyro.conf.Positional]
    """Folder of a finished run of deep.train."""
    format: Literal["onnx", "torchscript"]
    """onnx needs the package onnx; torchscript is read by torch and libtorch."""
    seed: int | None = None
    """Which seed's policy; may be left out where the run has one."""
    cost_limit: float | None = None
    """Which cost limit's policy; may be left out where the run has one."""
    out: Path | None = None
    """The file; default DIR/policy-SEED-LIMIT.onnx or .pt."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.export") -> None:
    with command(lambda: "nothing was written; the same command exports again"):
        run(read(Options, __name__, arguments, prog))


def run(options: Options) -> Path:
    """Write the file; its path."""
    suffix = SUFFIXES[options.format]
    if options.out is not None and options.out.suffix != suffix:
        raise InputError(f"--out {options.out}: a name that ends in {suffix} is accepted for {options.format}")
    check_run(options.directory)
    from deep.export.inference_graph import inference_graph
    from deep.export.policy_file import choose, metadata, to_onnx, to_torchscript
    from deep.runs.experiment import finished

    experiment, _ = finished(options.directory, with_data=False)
    index = choose(experiment, options.seed, options.cost_limit)
    replica, policy = experiment.problem.replicas[index], inference_graph(experiment, index)
    about = metadata(experiment, policy, index, options.directory)
    content = (to_onnx if options.format == "onnx" else to_torchscript)(policy, about)
    path = options.out or options.directory / f"policy-{replica.seed}-{replica.cost_limit:g}{suffix}"
    write_whole(path, content)
    inputs = ", ".join(f"{name} ({', '.join(map(str, ('batch', *shape)))})" for name, shape in policy.inputs.items())
    print(f"{path}: {len(content):,} bytes, seed {replica.seed}, cost limit {replica.cost_limit:g}, {policy.how}")
    more = f", {', '.join(policy.outputs[1:])}" if policy.start else ""
    print(f"inputs: {inputs}, float32; outputs: action (batch, {about['action_size']}){more}")
    return path


if __name__ == "__main__":
    main()
