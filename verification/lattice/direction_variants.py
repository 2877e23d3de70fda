"""The variants of `verification.lattice.direction`: each changes one thing of a trial."""

from dataclasses import dataclass, field, replace
from typing import Literal

from deep.methods.drcorl.config import DRCORLConfig
from deep.ope.dynamics import DynamicsConfig
from verification.lattice.trials import FOLLOWING, NO_DYNAMICS, PREPRINT, REBUILT

Part = Literal["reward", "cost", "gate"]
"""A learned part that has an exact form: the slopes of Q_r^pi and of Q_c^pi, and the gate's cost."""


@dataclass(frozen=True)
class Variant:
    """A configuration, and which of its parts are exact."""

    config: DRCORLConfig
    exact: frozenset[Part] = field(default_factory=frozenset)
    dynamics: DynamicsConfig = NO_DYNAMICS


SLOPES: frozenset[Part] = frozenset({"reward", "cost"})
GATE: frozenset[Part] = frozenset({"gate"})
_ALL = SLOPES | GATE
_STEPS = replace(
    PREPRINT,
    adaptation=FOLLOWING.adaptation,
    adaptation_rate=FOLLOWING.adaptation_rate,
    adaptation_steps=FOLLOWING.adaptation_steps,
)


def _critics(**changes: object) -> DRCORLConfig:
    return replace(FOLLOWING, critics=replace(FOLLOWING.critics, **changes))  # pyright: ignore[reportArgumentType]


def _weight(**changes: object) -> DRCORLConfig:
    return replace(FOLLOWING, adaptation=replace(FOLLOWING.adaptation, **changes))  # pyright: ignore[reportArgumentType]


VARIANTS = {
    # The preprint's form with the study's settings, and with a smaller weight of the anchor and a longer way.
    "preprint": Variant(PREPRINT),
    "preprint, all exact": Variant(PREPRINT, _ALL),
    "preprint, longer way": Variant(_STEPS),
    "preprint, longer way, all exact": Variant(_STEPS, _ALL),
    # Critics of the policy's own values, the gate of Eq. (25).
    "following": Variant(FOLLOWING),
    "following, exact gate": Variant(FOLLOWING, GATE),
    "following, exact slopes": Variant(FOLLOWING, SLOPES),
    "following, beta 1": Variant(_weight(temperature=PREPRINT.adaptation.temperature)),
    "following, implicit Q-learning": Variant(_critics(reward="iql")),
    "following, no layer norm": Variant(_critics(layer_norm=False)),
    "following, target rate .02": Variant(_critics(target_rate=0.02)),
    "following, no anchor": Variant(replace(FOLLOWING, anchor="none")),
    # The gate of least squares.
    "rebuilt": Variant(REBUILT),
    "rebuilt, k = 1": Variant(replace(REBUILT, gate=replace(REBUILT.gate, k=1.0))),
    "rebuilt, exact gate": Variant(REBUILT, GATE),
}
"""By the name that the results use."""
