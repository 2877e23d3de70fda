"""The refuting instances that were found by hand, as exact rationals.

`python -m verification.checker.counterexamples` writes verification/statements.json and the certificates of all claims
again, as after a changed statement. Those of L40, L41, L43, W1 (and T15b, T16) and S2 come from `verification.search`
and keep their instances.
"""

from collections.abc import Mapping
from typing import Any

from verification.checker.certify import certificate, read, write
from verification.command import Parser, ends_cleanly

HALF = ["1/2", "1/2"]
THIRD = ["1/3", "1/3", "1/3"]
CHAIN = [[[0, 1], [0, 1]], [[0, 1], [0, 1]]]  # s0 -> s1 -> s1


def point(size: int, place: int) -> list[int]:
    """All probability on one state."""
    return [int(i == place) for i in range(size)]


def bandit(actions: int) -> dict[str, Any]:
    """One state that every action returns to, at gamma = 1/2."""
    return {"P": [[[1]] * actions], "rho": [1], "gamma": "1/2"}


STALL = bandit(2) | {
    "r": [[0, 1]],
    "c": [[0, 1]],
    "pi": [HALF],
    "pi_star": [["3/8", "5/8"]],
    "limit": "5/4",
    "h_minus": "1/2",
    "h_plus": "1/2",
}

INSTANCES: dict[str, Mapping[str, Any]] = {
    "C3": {"m": 1, "variance": "1/4", "beta": 2, "h": 1},
    "K1": {"mu": [HALF], "Q": [[0, 1]], "beta": 1},
    "M1": {"g_r": [1, 2], "g_c": [2, 4]},
    "M2": {"g_r": [1, 0], "g_c": [-1, 1]},
    "M3": {"theta": [0, 0], "a": ["1/10", 0], "b": [0, 1], "eta": "1/2"},
    "P2": bandit(2) | {"c": [[0, 1]], "pi": [["1/4", "3/4"]], "pi_b": [["3/4", "1/4"]]},
    "A1": {"pi": [["99/100", "1/100"]], "pi_b": [["49/50", "1/50"]], "eps_dist": "1/100"},
    "N1": {
        "P": CHAIN,
        "rho": [1, 0],
        "gamma": "1/2",
        "r": [[0, 0], [1, 0]],
        "pi": [HALF, HALF],
        "w": [[0, 0], [0, 0]],
        "z": [[0, 0], [0, 0]],
    },
    "L42": bandit(3)
    | {
        "r": [[0, 1, "1/2"]],
        "c": [[1, 1, 0]],
        "pi": [["9/20", "1/10", "9/20"]],
        "pi_star": [[0, "3/4", "1/4"]],
        "limit": "3/2",
        "v": [1],
        "multiplier": "1/2",
        "h_minus": "2/5",
        "h_plus": "2/5",
        "eta": "1/1000",
    },
    "L44": STALL | {"v": [0], "multiplier": 1, "eta": "1/1000", "T": 1000},
    "S1": STALL,
    "T2": bandit(2) | {"c": [[0, 0]], "M": 1, "v": ["1/10"], "limit": 1, "h_minus": 0, "eps": 1, "T": 1000},
    "W2": {"g_r": [2, 1], "g_c": [-3, 1]},
    "T15": bandit(3)
    | {
        "r": [[1, 0, 0]],
        "c": [[0, 1, "1/2"]],
        "pi_star": [[1, 0, 0]],
        "pi": [[0, 1, 0]],
        "limit": "9/10",
        "v": [2],
        "multiplier": 1,
    },
    "E48": {"S": 1, "A": 2, "M": 1, "gamma": "1/2", "eps": 4, "eta": "1/2", "T": 1000000},
    "H1": {"S": 2, "A": 2, "M": 1, "gamma": "9/10", "eps": 1, "T": 1000},
    "O1": bandit(2)
    | {"r": [[0, 2]], "c": [[0, 1]], "pi_1": [["1/4", "3/4"]], "pi_2": [["3/4", "1/4"]], "pi_b": [HALF]},
    "C1": {"samples": [0, 1, 3], "q": 1, "tau": "1/2"},
    "C2": {
        "P": [[[1]]],
        "rho": [1],
        "gamma": "99/100",
        "c": [[0]],
        "pi": [[1]],
        "mu": [[1]],
        "Q_hat": [[10]],
        "alpha": "1/5",
        "cost_limit": 10,
        "L": 1000,
    },
    "C5": {"samples": [1, "11/10", "9/10", 1], "true": 2, "k": 2},
    "C6": {"cost": 14, "least": 5, "limit": 10, "epsilon": "1/10"},
    "B1": bandit(2) | {"c": [[0, 1]], "pi": [["3/4", "1/4"]]},
    "B2": {
        "P_0": [[[0, "500011/1000000", "499989/1000000"]], [[0, 1, 0]], [[0, 0, 1]]],
        "P_1": [[[0, "499989/1000000", "500011/1000000"]], [[0, 1, 0]], [[0, 0, 1]]],
        "c": [[0], [0], [1]],
        "gamma": "1/2",
        "pi": [[1], [1], [1]],
        "eps": "1/100000",
        "delta": "1/10",
        "C": 100,
        "F": 2,
    },
    "B3": bandit(2) | {"c_1": [[0, 0]], "c_2": [[0, 1]], "mu": [[1, 0]], "pi": [HALF], "eps": "1/10"},
    "E1": {"P": CHAIN, "rho": [1, 0], "gamma": "1/2", "c": [[1, 1], [0, 0]], "pi": [HALF, HALF]},
    "D12": {
        "P": [[[1, 0], [1, 0]], [[0, 1], [0, 1]]],
        "rho": ["9/10", "1/10"],
        "D": ["9/10", "1/10"],
        "gamma": "1/2",
        "c": [[0, 0], [1, 1]],
        "pi": [HALF, HALF],
        "kappa": "1/2",
    },
    "CPQ1": bandit(1)
    | {
        "r": [[1]],
        "c": [[0]],
        "pi": [[1]],
        "Q_r1": [[4]],
        "Q_r2": [[4]],
        "Q_c1": [["3/4"]],
        "Q_c2": [["5/4"]],
        "kappa": 1,
    },
    "CPQ2": bandit(2)
    | {"r": [[-1, -1]], "c": [[0, 1]], "pi": [[0, 1]], "Q_r": [[-1, -1]], "Q_c": [[1, 2]], "kappa": "3/2"},
    "DICE1": {"P": [[[1]]], "rho": [1], "gamma": "99/100", "c": [[1]], "pi": [[1]], "kappa": 1},
    "FISOR1": {
        "P": [[point(6, min(i + 1, 5))] for i in range(6)],
        "c": [[0], [0], [0], [0], [0], [1]],
        "gamma": "1/2",
        "penalty": 25,
        "v_1": ["-3/16", "5/8", "9/4", "11/2", 12, 25],
        "v_2": ["1/16", "1/8", "1/4", "1/2", 1, 2],
    },
    "CAPS1": {
        # Action 0 ends the episode at once in state 0; action 1 leads on to two costs.
        "P": [[point(5, 4), point(5, 1)], *([point(5, i + 1)] * 2 for i in (1, 2, 3)), [point(5, 4)] * 2],
        "rho": point(5, 0),
        "gamma": "1/2",
        "c": [[0, 0], [0, 0], [1, 1], [1, 1], [0, 0]],
        "pi": [[0, 1], *[[1, 0]] * 4],
        "v": [0, "3/4", "3/2", 1, 0],
        "limit": 1,
    },
    "CAPS2": {
        # Action 1 leads to state 2, which costs 1, with probability 1/2; state 3 is the end.
        "P": [
            [point(4, 3), [0, "1/2", "1/2", 0]],
            [point(4, 3), [0, 0, "1/2", "1/2"]],
            [point(4, 3)] * 2,
            [point(4, 3)] * 2,
        ],
        "rho": point(4, 0),
        "D": point(4, 1),
        "c": [[0, 0], [0, 0], [1, 1], [0, 0]],
        "pi": [[0, 1], [0, 1], [1, 0], [1, 0]],
        "v": [0, 0, 1, 0],
        "limit": "3/5",
    },
}


def build(claim_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The certificate of an instance against a claim; unused names are left out."""
    from verification.claims.topics import CLAIMS  # imports torch: not for --help

    claim = CLAIMS[claim_id]
    if claim.formal is None:
        raise ValueError(f"{claim_id} has no statement in the checker's language")
    return certificate(claim_id, claim.statement, claim.formal, claim.formal.needs(given), "fails")


def main(arguments: list[str] | None = None) -> None:
    """Write every claim's certificates; those that the search found keep their instance."""
    description = "Write the certificates of all counterexamples again, as after a changed statement."
    Parser("verification.checker.counterexamples", description).parse_args(arguments)
    from verification.checker.statements import write_statements
    from verification.claims.topics import CLAIMS

    print(write_statements())
    for claim in CLAIMS.values():
        for name in claim.counterexamples:
            print(write(name, build(name, INSTANCES.get(name) or read(name)["given"])))


if __name__ == "__main__":
    with ends_cleanly("the certificates named above are written, the others are as they were"):
        main()
