"""What a finished run writes down: summary.json, which the benchmark, the notebooks and people read."""

from collections.abc import Mapping
from typing import Any

from deep.core.provenance import device_name
from deep.data.custom import assumptions
from deep.data.timeouts import COSTS_LEFT_OUT
from deep.describe.numbers import within
from deep.runs.experiment import Experiment

LAST = "last"
"""The way to act of the policy with which adaptation ended, whichever policy was selected."""
SCHEMA = 2
"""The version of the keys in summary.json, evaluation.json and of the option names in config.json.

1 (not written): the keys and options before their renaming. 2: the field's terms; `ends_early` and
`episodes_over_limit` per result; `screen`, the lines that the command has printed.
"""


def summary_of(
    experiment: Experiment, config: Mapping[str, Any], scores: Mapping[str, list[dict[str, Any]]], seconds: float
) -> dict[str, Any]:
    """`config` is config.json, written when the run began, with versions and commit of that time; `seconds` are those
    of all its sessions.

    `scores` are the results of every way to act by its name, those of the configured way first.
    """
    choice, *others = scores
    simulator = experiment.problem.simulator
    return {
        "schema": SCHEMA,
        "task": experiment.task.name,
        "algorithm": experiment.settings.algorithm,
        "preset": experiment.settings.preset,
        "device": device_name(experiment.device),
        "versions": config["versions"],
        "commit": config["commit"],
        "dataset": dataset_of(experiment),
        "simulated": experiment.task.simulated,
        "normaliser": {"reward_range": experiment.task.reward_range, "episode_length": experiment.task.episode_length},
        "simulator_episodes_used_in_training": 0 if simulator is None else int(simulator.episodes.sum()),
        "seconds": round(seconds, 1),
        "method": experiment.method.report(),
        "results": scores[choice],
        "choice": choice,
        "other_choices": {name: scores[name] for name in others},
    }


def remarks_on(experiment: Experiment) -> list[str]:
    """What the data were taken to be, and what of them was changed or left out, a line each."""
    task, data = experiment.task, experiment.data
    clipped = f"the actions of {data.clipped:,} clipped to [-1, 1] as the simulator does"
    lines = assumptions(task, data) if task.family == "custom" else list(data.remarks)
    return [*([clipped] if data.clipped else []), *lines]


def dataset_of(experiment: Experiment) -> dict[str, Any]:
    """Which data a run has seen; their own returns, and those within each limit; what was said of them.

    `costs_left_out` is whether steps with costs were left out, `largest_cost` that of a trajectory.
    """
    data = experiment.data
    returns, costs = data.trajectory_returns, data.trajectory_costs
    return {
        "source": data.source,
        "path": str(data.path),
        "sha256": data.sha256,
        "transitions": len(data),
        "trajectories": len(data.starts),
        "transitions_with_clipped_actions": data.clipped,
        "remarks": remarks_on(experiment),
        "costs_left_out": any(COSTS_LEFT_OUT in remark for remark in data.remarks),
        "mean_return": float(returns.mean()),
        "mean_cost": float(costs.mean()),
        "largest_cost": float(costs.max()),
        "within": [within(limit, costs, returns) for limit in experiment.settings.cost_limits],
    }
