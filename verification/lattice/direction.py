r"""`python -m verification.lattice.direction`: what DRCORL's adaptation gains on lattice tasks, and what limits it.

A diagnosis by replacement. Each variant changes one thing of a base: a setting, or a part whose *exact* value takes the
place of the learned one (the slope of Q_r^pi or of Q_c^pi, or the gate's cost, all of the policy in training). Along
the ascent the value and the cost of the policy are measured exactly. If a part is to blame, its exact form makes the
loss go away.

Development data: the study's three tasks with other data (seed 1) and another learner's seed (10) than the ones that
`verification.lattice.study` reports.
"""

from verification.command import check_early, ends_cleanly

if __name__ == "__main__":
    check_early("verification.lattice.direction")

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.phase import Hook, Phase
from deep.methods.drcorl.config import DRCORLConfig
from deep.methods.drcorl.drcorl import DRCORL
from deep.methods.drcorl.least_squares import LeastSquares
from deep.methods.parts.critics import PolicyCritic
from deep.runs.experiment import Experiment, Settings
from deep.runs.folder import RunFolder
from deep.runs.trainer import train
from theory.cmdp.shapes import PerStateAction
from theory.optimum import solve
from theory.support.command import read
from theory.support.errors import InputError
from verification.lattice import direction_figure
from verification.lattice.data import Behaviour, collect
from verification.lattice.direction_variants import VARIANTS, Part, Variant
from verification.lattice.exact import deterministic, exact_values, on_nodes
from verification.lattice.methods import TRAJECTORIES
from verification.lattice.tasks import GAMMA, LATTICES, Lattice

DATA_SEED, SEEDS = 1, (10,)
EVERY = 100
"""Steps between two measurements."""
REFRESH = 5
"""Steps between two computations of exact parts."""
TRANSITIONS = 10_000
"""Transitions of the least-squares costs that are measured."""
RESULTS = Path(__file__).parents[2] / "notebooks" / "results" / "direction" / "lattice.json"


@dataclass(frozen=True)
class Options:
    """Measure what DRCORL's adaptation gains along its ascent."""

    tasks: tuple[str, ...] = ("LatticeSpeed", "LatticeHazard", "LatticeHeat")
    """Which tasks."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Which variants."""
    out: Path = RESULTS
    """The results file, to which variants are added; the figure lies beside it."""


class ExactParts:
    """The exact values of the policies in training, and the slopes of their Q-functions in the action."""

    def __init__(self, lattice: Lattice, method: DRCORL) -> None:
        self.lattice, self.method = lattice, method
        replay = method.problem.replay
        nodes = torch.from_numpy(on_nodes(lattice, len(method.problem.replicas)))
        self.nodes = replay.normalise(nodes.to(replay.mean))
        self.least_squares = LeastSquares(method.problem, method.values.cost[-1], None, TRANSITIONS, "start")
        self.axes = [torch.from_numpy(axis.nodes).to(replay.mean) for axis in lattice.actions.axes]
        self.refresh()

    def refresh(self) -> None:
        """Evaluate the present policies."""
        actions = self.method.act_current(self.nodes).numpy()
        self.values = exact_values(self.lattice, deterministic(self.lattice, actions))

    def kept(self) -> dict[str, Tensor]:
        """Value and cost of the policies that training returns."""
        found = exact_values(self.lattice, deterministic(self.lattice, self.method.act(self.nodes).numpy()))
        return {"kept_value": found.J_r, "kept_cost": found.J_c}

    def slope(
        self, table: PerStateAction, observations: Float[Tensor, "r n obs"], actions: Float[Tensor, "r n act"]
    ) -> Float[Tensor, "r n act"]:
        """grad_a of sum_j w_j(a) Q(s, g_j) at states of the grid; at a node of the actions it is one of both sides'."""
        node = torch.cdist(observations, self.nodes).argmin(-1)
        replica = torch.arange(len(node)).unsqueeze(1)
        q = table.to(actions)[replica, node].unflatten(-1, [len(axis) for axis in self.axes])
        with torch.enable_grad():
            actions = actions.detach().clamp(-0.9999, 0.9999).requires_grad_(True)
            value = q
            for i, axis in reversed(list(enumerate(self.axes))):
                weights = (1 - (actions[..., i : i + 1] - axis).abs() / (axis[1] - axis[0])).clamp(min=0)
                value = (value * weights.view(*weights.shape[:2], *[1] * i, -1)).sum(-1)
            return torch.autograd.grad(value.sum(), actions)[0]

    def critic_errors(self) -> dict[str, Tensor]:
        """What the critics miss of the policies' exact cost and reward from the start states, for every replica; the
        reward's where its critic evaluates the policy. The same of the least-squares cost, and its deviation."""
        method, rho = self.method, torch.from_numpy(self.lattice.rho)
        actions = method.act_current(self.nodes)

        def estimate(critic: PolicyCritic) -> Tensor:
            return (critic.upper_confidence(self.nodes, actions, 0.0).double() * rho).sum(1).detach()

        solution, std = self.least_squares.solution(method.act_current)
        errors = {
            "cost_error": estimate(method.values.cost[-1]) - self.values.J_c,
            "solution_error": solution - self.values.J_c,
            "solution_std": std,
        }
        if isinstance(method.values.reward, PolicyCritic):
            reward = estimate(method.values.reward) / method.problem.reward_scale
            errors["reward_error"] = reward - self.values.J_r
        return errors

    def install(self, parts: frozenset[Part]) -> None:
        """Put these exact parts in the place of the learned ones."""
        method, scale = self.method, self.method.problem.reward_scale

        def reward_slope(observations: Tensor, actions: Tensor) -> Tensor:
            return self.slope(self.values.Q_r * scale, observations, actions)

        def cost_slope(observations: Tensor, actions: Tensor) -> Tensor:
            return self.slope(self.values.Q_c, observations, actions)

        if "reward" in parts:
            method.values.reward.action_gradient = reward_slope
        if "cost" in parts:
            method.values.cost[0].action_gradient = cost_slope
        if "gate" in parts:
            method.gate.measure = lambda evidence: self.values.J_c


def build(lattice: Lattice, config: DRCORLConfig, variant: Variant) -> tuple[Experiment, DRCORL]:
    """An untrained learner on the development data."""
    settings = Settings(
        config,
        task=lattice.name,
        algorithm="drcorl",
        seeds=SEEDS,
        cost_limits=lattice.limits,
        gamma=GAMMA,
        dynamics=variant.dynamics,
        device="cpu",
    )
    experiment = Experiment(settings, lattice.task, collect(Behaviour(lattice), TRAJECTORIES, DATA_SEED))
    assert isinstance(experiment.method, DRCORL)
    return experiment, experiment.method


SHARED_PHASES = ("behaviour", "cloning", "reverse KL cloning")
Shared = dict[str, dict[str, Tensor]]
"""What those phases have left, by the settings that it follows from: variants of one task share it."""


def _shared_settings(lattice: Lattice, config: DRCORLConfig) -> str:
    names = ("behaviour", "clone", "cloning_steps", "regression_steps", "batch_size", "hidden", "learning_rate")
    return repr((lattice.name, *(getattr(config, name) for name in (*names, "ema_rate", "policy"))))


def curve(lattice: Lattice, variant: Variant, shared: Shared) -> list[dict[str, Any]]:
    """Train the variant; for every limit the exact value and cost along the ascent and of the policy that is kept, the
    gate's cost and the errors of the critics. Phases that `shared` has the outcome of are not run again."""
    experiment, method = build(lattice, variant.config, variant)
    exact = ExactParts(lattice, method)
    exact.install(variant.exact)
    points: list[dict[str, list[float]]] = []

    def measure(step: int) -> dict[str, Tensor]:
        exact.refresh()
        values = exact.values
        columns = {"value": values.J_r, "cost": values.J_c, "gate": method.gate.cost, **exact.critic_errors()}
        points.append({"step": [float(step)], **{name: column.tolist() for name, column in columns.items()}})
        return {}

    with tempfile.TemporaryDirectory() as folder:
        run_folder = RunFolder(Path(folder))
        run_folder.open({"identity": {}}, resume=False)
        phases, tensors, key = experiment.phases(), experiment.tensors(), _shared_settings(lattice, variant.config)
        if key in shared:
            phases = [phase for phase in phases if phase.name not in SHARED_PHASES]
            for name, tensor in shared[key].items():
                tensors[name].detach().copy_(tensor)
        phases = [*phases[:-1], _measured(phases[-1], exact, bool(variant.exact), measure)]
        train(phases, tensors, run_folder, experiment.device)
        run_folder.release()
        names = [name for name in tensors if name.startswith(("behaviour.", "clone."))]
        shared[key] = {name: tensors[name].detach().clone() for name in names}
    kept = {name: column.tolist() for name, column in exact.kept().items()}
    optimum = solve(
        lattice.cmdp.select(torch.zeros(len(SEEDS) * len(lattice.limits), dtype=torch.long)).with_budget(
            method.problem.limits
        )
    ).value
    return [
        {
            "seed": replica.seed,
            "cost_limit": replica.cost_limit,
            "optimal_value": float(optimum[i]),
            "steps": [int(point["step"][0]) for point in points],
            **{name: [round(point[name][i], 4) for point in points] for name in points[0] if name != "step"},
            **{name: round(column[i], 4) for name, column in kept.items()},
        }
        for i, replica in enumerate(method.problem.replicas)
    ]


def _measured(phase: Phase, exact: ExactParts, refreshed: bool, measure: Any) -> Phase:
    """The phase of adaptation with measurements, and with exact parts that follow the policy."""

    def update(step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if refreshed and int(step) % REFRESH == 0:
            exact.refresh()
        return phase.update(step, draws)

    def on_end() -> None:
        phase.on_end()
        measure(phase.steps)

    return replace(phase, update=update, hooks=[*phase.hooks, Hook(EVERY, measure)], on_end=on_end)


def main(arguments: list[str] | None = None) -> None:
    """Run the variants and write the results file, the figure and a table."""
    with ends_cleanly("finished variants are saved in --out"):
        options = read(Options, "verification.lattice.direction", arguments, "python -m verification.lattice.direction")
        for kind, asked, known in (("task", options.tasks, LATTICES), ("variant", options.variants, VARIANTS)):
            if unknown := [name for name in asked if name not in known]:
                raise InputError(f"unknown {kind} {unknown[0]!r}: accepted are {', '.join(known)}")
        torch.set_num_threads(1)
        results = json.loads(options.out.read_text()) if options.out.exists() else {"rows": [], "settings": {}}
        shared: Shared = {}
        for name in options.variants:
            for task in options.tasks:
                began = time.process_time()
                rows = [{"variant": name, "task": task, **row} for row in curve(LATTICES[task], VARIANTS[name], shared)]
                kept = [row for row in results["rows"] if (row["variant"], row["task"]) != (name, task)]
                results["rows"] = kept + rows
                results["settings"][name] = {**asdict(VARIANTS[name]), "exact": sorted(VARIANTS[name].exact)}
                results["data"] = {"trajectories": TRAJECTORIES, "seed": DATA_SEED, "learner_seeds": list(SEEDS)}
                options.out.write_text(json.dumps(results, indent=1) + "\n")
                print(f"{name}, {task}: {time.process_time() - began:.0f} s of CPU", flush=True)
        print(table(results))
        direction_figure.draw(results, options.out.with_suffix(".png"))


def table(results: dict[str, Any]) -> str:
    """The start and the end of every ascent: gap to the exact optimum, cost and gate."""
    lines = [f"{'variant':<34} {'task':<14} limit   start gap / cost     end gap / cost   gate"]
    for row in results["rows"]:
        gaps = [row["optimal_value"] - value for value in row["value"]]
        lines.append(
            f"{row['variant']:<34} {row['task']:<14} {row['cost_limit']:>5g}   {gaps[0]:>8.2f} / {row['cost'][0]:<6.2f}"
            f"  {gaps[-1]:>10.2f} / {row['cost'][-1]:<6.2f} {row['gate'][-1]:>5.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
