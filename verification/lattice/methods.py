"""Training a learner on a lattice task, and what is measured of it exactly."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.methods.drcorl.drcorl import DRCORL
from deep.methods.safe_dql.safe_dql import Choice, SafeDQL
from deep.runs.experiment import Experiment, Settings
from deep.runs.folder import RunFolder
from deep.runs.trainer import train
from theory.cmdp.shapes import PerStateAction
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
from verification.lattice.trials import Trial

TRAJECTORIES = 2000
DATA_SEED = 0
SAMPLES, GROUPS = 16, 8
"""Draws of a diffusion policy in every node: so many lots, of so many draws each."""


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
            run_folder.release()
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
        mean, log_std = method.policy.distribution(method.actor.ema, observations)
    policy = induced(lattice, mean, log_std)
    exact = exact_values(lattice, policy)

    def cost(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return method.cost_critics[-1].upper_confidence(states, actions, 0.0)

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

    best, own = lots("best-of-n"), lots("sample")
    policy = torch.stack(own).mean(0)
    columns = _columns(score(behaviour, torch.stack(best).mean(0), problem.limits))
    columns |= {f"{name}_error": error for name, error in spread(lattice, best).items()}
    columns |= _sampling(behaviour, policy, problem.limits)
    columns |= {f"sampling_{name}_error": error for name, error in spread(lattice, own).items()}

    def cost(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return method.predict(states, actions).greatest_cost

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
