"""The learners of the study: their budgets, their training on a lattice task, and what is measured of them exactly."""

import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.algorithms.bc import BCConfig
from deep.algorithms.drcorl import DRCORL, DRCORLConfig
from deep.algorithms.safe_dql import Choice, SafeDQL, SafeDQLConfig
from deep.behaviour import BehaviourConfig
from deep.critics import CriticConfig
from deep.estimates import DynamicsConfig
from deep.experiment import Experiment, Settings
from deep.gates import GateConfig
from deep.runs import RunFolder
from deep.trainer import train
from deep.twins import TwinConfig
from theory.shapes import PerStateAction
from verification.lattice.data import Behaviour, collect
from verification.lattice.exact import (
    critic_error,
    deterministic,
    exact_values,
    gaussian,
    on_nodes,
    read_critic,
    sampled,
    score,
    spread,
)
from verification.lattice.tasks import GAMMA, Lattice
from verification.lattice.theorem9 import theorem_9

TRAJECTORIES = 2000
DATA_SEED = 0
HIDDEN = (64, 64)
NO_DYNAMICS = DynamicsConfig(steps=0)
SAMPLES, GROUPS = 16, 8
"""Draws of a diffusion policy in every node: so many lots, of so many draws each."""


@dataclass(frozen=True)
class Trial:
    """One learner with the budget that the study gives it."""

    algorithm: str
    config: Any
    dynamics: DynamicsConfig = NO_DYNAMICS
    seeds: tuple[int, ...] = (0, 1, 2)
    tasks: tuple[str, ...] = ("LatticeSpeed", "LatticeHazard", "LatticeHeat")
    dtype: torch.dtype = field(default=torch.float32)


def _cloning(trajectories: Any) -> Trial:
    return Trial(f"bc_{trajectories}", BCConfig(trajectories, steps=1500, batch_size=256, hidden=HIDDEN))


_DYNAMICS = DynamicsConfig(steps=1500, members=3, batch_size=64, hidden=HIDDEN, episodes=8)
_DRCORL = DRCORLConfig(
    behaviour=BehaviourConfig(steps=2000, batch_size=64, width=48, blocks=2, learning_rate=2e-3),
    critics=CriticConfig(steps=1200, regression_steps=400, hidden=HIDDEN, learning_rate=1e-3, target_rate=0.02),
    cloning_steps=800,
    regression_steps=600,
    adaptation_steps=800,
    batch_size=64,
    hidden=HIDDEN,
    gate=GateConfig(look_every=100),
)
_PREPRINT = replace(_DRCORL, gate=GateConfig("ucb", k=2.0, states="start", choose="last"))
_SHORT = replace(
    _PREPRINT,
    behaviour=replace(_DRCORL.behaviour, steps=200, width=32),
    critics=CriticConfig(steps=300, regression_steps=200, hidden=(32, 32)),
    cloning_steps=300,
    regression_steps=200,
    adaptation_steps=100,
)

TRIALS = {
    "BC-All": _cloning("all"),
    "BC-Safe": _cloning("safe"),
    "BC-Best": _cloning("best"),
    "DRCORL, dynamics gate": Trial("drcorl", _DRCORL, _DYNAMICS),
    "DRCORL, UCB gate": Trial("drcorl", _PREPRINT),
    "DRCORL, UCB gate, Gaussian": Trial("drcorl", replace(_PREPRINT, policy="gaussian")),
    "Safe-DQL": Trial(
        "safe_dql",
        SafeDQLConfig(
            critics=TwinConfig(hidden=HIDDEN, learning_rate=1e-3, target_rate=0.02),
            behaviour_steps=2000,
            improvement_steps=1500,
            batch_size=64,
            hidden=(64, 64, 64),
            average_rate=0.01,
            # Eq. (1) as it stands, for Theorem 9: the smaller twin, and kappa for start states.
            twin="min",
            kappa="start",
        ),
    ),
    # Double precision, so that another machine repeats it to many digits; the test suite trains it again.
    "DRCORL, short": Trial("drcorl", _SHORT, seeds=(0,), tasks=("LatticeHeat",), dtype=torch.float64),
}
"""By the name that results.json uses."""


def build(lattice: Lattice, trial: Trial) -> tuple[Behaviour, Experiment]:
    """The data's policies and an untrained learner."""
    behaviour = Behaviour(lattice)
    settings = Settings(
        trial.config,
        task=lattice.name,
        algorithm=trial.algorithm,  # pyright: ignore[reportArgumentType]
        seeds=trial.seeds,
        cost_limits=lattice.limits,
        gamma=GAMMA,
        dynamics=trial.dynamics,
        device="cpu",
    )
    return behaviour, Experiment(settings, lattice.task, collect(behaviour, TRAJECTORIES, DATA_SEED))


def run(lattice: Lattice, trial: Trial) -> list[dict[str, Any]]:
    """Train all seeds and limits together; one row of exact measurements for each."""
    before = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(trial.dtype)
    torch.set_num_threads(1)
    try:
        behaviour, experiment = build(lattice, trial)
        with tempfile.TemporaryDirectory() as folder:
            run_folder = RunFolder(Path(folder))
            run_folder.open({"identity": {}}, resume=False)
            train(experiment.phases(), experiment.tensors(), run_folder, experiment.device)
            run_folder.close()
        return measure(behaviour, experiment)
    finally:
        torch.set_default_dtype(before[0])
        torch.set_num_threads(before[1])


def measure(behaviour: Behaviour, experiment: Experiment) -> list[dict[str, Any]]:
    """The rows: the scores of the policy that acts, and where the method has them, of its parts."""
    lattice, method = behaviour.lattice, experiment.method
    replicas = experiment.problem.replicas
    if isinstance(method, SafeDQL):
        columns = _parts_of_safe_dql(behaviour, experiment, method)
    else:
        actions = experiment.act(_observations(lattice, len(replicas)))
        columns = _columns(score(behaviour, deterministic(lattice, actions), experiment.problem.limits))
    if isinstance(method, DRCORL):
        columns |= _parts_of_drcorl(behaviour, experiment, method)
    if experiment.settings.dynamics.steps > 0:
        columns["offline_cost_estimate"] = experiment.dynamics.estimate(method.act).cost.double()
    rows = [{name: float(values[i]) for name, values in columns.items()} for i in range(len(replicas))]
    return [{"seed": r.seed, "cost_limit": r.cost_limit, **row} for r, row in zip(replicas, rows, strict=True)]


def _parts_of_drcorl(behaviour: Behaviour, experiment: Experiment, method: DRCORL) -> dict[str, torch.Tensor]:
    """The critics against the policy that they follow, the gate against its cost, and a Gaussian's samples."""
    lattice, problem = behaviour.lattice, experiment.problem
    replicas = len(problem.replicas)
    observations = experiment.replay.normalise(torch.from_numpy(_observations(lattice, replicas)))
    with torch.no_grad():
        mean, log_std = method.policy.distribution(method.actor.average, observations)
    policy = induced(lattice, mean, log_std)
    exact = exact_values(lattice, policy)

    def cost(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return method.costs[-1].upper_confidence(states, actions, 0.0)

    estimate = read_critic(lattice, cost, experiment.replay.normalise, replicas)
    columns = _columns(critic_error(behaviour, estimate, exact.Q_c, policy), "cost_critic_")
    columns |= {"gate": method.gate.cost, "gate_error": method.gate.cost - exact.J_c}
    return columns | ({} if log_std is None else _sampling(behaviour, policy, problem.limits))


def _parts_of_safe_dql(behaviour: Behaviour, experiment: Experiment, method: SafeDQL) -> dict[str, torch.Tensor]:
    """The choice among candidates that acts, the diffusion policy itself with Theorem 9, and the cost critic."""
    lattice, problem = behaviour.lattice, experiment.problem
    replicas = len(problem.replicas)

    def lots(choice: Choice) -> list[PerStateAction]:
        actor = method.acting(choice)
        return sampled(lattice, lambda observations: experiment.act(observations, actor), replicas, SAMPLES, GROUPS)

    best, own = lots("best"), lots("sample")
    policy = torch.stack(own).mean(0)
    columns = _columns(score(behaviour, torch.stack(best).mean(0), problem.limits))
    columns |= {f"{name}_error": error for name, error in spread(lattice, best).items()}
    columns |= _sampling(behaviour, policy, problem.limits)
    columns |= {f"sampling_{name}_error": error for name, error in spread(lattice, own).items()}

    def cost(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return method.foretell(states, actions).greatest_cost

    estimate = read_critic(lattice, cost, experiment.replay.normalise, replicas)
    columns |= _columns(critic_error(behaviour, estimate, exact_values(lattice, policy).Q_c, policy), "cost_critic_")
    return columns | _columns(theorem_9(behaviour, experiment, method, policy), "theorem9_")


def _sampling(behaviour: Behaviour, policy: PerStateAction, limits: torch.Tensor) -> dict[str, torch.Tensor]:
    """Scores of a policy's own draws, beside those of what it does when evaluated."""
    measured = score(behaviour, policy, limits)
    return {f"sampling_{name}": getattr(measured, name) for name in ("value", "gap", "cost", "violation", "kl")}


def induced(lattice: Lattice, mean: torch.Tensor, log_std: torch.Tensor | None) -> PerStateAction:
    """What a Dirac or Gaussian policy does on the grid actions."""
    if log_std is None:
        return deterministic(lattice, mean.numpy())
    return gaussian(lattice, mean.numpy(), log_std.exp().numpy())


def _observations(lattice: Lattice, replicas: int) -> np.ndarray:
    return on_nodes(lattice, replicas).astype(torch.zeros(()).numpy().dtype)


def _columns(measured: Any, prefix: str = "") -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": values for name, values in vars(measured).items()}


def described(trial: Trial) -> dict[str, Any]:
    """The trial in words and numbers, for results.json."""
    plain = {"algorithm": trial.algorithm, "seeds": list(trial.seeds), "dtype": str(trial.dtype)}
    return plain | {"config": asdict(trial.config), "dynamics": asdict(trial.dynamics)}
