"""Forged certificates. The trusted checker accepted each one once, or would after the small mistake that is named."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flint import fmpq

from verification import check as checker
from verification.check import Rejected, check, digest, measure
from verification.checker.certify import CERTIFICATES, Statement, certificate, read, stated
from verification.checker.optima import OPTIMUM, OPTIMUM_TEXT
from verification.checker.statements import STATEMENTS, statements
from verification.tests.support import at, leaves

DECIMAL = re.compile(r"-?[0-9]\.[0-9]{19,}e-?[0-9]+")
NAMES = sorted(path.stem for path in CERTIFICATES.glob("*.json"))


def signed(content: dict[str, Any]) -> dict[str, Any]:
    """The certificate with the digest that fits it, as a forger would write it."""
    return content | {"digest": digest(content)}


def decimals(content: dict[str, Any]) -> list[tuple]:
    return [trail for trail in leaves(content["values"]) if DECIMAL.fullmatch(at(content["values"], trail))]


WITH_DECIMALS = [name for name in NAMES if decimals(read(name))]


def restated(name: str, change: Any) -> list[dict[str, Any]]:
    """The certificate once for each decimal, with that decimal changed."""
    copies = []
    for trail in decimals(read(name)):
        content = read(name)
        inner = at(content["values"], trail[:-1])
        inner[trail[-1]] = change(inner[trail[-1]])
        copies.append(signed(content))
    return copies


def nothing(exponent: int, first: str = "0") -> Any:
    return lambda _: f"{first}.{'0' * 24}e{exponent}"


def test_some_certificates_have_decimals() -> None:
    assert len(WITH_DECIMALS) >= 5


@pytest.mark.parametrize("name", WITH_DECIMALS)
@pytest.mark.parametrize("change", [nothing(30), nothing(999), nothing(30, "-0"), nothing(0)])
def test_a_decimal_of_zeros_matches_no_other_number(name: str, change: Any) -> None:
    for content in restated(name, change):
        if content["values"] != read(name)["values"]:
            with pytest.raises(Rejected, match="is not what the instance gives"):
                check(content)


@pytest.mark.parametrize("stated", ["0.5" + "0" * 23 + "e0", "-0." + "0" * 24 + "e0", "0." + "0" * 24 + "e5", "0"])
def test_a_ball_that_is_zero_is_stated_in_one_way(stated: str) -> None:
    value = checker.measure({"x": "1"}, {"k": "log(x)"}, [], "x <= 1")[0]["let"]["k"]
    assert checker.agrees("0." + "0" * 24 + "e0", value)
    assert not checker.agrees(stated, value)


@pytest.mark.parametrize("name", WITH_DECIMALS)
def test_the_sign_of_a_decimal_counts(name: str) -> None:
    for content in restated(name, lambda text: text[1:] if text.startswith("-") else f"-{text}"):
        if any(DECIMAL.fullmatch(at(content["values"], trail)) is None for trail in decimals(content)):
            continue
        with pytest.raises(Rejected, match="is not what the instance gives"):
            check(content)


@pytest.mark.parametrize(
    ("name", "text", "given"),
    [
        ("gamma", "2", {}),
        ("gamma_next", "x+1", {"x": 1}),
        ("P", "2*P_0", {"P_0": [[[1]]]}),
        ("pi", "2*pi_b", {"pi_b": [[1]]}),
        ("rho_2", "-rho", {"rho": [1]}),
        ("mu", "pi+1", {"pi": [[1]]}),
        ("D", "3", {}),
        ("c", "-1", {}),
        ("c_1", "-r", {"r": [[1]]}),
        ("eta", "-1", {}),
        ("beta0", "0", {}),
    ],
)
def test_no_abbreviation_takes_a_name_that_binds(name: str, text: str, given: dict[str, Any]) -> None:
    """In `given` these names promise a discount, a distribution, a cost or a step size; in `let` they did not."""
    formal = Statement({name: text}, [], f"max({name}) <= -100")
    with pytest.raises(Rejected, match="no name for an abbreviation"):
        certificate("none", "none", formal, given, "fails")
    other = Statement({f"k{name}": text}, [], f"max(k{name}) <= -100")
    certificate("none", "none", other, given, "fails")


def test_an_index_is_a_number() -> None:
    given = {"g": ["1", "2"]}
    assert checker.measure(given, {}, [], "g[1] <= 2")[2]
    with pytest.raises(Rejected, match="not in the checker's language"):
        checker.measure(given, {}, [], "g[True] <= 2")


def test_a_decimal_is_the_nearest_one() -> None:
    """The neighbour on the side of the true value is off by less than a unit of the last digit, and is rejected."""
    for number in range(2, 60):
        value = checker.measure({"x": str(number)}, {"k": "log(x)"}, [], "x >= 0")[0]["let"]["k"]
        text = stated(value)
        assert checker.agrees(text, value)
        digits, exponent = text.split("e")
        last = len(digits.split(".")[1])
        unit = fmpq(10) ** (int(exponent) - last)
        rounded = int(digits.replace(".", "")) * unit
        step = 1 if value > rounded else -1
        whole = str(int(digits.replace(".", "")) + step)
        assert abs(value - (rounded + step * unit)) < unit
        assert not checker.agrees(f"{whole[0]}.{whole[1:]}e{exponent}", value)


@pytest.mark.parametrize("name", ["", "k m", "1", "k-1", "_gamma", "\uff4b", "value"])
def test_abbreviations_have_plain_names(name: str) -> None:
    with pytest.raises(Rejected, match=r"no name for an abbreviation|defined twice"):
        checker.measure({"x": "1"}, {name: "x"}, [], "x <= 1")


@pytest.mark.parametrize(
    "text",
    [
        "x <= 0 # only for x below 0",
        "\uff58 <= 0",
        "x <= 0\n",
        "x <= True",
        "x <= 'a'",
        "(x := 0) <= 0",
        "x\t<= 0",
        "x**True <= 0",
    ],
)
def test_a_formula_reads_alike_for_a_person_and_for_python(text: str) -> None:
    with pytest.raises(Rejected, match="not in the checker's language"):
        checker.measure({"x": "1"}, {}, [], text)


HUGE = "99999999999"


@pytest.mark.parametrize("text", [f"9**{HUGE}", f"(x/7)**{HUGE}", "(x**300000)**300000", f"g**{HUGE}"])
def test_a_power_that_no_memory_holds_is_rejected(text: str, tmp_path: Path) -> None:
    """In a process of its own: the arithmetic library ended it with a floating point exception."""
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(signed(read("L42") | {"given": {"x": "3", "g": ["2", "3"]}, "let": {"k": text}})))
    done = subprocess.run([sys.executable, "-m", "verification.check", forged], capture_output=True, text=True)
    assert done.returncode == 1, done
    assert re.fullmatch(r".*forged.json: a number has more than 1000000 bits.", done.stdout.strip())


def test_numbers_that_double_their_digits_are_rejected() -> None:
    """Forty squares of squares, and a ball with a huge exponent: the first would fill the memory."""
    let = {"k0": "x + 1"} | {f"k{i + 1}": f"k{i}*k{i}" for i in range(40)}
    with pytest.raises(Rejected, match="a number has more than 1000000 bits"):
        checker.measure({"x": "2"}, let, [], "x <= 1")
    halves = {"k0": "x + 1"} | {f"k{i + 1}": f"k{i}/(1/k{i})" for i in range(40)}
    with pytest.raises(Rejected, match="a number has more than 1000000 bits"):
        checker.measure({"x": "2"}, halves, [], "x <= 1")
    assert checker.measure({"x": "2"}, {"k": "(x + 1)**300000"}, [], "k >= 1")[2]
    assert checker.measure({"x": "2"}, {"k": f"exp(x)**{HUGE}"}, [], "k >= 1")[2], (
        "a ball has 256 bits whatever its size"
    )


@pytest.mark.parametrize("key", ["conclusion", "statement", "gamma", "V_c"])
def test_a_key_that_occurs_twice_is_rejected(key: str, tmp_path: Path) -> None:
    """A reader sees the first entry; Python's json takes the last."""
    text = json.dumps(read("S1"), indent=1)
    assert text.count(f'"{key}": ') >= 1
    forged = tmp_path / "S1.json"
    forged.write_text(text.replace(f'"{key}": ', f'"{key}": "0 <= 1",\n"{key}": ', 1))
    with pytest.raises(Rejected, match="a key occurs twice"):
        checker.read(forged)
    with pytest.raises(Rejected, match="a key occurs twice"):
        read("S1", tmp_path)
    done = subprocess.run([sys.executable, "-m", "verification.check", forged], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, f"{forged}: a key occurs twice in one object.\n")


OTHER = Statement({}, [], "x <= 0")


def true_of_something_else(claim: str, statement: str) -> dict[str, Any]:
    return certificate(claim, statement, OTHER, {"x": "1"}, "fails")


@pytest.mark.parametrize(
    "forge",
    [
        lambda: true_of_something_else("TC", "gap <= 4R/T"),
        lambda: true_of_something_else("L42", read("L42")["statement"]),
        lambda: signed(read("L42") | {"claim": "L43"}),
        lambda: signed(read("L42") | {"statement": "Theorem 3.1 is false."}),
        lambda: signed(read("T16") | {"claim": "TC"}),
        lambda: signed(read("optimum_chain") | {"claim": "D9"}),
        lambda: signed(read("optimum_chain") | {"statement": "The optimum is unconstrained."}),
        lambda: signed(read("L42") | {"claim": ["L42"]}),
    ],
)
def test_words_are_bound_to_what_is_checked(forge: Any) -> None:
    content = forge()
    checker.verify(signed({**content, "claim": "none"}))  # the arithmetic alone is right
    with pytest.raises((Rejected, TypeError)):
        check(content)


def test_a_loose_dual_solution_refutes_no_optimum() -> None:
    """pi_star is optimal, and v = 100 a bound that it does not reach: the optimum's conclusion is an equation."""
    one = {"P": [[["1"]] * 2], "r": [["1", "0"]], "c": [["0", "0"]], "rho": ["1"], "gamma": "1/2", "limit": "1"}
    given = {**one, "pi_star": [["1", "0"]], "v": ["100"], "multiplier": "0"}
    loose = certificate("optimum", OPTIMUM_TEXT, OPTIMUM, given, "fails")
    checker.verify(loose)
    with pytest.raises(Rejected, match="its verdict is not that of optimum"):
        check(loose)


def test_a_weaker_formula_is_not_the_claims_own() -> None:
    """M**2 for M**3 where M = 1, or a condition less: the arithmetic cannot tell, the statements can."""
    content = read("L42")
    formal = Statement(content["let"], content["assume"][:-1], content["conclusion"])
    forged = certificate("L42", content["statement"], formal, content["given"], "fails")
    with pytest.raises(Rejected, match="its assume is not that of L42"):
        check(forged)


def test_the_stored_statements_are_those_of_the_claims() -> None:
    stored = checker.read(STATEMENTS)
    assert stored == json.loads(json.dumps(statements())), "run python -m verification.checker.counterexamples"
    assert {read(name)["claim"] for name in NAMES} <= set(stored)


@pytest.mark.parametrize("condition", ["exp(log(x)) <= x", "exp(log(x)) >= x", "exp(log(x)) == x"])
def test_a_condition_that_the_balls_cannot_decide_is_not_met(condition: str) -> None:
    """Not false with certainty is not enough: an instance has to meet the conditions certainly."""
    _, assumed, _, _ = checker.measure({"x": "1/3"}, {}, [condition], "x <= 0")
    assert not assumed
    formal = Statement({}, [condition], "x <= 0")
    with pytest.raises(Rejected):
        certificate("none", "none", formal, {"x": "1/3"}, "fails")
    assert not formal.negated_by({"x": "1/3"})


@pytest.mark.parametrize("conclusion", ["exp(log(x)) <= x", "exp(log(x)) == x", "sqrt(x)**2 >= x"])
@pytest.mark.parametrize("outcome", ["holds", "fails"])
def test_a_conclusion_that_the_balls_cannot_decide_has_no_certificate(conclusion: str, outcome: str) -> None:
    with pytest.raises(Rejected, match="conclusion does not certainly"):
        certificate("none", "none", Statement({}, [], conclusion), {"x": "1/3"}, outcome)


@pytest.mark.parametrize(
    ("entries", "outcome"), [(["0", "1"], (True, False)), (["0", "2"], (False, True)), (["2", "3"], (False, True))]
)
def test_a_comparison_of_arrays_is_true_for_all_entries_and_false_for_one(
    entries: list[str], outcome: tuple[bool, bool]
) -> None:
    assert measure({"a": entries}, {}, [], "a <= 1")[2:] == outcome
    assert measure({"a": entries}, {}, ["a <= 1"], "1 <= 1")[1] == outcome[0]


HALVES = {"P_0": [[["1/2", "1/2"]], [["0", "1"]]], "c": [["0"], ["1"]], "gamma": "1/2", "pi": [["1"], ["1"]], "C": "1"}
AWAY = [[["1/2", "1/2"]], [["1", "0"]]]
TOLD_APART = {**HALVES, "P_1": [[["1/4", "3/4"]], [["0", "1"]]], "eps": "1/100"}


FREE, FIRST, ONES = ["0", "0"], ["1", "0"], ["1", "1"]
ONE = {"pi_star": [["1"]], "pi": [["1"]], "v": ["2"], "multiplier": "1"}
BACK = [[["1", "0", "0"]] * 2, [["0", "0", "1"]] * 2, [["1", "0", "0"]] * 2]
LATE = {"rho": ["1", "0", "0"], "pi": [FIRST, FIRST, ["0", "1"]], "kappa": "1/2"}


THREE = {"P": [[["1"]] * 3], "rho": ["1"], "gamma": "1/2", "pi": [["0", "1", "0"]], "v": ["2"], "multiplier": "1"}
APART = {"P": [[["1", "0"]] * 2, [["0", "1"]] * 2], "rho": FIRST, "r": [FREE, FIRST]}
TO = [[str(int(t == s)) for t in range(5)] for s in range(5)]
SPENT = {
    "P": [[TO[4], TO[2]], [TO[4], TO[3]], [TO[1]] * 2, [TO[4]] * 2, [TO[4]] * 2],
    "rho": TO[0],
    "c": [FREE, FREE, ONES, ONES, FREE],
    "pi": [["0", "1"]] * 2 + [FIRST] * 3,
    "v": [*"00110"],
    "limit": "3/2",
}
ZERO_REWARD = {
    **{"P": [[["1"]] * 2], "rho": ["1"], "gamma": "1/2", "r": [FREE], "c": [["0", "1"]], "pi": [["3/4", "1/4"]]},
    **{"pi_star": [["1/2", "1/2"]], "limit": "1", "v": ["0"], "multiplier": "0"},
    **{"h_minus": "1", "h_plus": "0", "eta": "1/1000"},
}
CONFLICT_IN_ONE_METRIC = {
    **{"P": [[["1"]] * 3], "rho": ["1"], "gamma": "1/2", "r": [["2/5", "1/5", "7/10"]], "c": [["4/5", "7/10", "4/5"]]},
    **{"pi": [["20/23", "1/23", "2/23"]], "pi_star": [["0", "0", "1"]], "limit": "389/230", "v": ["7/5"]},
    **{"multiplier": "0", "h_minus": "2", "h_plus": "2", "eta": "1/100000"},
}
ONE_STATE = {
    "P": [[["1"]] * 2],
    "gamma": "1/2",
    "c": [["0", "1"]],
    "Q_c": [["1", "2"]],
    "kappa": "3/2",
    "pi": [["0", "1"]],
}


def line(states: int) -> dict[str, Any]:
    """Every action leads to the next state, the last one stays; the least costs to go are 0."""
    P = [[[str(int(t == min(s + 1, states - 1))) for t in range(states)]] * 2 for s in range(states)]
    rho = [str(int(s == 0)) for s in range(states)]
    return {"P": P, "rho": rho, "v": ["0"] * states, "limit": "1"}


def second(states: int) -> dict[str, Any]:
    return {"D": [str(int(s == 1)) for s in range(states)]}


@pytest.mark.parametrize(
    ("claim", "given"),
    [
        ("C1", {"samples": ["0"] * 3 + ["7"] * 6, "q": "0", "tau": "1/2"}),  # q is the median of three of nine
        ("C1", {"samples": ["0", "0", "0"], "q": "5", "tau": "2"}),
        ("C1", {"samples": ["1", "0", "3"], "q": "0", "tau": "1/3"}),  # every point of [0, 1] is a quantile
        ("CPQ2", {**ONE_STATE, "r": [FREE], "Q_r": [FREE]}),  # both actions are maximisers
        ("FISOR1", {"P": [[["1"]]], "gamma": "1/2", "c": [["1"]], "penalty": "-5", "v_1": ["-5"], "v_2": ["2"]}),
        (
            "FISOR1",
            {"P": [[["1"]]], "gamma": "1/2", "c": [["1/100"]], "penalty": "1", "v_1": ["-49/50"], "v_2": ["1/50"]},
        ),
        ("C6", {"least": "5", "cost": "3", "limit": "1", "epsilon": "0"}),
        ("M3", {"theta": ["0", "0"], "a": ["1/10", "0"], "b": ["1", "1/10"], "eta": "1/10"}),
        # CAPS1, CAPS2: the policy takes an action of cost 100 that the switch forbids.
        ("CAPS1", {**line(3), "gamma": "1/2", "c": [FREE, ["0", "100"], FREE], "pi": [FIRST, ["0", "1"], FIRST]}),
        # CAPS1: state 0 again, where the budget is spent. CAPS2: v is shifted, and the least cost 1 beyond the limit.
        ("CAPS1", {**line(1), "gamma": "9/10", "c": [["0", "1"]], "pi": [["0", "1"]], "limit": "6/5"}),
        (
            "CAPS2",
            {
                **line(4),
                **second(4),
                "c": [FREE, FREE, ONES, FREE],
                "pi": [FIRST] * 4,
                "v": ["0", "0", "0", "-1"],
                "limit": "1/2",
            },
        ),
        ("CAPS2", {**line(2), **second(2), "c": [["100", "0"], FREE], "pi": [FIRST, FIRST]}),
        (
            "CAPS2",
            {**line(4), **second(4), "c": [FREE, FREE, ["0", "100"], FREE], "pi": [FIRST, FIRST, ["0", "1"], FIRST]},
        ),
        # CAPS1: every policy costs 100 at the second step, which gamma = 0 does not see.
        (
            "CAPS1",
            {**line(3), "gamma": "0", "c": [FREE, ["100", "100"], FREE], "pi": [FIRST] * 3, "v": ["0", "100", "0"]},
        ),
        # CAPS2: the budget is spent in state 1. N1: pi has no step in its actions, or in a state that is not visited.
        ("CAPS2", {**SPENT, "D": [*"01000"]}),
        (
            "N1",
            {"P": [[["1"]] * 2], "rho": ["1"], "r": [FIRST], "pi": [FIRST], "w": [FREE], "z": [FREE], "gamma": "1/2"},
        ),
        ("N1", {**APART, "pi": [["1/2", "1/2"]] * 2, "w": [FREE] * 2, "z": [FREE] * 2, "gamma": "1/2"}),
        (
            "T15",
            {**THREE, "r": [["1", "0", "0"]], "c": [["0", "1", "1/2"]], "pi_star": [["1", "0", "0"]], "limit": "2"},
        ),
        ("L42", ZERO_REWARD),
        ("L43", CONFLICT_IN_ONE_METRIC),
        # T15: no policy can reach the limit.
        ("T15", {"P": [[["1"]]], "rho": ["1"], "gamma": "1/2", "r": [["1"]], "c": [["0"]], "limit": "100"} | ONE),
        # D12: another policy has no Q above kappa.
        ("D12", {"P": BACK, "D": ["0", "1", "0"], "gamma": "1/2", "c": [FREE, FREE, ["0", "10"]]} | LATE),
        ("B2", {**TOLD_APART, "F": "1/2", "delta": "2"}),
        ("B2", {**TOLD_APART, "F": "2", "delta": "1/10", "C": "1/1000000"}),
        ("B2", {**HALVES, "P_0": AWAY, "P_1": HALVES["P_0"], "F": "2", "delta": "1/100", "eps": "1/100"}),
    ],
)
def test_an_instance_outside_of_what_the_claim_says_is_no_counterexample(claim: str, given: dict[str, Any]) -> None:
    """The last one differs where no sample falls, so that KL at the first pair is 0."""
    formulas = statements()[claim]
    _, assumed, _, false = measure(given, formulas["let"], formulas["assume"], formulas["conclusion"])
    assert false, "it would refute the claim"
    assert not assumed
