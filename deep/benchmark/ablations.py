"""`python -m deep.benchmark.ablations RUN`: which part of DRCORL carries its result.

Every variant changes one thing of a finished run and trains again all that the change touches, for the run's own seeds
and limits. What it does not touch, say the behaviour model of a variant of the gate, is taken from the run: the
variants of a seed differ by nothing but the change and what follows from it, and their differences are paired.
"""

import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import tyro

from deep.benchmark.ope_study.policies import FinishedRun
from deep.cli.command import command, read
from deep.core.files import read_json
from deep.core.provenance import software_versions
from deep.core.validation import use_threads
from deep.evaluate.scores import evaluate
from deep.evaluate.summary import LAST, summary_of
from deep.methods.drcorl.drcorl import DRCORL
from deep.runs.experiment import Experiment, Settings, identity
from deep.runs.folder import RunFolder, changed_since
from deep.runs.trainer import train
from theory.support.errors import InputError
from theory.support.files import write_whole

LONGER_STEPS = {"adaptation_rate": 5e-5, "adaptation_steps": 1500}
"""Those of the coarser gate, which whole episodes are; the default's are a tenth as long."""

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no adaptation": {"adaptation_steps": 0},
    "anchor: none": {"anchor": "none"},
    "anchor: mean square": {"anchor": "mse"},
    "anchor: limit t -> 0": {"behaviour.kl_form": "limit"},
    "anchor: published weight and range": {"behaviour.kl_weight": "vds", "behaviour.t_range": (0.02, 0.98)},
    "regulariser after": {"adaptation.regulariser": "after"},
    "rule: CRPO": {"adaptation.rule": "crpo"},
    "rule: PID": {"adaptation.rule": "pid"},
    "slack: constant": {"adaptation.slack.decay": "constant"},
    "slack: inverse root": {"adaptation.slack.decay": "inverse_sqrt"},
    "beta: sqrt(.075 n)": {"adaptation.temperature.growth": "sqrt", "adaptation.temperature.c0": 0.0,
                           "adaptation.temperature.c1": 0.075},
    "beta: n / 15": {"adaptation.temperature.growth": "linear", "adaptation.temperature.c0": 0.0,
                     "adaptation.temperature.c1": 1 / 15},
    "beta: .3": {"adaptation.temperature.c0": 0.3},
    "beta: 3": {"adaptation.temperature.c0": 3.0},
    "policy: gaussian": {"policy": "gaussian"},
    "policy: constant variance": {"policy": "constant"},
    "no pessimism": {"critics.pessimism": 0.0},
    "one cost critic": {"critics.ensemble": 1},
    "gate: UCB, k = 0": {"gate.kind": "ucb", "gate.k": 0.0},
    "gate: UCB, k = 2": {"gate.kind": "ucb", "gate.k": 2.0},
    "gate: k = 0": {"gate.k": 0.0},
    "gate: whole episodes": {"gate.estimator": "episode"},
    "gate: whole episodes, longer steps": {"gate.estimator": "episode", **LONGER_STEPS},
    "gate: simulator (hybrid)": {"gate.kind": "simulator", "online.episodes": 5},
    "clone: of all trajectories": {"clone.trajectories": "all", **LONGER_STEPS},
    "clone: of the safe ones": {"clone.trajectories": "safe", **LONGER_STEPS},
    "clone: reverse KL from step 2500": {"regression_steps": 2500},
    "states: all of the data's": {"policy_states": "all"},
    "step size: 5e-5": {"adaptation_rate": 5e-5},
    "states not normalised": {"normalise_states": False},
}  # fmt: skip
"""Changes of the method's settings, by dotted name, or of the run's."""

RUN_FIELDS = ("normalise_states",)

CLONE_FIELDS = ("clone", "cloning_steps", "regression_steps", "batch_size", "policy", "constant_std", "hidden",
                "learning_rate", "ema_rate")  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Train variants of a finished run of DRCORL and compare them; writes results.json and table.txt.

    Scored are the policies that are kept, which choosing may make alike, and those with which adaptation ended.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a finished run of deep.train."""
    out: Path = Path("runs/ablations")
    """Folder for the results, one folder per variant in it. A command that was stopped goes on when called again, and
    the tables are of all variants that lie there: two processes may share the work."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Which variants, by name."""
    cost_limits: tuple[float, ...] = ()
    """Some of the run's cost limits; none: all of them."""
    episodes: int = 100
    """Simulator episodes that a policy is scored by."""
    threads: int = 1
    """CPU threads of torch; more pay on idle cores only."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.benchmark.ablations") -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    with command(lambda: f"finished parts are saved in --out; go on with: {prog} {shlex.join(words)}"):
        run(read(Options, __name__, words, prog, description=__doc__))


def run(options: Options) -> None:
    """Train and score every variant that is not finished yet."""
    unknown = sorted(set(options.variants) - VARIANTS.keys())
    if unknown:
        raise InputError(f"--variants {unknown[0]!r}: accepted are {', '.join(map(repr, VARIANTS))}")
    use_threads(options.threads)
    base = FinishedRun.read(options.run)
    if base.experiment.settings.algorithm != "drcorl":
        raise InputError(f"{options.run} is a run of {base.experiment.settings.algorithm}: accepted is one of drcorl")
    limits = base.experiment.settings.cost_limits
    if not set(options.cost_limits) <= set(limits):
        raise InputError(f"--cost-limits {list(options.cost_limits)}: accepted are those of the run, {list(limits)}")
    options.out.mkdir(parents=True, exist_ok=True)
    limits = options.cost_limits or limits
    folders = {name: RunFolder(folder_of(options.out, name)) for name in VARIANTS}
    for name, folder in folders.items():  # all that the tables will hold
        if folder.config.exists():
            folder.compare(config_of(base, VARIANTS[name], limits, options.episodes))
    for name in options.variants:
        if not (folders[name].path / "summary.json").exists():
            print(f"{name}: {VARIANTS[name] or 'nothing changed'}", flush=True)
            train_variant(base, VARIANTS[name], limits, folders[name], options.episodes)
    summaries = {name: folder.path / "summary.json" for name, folder in folders.items()}
    finished = {name: read_json(path) for name, path in summaries.items() if path.exists()}
    RunFolder(options.out).write_json("results.json", finished)
    write_whole(options.out / "table.txt", (table(finished) + "\n").encode())
    print(table(finished))


def folder_of(out: Path, name: str) -> Path:
    """Where a variant is trained."""
    return out / name.translate(str.maketrans({" ": "_", ":": "", "/": "-", ">": ""}))


def config_of(
    base: FinishedRun, changes: Mapping[str, Any], limits: tuple[float, ...], episodes: int
) -> dict[str, Any]:
    """What tells a variant from others: its settings, which a run of deep.train may have too, and what it started from
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
    config |= {**software, "from": str(base.path), "shared": sorted(kept)}
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


def table(finished: Mapping[str, Mapping[str, Any]]) -> str:
    """Mean scores over the replicas, how many are safe, and how far the offline estimate is off, in costs.

    First of the policies that were kept, then of those with which adaptation ended. dR is the mean paired difference in
    R to the first variant, with its standard error over replicas.
    """
    kept = {name: found["results"] for name, found in finished.items()}
    last = {name: found["other_choices"][LAST] for name, found in finished.items()}
    return "\n".join(["the policy that is kept", *_lines(kept), "", "the last policy", *_lines(last)])


def _lines(scores: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    lines = [
        f"{'variant':<36} {'R':>6} {'dR':>7} {'+-':>6} {'C':>5} {'safe':>6} {'worst C':>8} {'estimate - cost':>16}"
    ]
    first = np.array([row["reward"] for row in next(iter(scores.values()))])
    for name, rows in scores.items():
        reward, cost = (np.array([row[key] for row in rows]) for key in ("reward", "cost"))
        error = np.array([row["offline_cost_estimate"] - row["cost_return"] for row in rows])
        difference = reward - first
        spread = difference.std(ddof=1) / len(rows) ** 0.5 if len(rows) > 1 else 0.0
        safe = f"{sum(row['safe'] for row in rows)}/{len(rows)}"
        lines.append(
            f"{name:<36} {reward.mean():>6.3f} {difference.mean():>+7.4f} {spread:>6.4f} {cost.mean():>5.2f} {safe:>6}"
            f" {cost.max():>8.2f} {error.mean():>+8.1f} +- {error.std():<4.1f}"
        )
    return lines


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


if __name__ == "__main__":
    main()
