"""Scores of trained policies: rollouts in the simulator, DSRL's normalisation, intervals, the table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from deep.core.method import Act, Policy, as_policy
from deep.envs.rollout import Episodes, rollout
from deep.evaluate.doubts import LARGEST_OOD
from deep.evaluate.verdict import ends_early
from deep.ope.baselines import baseline_estimators
from deep.ope.interface import MIN_LENGTH_RATIO, Estimate, estimate_doubt
from deep.ope.paired_rollouts import PairedRollouts
from deep.runs.experiment import Experiment
from deep.tasks import within_limit

FIRST_EVALUATION_SEED = 100_000

UNDEFINED = "not defined for a policy with a memory"
"""In the place of an estimate that would need actions at isolated states."""

DEPENDS_ON_CLONE = (
    "The estimate is the cost of the cloned trajectories plus the predicted difference of policy and clone. No data",
    "show whether the clone costs what these trajectories cost: measure it before it acts where cost matters.",
)
"""What a paired estimate cannot see (`notebooks/results/paired`), a line each."""


def evaluate(
    experiment: Experiment, episodes: int, policy: Policy | Act | None = None
) -> tuple[Episodes | None, list[dict[str, Any]]]:
    """Run every replica for that many seeded episodes; the episodes, and one result per replica.

    Where the task has no simulator there are no episodes, and the results hold only estimates from the data.
    `policy` is one of the method's policies; None takes the configured one.
    """
    policy = experiment.policy() if policy is None else policy
    offline = offline_costs(experiment, policy)
    if not experiment.task.simulated:
        named = [replica._asdict() for replica in experiment.problem.replicas]
        return None, [replica | found for replica, found in zip(named, offline, strict=True)]
    played, results = simulate(experiment, episodes, policy)
    return played, [result | found for result, found in zip(results, offline, strict=True)]


def simulate(experiment: Experiment, episodes: int, policy: Policy | Act) -> tuple[Episodes, list[dict[str, Any]]]:
    """The episodes of every replica in the simulator, and their scores alone, one result per replica."""
    seeds = range(FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + episodes)
    replicas = experiment.problem.replicas
    played = rollout(experiment.task, experiment.player(policy), seeds, replicas=len(replicas))
    safe = within_limit(played.costs.mean(axis=1), experiment.problem.limits.cpu().numpy())
    results = []
    for i, replica in enumerate(replicas):
        reward = experiment.task.normalised_reward(played.returns[i])
        cost = experiment.task.normalised_cost(played.costs[i], replica.cost_limit)
        results.append(
            {
                "seed": replica.seed,
                "cost_limit": replica.cost_limit,
                "episodes": episodes,
                "reward_return": float(played.returns[i].mean()),
                "cost_return": float(played.costs[i].mean()),
                "episode_length": float(played.lengths[i].mean()),
                "reward": float(reward.mean()),
                "cost": float(cost.mean()),
                "safe": bool(safe[i]),
                "ends_early": ends_early(experiment, float(played.lengths[i].mean())),
                "episodes_over_limit": int((~within_limit(played.costs[i], replica.cost_limit)).sum()),
                "reward_ci": interval(reward),
                "cost_ci": interval(cost),
            }
        )
    return played, results


def offline_costs(experiment: Experiment, policy: Policy | Act) -> list[dict[str, Any]]:
    """Off-policy estimates of every replica's episodes, in the unit of an episode's cost.

    The estimate is that of the held-out ensemble of learned dynamics, by the method's own estimator where it has one;
    None if no dynamics were trained. `offline_baselines` has the cost by every estimator that needs no training, and
    `offline_baseline_returns` the return by those that are defined; where the costs differ much from the estimate, it
    is doubtful.
    """
    problem = experiment.problem
    markov = as_policy(policy).markov
    baselines = baseline_estimators(problem)
    others = {name: estimator.estimate(policy) if markov else None for name, estimator in baselines.items()}
    trained = experiment.settings.dynamics.steps > 0
    estimate = experiment.estimator.estimate(policy) if trained else None
    estimate_doubts = [] if estimate is None else _doubts(experiment, estimate)
    results = []
    for i in range(len(problem.replicas)):
        found: dict[str, Any] = {"offline_cost_estimate": None}
        if estimate is not None:
            found = {
                "offline_cost_estimate": float(estimate.cost[i]),
                "offline_cost_std": float(estimate.cost_std[i]),
                "offline_cost_interval": (float(estimate.cost_low[i]), float(estimate.cost_high[i])),
                "offline_return_estimate": float(estimate.reward[i]),
                "offline_length_estimate": float(estimate.length[i]),
                "offline_ood_score": float(estimate.ood_score[i]),
                "offline_doubt": estimate_doubts[i],
            }
        defined = {name: other for name, other in others.items() if other is not None}
        baseline_costs = {name: float(defined[name].cost[i]) if name in defined else None for name in others}
        returns = {name: float(other.reward[i]) for name, other in defined.items()}
        results.append({**found, "offline_baselines": baseline_costs, "offline_baseline_returns": returns})
    return results


def _doubts(experiment: Experiment, estimate: Estimate) -> list[str | None]:
    """For every replica the reason to doubt its estimate: the method's; else a predicted episode that is "short"; else
    predicted states that are "far" from the data."""
    found = experiment.method.estimate_doubts(estimate)
    if found is None:
        min_length = MIN_LENGTH_RATIO * float(experiment.data.lengths.mean())
        found = [estimate_doubt(True, length, min_length) for length in estimate.length.tolist()]
    near = (estimate.ood_score <= LARGEST_OOD).tolist()
    return [doubt if doubt or here else "far" for doubt, here in zip(found, near, strict=True)]


def interval(values: Float[np.ndarray, " episodes"]) -> tuple[float, float]:
    """A 95 % percentile bootstrap interval of the mean over episodes (2000 resamples, seeded)."""
    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    count = len(values)
    means = values[np.random.default_rng(0).integers(0, count, (2000, count))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def table(results: list[dict[str, Any]]) -> str:
    """The results as text: normalised scores with their intervals, and the offline estimate beside the true cost."""
    if "reward" not in results[0]:
        return _estimates(results)
    estimates = [f"{'offline estimate':>17}"]
    for r in results:
        estimated = r["offline_cost_estimate"] is not None
        estimate = f"{r['offline_cost_estimate']:.1f} ± {r['offline_cost_std']:.1f}" if estimated else "none"
        estimates.append(f"{estimate:>17}")
    return scores_table(results, estimates)


def scores_table(results: list[dict[str, Any]], estimates: Sequence[str] | None = None) -> str:
    """The normalised scores with their intervals; `estimates` is one more column with its header."""
    more = [f"{column} " for column in estimates] if estimates is not None else [""] * (len(results) + 1)
    header = f"{'seed':>4} {'limit':>6}  {'R  [95 % interval]':<20} {'C  [95 % interval]':<20} {'':<6}"
    lines = [f"{header} {'cost':>7} {more[0]}{'steps':>6}"]
    for r, column in zip(results, more[1:], strict=True):
        reward = f"{r['reward']:.2f} [{r['reward_ci'][0]:.2f}, {r['reward_ci'][1]:.2f}]"
        cost = f"{r['cost']:.2f} [{r['cost_ci'][0]:.2f}, {r['cost_ci'][1]:.2f}]"
        lines.append(
            f"{r['seed']:>4} {r['cost_limit']:>6g}  {reward:<20} {cost:<20} {_label(r):<6}"
            f" {r['cost_return']:>7.1f} {column}{r['episode_length']:>6.0f}"
        )
    return "\n".join(lines)


def _label(result: dict[str, Any]) -> str:
    if not result["safe"]:
        return "UNSAFE"
    return "short" if result.get("ends_early") else "safe"


def _estimates(results: list[dict[str, Any]]) -> str:
    """The same where nothing was simulated."""
    lines = [
        f"{'seed':>4} {'limit':>6}  {'estimated cost [95 % interval]':<30} {'limit':<9} {'return':>9} {'steps':>6} "
        f"{'OOD score':>9}  other estimates of the cost"
    ]
    for r in results:
        costs = r["offline_baselines"]
        others = ", ".join(f"{name} {UNDEFINED if cost is None else f'{cost:.3g}'}" for name, cost in costs.items())
        if r["offline_cost_estimate"] is None:
            estimate = f"{'none':<30} {'unknown':<9} {'':>9} {'':>6} {'':>9}"
        else:
            low, high = r["offline_cost_interval"]
            satisfied, possible = within_limit([high, low], r["cost_limit"])
            verdict = "satisfied" if satisfied else "unclear" if possible else "violated"
            verdict = "unclear" if r["offline_doubt"] else verdict
            cost = f"{r['offline_cost_estimate']:.3g} [{low:.3g}, {high:.3g}]"
            estimate = f"{cost:<30} {verdict:<9} "
            estimate += f"{r['offline_return_estimate']:>9.4g} {r['offline_length_estimate']:>6.0f} "
            estimate += f"{r['offline_ood_score']:>9.2f}"
        lines.append(f"{r['seed']:>4} {r['cost_limit']:>6g}  {estimate}  {others}")
    return "\n".join(lines)


def remarks(experiment: Experiment) -> list[str]:
    """What the reader of the table must know, line by line."""
    return [*explanation(experiment), *experiment.method.remarks()]


def explanation(experiment: Experiment) -> list[str]:
    """What the columns of the table mean, and what they depend on, line by line."""
    task = experiment.task
    estimated = experiment.settings.dynamics.steps > 0
    paired = estimated and isinstance(experiment.method.estimator, PairedRollouts)
    dependencies = DEPENDS_ON_CLONE if paired else ()
    if not task.simulated and experiment.settings.dynamics.steps == 0:
        return ["Nothing was simulated and no dynamics were learned (--dynamics.steps 0): the other estimates are all."]
    if not task.simulated:
        return [
            "Nothing was simulated: all numbers are estimates from the data alone, by rollouts in learned dynamics.",
            "The limit is satisfied where the whole interval is within it, violated where all of it lies above. It is",
            "unclear otherwise, and where predicted episodes are shorter than the data's, the data contradict the",
            f"models, or the predicted states leave the data: an OOD score above {LARGEST_OOD:g}, where theirs is 1.",
            "Other estimates that differ much from it are a warning too.",
            *dependencies,
        ]
    scale = (
        "of the data, 0 for its least and 1 for its greatest" if task.family == "custom" else "on DSRL's scale, 0 to 1"
    )
    return [
        f"R: return {scale}. C: episode cost / limit. Both are means over simulator episodes.",
        "safe: C <= 1 in the mean over the episodes, whose length is that of the data. UNSAFE: C > 1. short: C <= 1, "
        "but the episodes end early.",
        "offline estimate: episode cost estimated from the data alone, mean ± standard deviation over dynamics models.",
        *dependencies,
    ]
