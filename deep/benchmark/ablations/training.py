"""One variant: its settings, the phases that it shares with the run it varies, its training and its scores."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

import torch

from deep.benchmark.ope_study.policies import FinishedRun
from deep.core.provenance import software_versions
from deep.evaluate.scores import evaluate
from deep.evaluate.summary import LAST, summary_of
from deep.methods.drcorl.drcorl import DRCORL
from deep.runs.experiment import Experiment, Settings, about_data, identity
from deep.runs.folder import RunFolder, changed_since
from deep.runs.trainer import train

RUN_FIELDS = ("normalise_states",)

CLONE_FIELDS = ("clone", "cloning_steps", "regression_steps", "batch_size", "policy", "constant_std", "hidden",
                "learning_rate", "ema_rate")  # fmt: skip


def config_of(
    base: FinishedRun, changes: Mapping[str, Any], limits: tuple[float, ...], episodes: int
) -> dict[str, Any]:
    """What identifies a variant: its settings, which a run of deep.train may have too, and what it started from
    and was scored by."""
    settings = replace(varied(base.experiment.settings, changes), cost_limits=limits)
    return {
        "identity": identity(base.experiment) | asdict(settings),
        "dependencies": {"base": base.digest, "episodes": episodes},
    }


def train_variant(
    base: FinishedRun, changes: Mapping[str, Any], limits: tuple[float, ...], folder: RunFolder, episodes: int
) -> None:
    """Train what the changes touch, score the result, write summary.json as deep.train does."""
    began = time.monotonic()
    experiment = Experiment(replace(varied(base.experiment.settings, changes), cost_limits=limits))
    kept = shared(base.experiment, experiment)
    software = software_versions()
    config = config_of(base, changes, limits, episodes)
    config |= {"data": about_data(experiment), **software, "from": str(base.path), "shared": sorted(kept)}
    tensors = experiment.tensors()
    replicas = base.experiment.problem.replicas
    rows = [replicas.index(replica) for replica in experiment.problem.replicas]
    with torch.no_grad():
        for name in (name for part in kept.values() for name in part):
            whole = base.stored[name].shape == tensors[name].shape
            tensors[name].copy_(base.stored[name] if whole else base.stored[name][rows])
    phases = [phase for phase in experiment.phases() if phase.name not in kept]
    config = folder.open(config, resume=folder.config.exists(), began=began)
    with folder:
        for line in changed_since(config, software):
            print(line, flush=True)
        train(phases, tensors, folder, experiment.device)
        last = cast(DRCORL, experiment.method).act_current
        scores = {"": evaluate(experiment, episodes)[1], LAST: evaluate(experiment, episodes, last)[1]}
        changed = {"changes": dict(changes), "shared": sorted(kept)}
        folder.write_json("summary.json", summary_of(experiment, config, scores, folder.record_elapsed()) | changed)


def varied(settings: Settings[Any], changes: Mapping[str, Any]) -> Settings[Any]:
    """Settings with these fields of the method, or of the run, changed."""
    for name, value in changes.items():
        path = name.split(".")
        settings = _replaced(settings, path if name in RUN_FIELDS else ["method", *path], value)
    return settings


def _replaced(config: Any, path: list[str], value: Any) -> Any:
    first, *rest = path
    return replace(config, **{first: _replaced(getattr(config, first), rest, value) if rest else value})


def shared(base: Experiment, variant: Experiment) -> dict[str, list[str]]:
    """The phases whose outcome the change does not touch, with the names of the tensors that they leave behind.

    Not the reward critic's, which adaptation goes on training: what a finished run holds is not what the phase left.
    """
    one, two = base.settings.method, variant.settings.method
    if any(getattr(base.settings, name) != getattr(variant.settings, name) for name in RUN_FIELDS):
        return {}
    method = cast(DRCORL, variant.method)
    found: dict[str, list[str]] = {"dynamics": list(variant.dynamics.tensors())}
    used_later = ("kl_form", "t_limit", "kl_weight", "t_range")
    a, b = ({k: v for k, v in asdict(m.behaviour).items() if k not in used_later} for m in (one, two))
    if a == b and not one.update_behaviour:
        found["behaviour"] = list(method.behaviour.tensors())
    if one.behaviour == two.behaviour and all(getattr(one, name) == getattr(two, name) for name in CLONE_FIELDS):
        found["cloning"] = [name for name in method.tensors() if name.startswith("clone.")]
        if one.reverse_kl_steps > 0:
            found["reverse KL cloning"] = found["cloning"]
        if one.critics == two.critics and (one.gate.kind == "ucb") == (two.gate.kind == "ucb"):
            phase = "cost critics" if one.critics.reward == "iql" else "critics"
            found[phase] = [name for name in method.tensors() if name.startswith("clone_")]
    return found
