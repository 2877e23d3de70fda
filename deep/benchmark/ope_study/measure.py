"""The rows of the study: what every estimator says of a policy, beside what the simulator says."""

import json
from pathlib import Path
from typing import Any, Literal

import torch

from deep.benchmark.ope_study.policies import Candidates, FinishedRun
from deep.core.files import wrong_form
from deep.envs.rollout import rollout
from deep.nn.policies import Act
from deep.ope.baselines import baseline_estimators
from deep.ope.fitted_q import FittedQ, FittedQConfig
from deep.ope.interface import Estimate, Estimator
from deep.ope.model_rollouts import HALVES, Outcomes
from deep.ope.paired_rollouts import PairedRollouts
from deep.ope.short_rollouts import ShortConfig, ShortRollouts
from deep.runs.experiment import Experiment
from theory.support.errors import InputError
from theory.support.files import write_whole

FIRST_TRUTH_SEED = 200_000
"""Start seeds of the study's episodes; those of evaluation begin lower, those of training higher."""


class Estimators:
    """All estimators, or what learned dynamics say alone, for one policy of each replica of a run at a time."""

    def __init__(self, experiment: Experiment, which: Literal["all", "dynamics"] = "all") -> None:
        self.experiment, problem = experiment, experiment.problem
        self.paired = experiment.estimator if isinstance(experiment.estimator, PairedRollouts) else None
        self.others: dict[str, Estimator] = {}
        if which == "dynamics":
            return
        self.others = baseline_estimators(problem)
        # Fitted-Q once more, without the short discount that keeps it stable.
        self.others["fitted_q, 1 - 1/L"] = FittedQ(FittedQConfig(None, "start"), problem)
        # And at learned dynamics: without the thousand steps over which their errors add up.
        for steps in (25, 100):
            self.others[f"{steps} steps"] = ShortRollouts(ShortConfig(steps), experiment.dynamics)

    def __call__(self, act: Act) -> dict[str, Estimate]:
        """The training and held-out members of a policy's own seed, the next seed's held-out members, the baselines.

        Both halves by paired rollouts besides, where the run's gate uses these.
        """
        dynamics, problem = self.experiment.dynamics, self.experiment.problem
        own = dynamics.rollout(act)
        found = {half: dynamics.read(own, half) for half in HALVES}
        if len(problem.seeds) > 1:
            # Shifted by a seed, a policy is played in models that have no draw in common with its own.
            shift = len(problem.cost_limits)
            shifted = dynamics.rollout(lambda observations: act(observations.roll(-shift, 0)).roll(shift, 0))
            back = Outcomes(*(values.roll(-shift, 0) for values in shifted))
            found["another seed's"] = dynamics.read(back, "held_out")
        if self.paired is not None:
            own = self.paired.rollout(act)
            found |= {f"paired, {half}": self.paired.read(own, half) for half in HALVES}
        return found | {name: estimator.estimate(act) for name, estimator in self.others.items()}


def truth(experiment: Experiment, act: Act, episodes: int) -> list[dict[str, float]]:
    """The simulator's answer for each policy; it is used here, to judge the estimates, and in no training."""
    replicas = len(experiment.problem.replicas)
    seeds = range(FIRST_TRUTH_SEED, FIRST_TRUTH_SEED + episodes)
    played = rollout(experiment.task, experiment.player(act), seeds, replicas=replicas, threads=1)
    error = played.costs.std(1, ddof=1) / episodes**0.5
    return [
        {
            "true cost": float(played.costs[i].mean()),
            "true cost, standard error": float(error[i]),
            "true return": float(played.returns[i].mean()),
            "true length": float(played.lengths[i].mean()),
        }
        for i in range(replicas)
    ]


def measure(run: FinishedRun, estimators: Estimators, candidates: Candidates, episodes: int) -> list[dict[str, Any]]:
    """One row for each different policy: limits that share a policy share a row, with the first of them."""
    act, replicas = run.act(candidates.theta), run.experiment.problem.replicas
    known, said = truth(run.experiment, act, episodes), estimators(act)
    place = {"run": run.path.name, "kind": candidates.kind, "degree": candidates.degree}
    rows: list[dict[str, Any]] = []
    for i, replica in enumerate(replicas):
        if any(torch.equal(candidates.theta[i], earlier) for earlier in candidates.theta[:i]):
            continue
        row: dict[str, Any] = place | {"seed": replica.seed, "limit": replica.cost_limit} | known[i]
        for name, estimate in said.items():
            row |= {f"{name}: {field}": float(values[i]) for field, values in estimate._asdict().items()}
        rows.append(row)
    return rows


class RowFile:
    """The rows of one run, a line for each set of policies: measuring can stop and go on anywhere."""

    def __init__(self, path: Path, run: str, episodes: int, which: str = "all") -> None:
        """`run` is the run's `FinishedRun.digest`, for its folder's name may be another's tomorrow; `which` are the
        estimators."""
        self.path, self.run, self.episodes, self.which = path, run, episodes, which

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """The rows by their set's name. Raises `InputError` where another run, number of episodes or choice of
        estimators was measured."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self._whole_lines():
            with wrong_form(self.path, "rows of the study, one set a line"):
                content = json.loads(line)
                content = {"set": content["set"], "rows": list(content["rows"]), **content}
            if content.get("run") != self.run:
                raise InputError(
                    f"the rows in {self.path} are of another run, or of this one before it was trained again: take "
                    "another --out"
                )
            if content["episodes"] != self.episodes:
                raise InputError(
                    f"--episodes {self.episodes}: the rows in {self.path} are of {content['episodes']} episodes: take "
                    "that number, or another --out"
                )
            if (before := content.get("estimators", "all")) != self.which:
                raise InputError(
                    f"--estimators {self.which}: the rows in {self.path} are of {before}: take those, or another --out"
                )
            found[content["set"]] = content["rows"]
        return found

    def add(self, name: str, rows: list[dict[str, Any]]) -> None:
        """One more set's rows."""
        about = {"set": name, "run": self.run, "episodes": self.episodes, "estimators": self.which}
        line = json.dumps(about | {"rows": rows})
        write_whole(self.path, "".join([*self._whole_lines(), line + "\n"]).encode())

    def _whole_lines(self) -> list[str]:
        return self.path.read_text().splitlines(keepends=True) if self.path.exists() else []
