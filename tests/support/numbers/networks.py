"""Recorded numbers of deep/core, deep/nn and the formulas of deep/methods: draws, networks, schedules, losses."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deep.core.randomness import RandomInput, draw_block, generator, uniforms
from deep.data.selection import Selection, trajectory_stats
from deep.methods.actor_critic.caps import best_head
from deep.methods.actor_critic.coptidice import cost_bound, inverse_derivative, soft_chi
from deep.methods.drcorl import score
from deep.methods.drcorl.gate import GateConfig, gate_cost
from deep.methods.drcorl.policy_selection import selection_score, within_model_error
from deep.methods.drcorl.safe_adaptation import SafeAdaptation, SafeAdaptationConfig, Temperature
from deep.methods.fisor import feasibility_backup, published_chain
from deep.methods.parts import best_of_n, critics, iql, lagrangian
from deep.methods.parts.budget import discounted_budget
from deep.methods.parts.diffusion_policy import Chain, DiffusionPolicy, clip, denoise
from deep.methods.parts.mmd import mmd
from deep.methods.parts.thresholds import cost_threshold
from deep.methods.parts.twin_critics import soft_clipped
from deep.methods.parts.vae import ConditionalVAE
from deep.methods.sequence import budgets, tokens
from deep.methods.sequence.tcdp import TCDP
from deep.nn.masks import kept
from deep.nn.mlp import ACTIVATIONS, MLP, Ensemble, initial_parameters
from deep.nn.parameters import Adam, Parameters, linear_decay
from deep.nn.policies import MLPPolicy, SquashedGaussian
from deep.nn.transformer import Transformer
from deep.ope.interface import Estimate
from tests.support.numbers.cmdps import table
from tests.support.numbers.summary import Case
from tests.support.numbers.varied import LIMITS, SEEDS, TASK, data, problem
from tests.support.smoke_runs import build
from theory.adaptation import Slack

CPU = torch.device("cpu")
KEYS = torch.tensor([3, -(2**62), 77])


def randomness() -> dict[str, Any]:
    """Generators, blocks of draws, numbers from keys, dropout masks."""
    draws = {"a": RandomInput("normal", (3,)), "b": RandomInput("uniform"), "c": RandomInput("key")}
    found: dict[str, Any] = {
        "generator": [generator(seed, *path).random(5) for seed, path in ((1, ("x",)), (2, ("x", 3)), (1, ("x", 4)))],
        "blocks": [draw_block(draws, (4, 9, 4), "phase", block, 3, CPU) for block in (0, 2)],
        "uniforms": [uniforms(KEYS, *shape) for shape in ((5,), (2, 3), (4, 1, 3))],
        "kept": [kept(KEYS, share, 7, 3) for share in (0.1, 0.5, 0.9)],
    }
    return found


def networks() -> dict[str, Any]:
    """Perceptrons, ensembles, policies and transformers in all their forms, with gradients."""
    found: dict[str, Any] = {}
    x = table(2, 6, 4)
    for name in ACTIVATIONS:
        for norm in (False, True):
            network = MLP(4, 3, (5, 7), name, norm)
            theta = initial_parameters(network, (1, 8), "net").requires_grad_(True)
            y = network.apply(theta, x)
            slope = torch.autograd.grad((y * table(2, 6, 3, seed=1)).sum(), theta)[0]
            found[f"{name} {norm}"] = [theta, y, slope]
    ensemble = Ensemble(MLP(4, 2, (5,)), 3)
    found["ensemble"] = ensemble.apply(initial_parameters(ensemble, (1, 2), "e"), x)
    found["activations"] = [f(3 * table(9)) for f in ACTIVATIONS.values()]
    for kind in ("dirac", "gaussian", "constant"):
        policy = MLPPolicy(4, 2, kind, (5,), (-3.0, 0.5), 0.3)
        theta = 2 * initial_parameters(policy, (1, 2), "p")
        found[f"policy {kind}"] = [policy.distribution(theta, x), policy.sample(theta, x, table(2, 6, 2))]
    squashed = SquashedGaussian(4, 2, (5,), (-1.0, 0.2))
    theta = 4 * initial_parameters(squashed, (1, 2), "s")
    z = table(2, 18, 2)
    found["squashed"] = [squashed.distribution(theta, x), squashed.mean_action(theta, x), squashed.sample(theta, x, z)]
    for name, options in {
        "causal": {}, "rotary": {"rotary": True}, "bare": {"causal": False}, "modulated": {"modulated": True},
        "dropped": {"dropout": 0.3},
    }.items():  # fmt: skip
        trunk = Transformer(8, 2, 2, **options)
        theta = initial_parameters(trunk, (1, 2), "t")
        theta = theta + 0.1 * table(*theta.shape)
        valid = torch.arange(5) < torch.tensor([5, 3, 4])[:, None]
        condition = table(2, 3, 8) if trunk.modulated else None
        keys = torch.arange(2 * trunk.masks).reshape(2, -1) if trunk.dropout else None
        inputs = table(2, 3, 5, 8, seed=3)
        found[name] = trunk.apply(theta, inputs, condition=condition, valid=valid.expand(2, -1, -1), keys=keys)
        found[f"{name}, at the start"] = trunk.init(np.random.default_rng(0))
    return found


def optimiser() -> dict[str, Any]:
    """Adam with clipping and decay, averages and copies."""
    found: dict[str, Any] = {}
    for name, adam in {
        "plain": Adam(0.03),
        "clipped": Adam(0.1, clip=0.8),
        "decayed": Adam(0.02, weight_decay=0.3),
    }.items():
        own = Parameters(table(2, 5), adam, ema=True)
        for step in range(5):
            own.adam_step((1 + step) * table(2, 5, seed=step), linear_decay(torch.tensor(float(step)), 9))
            own.update_ema(0.2)
        found[name] = own.tensors
        copy = Parameters(torch.zeros(3, 5), adam, ema=True)
        copy.copy_from(own, torch.tensor([1, 0, 1]))
        found[f"{name}, copied"] = copy.tensors
    return found


def schedules() -> dict[str, Any]:
    """Noise schedules, chains, temperatures, thresholds and budgets."""
    t = torch.linspace(0.01, 1, 7)
    own = score.Schedule(0.2, 11.0)
    found: dict[str, Any] = {"diffusion": [own.alpha(t), own.sigma(t), own.rate(t), score.Schedule().alpha(t)]}
    found["score weights"] = [w(own.alpha(t), own.sigma(t)) for w in score.WEIGHTS.values()]
    for name in ("vp", "cosine", "linear"):
        for steps in (1, 4, 9):
            chain = Chain(steps, name)
            found[f"{name} {steps}"] = [chain.betas, chain.alpha_bars, chain.posterior_variances]
    epochs = [torch.tensor(float(x)) for x in (0, 49, 50, 130)]
    for growth in ("constant", "sqrt", "linear"):
        found[f"temperature {growth}"] = [float(Temperature(growth, 0.3, 0.2).at(step)) for step in epochs]
    for states in ("data", "start", "cut"):
        found[f"threshold {states}"] = [
            cost_threshold(problem(), states),
            [
                critics.episodic_to_discounted(3.0, g, n, states, e)
                for g, n, e in ((0.9, 20, None), (0.99, 1000, 300.0))
            ],
        ]
    left, step = torch.tensor([3.0, 1.0, 5.0, 2.0]), torch.tensor([0.0, 7.0, 24.0, 30.0])
    tasks = {"timeouts": TASK, "whole": replace(TASK, timeout_rate=0.0)}
    for name, task in tasks.items():
        found[f"budget {name}"] = [discounted_budget(left, step, task, 0.9, endless) for endless in (False, True)]
        found[f"task {name}"] = [
            task.expected_length,
            task.normalised_reward([1.0, 4.0]),
            task.normalised_cost([0.0, 3.0], 2.0),
            task.normalised_cost([0.0, 3.0], 0.0),
        ]
    found["decay"] = [float(linear_decay(torch.tensor(x), 40)) for x in (0.0, 13.0, 40.0)]
    return found


def losses() -> dict[str, Any]:
    """Losses and targets of critics, multipliers, weights and divergences."""
    q, target, u = table(2, 3, 5), table(2, 1, 5), table(2, 5)
    not_terminal = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0]).expand(2, -1)
    found: dict[str, Any] = {
        "expectile": [critics.expectile_loss(u, tau) for tau in (0.2, 0.7)],
        "td": critics.td_loss(q, target),
        "bellman": [critics.bellman_target(u, not_terminal, q, 0.8, b) for b in (None, (-0.5, 0.7))],
        "pessimism": [critics.pessimism(q, 2 * table(2, 3, 5, seed=1), 0.3, printed) for printed in (False, True)],
        "confidence": [critics.upper_confidence(q, k) for k in (0.0, 1.7)],
        "value": iql.iql_value_loss(q, table(2, 3, 5, seed=2), torch.tensor([[0.2], [0.5], [0.9]])),
        "weights": [iql.advantage_weights(3 * u, t, cap) for t, cap in ((0.5, 1.4), (3.0, 20.0))],
        "units": [iql.reward_units(problem(), "raw"), iql.reward_units(problem(), "episode"), iql.cost_unit(problem())],
        "bootstraps": [iql.bootstraps(problem(), cut) for cut in (False, True)],
        "soft clipped": soft_clipped(q[:, :2], 0.75),
        "chi": [soft_chi(u.abs() * 2), inverse_derivative(u)],
        "bound": cost_bound(u, torch.tensor([[0.4], [2.0]])),
        "head": best_head(q, table(2, 3, 5, seed=4), table(2, 5, seed=5)),
        "feasibility": feasibility_backup(u, table(2, 5, seed=1), 0.8),
        "density": tokens.gaussian_log_density(
            table(2, 3, 4, 2), table(2, 3, 4, 2, seed=1), table(2, 3, 4, 2, seed=2) / 3
        ),
        "entropy": tokens.gaussian_entropy(table(2, 3, 4, 2)),
        "units of tokens": [tokens.Units.of(variant, problem()) for variant in ("corrected", "public")],
    }
    scores = best_of_n.selection_score(u, table(2, 5, seed=6), torch.tensor([0.1, -0.4]))
    found["best"] = [scores, best_of_n.best_of_n(table(2, 6, 3), table(2, 6, seed=7), 3)]
    config = lagrangian.PIDConfig(0.4, 0.05, 0.3, 1.5)
    for public in (False, True):
        rule, path = lagrangian.PIDMultiplier(config, torch.tensor([0.3, 1.0]), public), []
        for cost in 1 + table(9, 2):
            path.append(rule.update(cost).clone())
        found[f"pid {public}"] = [torch.stack(path), rule.tensors()]
    dual = lagrangian.DualMultiplier("x", 0.3, torch.zeros(2), (-0.6, 0.5))
    path = []
    for excess in table(9, 2, seed=1):
        dual.update(excess)
        path.append(dual.value.clone())
    found["dual"] = torch.stack(path)
    found["mmd"] = [mmd(table(2, 5, 4, 3), 0.7 * table(2, 5, 2, 3, seed=1), sigma) for sigma in (0.5, 20.0)]
    return found


def diffusion() -> dict[str, Any]:
    """The behaviour model's network and KL gradients, the diffusion policy, the VAE."""
    found: dict[str, Any] = {}
    network = score.ScoreNetwork(4, 2, 6, 2, 2, 8, 6, 0.3)
    theta = initial_parameters(network, (1, 2), "score")
    noisy, states, t = table(2, 5, 2), table(2, 5, 4), torch.linspace(0.05, 0.9, 10).reshape(2, 5)
    dropped = torch.from_numpy(np.random.default_rng(0).random((2, 2, 5, 6)))
    found["score"] = [network.apply(theta, noisy, t, states), network.apply(theta, noisy, t, states, dropped)]
    own = score.Schedule(0.3, 9.0)

    def predict(a: Tensor, level: Tensor) -> Tensor:
        return network.apply(theta, a, level, states)

    found["denoising"] = score.denoising_loss(predict, own, noisy, t, table(2, 5, 2, seed=1))
    for weight in score.WEIGHTS:
        for name, log_std in (("dirac", None), ("gaussian", table(2, 5, 2, seed=2) / 3)):
            args = (predict, own, noisy, log_std, t, table(2, 5, 2, seed=3))
            found[f"kl {weight} {name}"] = score.reverse_kl(*args, weight)  # pyright: ignore[reportArgumentType]
            found[f"limit {name}"] = score.reverse_kl_limit(predict, own, noisy, log_std, 0.1)
    for name in ("vp", "cosine"):
        policy = DiffusionPolicy(4, 2, Chain(4, name), (6, 5), 6)
        theta_ = 2 * initial_parameters(policy, (1, 2), "d")
        z = table(2, 4, 5, 2)
        uniform = torch.linspace(0, 0.999, 10).reshape(2, 5)
        found[f"chain {name}"] = [
            policy.sample(theta_, states, z),
            policy.denoising_loss(theta_, states, noisy, uniform, z[:, 0]),
            policy.denoising_loss(theta_, states, noisy, uniform, z[:, 0], table(2, 5).abs()),
            denoise(lambda a, k: 0.3 * a + 0.1 * k, policy.chain, z),
            published_chain(lambda a, k: 0.3 * a - 0.1 * k, policy.chain, z),
        ]
    x = (2 * table(8)).requires_grad_(True)
    found["clip"] = [clip(x), torch.autograd.grad((clip(x) * table(8, seed=1)).sum(), x)[0]]
    vae = ConditionalVAE(4, 2, 3, (6,))
    theta = 2 * initial_parameters(vae, (1, 2), "vae")
    mean, log_std = vae.encode(theta, states, noisy)
    found["vae"] = [
        mean, log_std, vae.decode(theta, states, mean), vae.loss(theta, states, noisy, table(2, 5, 3), 0.4)
    ]  # fmt: skip
    return found


def gates() -> dict[str, Any]:
    """DRCORL's direction by every rule, the gate's cost, and the scores by which policies are selected."""
    own, found = problem(), {}
    size = torch.tensor([3.0, 10.0, 4.5, 14.0])
    g_r, g_c, k = (table(4, 6, seed=seed) for seed in (1, 2, 3))
    for rule in ("manipulation", "crpo", "pid"):
        for regulariser in ("inside", "after"):
            config = SafeAdaptationConfig(
                rule, Slack(0.3, 0.1, "linear"), regulariser, temperature=Temperature("linear", 0.5, 0.3, 10)
            )
            adaptation = SafeAdaptation(config, own, 40)
            for step in (0, 15, 39):
                cost = size.double() * (1 + step / 60)
                found[f"{rule} {regulariser} {step}"] = adaptation.direction(
                    torch.tensor(float(step)), cost, g_r, g_c, k
                )
    ones = torch.ones(4)
    estimate = Estimate(size, 0.3 * ones, 0 * ones, 20 * ones, 2.5 * size - 9, 20 * ones - size, 0.4 * size)
    for name, config in {"gate": GateConfig(k=0.7), "strict": GateConfig(k=2.0, max_disagreement=3.0)}.items():
        found[name] = [gate_cost(estimate, own.limits, config)]
        found[name] += [selection_score(estimate, own.limits, least, -2.0, config) for least in (5.0, 14.0)]
    chosen = Selection("best", 3, 0.2).per_replica(data(), own.replica_limits)
    stats = trajectory_stats(data(), own.replay, chosen, 2)
    found["trusted"] = [within_model_error(estimate, stats, own, x) for x in (0.05, 0.3, 2.0)]
    return found


def labels() -> dict[str, Any]:
    """The planners' budgets and ranks of returns."""
    rng = np.random.default_rng(0)
    costs, returns = rng.integers(0, 9, 20).astype(float), rng.normal(size=20)
    found: dict[str, Any] = {"budgets": [budgets.largest_budgets(costs, returns, slack) for slack in (0.0, 0.3)]}
    cost, time, to_go = rng.gamma(2, 2, 60), rng.integers(1, 20, 60).astype(float), rng.normal(size=60)
    ranks = budgets.Quantiles.of(cost, time, to_go, 3, 7)
    tensors = (torch.from_numpy(x[:30]).reshape(2, 15) for x in (cost, time, to_go + 0.1))
    found |= {"quantiles": ranks, "ranks": ranks.rank(*tensors), "sums": budgets.running_sum(costs)}
    for algorithm in ("tcdp", "sdgd", "cdd"):
        found |= {f"{algorithm}, {name}": x for name, x in of_windows(algorithm).items()}
    return found


def of_windows(algorithm: str) -> dict[str, Any]:
    """What a planner's windows are learned under, and what is asked for at budgets and times all over an episode."""
    own = build(algorithm, SEEDS, LIMITS, task=TASK, data=data(), relabelled=0.7, slack=0.4).method
    assert isinstance(own, TCDP)
    uniform = torch.from_numpy(np.random.default_rng(0).random((3, 2, 8)))
    window = own.sequences.windows((uniform[0] * len(data())).long(), 3)
    budget, time = 12 * uniform[1], (25 * uniform[2]).long()
    return {
        "labels": own.labels.of(window, uniform[1], uniform[2]),
        "conditions": [own.condition(budget, time), own.labels.condition(budget, time, 3 * uniform[0])],
        "affordable": own.labels.affordable(budget, time),
        "collected": own.labels.collected(window.rows[:, :, 0], budget),
        "budgets": [own.labels.budgets, own.labels.spare, own.labels.best],
    }


CASES: dict[str, Case] = {
    "randomness": Case(randomness, 1e-6),
    "networks": Case(networks, depth=1),
    "optimiser": Case(optimiser, depth=1),
    "schedules": Case(schedules, 1e-6),
    "losses": Case(losses, 1e-6),
    "diffusion": Case(diffusion),
    "gates": Case(gates, 1e-6),
    "labels": Case(labels),
}
