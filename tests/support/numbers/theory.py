"""Recorded numbers of theory/: CMDPs, exact values, optima, bounds, adaptation and its runs, offline data, Safe-DQL."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.support.numbers.cmdps import cmdps, policy, table
from tests.support.numbers.summary import Case
from theory import bounds
from theory.adaptation import PIDLagrangian, Slack, crpo, gradient_manipulation, in_conflict, manipulation_weights
from theory.cmdp.dense import FiniteCMDP, concatenate
from theory.cmdp.families import FAMILIES, make, sparse_garnet
from theory.cmdp.instances import INSTANCES
from theory.cmdp.sparse import AnyCMDP, to_sparse
from theory.evaluation import bellman_residual, evaluate, occupancy
from theory.offline import critics, data
from theory.optimum import best_response, solve
from theory.optimum.capped import with_caps
from theory.optimum.certificate import Solution, certify, dual_defects
from theory.optimum.linear_program import occupancy_program, power_of_two, scaled
from theory.optimum.policies import budget_unit, corner, greedy_policy, policy_of, positive, reward_unit, visits

FIELDS = ("P", "r", "c", "rho", "gamma", "budget")


def fields(cmdp: AnyCMDP) -> dict[str, Any]:
    return {name: getattr(cmdp, name) for name in FIELDS} | {"bound": cmdp.bound}


def families() -> dict[str, Any]:
    """Every family, two tightnesses and seeds; the large sparse one; the named instances."""
    found: dict[str, Any] = {}
    for name in FAMILIES:
        states, actions = (9, 4) if name == "gridworld" else (5, 3)
        found[name] = fields(make(name, states, actions, 0.6, 0.35, [2, 5]))
        found[f"{name}, tight"] = make(name, states, actions, 0.9, 0.0, [11]).budget
    found["peaked, infeasible"] = make("peaked", 3, 2, 0.3, -0.4, [1]).budget
    found["sparse garnet"] = fields(sparse_garnet(12, 3, 4, 0.8, 0.3, 3))
    for name, instance in INSTANCES.items():
        made = instance()
        found[name] = [fields(made.cmdp), made.policy, made.other]
    return found


def operations() -> dict[str, Any]:
    """The operations of dense and sparse CMDPs."""
    found: dict[str, Any] = {}
    for name, batch in cmdps().items():
        for kind, cmdp in (("dense", batch), ("sparse", to_sparse(batch, batch.batch - 1))):
            pi = policy(batch)[-cmdp.batch :]
            v, x = table(cmdp.batch, cmdp.states), table(*cmdp.r.shape).abs()
            found[f"{name}, {kind}"] = {
                "next": cmdp.next_value(v),
                "arrival": cmdp.arrival(x),
                "solve": cmdp.solve(pi, table(cmdp.batch, cmdp.states, 2)),
                "adjoint": cmdp.solve_adjoint(pi, v),
                "reachable": cmdp.reachable(pi),
                "reachable by one action": cmdp.reachable(torch.eye(cmdp.actions).double()[0].expand(cmdp.r.shape)),
            }
        found[name] = [batch.transition_matrix(policy(batch)), batch.resolvent_inverse(policy(batch))]
    one = cmdps()["dirichlet"]
    found["concatenated"] = fields(concatenate([one, one.select(1)]))
    found["selected"] = fields(one.select(torch.tensor([True, False])))
    return found


def values() -> dict[str, Any]:
    """Exact values of random and of deterministic policies."""
    found: dict[str, Any] = {}
    for name, batch in cmdps().items():
        for kind, cmdp in (("dense", batch), ("sparse", to_sparse(batch, batch.batch - 1))):
            pi = policy(batch, 1)[-cmdp.batch :]
            exact = evaluate(cmdp, pi)
            wrong = exact.Q_c + table(*cmdp.r.shape)
            found[f"{name}, {kind}"] = {
                "values": exact,
                "advantages": [exact.A_r, exact.A_c],
                "occupancy": occupancy(cmdp, pi),
                "residual": bellman_residual(cmdp, pi, wrong, cmdp.c),
            }
    return found


CERTIFIED = ("flow", "negativity", "budget", "dual", "gap", "complementarity", "margin")


def solution(found: Solution, unique: bool) -> dict[str, Any]:
    """What of an optimum does not depend on rounding: the policy only where there is one alone."""
    whole = {name: getattr(found, name) for name in ("value", "cost", "multiplier", "feasible")}
    whole["margin"] = found.certificate.margin
    if unique:
        whole |= {name: getattr(found, name) for name in ("policy", "occupancy", "dual_value", "extremes", "mixing")}
    return whole


UNIQUE = ("dirichlet", "own discounts", "garnet", "losses", "all losses", "infeasible", "inactive")


def optima(method: str) -> dict[str, Any]:
    """The constrained optima of all kinds of CMDPs by one route."""
    found = {name: solution(solve(cmdp, method), name in UNIQUE) for name, cmdp in cmdps().items()}
    for tightness in (0.0, 0.15, 0.85, 1.0):
        batch = make("dirichlet", 4, 3, 0.8, tightness, [21, 22])
        found[f"tightness {tightness}"] = solution(solve(batch, method), tightness > 0)
    found["sparse"] = solution(solve(to_sparse(cmdps()["garnet"], 1), method), True)
    c, r = cmdps()["dirichlet"].c.clone(), cmdps()["dirichlet"].r.clone()
    c[:, 1, 2], r[:, 2, 0] = 1e9, -1e8
    plain = cmdps()["dirichlet"]
    found["forbidden"] = solution(solve(FiniteCMDP(plain.P, r, c, plain.rho, plain.gamma, plain.budget), method), True)
    return found


def interior_points() -> dict[str, Any]:
    """What an interior-point method finds to about 1e-6."""
    return {name: {x: kept[x] for x in ("value", "cost", "feasible")} for name, kept in optima("clarabel").items()}


def certificates() -> dict[str, Any]:
    """Residuals where they are not 0: of occupancies, policies, v and multipliers that are not the optimum's."""
    found: dict[str, Any] = {}
    for name, cmdp in cmdps().items():
        batch = cmdp.batch
        x = occupancy(cmdp, policy(cmdp, 2))[..., None] * policy(cmdp, 3) + 0.03 * table(*cmdp.r.shape)
        v, multiplier = 2 + table(batch, cmdp.states, seed=1), 0.4 + torch.arange(batch, dtype=torch.float64)
        for kind, feasible in (("feasible", torch.ones(batch).bool()), ("infeasible", torch.zeros(batch).bool())):
            own = certify(cmdp, x, v, multiplier, feasible, policy(cmdp, 4))
            found[f"{name}, {kind}"] = {
                "given policy": own,
                "worst": own.worst,
                "holds": [own.holds(), own.holds(10.0), own.holds(1000.0)],
                "own policy": certify(cmdp, x, v, multiplier, feasible),
                "defect": dual_defects(cmdp, v, multiplier, feasible),
                "greedy": greedy_policy(cmdp, v, multiplier, feasible),
            }
        found[f"{name}, parts"] = {
            "corner": corner(cmdp, policy(cmdp, 5)),
            "visits": visits(cmdp, policy(cmdp, 5)),
            "policy": policy_of(x, policy(cmdp, 6)),
            "policy of much": policy_of(x, policy(cmdp, 6), least=0.2),
            "budget unit": budget_unit(cmdp),
            "budget units": [budget_unit(cmdp.with_budget(float(b))) for b in (0.0, 0.05, 1e6, -2.0)],
            "reward unit": reward_unit(cmdp),
            "best": best_response(cmdp, cmdp.r - 0.3 * cmdp.c)[1],
        }
    return found


def programs() -> dict[str, Any]:
    """The linear programs, as written and scaled; capped payoffs."""
    found: dict[str, Any] = {}
    for name in ("dirichlet", "losses", "chain", "budget 0"):
        cmdp = to_sparse(cmdps()[name], 0)
        for budget in (None, 1e-3, 1e7):
            one = cmdp if budget is None else cmdp.with_budget(budget)
            program = occupancy_program(one)
            found[f"{name}, budget {budget}"] = [program, scaled(program)]
        found[f"{name}, free"] = occupancy_program(cmdp, constrained=False)
    capped = with_caps(cmdps()["losses"], torch.tensor([0.3, 0.6]).double(), torch.tensor([0.2, 0.4]).double())
    return found | {"capped": fields(capped), "powers": [power_of_two(x) for x in (0.0, 0.3, 1.0, 5.0, 1e-9)],
                    "positive": positive(torch.tensor([0.0, 0.2, 3.0]).double())}  # fmt: skip


NUMBERS: dict[str, Any] = {
    "V_c_behaviour": 1.3, "c_max": 0.9, "eps_adv": -0.2, "eps_dist": 0.15, "gamma": 0.6, "eta": 0.07, "x": 0.8,
    "y": 0.45, "M": 1.4, "kl_drop": 0.11, "S": 4, "A": 3, "T": 50, "eps_offline": 0.02, "C": 1.7, "critic_error": 0.05,
    "factor": 1.2, "kl": 0.7, "K": 12.0, "R": 9.0, "h_plus": 0.4, "pairs": 12, "max_weight": 1.5, "least_weight": 0.3,
    "critic_errors": 0.7, "gate_errors": 0.3, "sum_x": 31.0, "kappa": 0.9, "expected_hinge": 0.2, "predicted": 1.1,
    "eps_c": 0.15, "bc_loss": 0.35, "penalty": 4.0, "B_r": 2.5, "shift": 0.6, "suboptimality": 0.25, "B_c": 3.0,
    "tv": 0.35,
}  # fmt: skip
"""A value for every argument of a bound."""


def tables() -> dict[str, Tensor]:
    """Arguments that are tables; the discount and the step size differ over the batch then."""
    cmdp = cmdps()["own discounts"]
    pi, star = policy(cmdp, 1), policy(cmdp, 2)
    star[:, 0] = torch.tensor([0.0, 1.0, 0.0])
    return {
        "d_star": occupancy(cmdp, star), "pi_star": star, "log_policy": pi.log(), "u": table(*cmdp.r.shape),
        "error": table(*cmdp.r.shape, seed=1), "Q": table(*cmdp.r.shape, seed=2), "gamma": cmdp.gamma,
        "eta": torch.tensor([0.1, 0.7, 2.0]).double(),
    }  # fmt: skip


def all_bounds() -> dict[str, Any]:
    """Every function of theory.bounds: with its defaults, and with every argument given."""
    found: dict[str, Any] = {}
    for name, function in inspect.getmembers(bounds, inspect.isfunction):
        if function.__module__ != bounds.__name__:
            continue
        parameters = inspect.signature(function).parameters
        with_tables = tables() if any(key in tables() and key not in NUMBERS for key in parameters) else {}
        given = {key: (NUMBERS | with_tables)[key] for key in parameters}
        least = {key: value for key, value in given.items() if parameters[key].default is inspect.Parameter.empty}
        found[name] = [function(**least), function(**given)]
    found["tight without an advantage"] = [bounds.cost_upper_bound_tight(1.3, 0.9, x, 0.15, 0.6) for x in (0.3, 0.0)]
    found["clipped weights"] = bounds.remainder_constant(1.4, 0.6, max_weight=1.5)
    return found


def weights() -> dict[str, Any]:
    """The rules on a grid of angles, costs, limits and slacks."""
    rr = torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0, 0.2]).double()
    cc = torch.tensor([0.7, 4.0, 1.5, 1.0, 0.0, 0.3]).double()
    share = torch.tensor([0.3, -0.4, -0.9, 0.5, -0.2, -1.0]).double()
    rc = share * (rr * cc).sqrt()
    found: dict[str, Any] = {"conflict": in_conflict(rr, rc, cc)}
    found["weights"] = [manipulation_weights(rr, rc, cc, x) for x in (float("inf"), 0.9)]
    limit = torch.tensor([2.0, 1.0, 4.0, 2.0, 0.5, 3.0]).double()
    for number, excess in enumerate((-0.8, -0.31, -0.05, 0.0, 0.12, 0.33, 0.9)):
        cost = limit + excess
        found[f"manipulation {number}"] = gradient_manipulation(cost, limit, 0.3, 0.15, rr, rc, cc, 1.2)
        found[f"crpo {number}"] = crpo(cost, limit, 0.15)
    for decay in ("constant", "linear", "inverse_sqrt"):
        for slack in (Slack(0.4, 0.05, decay), Slack(0.1, 0.3, decay)):
            found[f"{decay} {slack.initial}"] = [slack.at(step, 20) for step in (0, 1, 7, 19, 20)]
    return found


def multipliers() -> dict[str, Any]:
    """PID multipliers along costs that rise and fall on both sides of the limits."""
    costs = 1 + table(25, 3).cumsum(0) / 2
    limit, found = torch.tensor([0.5, 1.5, 3.0]).double(), {}
    rules = {
        "defaults": PIDLagrangian(),
        "strong": PIDLagrangian(0.6, 0.2, 0.3, integral_max=4.0, multiplier_max=1.1),
        "not normalised": PIDLagrangian(0.3, 0.1, 0.7, integral_max=3.0, normalised=False),
    }
    for name, rule in rules.items():
        state, path = rule.init(costs[0]), []
        for cost in costs:
            state, multiplier, weight = rule.step(state, cost, limit)
            path.append(torch.stack([*state, multiplier, *(x.double() for x in weight)]))
        found[name] = torch.stack(path)
        found[f"{name}, last"] = list(path[-1])
    return found


def offline() -> dict[str, Any]:
    """Data of behaviour policies, their coverage, and critics estimated from them."""
    found: dict[str, Any] = {}
    for name in ("dirichlet", "own discounts", "garnet", "unreachable", "gridworld"):
        cmdp = cmdps()[name]
        expert = best_response(cmdp, cmdp.r)[0]
        mu = data.behaviour_policy(cmdp, expert, 0.3)
        drawn = data.sample(cmdp, mu, [40 + 7 * i for i in range(cmdp.batch)], [5 + i for i in range(cmdp.batch)])
        pi = policy(cmdp, 3)
        other = policy(cmdp, 4).masked_fill(cmdp.r > 0.8, 0)
        printed: dict[str, Any] = {"sweeps": 3, "alpha": 0.3, "pessimism": "printed"}
        kinds: dict[str, Callable[..., Any]] = {
            "model": critics.model_critic(cmdp, drawn),
            "ensemble": critics.ensemble_critic(cmdp, drawn, members=3, k=1.5, seed=2),
            "fitted": critics.fitted_q_critic(cmdp, drawn, sweeps=9),
            "corrected": critics.fitted_q_critic(cmdp, drawn, sweeps=9, alpha=0.3, pessimism="corrected"),
            "printed": critics.fitted_q_critic(cmdp, drawn, **printed),
            "reward": critics.fitted_q_critic(cmdp, drawn, printed_reward=True, **printed),
        }
        found[name] = {
            "behaviour": mu,
            "counts": drawn.counts,
            "pairs": drawn.pairs,
            "bootstrap": data.bootstrap(drawn, 3).counts,
            "model": fields(critics.empirical_model(cmdp, drawn)),
            "coverage": data.coverage(cmdp, pi, mu),
            "coverage of all": data.coverage_of_all(cmdp, mu),
            "concentrability": [data.concentrability(cmdp, mu, h) for h in (1, 4, 30)],
            "divergence": data.behaviour_divergence(other / other.sum(-1, keepdim=True), mu, occupancy(cmdp, pi)),
        } | {kind: critic(pi) for kind, critic in kinds.items()}
    return found


CASES: dict[str, Case] = {
    "families": Case(families, depth=1),
    "operations": Case(operations),
    "values": Case(values),
    "optima lagrangian": Case(lambda: optima("lagrangian"), 1e-6, 1e-7),
    "optima highs": Case(lambda: optima("highs"), 1e-6, 1e-7),
    "optima clarabel": Case(interior_points, 1e-5, 1e-4),
    "certificates": Case(certificates),
    "programs": Case(programs),
    "bounds": Case(all_bounds),
    "weights": Case(weights),
    "multipliers": Case(multipliers),
    "offline": Case(offline),
}
