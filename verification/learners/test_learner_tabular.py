r"""DRCORL's tabular limit: on one-hot states the deep update is the closed-form step of every state's Gaussian policy.

Observations are one-hot, the policy one linear layer: raw outputs u(s), v(s) give m = tanh u, log sigma = low + (high -
low) sigmoid(v); with a constant variance, and for the Dirac policy (sigma = 0), u(s) alone. The behaviour is
N(mu, tau^2) in every state (by its exact noise predictor), the critics are Q = slope_s a + bend_s a^2 / 2. With w_s the
share of state s in the batch, at noise level t,

    dKL/dm = w_s alpha^2 (m - mu) / R,   dKL/dlog sigma = w_s alpha^2 sigma^2 (1/R - 1/V),   w(t) = alpha_t / sigma_t,
    V = alpha^2 sigma^2 + sigma_t^2,   R = alpha^2 tau^2 + sigma_t^2,
    dE Q/dm = w_s (slope_s + bend_s m),   dE Q/dlog sigma = w_s bend_s sigma^2,

the gradients of the two objectives are beta dE Q - dKL in their signs, and theory.adaptation mixes them. Draws of +-1
for z and noise make the batch mean of these quadratics exact: there is nothing to tolerate but rounding.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from deep.data.dataset import OfflineDataset
from deep.methods.drcorl.behaviour_model import BehaviourConfig
from deep.methods.drcorl.config import DRCORLConfig
from deep.methods.drcorl.drcorl import DRCORL
from deep.methods.drcorl.gate import GateConfig
from deep.methods.drcorl.safe_adaptation import SafeAdaptationConfig, Temperature
from deep.methods.drcorl.score import Schedule
from deep.methods.parts.critics import CriticConfig
from deep.ope.dynamics import DynamicsConfig
from deep.runs.experiment import Experiment, Settings
from deep.tasks import TASKS
from theory.adaptation import gradient_manipulation

STATES, LIMIT, BETA, T = 3, 10.0, 0.7, 0.3
MU, TAU = -0.4, 0.5
SLOPES = torch.tensor([[1.0, -0.3, 0.5], [0.9, 0.4, 0.8]], dtype=torch.float64)  # reward, cost
BENDS = torch.tensor([[-1.0, -0.5, 0.2], [0.6, 0.3, -0.1]], dtype=torch.float64)
SIGNS = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 2)  # (z, noise)


def one_hot_data() -> OfflineDataset:
    """One row per state; what happens in it plays no part."""
    eye = np.eye(STATES, dtype=np.float32)
    zeros, ends = np.zeros(STATES, dtype=np.float32), np.ones(STATES, dtype=bool)
    return OfflineDataset("OneHot", eye, eye, zeros[:, None], zeros, zeros + 1, ~ends, ends)


KINDS = [(kind, "manipulation") for kind in ("gaussian", "constant", "dirac")]
KINDS += [("gaussian", "crpo"), ("gaussian", "pid")]
CONSTANT_STD = 0.3


@pytest.fixture(params=KINDS, ids="-".join)
def experiment(request, monkeypatch) -> Iterator[Experiment]:
    """A DRCORL learner in double precision whose behaviour model and critics are known functions."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    sizes = {"observation_size": STATES, "action_size": 1, "episode_length": 10}
    task = replace(TASKS["HopperVel"], name="OneHot", reward_range=(0.0, 1.0), **sizes)
    config = DRCORLConfig(
        behaviour=BehaviourConfig(steps=1, width=4, blocks=1, t_range=(T, T)),
        critics=CriticConfig(steps=1, hidden=(4,), ensemble=2),
        policy=request.param[0],
        constant_std=CONSTANT_STD,
        hidden=(),
        adaptation=SafeAdaptationConfig(rule=request.param[1], temperature=Temperature(c0=BETA)),
        gate=GateConfig("ucb", select="last"),
        batch_size=len(SIGNS) * STATES,
    )
    settings = Settings(
        config, task="OneHot", cost_limits=(LIMIT,), gamma=0.9, dynamics=DynamicsConfig(steps=0), device="cpu"
    )
    made = Experiment(settings, task, one_hot_data())
    method = made.method
    assert isinstance(method, DRCORL)
    # The data are one-hot; normalising them would mix the states.
    made.replay.observations.copy_(torch.eye(STATES))
    made.replay.next_observations.copy_(torch.eye(STATES))

    def at(observations: Tensor):
        def predict(noisy: Tensor, t: Tensor) -> Tensor:
            alpha, sigma = (f(t).unsqueeze(-1) for f in (Schedule().alpha, Schedule().sigma))
            return sigma * (noisy - alpha * MU) / (alpha**2 * TAU**2 + sigma**2)

        return predict

    def slope_of(row: int):
        def slope(observations: Tensor, actions: Tensor) -> Tensor:
            return (observations @ SLOPES[row] + observations @ BENDS[row] * actions.detach()[..., 0]).unsqueeze(-1)

        return slope

    monkeypatch.setattr(method.behaviour, "at", at)
    monkeypatch.setattr(method.values.reward, "action_gradient", slope_of(0))
    monkeypatch.setattr(method.values.cost[0], "action_gradient", slope_of(1))
    yield made
    torch.set_default_dtype(before)


def direction(experiment: Experiment, gate: float, monkeypatch) -> tuple[Tensor, Tensor]:
    """The direction g that one update of the deep code ascends, (state, output), and the outputs before it."""
    method = experiment.method
    assert isinstance(method, DRCORL)
    phase = method.phases()[-1]
    with torch.no_grad():
        rng = torch.Generator().manual_seed(0)
        method.clone.theta.copy_(torch.randn(method.clone.theta.shape, generator=rng, dtype=torch.float64))
        method.clone.ema.copy_(method.clone.theta)
    phase.on_start()
    method.values.scales.fill_(1.0)
    method.gate.cost.fill_(gate)
    monkeypatch.setattr(method.gate, "update", lambda *_: None)
    seen = []
    monkeypatch.setattr(method.actor, "adam_step", lambda gradient, *_: seen.append(-gradient[0]))
    theta = method.actor.theta.detach()[0].clone()
    middle = (torch.arange(STATES, dtype=torch.float64) + 0.5) / STATES
    rows = middle.repeat_interleave(len(SIGNS)).unsqueeze(0)
    signs = SIGNS.repeat(STATES, 1)
    draws = {"row": rows, "z": signs[:, :1].unsqueeze(0), "next_z": torch.zeros(1, len(signs), 1)}
    draws |= {"t": torch.zeros_like(rows), "noise": signs[:, 1:].unsqueeze(0)}
    phase.update(torch.tensor(0.0), draws)
    outputs = len(theta) // (STATES + 1)
    weight, bias = (x.reshape(-1, outputs) for x in seen[0].split([STATES * outputs, outputs]))
    torch.testing.assert_close(weight.sum(0, keepdim=True), bias)  # every state's step is shared by the bias
    before, shared = (x.reshape(-1, outputs) for x in theta.split([STATES * outputs, outputs]))
    return weight, before + shared


def closed_form(kind: str, rule: str, raw: Tensor, gate: float, entropy: bool = True) -> Tensor:
    """The same from the formulas in this file's head, (state, output)."""
    m = torch.tanh(raw[:, 0])
    share = torch.sigmoid(raw[:, -1])
    variance = {"gaussian": torch.exp(2 * (-5 + 5 * share)), "constant": CONSTANT_STD**2 + 0 * m, "dirac": 0 * m}[kind]
    level = torch.tensor(T, dtype=torch.float64)
    alpha, noise = Schedule().alpha(level), Schedule().sigma(level)
    V, R = alpha**2 * variance + noise**2, alpha**2 * TAU**2 + noise**2
    by_spread = alpha**2 * variance * (1 / R - (1 / V if entropy else 0.0))
    d_kl = torch.stack([alpha**2 * (m - MU) / R, by_spread], dim=1)
    d_q = [torch.stack([slope + bend * m, bend * variance], 1) for slope, bend in zip(SLOPES, BENDS, strict=True)]
    through = torch.stack([1 - m**2, 5 * share * (1 - share)], 1) / STATES
    q_r, q_c, k = ((value * through)[:, : raw.shape[1]] for value in (BETA * d_q[0], -BETA * d_q[1], d_kl))
    if rule != "manipulation":
        x, y, z = weights_by_hand(rule, gate)
        return x * q_r + y * q_c - z * k
    g_r, g_c = q_r - k, q_c - k
    # The bias repeats the states' sum: the inner products of the network's parameters count it too.
    full = [torch.cat([g, g.sum(0, keepdim=True)]) for g in (g_r, g_c)]
    rr, rc, cc = ((a * b).sum().reshape(1) for a, b in ((full[0], full[0]), (full[0], full[1]), (full[1], full[1])))
    cost, limit = (torch.tensor([value], dtype=torch.float64) for value in (gate, LIMIT))
    x, y, _ = gradient_manipulation(cost, limit, 0.2 * LIMIT, 0.2 * LIMIT, rr, rc, cc)
    return x * g_r + y * g_c


def weights_by_hand(rule: str, gate: float) -> tuple[float, float, float]:
    """x, y and the regulariser's z of Algorithm 2, and of Eq. (22) at the first step; one cost is worth 1 / (.1 10)."""
    if rule == "crpo":
        return (1.0, 0.0, 1.0) if gate <= 1.2 * LIMIT else (0.0, 1.0, 1.0)
    multiplier = max(0.0, 0.1 * (gate - LIMIT) + 0.003 * max(0.0, gate - LIMIT))
    return 1 / (1 + multiplier), multiplier / (1 + multiplier), 1 / (1 + multiplier)


@pytest.mark.parametrize("gate", [0.0, LIMIT, 3 * LIMIT], ids=["safe", "band", "unsafe"])
def test_the_update_on_one_hot_states_is_the_closed_form_step(experiment, gate: float, monkeypatch):
    kind, rule = experiment.settings.method.policy, experiment.settings.method.adaptation.rule
    found, raw = direction(experiment, gate, monkeypatch)
    torch.testing.assert_close(found, closed_form(kind, rule, raw, gate), rtol=1e-9, atol=1e-12)
    # Another region's step is not it, nor is the step without the entropy term, where the policy has one to choose.
    assert (found - closed_form(kind, rule, raw, 0.0 if gate > LIMIT else 3 * LIMIT)).abs().max() > 1e-2
    if kind == "gaussian":
        assert (found - closed_form(kind, rule, raw, gate, entropy=False)).abs().max() > 5e-3
