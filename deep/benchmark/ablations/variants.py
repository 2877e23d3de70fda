"""What the variants change; this module imports nothing that takes time."""

from pathlib import Path
from typing import Any

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


def folder_of(out: Path, name: str) -> Path:
    """Where a variant is trained."""
    return out / name.translate(str.maketrans({" ": "_", ":": "", "/": "-", ">": ""}))
