"""Data sets, what they cover, and the critics they give; the printed pessimism and its correction."""

import pytest
import torch

from tests.theory.strategies import policy_for
from theory import FiniteCMDP, InputError
from theory.cmdp.families import make
from theory.evaluation import evaluate, occupancy
from theory.offline.critics import empirical_model, ensemble_critic, fitted_q_critic, model_critic
from theory.offline.data import (
    Dataset,
    behaviour_divergence,
    behaviour_policy,
    bootstrap,
    concentrability,
    coverage,
    coverage_of_all,
    sample,
)
from theory.optimum import solve


@pytest.fixture
def cmdp() -> FiniteCMDP:
    return make("dirichlet", 4, 3, 0.8, 0.5, range(3))


def full_data(cmdp: FiniteCMDP, behaviour: torch.Tensor, size: float = 1e6) -> Dataset:
    """Counts exactly proportional to their expectation: a data set without sampling noise."""
    counts = size * occupancy(cmdp, behaviour)[..., None, None] * behaviour[..., None] * cmdp.P
    return Dataset(counts)


def test_samples_follow_the_occupancy_and_seeds_reproduce(cmdp: FiniteCMDP) -> None:
    behaviour = policy_for(cmdp, 1, 0.5)
    data = sample(cmdp, behaviour, [20_000] * 3, [7, 8, 9])
    expected = full_data(cmdp, behaviour, 1.0).counts
    observed = data.counts / 20_000
    z = (observed - expected) / (expected * (1 - expected) / 20_000).sqrt()
    assert float(z.abs().max()) < 4.5
    other = full_data(cmdp, cmdp.uniform_policy(), 1.0).counts
    assert float(((observed - other) / (other / 20_000).sqrt()).abs().max()) > 8, "negative control"
    assert torch.equal(sample(cmdp.select(1), behaviour[1:2], [20_000], [8]).counts[0], data.counts[1])
    assert not torch.equal(sample(cmdp, behaviour, [20_000] * 3, [7, 8, 10]).counts[2], data.counts[2])
    again = bootstrap(data, 3)
    assert torch.equal(again.counts, bootstrap(data, 3).counts)
    assert float(again.counts.sum()) == 60_000
    for sizes, seeds in (([10] * 3, [1]), ([10], [1, 2, 3]), ([10, 0, 10], [1, 2, 3])):
        with pytest.raises(InputError, match="needs a positive size and a seed"):
            sample(cmdp, behaviour, sizes, seeds)
    with pytest.raises(InputError, match="seeds must be non-negative integers, not -1"):
        sample(cmdp, behaviour, [10] * 3, [1, -1, 2])


def test_model_critic_error_falls_like_one_over_the_root_of_n(cmdp: FiniteCMDP) -> None:
    behaviour = cmdp.uniform_policy()
    policy = policy_for(cmdp, 2, 1.0)
    truth = evaluate(cmdp, policy)
    errors = []
    for size in (1_000, 100_000):
        found = [
            model_critic(cmdp, sample(cmdp, behaviour, [size] * 3, range(10 * i, 10 * i + 3)))(policy).Q_c
            for i in range(8)
        ]
        errors.append(torch.stack([(Q - truth.Q_c).abs().amax((1, 2)) for Q in found]).mean().item())
    assert 7 < errors[0] / errors[1] < 14, errors


def test_a_full_data_set_gives_exact_critics_by_both_routes(cmdp: FiniteCMDP) -> None:
    behaviour, policy = policy_for(cmdp, 1, 0.5), policy_for(cmdp, 2, 1.0)
    data, truth = full_data(cmdp, behaviour), evaluate(cmdp, policy)
    torch.testing.assert_close(model_critic(cmdp, data)(policy).Q_c, truth.Q_c, rtol=1e-12, atol=1e-12)
    fitted = fitted_q_critic(cmdp, data, sweeps=200)(policy)
    torch.testing.assert_close(fitted.Q_c, truth.Q_c, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(fitted.J_r, truth.J_r, rtol=1e-12, atol=1e-12)
    early = fitted_q_critic(cmdp, data, sweeps=3)(policy)
    assert float((early.Q_c - truth.Q_c).abs().max()) > 0.01, "negative control"


def test_unseen_pairs_are_costly_and_unrewarding() -> None:
    cmdp = make("garnet", 3, 2, 0.5, 0.5, [0])
    only = torch.zeros(1, 3, 2, dtype=torch.float64)
    only[..., 0] = 1
    model = empirical_model(cmdp, sample(cmdp, only, [500], [0]))
    assert model.r[0, :, 1].tolist() == [0.0] * 3
    assert model.c[0, :, 1].tolist() == [cmdp.c.max().item()] * 3
    torch.testing.assert_close(model.P[0, :, 1], torch.eye(3, dtype=torch.float64))


def test_printed_pessimism_is_biased_on_the_data_and_the_correction_is_not(cmdp: FiniteCMDP) -> None:
    """At pi = pi_b Eq. (19) adds (alpha/2)/(1-gamma) to every Q_c; the corrected form adds nothing (claim C2)."""
    behaviour = policy_for(cmdp, 1, 0.5)
    data, truth = full_data(cmdp, behaviour), evaluate(cmdp, behaviour)
    alpha, gamma = 0.2, 0.8
    printed = fitted_q_critic(cmdp, data, sweeps=400, alpha=alpha, pessimism="printed")(behaviour)
    corrected = fitted_q_critic(cmdp, data, sweeps=400, alpha=alpha, pessimism="corrected")(behaviour)
    torch.testing.assert_close(printed.Q_c, truth.Q_c + alpha / (2 * (1 - gamma)), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(corrected.Q_c, truth.Q_c, rtol=1e-10, atol=1e-10)
    elsewhere = policy_for(cmdp, 5, 2.0)
    away = fitted_q_critic(cmdp, data, sweeps=400, alpha=alpha, pessimism="corrected")(elsewhere)
    expected = (elsewhere * away.Q_c).sum(-1)
    torch.testing.assert_close(expected, away.V_c)
    assert bool((away.J_c >= evaluate(cmdp, elsewhere).J_c - 1e-9).all()), "pessimism raises the cost off the data"
    as_printed = fitted_q_critic(cmdp, data, sweeps=400, alpha=0.0, pessimism="printed", printed_reward=True)(behaviour)
    torch.testing.assert_close(as_printed.Q_c, truth.Q_r, rtol=1e-10, atol=1e-10)


def test_printed_pessimism_has_no_minimum_off_the_data() -> None:
    cmdp = make("garnet", 3, 2, 0.5, 0.5, [0])
    only = torch.zeros(1, 3, 2, dtype=torch.float64)
    only[..., 0] = 1
    data = sample(cmdp, only, [500], [0])
    uniform = cmdp.uniform_policy()
    assert float(fitted_q_critic(cmdp, data, alpha=0.2, pessimism="printed")(uniform).J_c) > 1e290
    corrected = fitted_q_critic(cmdp, data, alpha=0.2, pessimism="corrected")(uniform)
    assert bool((corrected.J_c <= cmdp.c.amax((1, 2)) / 0.5 + 1e-12).all())
    with pytest.raises(InputError, match="pessimism must be one of"):
        fitted_q_critic(cmdp, data, pessimism="total")


def test_fitted_q_minimises_the_loss_it_states(cmdp: FiniteCMDP) -> None:
    """One sweep against the gradient of the loss by autograd."""
    behaviour, policy = policy_for(cmdp, 1, 0.5), policy_for(cmdp, 2, 0.5)
    data = full_data(cmdp, behaviour, 1.0)
    n = data.pairs
    for pessimism in ("printed", "corrected"):
        critic = fitted_q_critic(cmdp, data, sweeps=1, alpha=0.05, pessimism=pessimism)
        Q = critic(policy).Q_c.clone().requires_grad_()
        loss = (n * (cmdp.c - Q) ** 2).sum() - 0.05 * (n.sum(-1, keepdim=True) * policy * Q).sum()
        loss = loss + 0.05 * (n * Q).sum() if pessimism == "corrected" else loss
        (gradient,) = torch.autograd.grad(loss, Q)
        inside = (Q > 1e-9) & (cmdp.c.amax((1, 2), keepdim=True) / (1 - 0.8) - 1e-9 > Q)
        assert float((gradient * inside).abs().max()) < 1e-12


def test_ensemble_gate_is_above_the_mean(cmdp: FiniteCMDP) -> None:
    data = sample(cmdp, cmdp.uniform_policy(), [300] * 3, [1, 2, 3])
    policy = policy_for(cmdp, 2, 1.0)
    critic = ensemble_critic(cmdp, data, members=4, k=2.0)
    values, flat = critic(policy), ensemble_critic(cmdp, data, members=4, k=0.0)(policy)
    assert bool((values.J_c > flat.J_c).all())
    members = torch.stack([evaluate(critic.models.select(slice(3 * e, 3 * e + 3)), policy).Q_c for e in range(4)])
    ucb = members.mean(0) + 2 * ((members - members.mean(0)) ** 2).mean(0).sqrt()
    torch.testing.assert_close(values.J_c, (cmdp.rho[..., None] * policy * ucb).sum((1, 2)))
    torch.testing.assert_close(values.Q_c, members.mean(0))


def test_coverage(cmdp: FiniteCMDP) -> None:
    uniform, optimum = cmdp.uniform_policy(), solve(cmdp).policy
    torch.testing.assert_close(coverage(cmdp, uniform, uniform), torch.ones(3, dtype=torch.float64))
    everything = coverage_of_all(cmdp, uniform)
    for seed in range(30):
        one = coverage(cmdp, policy_for(cmdp, seed, 8.0), uniform)
        assert bool((one <= everything * (1 + 1e-9)).all())
    assert bool((coverage(cmdp, optimum, uniform) <= everything * (1 + 1e-9)).all())
    assert bool((everything > 3).all()), "some pair can be visited with certainty of action, the data have a third"
    assert bool(torch.isinf(coverage(cmdp, uniform, optimum)).all())
    # The discounted occupancy averages the times that concentrability looks at one by one.
    assert bool((concentrability(cmdp, uniform, 200) >= everything * (1 - 1e-9)).all())


def test_divergence_from_the_behaviour(cmdp: FiniteCMDP) -> None:
    expert = solve(cmdp).policy
    behaviour = behaviour_policy(cmdp, expert, 0.3)
    d = occupancy(cmdp, expert)
    mean, worst = behaviour_divergence(expert, behaviour, d)
    assert bool((mean > 0).all())
    assert bool((worst >= mean).all())
    assert float(behaviour_divergence(behaviour, behaviour, d)[1].abs().max()) < 1e-15


def test_what_is_measured_of_a_cmdp_does_not_depend_on_the_rest_of_the_batch(cmdp: FiniteCMDP) -> None:
    data_policy = torch.cat([policy_for(cmdp.select(i), i, 1.0) for i in range(3)])
    policy = torch.cat([policy_for(cmdp.select(i), 7 + i, 1.0) for i in range(3)])
    measures = {
        "coverage": lambda one, mu, pi: coverage(one, pi, mu),
        "coverage_of_all": lambda one, mu, pi: coverage_of_all(one, mu),
        "concentrability": lambda one, mu, pi: concentrability(one, mu, 20),
    }
    for name, measure in measures.items():
        together = measure(cmdp, data_policy, policy)
        alone = [measure(cmdp.select(i), data_policy[i : i + 1], policy[i : i + 1]) for i in range(3)]
        torch.testing.assert_close(together, torch.cat(alone), msg=name)
        assert len(set(together.tolist())) == 3, "a negative control: the CMDPs differ"


def test_ensembles_of_different_seeds_share_no_member(cmdp: FiniteCMDP) -> None:
    data = sample(cmdp, cmdp.uniform_policy(), [300] * 3, [1, 2, 3])
    models = torch.cat([ensemble_critic(cmdp, data, members=4, seed=seed).models.P[::3] for seed in range(3)])
    assert len(torch.unique(models.flatten(1), dim=0)) == 12
    again = ensemble_critic(cmdp, data, members=4, seed=2).models.P[::3]
    assert torch.equal(again, models[8:])
