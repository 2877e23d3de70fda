"""A CMDP's results do not depend on the rest of its batch, whatever the size of the others' payoffs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.theory.strategies import policy_for
from theory import FiniteCMDP
from theory.cmdp.dense import concatenate
from theory.cmdp.families import budget_at, make
from theory.evaluation import bellman_residual, evaluate
from theory.npg.algorithms import Algorithm, configure
from theory.npg.npg import Metric
from theory.npg.outputs import outputs, run
from theory.npg.safe_dql import Problem, theorem_9
from theory.offline.critics import ensemble_critic, fitted_q_critic, model_critic
from theory.offline.data import bootstrap, coverage, sample
from theory.optimum import best_response, solve
from theory.optimum.policies import budget_unit, corner, reward_unit, visits

SCALES = (1.0, 1e12, 1e-12, 1.0)


def batch() -> list[FiniteCMDP]:
    """An active budget three times, in three units, and an infeasible one."""
    found = []
    for i, scale in enumerate(SCALES):
        one = make("garnet", 4, 3, 0.9, -0.2 if i == 3 else 0.4, [i])
        found.append(FiniteCMDP(one.P, scale * one.r, scale * one.c, one.rho, one.gamma, scale * one.budget))
    return found


def fields(found: object) -> list[Tensor]:
    return [x for x in vars(found).values() if isinstance(x, Tensor)]


def optimum(cmdp: FiniteCMDP, method: str) -> list[Tensor]:
    answer = solve(cmdp, method)
    return [answer.value, answer.cost, answer.multiplier, answer.occupancy, answer.feasible]


def iterated(cmdp: FiniteCMDP, algorithm: Algorithm, metric: Metric) -> list[Tensor]:
    eta = 0.05 / cmdp.bound
    slack = 0.05 * cmdp.bound
    config = configure(cmdp.batch, 20, eta, algorithm, metric, h_plus=slack, h_minus=slack, dual_step=0.1)
    finished = run(cmdp, config, cmdp.rho)
    sums = [x for x in finished.sums if x.dtype == torch.float64]
    return [finished.policy, *sums, *(x for output in outputs(cmdp, finished).values() for x in output)]


def policies(cmdp: FiniteCMDP) -> Tensor:
    return policy_for(cmdp.select(0), 5, 1.0).expand(cmdp.batch, -1, -1)


def safe_dql(cmdp: FiniteCMDP) -> list[Tensor]:
    values = evaluate(cmdp, policies(cmdp))
    critics = torch.stack([values.Q_c, 1.1 * values.Q_c], 1)
    problem = Problem(values.Q_r, critics, cmdp.uniform_policy(), values.d, cmdp.budget, 0.5, 2.0)
    return fields(theorem_9(cmdp, problem, policies(cmdp)))


def critic_on_data(cmdp: FiniteCMDP, make_critic: Callable) -> list[Tensor]:
    data = sample(cmdp, cmdp.uniform_policy(), [300] * cmdp.batch, [3] * cmdp.batch)
    return [*fields(make_critic(cmdp, data)(policies(cmdp))), bootstrap(data, 4).counts]


MEASURES: dict[str, Callable[[FiniteCMDP], list[Tensor]]] = {
    "values": lambda cmdp: fields(evaluate(cmdp, policies(cmdp))),
    "residual": lambda cmdp: [bellman_residual(cmdp, policies(cmdp), cmdp.r, cmdp.c)],
    "best response": lambda cmdp: list(best_response(cmdp, cmdp.r)),
    "cheapest response": lambda cmdp: list(best_response(cmdp, -cmdp.c)),
    "corner": lambda cmdp: list(corner(cmdp, policies(cmdp))),
    "visits": lambda cmdp: [visits(cmdp, policies(cmdp)), cmdp.reachable(policies(cmdp))],
    "units": lambda cmdp: [budget_unit(cmdp), reward_unit(cmdp), cmdp.bound, budget_at(cmdp, 0.3)],
    "lagrangian": lambda cmdp: optimum(cmdp, "lagrangian"),
    "highs": lambda cmdp: optimum(cmdp, "highs"),
    "coverage": lambda cmdp: [coverage(cmdp, policies(cmdp), cmdp.uniform_policy())],
    "model critic": lambda cmdp: critic_on_data(cmdp, model_critic),
    "ensemble critic": lambda cmdp: critic_on_data(cmdp, ensemble_critic),
    "fitted Q": lambda cmdp: critic_on_data(
        cmdp, lambda one, data: fitted_q_critic(one, data, alpha=0.1, pessimism="corrected")
    ),
    "theorem 9": safe_dql,
    **{
        f"{algorithm.name} {metric.name}": lambda cmdp, a=algorithm, m=metric: iterated(cmdp, a, m)
        for algorithm in Algorithm
        for metric in Metric
    },
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_cmdps_results_are_those_of_it_alone(name: str) -> None:
    ones = batch()
    together = MEASURES[name](concatenate(ones))
    for i, one in enumerate(ones):
        for found, alone in zip(together, MEASURES[name](one), strict=True):
            size = alone.abs().max().item() if alone.is_floating_point() and alone.isfinite().all() else 0.0
            torch.testing.assert_close(found[i], alone[0], rtol=1e-9, atol=1e-9 * size, equal_nan=True)
