"""`python -m deep.speed --gpu-check --out DIR`: one command that shows on a GPU what a CPU cannot.

Parts, each with a share of the minutes, the most important first:

    graphs      every phase of every method, some blocks eager and as a CUDA graph from the same start: the largest
                difference of any tensor
    speed       steps per second of every phase: one replica eager, then stacks of replicas, eager and as graphs, in
                float32, TF32 and bfloat16 products; beside products of the phase's own shape
    paper       the paper preset's phases as graphs: seconds of a step, hours of the whole, peak memory
    run         a short DRCORL run on the embedded data; `python -m deep.evaluate DIR/run` scores it on any machine
    film        one frame by EGL, where MuJoCo is installed

gpu_check.json is written anew after every row, so a command that is stopped keeps what it has measured. `--dry` takes
tiny networks and runs each part once: on a CPU it shows that the command works.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deep.core.phase import BLOCK, Phase
from deep.core.randomness import draw_block
from deep.methods.registry import METHODS
from deep.methods.spec import Preset
from deep.ope.dynamics import DynamicsConfig
from deep.runs.cuda_graphs import Block, cuda_graph, eager, graphed
from deep.runs.experiment import Experiment, Settings, identity
from deep.runs.folder import RunFolder
from deep.runs.trainer import train
from deep.speed.measure import common_product, machine, operations, rates
from theory.support.errors import InputError
from theory.support.files import write_whole

PARTS = ("graphs", "speed", "paper", "run", "film")
SHARES = dict(zip(PARTS, (0.2, 0.4, 0.2, 0.17, 0.03), strict=True))
"""Of the minutes; what one part leaves goes to the next."""
PRECISIONS = {"float32": "highest", "tf32": "high", "bfloat16": "medium"}
"""How matrix products are computed (`torch.set_float32_matmul_precision`); tensors stay float32."""
TOLERANCE = 1e-4
"""The largest difference between eager and graph, relative to the tensor's largest entry, that counts as the same."""


@dataclasses.dataclass
class Check:
    """The state of one command: what it may use, and what it has found."""

    out: Path
    device: torch.device
    dry: bool
    deadline: float = 0.0
    """When the present part ends (`time.monotonic`)."""
    found: dict[str, Any] = dataclasses.field(default_factory=dict)

    def add(self, part: str, row: dict[str, Any]) -> None:
        """Keep a row, print it, and write the file anew."""
        self.found.setdefault(part, []).append(row)
        print(f"{part:>7}  " + "  ".join(f"{key} {_short(value)}" for key, value in row.items()), flush=True)
        write_whole(self.out / "gpu_check.json", json.dumps(self.found, indent=1, default=str).encode())

    @property
    def over(self) -> bool:
        """Whether the present part's time is up."""
        return time.monotonic() > self.deadline

    def experiment(self, algorithm: str, preset: Preset, replicas: int, **changes: Any) -> Experiment:
        """An untrained learner on the embedded data with that many seeds at the limit 20."""
        method = METHODS[algorithm].spec.presets[preset]
        if algorithm == "drcorl":
            gate = dataclasses.replace(method.gate, kind="ucb", select="last")
            method = dataclasses.replace(method, gate=gate)
        if self.dry:
            method = tiny(method)
        settings: dict[str, Any] = {
            "method": method,
            "task": "HopperVel",
            "algorithm": algorithm,
            "preset": preset,
            "seeds": tuple(range(replicas)),
            "cost_limits": (20.0,),
            "dataset": "embedded",
            "device": self.device.type,
            "dynamics": DynamicsConfig(steps=0),
        }
        return Experiment(Settings(**settings | changes))


def tiny(config: Any) -> Any:
    """The same settings with networks and batches of 16 and phases of two blocks, nested settings too."""
    small = {"hidden": (16,), "width": 16, "batch_size": 16}
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = tiny(value)
        elif field.name in small:
            changes[field.name] = tuple(16 for _ in value) if isinstance(value, tuple) else small[field.name]
        elif field.name.endswith("steps") and isinstance(value, int) and value > 0:
            changes[field.name] = 2 * BLOCK
    return dataclasses.replace(config, **changes)


def graphs(check: Check) -> None:
    """Eager and graphed blocks of every phase, from the same start and with the same random inputs."""
    for algorithm in METHODS:
        learner = check.experiment(algorithm, "quick", 2)
        for phase in learner.phases():
            if phase.steps == 0 or check.over:
                continue
            phase.on_start()
            tensors = learner.tensors()
            start = {name: tensor.clone() for name, tensor in tensors.items()}
            ends: list[dict[str, Tensor]] = []
            for block in (eager(phase.update), _graphed(phase, check.device)):
                for name, tensor in tensors.items():
                    tensor.copy_(start[name])
                for number in range(
                    3
                ):  # the first runs eagerly, the second is recorded and launched, the third launched
                    block(*_inputs(phase, number, check.device))
                ends.append({name: tensor.clone() for name, tensor in tensors.items()})
            worst, name = max((_difference(ends[0][name], ends[1][name]), name) for name in tensors)
            same = "same bits" if worst == 0 else "same" if worst <= TOLERANCE else "DIFFERENT"
            check.add("graphs", {"method": algorithm, "phase": phase.name, "difference": worst, "of": name, "": same})


def speed(check: Check) -> None:
    """Steps per second; the first row of a phase, one replica run eagerly, is what the others are compared with."""
    counts = (1, 2) if check.dry else (1, 4, 16, 32, 64)
    for algorithm in METHODS:
        base: dict[str, float] = {}
        for replicas in counts:
            learner = check.experiment(algorithm, "quick", replicas)
            for phase in learner.phases():
                if phase.steps == 0 or check.over:
                    continue
                phase.on_start()
                for form, precision in _forms(replicas):
                    row = _rate(check, learner, phase, form, precision)
                    base.setdefault(phase.name, row["steps_per_s"])
                    total = row["steps_per_s"] * replicas / base[phase.name]
                    names = {"method": algorithm, "phase": phase.name, "replicas": replicas}
                    check.add("speed", {**names, "form": form, "products": precision, **row, "times_one_eager": total})


def _forms(replicas: int) -> Iterator[tuple[str, str]]:
    """Eager once in float32; graphs in every precision."""
    if replicas in (1, 32):
        yield "eager", "float32"
    for precision in PRECISIONS:
        yield "graph", precision


def _rate(check: Check, learner: Experiment, phase: Phase, form: str, precision: str) -> dict[str, float]:
    """Steps per second of a phase, and the share of the throughput that products of its own shape reach alone."""
    torch.set_float32_matmul_precision(PRECISIONS[precision])
    try:
        block: Block = eager(phase.update) if form == "eager" else _graphed(phase, check.device)
        inputs = _inputs(phase, 0, check.device)
        block(*inputs)
        block(*inputs)
        product, size = common_product(learner, phase)
        seconds = 0.02 if check.dry else 0.6
        blocks, products = rates([lambda: block(*inputs), product], seconds, check.device, rounds=3)
        flops = operations(lambda: phase.update(inputs[0][0], {name: values[0] for name, values in inputs[1].items()}))
        return {"steps_per_s": blocks * BLOCK, "of_own_products": blocks * BLOCK * flops / (products * size)}
    finally:
        torch.set_float32_matmul_precision("highest")


def paper(check: Check) -> None:
    """Seconds of a step of the paper preset's phases as graphs, and what the whole takes."""
    for algorithm in METHODS:
        for replicas in (1,) if check.dry else (1, 16):
            if check.over:
                return
            if check.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            learner = check.experiment(algorithm, "paper", replicas)
            whole = 0.0
            for phase in learner.phases():
                if phase.steps == 0:
                    continue
                phase.on_start()
                began = time.perf_counter()
                draws = draw_block(phase.draws, phase.seeds, phase.name, 0, BLOCK, check.device)
                drawing = (time.perf_counter() - began) / BLOCK
                del draws
                step = 1 / _rate(check, learner, phase, "graph", "tf32")["steps_per_s"]
                hours = phase.steps * (step + drawing) / 3600
                whole += hours
                names = {"method": algorithm, "phase": phase.name, "replicas": replicas, "steps": phase.steps}
                check.add("paper", {**names, "ms_a_step": 1e3 * step, "ms_of_drawing": 1e3 * drawing, "hours": hours})
            row: dict[str, Any] = {"method": algorithm, "replicas": replicas, "hours_in_all": whole}
            if check.device.type == "cuda":
                row["peak_GiB"] = torch.cuda.max_memory_allocated() / 2**30
            check.add("paper", row)


def run(check: Check) -> None:
    """Train DRCORL by its quick preset for three seeds and three limits, as graphs; the run's folder is DIR/run."""
    changes: dict[str, Any] = {"seeds": (0, 1, 2), "cost_limits": (20.0, 40.0, 80.0)}
    if not check.dry:  # the dry learner keeps the gate that needs no dynamics: their rollouts take minutes of a CPU
        changes |= {"method": METHODS["drcorl"].spec.presets["quick"], "dynamics": DynamicsConfig()}
    learner = check.experiment("drcorl", "quick", 1, **changes)
    began = time.monotonic()
    with RunFolder(check.out / "run") as folder:
        software = {name: check.found["machine"][name] for name in ("torch", "device")}
        config = {"identity": identity(learner), "versions": software, "commit": None, "command": ["gpu_check"]}
        folder.open(config, resume=False)
        form = graphed if check.device.type == "cuda" else eager
        train(learner.phases(), learner.tensors(), folder, check.device, form)
    check.add("run", {"replicas": len(learner.problem.replicas), "seconds": time.monotonic() - began})


def film(check: Check) -> None:
    """One rendered frame; MuJoCo reads MUJOCO_GL when it is imported."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        from deep.tasks import find_task, make

        env = make(find_task("HopperVel"), "rgb_array")
        env.reset(seed=0)
        frame: Any = env.render()
        env.close()
        check.add("film", {"shape": list(frame.shape), "brightness": float(frame.mean())})
    except (InputError, ImportError) as error:
        check.add("film", {"not possible here": str(error)})


def _inputs(phase: Phase, number: int, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
    """The steps and random inputs of one block."""
    steps = torch.arange(number * BLOCK, (number + 1) * BLOCK, device=device, dtype=torch.get_default_dtype())
    return steps, draw_block(phase.draws, phase.seeds, phase.name, number, BLOCK, device)


def _graphed(phase: Phase, device: torch.device) -> Block:
    """The phase's block as a graph; without a GPU the same bookkeeping, with the updates done again."""
    on_gpu = device.type == "cuda"
    return graphed(phase.update, cuda_graph if on_gpu else lambda work: work)


def _difference(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest finite entry."""
    one, other = one.double(), other.double()
    scale = one[one.isfinite()].abs().max().item() if one.isfinite().any() else 0.0
    apart = torch.where(one == other, 0.0, (one - other).abs())
    return float(apart.max()) / max(scale, 1e-12) if apart.numel() else 0.0


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check_gpu(arguments: Sequence[str]) -> dict[str, Any]:
    """The command; returns what gpu_check.json holds."""
    parser = argparse.ArgumentParser(
        prog="python -m deep.speed --gpu-check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu_check.json and the run")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dry", action="store_true", help="tiny networks, to see that the command works")
    parser.add_argument("--minutes", type=float, default=8.0, help="time for all parts (default 8)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; --device cpu --dry tries the command out")
    if (options.out / "gpu_check.json").exists():
        raise InputError(f"--out {options.out} holds a check already: give another folder")
    options.out.mkdir(parents=True, exist_ok=True)
    check = Check(options.out, torch.device(options.device), options.dry)
    check.found["machine"] = machine(check.device) | {"minutes": options.minutes, "dry": options.dry}
    begin, share = time.monotonic(), 0.0
    work: dict[str, Callable[[Check], None]] = dict(zip(PARTS, (graphs, speed, paper, run, film), strict=True))
    for part in options.parts:
        share += SHARES[part]
        check.deadline = begin + 60 * options.minutes * share / sum(SHARES[name] for name in options.parts)
        try:
            work[part](check)
        except (RuntimeError, InputError) as error:  # a part that fails says so, and the next ones still run
            check.add("failed", {"part": part, "error": " ".join(str(error).split())[:500]})
    return check.found
