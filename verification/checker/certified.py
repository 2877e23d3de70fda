"""True inequalities on random rational instances, by rigorous enclosure: the trusted checker evaluates both sides."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from verification.checker.certify import Statement, texts
from verification.checker.instances import generator

INSTANCES = 50


def row(rng: np.random.Generator, size: int) -> list[Fraction]:
    """Positive twentieths that sum to 1, from even to very uneven."""
    parts = 1 + rng.multinomial(20 - size, rng.dirichlet(np.full(size, 0.5)))
    return [Fraction(int(x), 20) for x in parts]


def table(rng: np.random.Generator, *shape: int, least: int = 0) -> list:
    """Tenths from least/10 to 1."""
    return np.vectorize(lambda x: Fraction(int(x), 10))(rng.integers(least, 11, shape)).tolist()


def scaled(rows: list, factor: Fraction | int, shift: Fraction | int = 0) -> list:
    return [[factor * x + shift for x in line] for line in rows]


def random_instances(count: int = INSTANCES) -> Iterator[dict[str, Any]]:
    """Everything a statement may name. D sits in one state; pi_0 takes the actions of least predicted cost, kappa.

    In every other instance the predicted cost is nowhere below that of any policy, and rewards, none above 0, rise with
    the cost and outweigh its penalty: there Theorem 9's terms in eps_c and in the largest Q_r (not |Q_r|) are 0.
    """
    for i in range(count):
        rng = generator(50, i)
        S, A = int(rng.integers(1, 4)), int(rng.integers(2, 4))
        gamma = Fraction(str(rng.choice(["1/2", "9/10", "99/100"])))
        given: dict[str, Any] = {"gamma": gamma, "P": [[row(rng, S) for _ in range(A)] for _ in range(S)]}
        given |= {name: table(rng, S, A) for name in ("r", "c")}
        given |= {"error": table(rng, S, A, least=-10)}
        given |= {name: [row(rng, A) for _ in range(S)] for name in ("pi", "pi_b", "pi_star", "mu")}
        given |= {"rho": row(rng, S), "D": [Fraction(int(s == i % S)) for s in range(S)]}
        H, dearest = 1 / (1 - gamma), max(x for line in given["c"] for x in line)
        predicted, rewards = scaled(table(rng, S, A), H), scaled(table(rng, S, A, least=-10), H)
        if i % 2:
            predicted, rewards = (
                scaled(given["c"], 1, gamma * H * dearest),
                scaled(given["c"], 20 * H, -dearest * 20 * H),
            )
        given |= {"Q_hat": predicted, "Q_r": rewards, "kappa": max(min(line) for line in predicted)}
        given["pi_0"] = [[Fraction(int(a == line.index(min(line)))) for a in range(A)] for line in predicted]
        given |= {
            "eta": Fraction(int(rng.integers(1, 50)), 100),
            "penalty": 5,
            "x": Fraction(3, 4),
            "y": Fraction(5, 4),
        }
        yield texts(given)


def holds_on(formal: Statement, count: int = INSTANCES) -> tuple[int, bool]:
    """On how many instances the conditions are certain, and whether the conclusion is, on all of those."""
    applicable, all_hold = 0, True
    for given in random_instances(count):
        _, assumed, true, _ = formal.measure(formal.needs(given))
        applicable += assumed
        all_hold &= true or not assumed
    return applicable, all_hold
