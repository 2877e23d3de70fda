"""Recorded numbers of verification/: lattice tasks and their exact scores, ball arithmetic, the checker, claims."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flint import arb, fmpq

from deep.core.randomness import generator
from deep.data.kinds import Plane, choose, good_safe_parts
from deep.methods.safe_dql.safe_dql import SafeDQL
from deep.runs.experiment import Experiment, Settings
from tests.support.numbers.cmdps import table
from tests.support.numbers.results import benchmark_rows
from tests.support.numbers.summary import Case
from theory.optimum import solve
from verification import check
from verification.checker import certified, optima
from verification.intervals import certify, enclosure
from verification.intervals.cases import Case as IntervalCase
from verification.lattice import environment, exact, kinds, methods, mixtures, score_error
from verification.lattice.data import Behaviour, collect
from verification.lattice.grid import Axis, Grid
from verification.lattice.held_out import HELD_OUT
from verification.lattice.tasks import GAMMA, LATTICES, Lattice
from verification.lattice.theorem9 import theorem_9
from verification.lattice.trials import TRIALS
from verification.measured.claims import CLAIMS
from verification.measured.evidence import Evidence
from verification.search import snap
from verification.search.space import Size, point, starts
from verification.search.targets import TARGETS

CERTIFICATES = Path(__file__).parents[3] / "verification" / "certificates"
ALL = LATTICES | HELD_OUT


def some_policies(lattice: Lattice, count: int, seed: int = 0) -> torch.Tensor:
    """Policies on the grid actions, each of its own sharpness."""
    logits = table(count, len(lattice.states.nodes), len(lattice.actions.nodes), seed=seed)
    return torch.softmax(logits * (1 + torch.arange(count)[:, None, None]), -1)


def lattices() -> dict[str, Any]:
    """The tasks as finite CMDPs, their data's policies, optima at their limits and at others."""
    found: dict[str, Any] = {}
    for name, lattice in ALL.items():
        task, behaviour = lattice.task, Behaviour(lattice)
        batch = lattice.cmdp.select(torch.zeros(4, dtype=torch.long))
        optimum = solve(batch.with_budget(torch.tensor([*lattice.limits, 0.35, 9.0], dtype=torch.float64)))
        found[name] = {
            "cmdp": lattice.cmdp,
            "observed": lattice.observe(lattice.states.nodes + 0.013),
            "task": [*task.reward_range, task.max_cost, task.timeout_rate, task.expected_length, *task.cost_limits],
            "behaviour": [behaviour.choices, behaviour.induced],
            "data policy": [behaviour.policy, behaviour.occupancy],
            "optimum": [optimum.value, optimum.cost, optimum.multiplier],
        }
    return found


def scored() -> dict[str, Any]:
    """Scores, critic errors and spreads of policies on both sides of their limits; weights of actions."""
    found: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    for name, lattice in LATTICES.items():
        behaviour, pi = Behaviour(lattice), some_policies(lattice, 3)
        limits = torch.tensor([0.7, 3.0, 12.0], dtype=torch.float64)
        values = exact.exact_values(lattice, pi)
        states, size = len(lattice.states.nodes), len(lattice.actions.axes)
        actions, std = rng.uniform(-1.2, 1.2, (2, states, size)), rng.uniform(0.05, 0.9, (2, states, size))
        estimate = values.Q_c + table(*values.Q_c.shape, seed=1)
        found[name] = {
            "scores": exact.score(behaviour, pi, limits),
            "errors": exact.critic_error(behaviour, estimate, values.Q_c, pi),
            "spread": exact.spread(lattice, [some_policies(lattice, 2, seed) for seed in (3, 4, 5)]),
            "deterministic": exact.deterministic(lattice, actions),
            "gaussian": exact.gaussian(lattice, actions, std),
            "read": exact.read_critic(lattice, lambda s, a: s.sum(-1) * a[..., 0] + a.sum(-1), lambda s: 2 * s - 1, 2),
        }
        data = collect(behaviour, 23, 5)
        found[f"{name}, data"] = [data.observations, data.actions, data.rewards, data.costs, data.lengths]
        found[f"{name}, frequencies"] = exact.state_frequencies(lattice, data.observations)
    axes = {"plain": Axis(-1, 2, 5), "periodic": Axis(0, 1, 4, periodic=True)}
    x = rng.uniform(-2, 3, 11)
    found["weights"] = [axis.weights(x) for axis in axes.values()]
    found["expected weights"] = axes["plain"].gaussian_weights(x, rng.uniform(0.1, 2, 11))
    grid = Grid((axes["plain"], axes["periodic"]))
    return found | {"grid": [grid.nodes, grid.weights(rng.uniform(-1, 2, (6, 2)))]}


def pools() -> dict[str, Any]:
    """A pool played by the finite CMDP, what it supports, and the optima that are left."""
    found: dict[str, Any] = {}
    lattice = LATTICES["LatticeHeat"]
    pool = kinds.play(Behaviour(lattice, (0.0, 0.5, 3.0)), 30, seed=2)
    found["pool"] = [pool.states, pool.grid_actions, pool.data.actions, pool.data.rewards, pool.data.costs]
    found["sums"] = [pool.discounted(pool.data.rewards), pool.discounted(pool.data.costs)]
    known = kinds.supported(lattice, pool.states, pool.grid_actions)
    task = kinds.restricted(lattice, known)
    found["restricted"] = [known, task.P, task.r, task.c, task.rho]
    found["optima"] = [kinds.optima(task, (1.0, 4.0)), kinds.optima(lattice.cmdp, (1.0, 4.0))]
    limits = (1.5, 4.0)
    plane = Plane(pool.discounted(pool.data.rewards), pool.discounted(pool.data.costs), limits)
    shares = good_safe_parts(pool.data, plane, kinds.EPISODE, kinds.SUBSET)
    return found | {"few": [shares, choose("few", plane, shares, kinds.SUBSET, generator(0, "x"), "pool")]}


def scores_of_mixtures() -> dict[str, Any]:
    """Densities and scores of mixtures at noise levels, and the KL gradient by quadrature."""
    mixture = mixtures.Mixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-0.5, 0.2], [0.6, -0.1]]), torch.tensor([[0.2, 0.4], [0.3, 0.1]])
    )
    found: dict[str, Any] = {}
    for t in (0.02, 0.3, 0.8):
        a = table(1, 5, 2)
        level = torch.full((1, 5), t)
        found[f"level {t}"] = [
            mixture.noised(t),
            mixture.log_density(a),
            mixture.predictor(a, level),
            mixtures.at_level(t),
        ]
    mean, log_std = torch.tensor([0.1, -0.3]), torch.tensor([-1.0, -0.6])
    for weight in ("vds", "stable", "score", "limit"):
        for name, own in (("dirac", None), ("gaussian", log_std)):
            found[f"kl {weight} {name}"] = mixtures.kl_gradient(mixture.predictor, mean, own, 0.25, weight, order=5)
    found["fixed"] = mixtures.kl_gradient(mixture.predictor, mean, log_std, 0.25, "vds", order=4, fixed_std=True)
    return found | {"points": mixtures.hermite(2, 4), "samples": mixture.sample(9, torch.Generator().manual_seed(3))}


def learner(algorithm: str = "safe_dql", name: str = "Safe-DQL") -> tuple[Behaviour, Experiment]:
    """An untrained learner on few data of a lattice task; Safe-DQL's policy is another one than its behaviour's."""
    lattice, trial = LATTICES["LatticeHeat"], TRIALS[name]
    behaviour = Behaviour(lattice)
    settings = Settings(
        trial.config, task=lattice.name, algorithm=algorithm, seeds=(0, 1), cost_limits=lattice.limits, gamma=GAMMA,
        dynamics=trial.dynamics, device="cpu",
    )  # fmt: skip
    experiment = Experiment(settings, lattice.task, collect(behaviour, 40, 1))
    for name, tensor in experiment.tensors().items():
        if name.endswith(("theta", "ema")):
            tensor.copy_(tensor + 0.03 * table(*tensor.shape, seed=len(name)))
    return behaviour, experiment


def played() -> dict[str, Any]:
    """The tasks as environments, a score network's errors, and all that is measured of a learner on a task."""
    found: dict[str, Any] = {}
    for name, lattice in ALL.items():
        env, steps = environment.make(lattice), []
        first, about = env.reset(seed=3)
        actions = np.random.default_rng(1).uniform(-1.1, 1.1, (12, len(lattice.actions.axes)))
        for action in actions:
            observation, reward, terminated, truncated, info = env.step(action)
            steps.append(np.array([*observation, reward, terminated, truncated, info["cost"], info["state"]]))
        found[name] = [first, about["state"], np.array(steps)]
    trained = score_error.TrainedScore(score_error.MIXTURE, 3, batch=32)
    found["score errors"] = [score_error.errors(trained, score_error.MIXTURE, t) for t in (0.05, 0.4)]
    behaviour, experiment = learner("bc_all", "BC-All")
    found["measured"] = methods.measure(behaviour, experiment)
    return found


def chain() -> dict[str, Any]:
    """Every term of Theorem 9 on networks."""
    behaviour, experiment = learner()
    assert isinstance(experiment.method, SafeDQL)
    return {"terms": vars(theorem_9(behaviour, experiment, experiment.method, some_policies(behaviour.lattice, 4)))}


INTERVALS = (
    IntervalCase("dirichlet", 3, 2, "1/2", 0.4, "advantage", 12),
    IntervalCase("garnet", 3, 3, "3/10", 0.6, "q_vector", 12),
    IntervalCase("dirichlet", 3, 3, "7/10", 0.5, "fisher", 12),
    IntervalCase("chain", 3, 2, "1/2", 0.4, "crpo", 12),
)


def balls() -> dict[str, Any]:
    """Runs in ball arithmetic, with the theorem's slack and with a small one, so that all regions are met."""
    found: dict[str, Any] = {}
    for case in INTERVALS:
        own = certify.setting(case)
        found[case.name] = {"bounds": [own.best, own.kl, own.K, own.eta, own.h_plus]}
        start = enclosure.run(own.problem, case.rule, fmpq(3, 10), fmpq(1), 1, 100).J_c[0]
        for number, (share, h_plus) in enumerate(((1.0, fmpq(1, 50)), (0.9, fmpq(1, 3)), (0.7, fmpq(1, 100)))):
            limit = fmpq(round(1000 * share * float(start)), 1000)
            trace = enclosure.run(own.problem._replace(limit=limit), case.rule, fmpq(3, 10), h_plus, 9, 120)
            found[case.name][f"run {number}"] = [trace.J_r, trace.J_c, " ".join(trace.regions), trace.x]
            if any(x > 0 for x in trace.x):
                found[case.name][f"mixture {number}"] = [trace.mixture(trace.J_r), trace.mixture(trace.J_c)]
        result = certify.certify(case)
        kept = ("regions", "gap", "gap_bound", "violation", "holds", "bits")
        found[f"{case.name}, certified"] = [str(result[name])[:40] for name in kept]
    rows = [[arb(x) / 3 for x in line] for line in ((1, -2, 4), (0, 5, -1))]
    found["softmax"] = [float(x.mid()) for line in enclosure.softmax(rows) for x in line]
    numbers = [tuple(arb(x) / 10 for x in line) for line in ((4, -3, 5), (2, 1, 9), (6, -6, 6), (0, 1, 4))]
    return found | {"weights": [[str(x)[:14] for x in enclosure.manipulation_weights(*line)] for line in numbers]}


def as_number(x: Any) -> Any:
    """Rationals and balls as floats, in nested lists."""
    if isinstance(x, list):
        return [as_number(part) for part in x]
    return float(Fraction(str(x))) if isinstance(x, fmpq) else float(x.mid()) if isinstance(x, arb) else x


def certificates() -> dict[str, Any]:
    """Of every certificate what the checker computes: conditions, both sides, and what is certain of them."""
    found: dict[str, Any] = {}
    for path in sorted(CERTIFICATES.glob("*.json")):
        content = json.loads(path.read_text())
        measured = check.measure(*(content[x] for x in ("given", "let", "assume", "conclusion")))
        values, assumed, true, false = measured
        found[path.stem] = [as_number(values["conclusion"]), as_number(values["assume"]), assumed, true, false]
    return found


GIVEN = {
    "P": [[["1/2", "1/2"], ["0", "1"]], [["1/3", "2/3"], ["1", "0"]]], "r": [["1", "0"], ["-1/2", "2"]],
    "c": [["1/4", "1"], ["0", "3/5"]], "rho": ["2/5", "3/5"], "gamma": "3/4", "pi": [["1/5", "4/5"], ["1/2", "1/2"]],
    "mu": [["1/2", "1/2"], ["1/10", "9/10"]],
}  # fmt: skip
FORMULAS = (
    "value(P,r,gamma,pi)", "value(P,c,gamma,mu)", "visits(P,rho,gamma,pi)", "expect(P,rho)", "KL(pi,mu)", "sum(r*c)",
    "max(r)", "min(c)", "rows(r)", "rowmax(r)", "rowmin(c)", "len(rho)", "exp(r)", "log(rho)", "sqrt(c)", "abs(r)",
    "positive(r)", "r**2-c/rho", "-r[1]+gamma", "rho*r*c",
)  # fmt: skip
COMPARED = ("{} <= {}", "{} < {}", "{} >= {}", "{} > {}", "{} == {}")


def language() -> dict[str, Any]:
    """Every function of the checker's language, every comparison at, above and below, in rationals and in balls."""
    names = check.instance(GIVEN)
    found: dict[str, Any] = {text: as_number(check.evaluate(check.parse(text), names, set())) for text in FORMULAS}
    pairs = [("gamma", x) for x in ("3/4", "1/2", "1", "gamma")] + [("exp(gamma)", x) for x in ("2", "3", "exp(gamma)")]
    found["comparisons"] = [
        list(check.sides(form.format(*pair), names, set())[1:]) for form in COMPARED for pair in pairs
    ]
    found["comparisons of arrays"] = [list(check.sides(form.format("r", "c"), names, set())[1:]) for form in COMPARED]
    stated = ("1.2500000000000000000e0", "1.2500000000000000001e0", "1.25e0", "-1.2500000000000000000e0")
    found["agrees"] = [check.agrees(text, arb(5) / 4) for text in stated]
    found["agrees exactly"] = [check.agrees(text, fmpq(5, 4)) for text in ("5/4", "10/8", "-5/4", "1")]
    return found


def searched() -> dict[str, Any]:
    """The objectives of the search at random points; rounding; random rational instances and exact optima."""
    found: dict[str, Any] = {}
    for claim, target in TARGETS.items():
        size = target.sizes[-1]
        small = Size(
            size.states, size.actions, size.policies, size.extras, size.gamma, (2.0, 9.0), max(size.floor, 0.01)
        )
        with torch.no_grad():
            found[claim] = target.objective(point(small, starts(small, 6, 3)))
    at = point(Size(3, 2, 2, 1), starts(Size(3, 2, 2, 1), 4, 1))
    given = snap.snapped(at, 2, 3)
    found["snapped"] = [as_float(given[name]) for name in ("P", "r", "c", "rho", "pi", "gamma", "eta")]
    found["shorter"] = [as_float(row) for row in snap.simpler_rows(given["pi"][0], True)]
    cut = snap.without(given, action=1) or {}
    found["without"] = [as_float(cut[name]) for name in ("P", "rho", "r")]
    for number, instance in enumerate(certified.random_instances(4)):
        found[f"instance {number}"] = {key: as_float(x) for key, x in instance.items()}
    own = optima.snapped_family("garnet", 4, 3, "9/10", 0.4)
    best = optima.exact_optimum(own, Fraction(own["limit"])) or {}
    found["exact optimum"] = [as_float(best[name]) for name in ("pi_star", "v", "multiplier")]
    found["value"] = as_float(optima.total_value(own, "c", best["pi_star"]))
    return found


def as_float(x: Any) -> Any:
    """Rationals, or their texts, as floats in nested lists."""
    return [as_float(part) for part in x] if isinstance(x, (list, tuple)) else float(Fraction(str(x)))


def verdicts() -> dict[str, Any]:
    """The measured claims on rows that are safe and unsafe, better and worse."""
    rng, found = np.random.default_rng(3), {}
    for number, names in enumerate(
        (("bc_safe", "drcorl", "caps"), ("tcdp", "cdt", "bc_safe"), ("drcorl", "cdt", "tcdp"))
    ):
        rows = benchmark_rows()
        renamed = dict(zip(("bc_all", "cpq", "drcorl"), names, strict=True))
        safe = rng.random(len(rows)) < (0.5, 1.0, 0.9)[number]
        rows = [
            row | {"algorithm": renamed[row["algorithm"]], "safe": bool(s), "C": 0.5 if s else 1.4}
            for row, s in zip(rows, safe, strict=True)
        ]
        seconds = [
            {"algorithm": x, "choice": "", "single": float(s)} for x, s in zip(names, rng.random(3), strict=True)
        ]
        for claim in CLAIMS:
            found[f"{claim.id} {number}"] = list(vars(claim.measure(Evidence(rows, seconds))).values())
    return found


CASES: dict[str, Case] = {
    "lattices": Case(lattices, 1e-6),
    "scored": Case(scored, 1e-6),
    "pools": Case(pools, 1e-6),
    "mixtures": Case(scores_of_mixtures),
    "played": Case(played, 1e-5, 1e-6),
    "Theorem 9": Case(chain, 1e-6, 1e-7),
    "balls": Case(balls, 1e-9),
    "certificates": Case(certificates, depth=1),
    "language": Case(language, depth=1),
    "searched": Case(searched, 1e-6, depth=1),
    "verdicts": Case(verdicts, depth=1),
}
