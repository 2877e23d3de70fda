"""The trusted checker: what it accepts, that it rejects a changed digit, what it imports."""

import ast
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb

from verification import check as checker
from verification.check import Rejected, check, digest
from verification.checker.certify import CERTIFICATES, Statement, certificate, decimal, read, stated
from verification.checker.optima import OPTIMUM
from verification.claims.topics import CLAIMS
from verification.tests.support import at, leaves

PATHS = sorted(CERTIFICATES.glob("*.json"))
NAMES = [path.stem for path in PATHS]
SAMPLE = 150
NUMBERS = ("given", "values")


def changed(content: dict[str, Any], trail: tuple, position: int, digit: str) -> dict[str, Any]:
    other = copy.deepcopy(content)
    text = at(other, trail)
    at(other, trail[:-1])[trail[-1]] = text[:position] + digit + text[position + 1 :]
    return other


def digits(content: dict[str, Any]) -> list[tuple[tuple, int, str]]:
    """Every digit of the certificate, each with another one to put in its place."""
    return [
        (trail, position, str((int(char) + 1) % 10))
        for trail in leaves(content)
        for position, char in enumerate(at(content, trail))
        if char.isdigit()
    ]


def accepted(content: dict[str, Any]) -> bool:
    try:
        check(content)
    except (Rejected, ValueError, ZeroDivisionError, IndexError, KeyError, TypeError, SyntaxError):
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_every_certificate_holds_and_each_changed_digit_is_rejected(name: str) -> None:
    """Numbers by the arithmetic alone, with a digest that fits; formulas and prose by the digest (see test_forged)."""
    content = read(name)
    check(content)
    every = digits(content)
    for i in np.random.default_rng(0).permutation(len(every))[:SAMPLE]:
        reject_changed(content, *every[i])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_every_single_changed_digit_is_rejected(name: str) -> None:
    content = read(name)
    for change in digits(content):
        reject_changed(content, *change)


def reject_changed(content: dict[str, Any], trail: tuple, position: int, digit: str) -> None:
    other = changed(content, trail, position, digit)
    if trail[0] in NUMBERS:
        other["digest"] = digest(other)
    assert not accepted(other), (trail, position)


def test_a_statement_that_is_true_cannot_be_certified_false() -> None:
    """Negative control, on an inequality that holds with equality and on one that the balls cannot decide."""
    given = {"x": "1/3"}
    for conclusion in ("x <= 1/3", "exp(log(x)) <= x", "exp(log(x)) >= x"):
        with pytest.raises(Rejected, match="conclusion does not certainly fail"):
            certificate("none", "none", Statement({}, [], conclusion), given, "fails")
    certificate("none", "none", Statement({}, [], "exp(log(x)) <= x-1/10**60"), given, "fails")


def test_conditions_have_to_be_certain() -> None:
    statement = Statement({}, ["log(x) <= 0"], "x <= 0")
    certificate("none", "none", statement, {"x": "99/100"}, "fails")
    with pytest.raises(Rejected, match="a condition is not certain"):
        certificate("none", "none", statement, {"x": "101/100"}, "fails")


@pytest.mark.parametrize(
    ("given", "conclusion", "reason"),
    [
        ({"pi": [["1/2", "1/3"]]}, "max(pi) <= 0", "not a probability distribution"),
        ({"P_1": [[["3/2", "-1/2"]], [["1", "0"]]]}, "max(P_1) <= 0", "not a probability distribution"),
        ({"gamma": "1"}, "gamma <= 0", "gamma is out of range"),
        ({"c": [["-1"]]}, "max(c) <= -2", "out of range"),
        ({"eta": "0"}, "eta <= -1", "out of range"),
        ({"h_plus": "-1"}, "h_plus <= -2", "h_plus is out of range"),
        ({"limit": "-20"}, "limit <= -21", "limit is out of range"),
        ({"C": "0"}, "C <= -1", "C is out of range"),
        ({"M": "-1"}, "M <= -2", "M is out of range"),
        ({"eps_2": "-1"}, "eps_2 <= -2", "eps_2 is out of range"),
        ({"T": "1/2"}, "T <= 0", "T is out of range"),
        ({"S": "0"}, "S <= -1", "S is out of range"),
        ({"A_1": "3/2"}, "A_1 <= 0", "A_1 is out of range"),
        ({"x": "0.5"}, "x <= 0", "not a rational"),
        ({"x": "1", "y": "1"}, "x <= 0", "never used"),
        ({"x": "1"}, "__import__(x) <= 0", "not in the checker's language"),
        ({"x": "1"}, "x.y <= 0", "not in the checker's language"),
        ({"x": "1"}, "x", "not one comparison"),
        ({"v": ["1", "2"], "g": ["1"]}, "v <= g", "do not fit together"),
        ({"w": []}, "w < 0", "empty or ragged"),
        ({"w": [[], []]}, "w < 0", "empty or ragged"),
        ({"r": [["1", "2"], ["3"]]}, "sum(r) <= 0", "empty or ragged"),
        ({"r": [["1", "2"], "3"]}, "sum(r) <= 0", "empty or ragged"),
        ({"pistar": ["3", "4"]}, "sum(pistar) <= 1", "'pistar' has a stem that"),
        ({"_pi": ["3", "4"]}, "sum(_pi) <= 1", "'_pi' has a stem that"),
        ({"pi": ["1/2", "1/2"]}, "max(pi) <= 0", r"pi has the shape \(2,\), where its name requires \(S, A\)"),
        ({"gamma": ["0", "1/2"]}, "max(gamma) <= 0", "gamma has the shape"),
        ({"eta": ["1", "2"]}, "max(eta) <= 0", "eta has the shape"),
        ({"v": "1", "rho": ["1"]}, "sum(rho*v) <= 0", "v has the shape"),
        ({"P": [[["1", "0"], ["1", "0"]]]}, "max(P) <= 0", "P has the shape"),
        ({"r": [["1", "2"]], "pi": [["1"]]}, "sum(pi)+sum(r) <= 0", "pi has the shape"),
        ({"r": [["1", "2"]], "rho": ["1", "0"]}, "sum(rho)+sum(r) <= 0", "rho has the shape"),
    ],
)
def test_wrong_instances_are_rejected(given: dict[str, Any], conclusion: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        checker.measure(given, {}, [], conclusion)


ONE_STATE = {"P": [[[1], [1]]], "rho": [1], "gamma": 0, "c": [[0, 0]]}
STAYING = {"P": [[[1, 0]] * 2, [[0, 1]] * 2], "gamma": "1/2", "pi": [["1/2", "1/2"]] * 2}
FORGED = {
    "a wrong optimum, v of each pair": (
        OPTIMUM,
        ONE_STATE | {"r": [[-1, -3]], "pi_star": [[0, 1]], "v": [[-1, -2]], "multiplier": 0, "limit": 1},
        "holds",
    ),
    "I1, a step size of each state": (
        CLAIMS["I1"].formal,
        STAYING
        | {"rho": ["1/2", "1/2"], "r": [[0, 1]] * 2, "c": [[0, 0]] * 2, "pi_star": STAYING["pi"]}
        | {"x": 1, "y": 1, "eta": ["1/1000", 5]},
        "fails",
    ),
    "D10t, two start distributions": (
        CLAIMS["D10t"].formal,
        STAYING | {"rho": [["1/2", "1/2"]] * 2, "c": [[1, 1]] * 2, "D": ["1/2", "1/2"]},
        "fails",
    ),
    "anything, from numbers that are not there": (
        Statement({}, ["w < 0", "w > 0"], "gamma <= 1/4"),
        {"w": [], "gamma": "1/2"},
        "fails",
    ),
    "a policy that is none": (Statement({}, [], "sum(pistar) <= 1"), {"pistar": [3, 4]}, "fails"),
    "a divergence of 0 from a ball around 0": (
        Statement({}, [], "KL(pi*(exp(200)+1-exp(200)),pi/2) == 0"),  # log 2: the ball of exp(200) - exp(200) holds -1
        {"pi": [[1]]},
        "holds",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_instances_are_rejected(name: str) -> None:
    """What a checker would certify that broadcasts whatever it is given, sums over nothing or drops uncertain terms."""
    formal, given, outcome = FORGED[name]
    assert formal
    with pytest.raises(Rejected, match=r"shape|stem|empty|neither exactly 0"):
        certificate("none", "none", formal, given, outcome)


@pytest.mark.parametrize(
    ("claim_id", "given"),
    [
        ("I1", {"r": [[-1, 1]], "x": 1, "y": 0, "eta": "1/10"}),
        ("I1", {"r": [[0, 1]], "c": [[0, 1]], "x": 1, "y": -1, "eta": "1/10"}),
        ("D9", {"c": [[0, 1]], "Q_r": [[-1, 0]], "eta": 40, "penalty": 30}),
        ("D11", {"c": [[0, 1]], "Q_r": [[-1, 0]], "eta": 40, "penalty": 30}),
        ("D9", {"c": [[0, 1]], "Q_r": [[0, 1]], "eta": 1, "penalty": -1}),
    ],
)
def test_what_violates_a_true_claims_assumptions_is_no_counterexample(claim_id: str, given: dict[str, Any]) -> None:
    """Rewards below 0, weights below 0, a largest |Q_r| that is not the largest Q_r, a penalty below 0."""
    formal, even = CLAIMS[claim_id].formal, [["1/2", "1/2"]]
    assert formal
    rest = {"pi": even, "pi_star": even, "mu": even, "Q_hat": [[0, 1]], "kappa": 0, "D": [1], "pi_0": [[1, 0]]}
    assert not formal.negated_by(formal.needs(ONE_STATE | rest | given))


@pytest.mark.parametrize("text", ["KL(pi,pi) <= 0", "KL(pi*exp(1),pi) >= 2", "KL(pi,pi/2) >= log(2)-1/10**60"])
def test_the_divergence_of_exact_zeros_and_of_certain_balls(text: str) -> None:
    _, _, true, _ = checker.measure({"pi": [["0", "1"]]}, {}, [], text)
    assert true


def test_the_language_agrees_with_hand_calculations() -> None:
    P = [[["1/2", "1/2"], ["0", "1"]], [["1", "0"], ["0", "1"]]]
    given = {
        "P": P,
        "rho": ["1", "0"],
        "pi": [["1/2", "1/2"], ["0", "1"]],
        "r": [["1", "3"], ["5", "0"]],
        "gamma": "1/2",
    }
    let = {
        "V": "value(P,r,gamma,pi)",  # V0 = 2 + V0/8 + 3 V1/8, V1 = V1/2: V = (16/7, 0)
        "d": "visits(P,rho,gamma,pi)",  # d0 = 1/2 + d0/8: d = (4/7, 3/7)
        "Q": "r+gamma*expect(P,V)",
        "kl": "KL(pi,pi*0+1/2)",
    }
    values, assumed, true, false = checker.measure(given, let, ["sum(d*rows(pi*r)) == (1-gamma)*sum(rho*V)"], "kl <= 1")
    assert (assumed, true, false) == (True, True, False)
    assert stated(values["let"]["V"]) == ["16/7", "0"]
    assert stated(values["let"]["d"]) == ["4/7", "3/7"]
    assert stated(values["let"]["Q"]) == [["11/7", "3"], ["43/7", "0"]]
    assert stated(values["let"]["kl"])[1] == "6.931471805599453094172321e-1"


def test_it_imports_nothing_but_the_standard_library_and_flint() -> None:
    source = Path(checker.__file__).read_text(encoding="utf-8")
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    assert imported == {"ast", "flint", "functools", "hashlib", "json", "operator", "re", "sys"}
    code = [line for line in source.split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 262
    heavy = "import sys, verification.check; print({'torch', 'numpy', 'theory'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_the_command(tmp_path: Path) -> None:
    def run(*paths: Path) -> tuple[int, str]:
        command = [sys.executable, "-m", "verification.check", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout

    code, text = run(*PATHS)
    assert (code, text) == (0, f"{len(PATHS)} certificates hold.\n")
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(read(NAMES[0]) | {"verdict": "holds"}))
    code, text = run(PATHS[0], broken)
    assert code == 1
    assert text.startswith(f"{broken}: ")
    assert text.count("\n") == 1
    broken.write_text("{")
    assert run(broken)[0] == 1
    assert run(tmp_path / "missing.json")[0] == 1
    assert run()[0] == 1


@pytest.mark.parametrize("ball", [arb(1) / arb(0), arb("inf"), arb(0, 1)])
def test_a_ball_without_digits_is_rejected_in_a_sentence(ball: arb) -> None:
    with pytest.raises(Rejected, match="is not determined to 24 digits"):
        decimal(ball)
