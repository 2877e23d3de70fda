"""True inequalities on random rational instances, by rigorous enclosure: the trusted checker evaluates both sides."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from verification.certify import Statement, texts
from verification.claims import CLAIMS
from verification.counterexamples import mentions
from verification.instances import generator

INSTANCES = 50


def row(rng: np.random.Generator, size: int) -> list[Fraction]:
    """Positive twentieths that sum to 1, from even to very uneven."""
    parts = 1 + rng.multinomial(20 - size, rng.dirichlet(np.full(size, 0.5)))
    return [Fraction(int(x), 20) for x in parts]


def table(rng: np.random.Generator, *shape: int) -> list:
    return np.vectorize(lambda x: Fraction(int(x), 10))(rng.integers(0, 11, shape)).tolist()


def random_instances(count: int = INSTANCES) -> Iterator[dict[str, Any]]:
    """Everything a statement may name. D sits in one state; pi_0 takes the actions of least predicted cost, kappa."""
    for i in range(count):
        rng = generator(50, i)
        S, A = int(rng.integers(1, 4)), int(rng.integers(2, 4))
        gamma = Fraction(str(rng.choice(["1/2", "9/10", "99/100"])))
        given: dict[str, Any] = {"gamma": gamma, "P": [[row(rng, S) for _ in range(A)] for _ in range(S)]}
        given |= {name: table(rng, S, A) for name in ("r", "c", "error")}
        given |= {name: [row(rng, A) for _ in range(S)] for name in ("pi", "pi_b", "pi_star", "mu")}
        given |= {"rho": row(rng, S), "D": [Fraction(int(s == i % S)) for s in range(S)]}
        predicted = [[x / (1 - gamma) for x in line] for line in table(rng, S, A)]
        given |= {"Q_hat": predicted, "Q_r": table(rng, S, A), "kappa": max(min(line) for line in predicted)}
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
    words = [*formal.let.values(), *formal.assume, formal.conclusion]
    applicable, all_hold = 0, True
    for given in random_instances(count):
        needed = {name: x for name, x in given.items() if mentions(name, words) and name not in formal.let}
        _, assumed, true, _ = formal.measure(needed)
        applicable += assumed
        all_hold &= true or not assumed
    return applicable, all_hold


@cache
def certified(claim_id: str) -> int:
    """The number of instances on which a claim that holds is certified; 0 where it has no formal statement."""
    claim = CLAIMS[claim_id]
    if claim.formal is None or claim.counterexamples:
        return 0
    applicable, all_hold = holds_on(claim.formal)
    return applicable if all_hold else 0
