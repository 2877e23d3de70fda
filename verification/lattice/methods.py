"""Training a learner on a lattice task, and what is measured of it exactly."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.core.method import ExactParts, Policy
from deep.runs.experiment import Experiment, Settings
from deep.runs.folder import RunFolder
from deep.runs.trainer import train
from theory.cmdp.shapes import PerStateAction
from verification.lattice.data import Behaviour, collect
from verification.lattice.exact import (
    Act,
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
        algorithm=trial.algorithm,
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
    parts = method.exact_parts()
    if parts is not None and parts.distribution is None:
        columns = _sampled_parts(behaviour, experiment, parts)
    else:
        actions = experiment.act(_observations(lattice, len(replicas)))
        columns = _columns(score(behaviour, deterministic(lattice, actions), experiment.problem.limits))
        if parts is not None:
            columns |= _closed_form_parts(behaviour, experiment, parts)
    if experiment.settings.dynamics.steps > 0:
        columns["offline_cost_estimate"] = experiment.dynamics.estimate(experiment.policy()).cost.double()
    rows = [{name: float(values[i]) for name, values in columns.items()} for i in range(len(replicas))]
    return [{"seed": r.seed, "cost_limit": r.cost_limit, **row} for r, row in zip(replicas, rows, strict=True)]


def _closed_form_parts(behaviour: Behaviour, experiment: Experiment, parts: ExactParts) -> dict[str, torch.Tensor]:
    """The critics against the policy that they follow, the gate against its cost, and a Gaussian's samples."""
    lattice, problem = behaviour.lattice, experiment.problem
    replicas = len(problem.replicas)
    assert parts.distribution is not None
    normalised = experiment.replay.normalise(torch.from_numpy(_observations(lattice, replicas)))
    mean, log_std = parts.distribution(normalised)
    policy = induced(lattice, mean, log_std)
    exact = exact_values(lattice, policy)
    estimate = read_critic(lattice, parts.cost_critic, experiment.replay.normalise, replicas)
    columns = _columns(critic_error(behaviour, estimate, exact.Q_c, policy), "cost_critic_")
    if parts.gate is not None:
        columns |= {"gate": parts.gate, "gate_error": parts.gate - exact.J_c}
    return columns | ({} if log_std is None else _sampling(behaviour, policy, problem.limits))


def _sampled_parts(behaviour: Behaviour, experiment: Experiment, parts: ExactParts) -> dict[str, torch.Tensor]:
    """The choice among samples that acts, the policy that is sampled, its cost critic, and Theorem 9."""
    lattice, problem = behaviour.lattice, experiment.problem
    replicas = len(problem.replicas)

    def lots(choice: str) -> list[PerStateAction]:
        return sampled(lattice, stepping(experiment, experiment.policy(choice)), replicas, SAMPLES, GROUPS)

    best, own = lots("best-of-n"), lots("sample")
    policy = torch.stack(own).mean(0)
    columns = _columns(score(behaviour, torch.stack(best).mean(0), problem.limits))
    columns |= {f"{name}_error": error for name, error in spread(lattice, best).items()}
    columns |= _sampling(behaviour, policy, problem.limits)
    columns |= {f"sampling_{name}_error": error for name, error in spread(lattice, own).items()}
    estimate = read_critic(lattice, parts.cost_critic, experiment.replay.normalise, replicas)
    columns |= _columns(critic_error(behaviour, estimate, exact_values(lattice, policy).Q_c, policy), "cost_critic_")
    if parts.hinge_learner is not None:
        columns |= _columns(theorem_9(behaviour, experiment, parts.hinge_learner, policy), "theorem9_")
    return columns


def stepping(experiment: Experiment, policy: Policy) -> Act:
    """The policy as a function of raw observations, each call one more step: fresh random numbers every time."""
    player, state = experiment.player(policy), None

    def act(observations: np.ndarray) -> np.ndarray:
        nonlocal state
        state = player.start(0, observations.shape[1]) if state is None else state
        actions, state = player.act(state, observations)
        return actions

    return act


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
