"""The variants of `verification.lattice.direction`: each changes one thing of today's trial or of the rebuilt one."""

from dataclasses import dataclass, field, replace
from typing import Literal

from deep.methods.drcorl.config import DRCORLConfig
from deep.ope.dynamics import DynamicsConfig
from deep.ope.fitted_q import FittedQConfig
from verification.lattice.tasks import GAMMA
from verification.lattice.trials import NO_DYNAMICS, PREPRINT, REBUILT

Part = Literal["reward", "cost", "gate"]
"""A learned part that has an exact form: the slopes of Q_r^pi and of Q_c^pi, and the gate's cost."""


@dataclass(frozen=True)
class Variant:
    """A configuration, and which of its parts are exact."""

    config: DRCORLConfig
    exact: frozenset[Part] = field(default_factory=frozenset)
    dynamics: DynamicsConfig = NO_DYNAMICS


FITTED = FittedQConfig(gamma=GAMMA, states="start", members=2, transitions=8000, features=160)
SLOPES: frozenset[Part] = frozenset({"reward", "cost"})
GATE: frozenset[Part] = frozenset({"gate"})
_STEPS = replace(
    PREPRINT,
    adaptation=REBUILT.adaptation,
    adaptation_rate=REBUILT.adaptation_rate,
    adaptation_steps=REBUILT.adaptation_steps,
)


def _critics(**changes: object) -> DRCORLConfig:
    return replace(REBUILT, critics=replace(REBUILT.critics, **changes))  # pyright: ignore[reportArgumentType]


VARIANTS = {
    "preprint": Variant(PREPRINT),
    "preprint, all exact": Variant(PREPRINT, SLOPES | GATE),
    "preprint, larger steps": Variant(_STEPS),
    "preprint, larger steps, all exact": Variant(_STEPS, SLOPES | GATE),
    "rebuilt": Variant(REBUILT),
    "rebuilt, exact gate": Variant(REBUILT, GATE),
    "rebuilt, exact slopes": Variant(REBUILT, SLOPES),
    "rebuilt, fitted-Q gate": Variant(
        replace(
            REBUILT, adaptation_rate=1e-4, gate=replace(REBUILT.gate, kind="fitted_q", fitted=FITTED, eval_every=50)
        )
    ),
    "rebuilt, no margin": Variant(replace(REBUILT, adaptation=replace(REBUILT.adaptation, margin=0.0))),
    "rebuilt, implicit Q-learning": Variant(_critics(reward="iql")),
    "rebuilt, no decay of the critics": Variant(_critics(decay=False)),
    "rebuilt, no layer norm": Variant(_critics(layer_norm=False)),
    "rebuilt, target rate .02": Variant(_critics(target_rate=0.02)),
    "rebuilt, beta 1": Variant(
        replace(REBUILT, adaptation=replace(REBUILT.adaptation, temperature=PREPRINT.adaptation.temperature))
    ),
    "rebuilt, step size 5e-5": Variant(replace(REBUILT, adaptation_rate=5e-5)),
    "rebuilt, step size 1e-3": Variant(replace(REBUILT, adaptation_rate=1e-3)),
    "rebuilt, step size 1e-3, exact gate": Variant(replace(REBUILT, adaptation_rate=1e-3), GATE),
    "rebuilt, no anchor": Variant(replace(REBUILT, anchor="none")),
}
"""By the name that the results use."""
