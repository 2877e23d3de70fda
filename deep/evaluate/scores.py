"""Scores of trained policies: roll-outs in the simulator, DSRL's normalisation, intervals, the table."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import bootstrap

from deep.envs.rollout import Episodes, rollout
from deep.nn.policies import Act
from deep.ope.baselines import baseline_estimators
from deep.ope.interface import MIN_LENGTH_RATIO, Estimate, HasDoubts, estimate_doubt
from deep.ope.paired_rollouts import PairedRollouts
from deep.runs.experiment import Experiment

FIRST_EVALUATION_SEED = 100_000

RESTS_ON_CLONE = (
    "The forecast is what the cloned trajectories cost and what the policy changes of that. Whether their clone costs",
    "what they did, no data say: measure it before it acts where cost matters.",
)
"""The blind spot of a forecast in pairs (`notebooks/results/paired`), a line each."""


def evaluate(
    experiment: Experiment, episodes: int, actor: Callable[[], Act] | None = None
) -> tuple[Episodes | None, list[dict[str, Any]]]:
    """Run every replica for that many seeded episodes; the episodes, and one result per replica.

    Where the task has no simulator there are no episodes, and the results hold only what is foretold from the data.
    `actor` begins a way to act anew, for what is foretold and for the simulator; None takes the configured one.
    """
    actor = actor or experiment.actor
    offline = offline_costs(experiment, actor())
    if not experiment.task.simulated:
        named = [replica._asdict() for replica in experiment.problem.replicas]
        return None, [replica | found for replica, found in zip(named, offline, strict=True)]
    seeds = range(FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + episodes)
    replicas = experiment.problem.replicas
    act = partial(experiment.act, actor=actor())
    played = rollout(experiment.task, act, seeds, replicas=len(replicas))
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
                "safe": bool(cost.mean() <= 1),
                "reward_ci": interval(reward),
                "cost_ci": interval(cost),
                **offline[i],
            }
        )
    return played, results


def offline_costs(experiment: Experiment, act: Act) -> list[dict[str, Any]]:
    """What is foretold of every replica's episodes from the data alone, in the unit of an episode's cost.

    The estimate is that of the learned dynamics' judging half, by the method's own way to ask it where it has one; None
    if no dynamics were trained. `offline_baselines` has the cost by every estimator that needs no training; where
    they contradict the estimate, look twice.
    """
    problem = experiment.problem
    others = {name: estimator.estimate(act) for name, estimator in baseline_estimators(problem).items()}
    trained = experiment.settings.dynamics.steps > 0
    estimate = experiment.estimator.estimate(act) if trained else None
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
        opinions = {name: float(other.cost[i]) for name, other in others.items()}
        results.append({**found, "offline_baselines": opinions})
    return results


def _doubts(experiment: Experiment, estimate: Estimate) -> list[str | None]:
    """For every replica the reason to doubt its estimate: the method's, else a predicted episode that is "short"."""
    if isinstance(experiment.method, HasDoubts):
        return experiment.method.estimate_doubts(estimate)
    min_length = MIN_LENGTH_RATIO * float(experiment.data.lengths.mean())
    return [estimate_doubt(True, length, min_length) for length in estimate.length.tolist()]


def interval(values: Float[np.ndarray, " episodes"]) -> tuple[float, float]:
    """A 95 % percentile bootstrap interval of the mean over episodes (2000 resamples, seeded)."""
    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    found = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0))
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def table(results: list[dict[str, Any]]) -> str:
    """The results as text: normalised scores with their intervals, and the offline estimate beside the true cost."""
    if "reward" not in results[0]:
        return _foretold(results)
    header = f"{'seed':>4} {'limit':>6}  {'R  [95 % interval]':<20} {'C  [95 % interval]':<20} {'':<6}"
    header += f" {'cost':>7} {'offline estimate':>17} {'steps':>6}"
    lines = [header]
    for r in results:
        reward = f"{r['reward']:.2f} [{r['reward_ci'][0]:.2f}, {r['reward_ci'][1]:.2f}]"
        cost = f"{r['cost']:.2f} [{r['cost_ci'][0]:.2f}, {r['cost_ci'][1]:.2f}]"
        known = r["offline_cost_estimate"] is not None
        estimate = f"{r['offline_cost_estimate']:.1f} ± {r['offline_cost_std']:.1f}" if known else "none"
        lines.append(
            f"{r['seed']:>4} {r['cost_limit']:>6g}  {reward:<20} {cost:<20} {'safe' if r['safe'] else 'UNSAFE':<6}"
            f" {r['cost_return']:>7.1f} {estimate:>17} {r['episode_length']:>6.0f}"
        )
    return "\n".join(lines)


def _foretold(results: list[dict[str, Any]]) -> str:
    """The same where nothing was simulated."""
    lines = [
        f"{'seed':>4} {'limit':>6}  {'cost foretold [95 % interval]':<30} {'limit is':<9} {'return':>9} {'steps':>6} "
        f"{'departure':>9}  other estimates of the cost"
    ]
    for r in results:
        others = ", ".join(f"{name} {cost:.3g}" for name, cost in r["offline_baselines"].items())
        if r["offline_cost_estimate"] is None:
            estimate = f"{'none':<30} {'unknown':<9} {'':>9} {'':>6} {'':>9}"
        else:
            low, high = r["offline_cost_interval"]
            kept = "kept" if high <= r["cost_limit"] else "broken" if low > r["cost_limit"] else "unclear"
            kept = "unclear" if r["offline_doubt"] else kept
            cost = f"{r['offline_cost_estimate']:.3g} [{low:.3g}, {high:.3g}]"
            estimate = f"{cost:<30} {kept:<9} "
            estimate += f"{r['offline_return_estimate']:>9.4g} {r['offline_length_estimate']:>6.0f} "
            estimate += f"{r['offline_ood_score']:>9.2f}"
        lines.append(f"{r['seed']:>4} {r['cost_limit']:>6g}  {estimate}  {others}")
    return "\n".join(lines)


def remarks(experiment: Experiment) -> list[str]:
    """What the reader of the table must know, line by line."""
    own = getattr(experiment.method, "remarks", list)
    return [*explanation(experiment), *own()]


def explanation(experiment: Experiment) -> list[str]:
    """What the columns of the table mean, and what they rest on, line by line."""
    task = experiment.task
    dependencies = RESTS_ON_CLONE if isinstance(experiment.estimator, PairedRollouts) else ()
    if not task.simulated and experiment.settings.dynamics.steps == 0:
        return ["Nothing was simulated and no dynamics were learned (--dynamics.steps 0): the other estimates are all."]
    if not task.simulated:
        return [
            "Nothing was simulated: all numbers are foretold from the data alone, by roll-outs in learned dynamics.",
            "The limit is kept where the whole interval is within it, broken where all of it lies above; unclear also",
            "where the episodes foretold are shorter than the data's, or the data contradict the forecast. A departure",
            "far above 1 says that the policy leaves what the data can tell; so do other estimates that contradict.",
            *dependencies,
        ]
    scale = (
        "of the data, 0 for its least and 1 for its greatest" if task.family == "custom" else "on DSRL's scale, 0 to 1"
    )
    return [
        f"R: return {scale}. C: episode cost / limit; safe means C <= 1. Simulator, after training.",
        "offline estimate: episode cost foretold from the data alone, mean ± spread of the learned dynamics.",
        *dependencies,
    ]
