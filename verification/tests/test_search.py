"""The search: it finds what is false, nothing in what is true, and what it finds is rounded, certified and shrunk."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from verification import check
from verification.checker.certify import Statement, read
from verification.claims.topics import CLAIMS
from verification.search.__main__ import SEARCHED, main
from verification.search.ascent import ascend
from verification.search.snap import payoff, refutes, rounded, row, shrink, snapped, without
from verification.search.space import Point, Size, point, starts
from verification.search.targets import TARGETS

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True")
LEFT_OUT = ("L40", "L41", "L43", "W1")


def mean_cost(at: Point) -> torch.Tensor:
    return at.cmdp.c.mean((1, 2)) / 0.9


def test_it_finds_the_unsafe_mixture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--claim", "W1", "--seconds", "20", "--out", str(tmp_path)]) == 0
    assert "W1: refuted" in capsys.readouterr().out
    for name in ("W1", "T15b", "T16"):
        content = read(name, tmp_path)
        check.check(content)
        assert content["claim"] == name


@pytest.mark.exhaustive
@pytest.mark.parametrize("claim_id", [*LEFT_OUT, "S2"])
def test_it_finds_what_was_left_out(claim_id: str, tmp_path: Path) -> None:
    assert main(["--claim", claim_id, "--seconds", "110", "--out", str(tmp_path)]) == 0
    check.check(read(claim_id, tmp_path))


def test_the_committed_ones_were_found_by_it() -> None:
    ratios = json.loads((Path(check.__file__).parent / "best_ratios.json").read_text())
    assert ratios.keys() == TARGETS.keys() == set(SEARCHED)
    for claim_id, target in TARGETS.items():
        assert (ratios[claim_id]["ratio"] > 1 + 1e-6) == (target.complete is not None), claim_id


def test_ascent_climbs_and_repeats_itself() -> None:
    size = Size(2, 2)
    first, _ = next(ascend(mean_cost, size, 3, 0.0, batch=8, steps=30))
    again, _ = next(ascend(mean_cost, size, 3, 0.0, batch=8, steps=30))
    assert torch.equal(first, again)
    start = mean_cost(point(size, starts(size, 512, 3)))
    assert bool((first > start.topk(8).values + 0.01).all()), "gradient steps improve on the screened starts"
    assert float(first.max()) <= 1 / 0.9


def test_a_true_statement_is_not_refuted() -> None:
    """Negative control: the mean of both costs for their maximum, of a trajectory mixture, at the worst points."""
    formal = Statement(
        {"V_1": "sum(rho*value(P,c,gamma,pi_1))", "V_2": "sum(rho*value(P,c,gamma,pi_2))"},
        ["V_1 <= limit", "V_2 <= limit"],
        "(V_1+V_2)/2 <= limit",
    )
    target = TARGETS["W1"]
    _, parameters = next(ascend(target.objective, target.sizes[0], 0, 0.0, batch=16, steps=60))
    found = point(target.sizes[0], parameters)
    assert target.complete
    for i in range(16):
        assert refutes(formal, target.complete, snapped(found, i, 2)) is None


def test_shrinking_keeps_a_counterexample_and_leaves_out_what_it_does_not_need() -> None:
    claim, target = CLAIMS["S2"], TARGETS["S2"]
    assert claim.formal
    assert target.complete
    content = read("S2")["given"]

    def parse(entry: Any) -> Any:
        return [parse(x) for x in entry] if isinstance(entry, list) else Fraction(entry)

    given: dict[str, Any] = {name: parse(x) for name, x in content.items()} | {"eta": Fraction(1, 7)}
    given["pi_other"] = given["pi"]
    padded = dict(given)
    padded["P"] = [[[*row_, Fraction(0)] for row_ in given["P"][0]], [[Fraction(0), Fraction(1)]] * 3]
    padded["rho"] = [Fraction(1), Fraction(0)]
    for name in ("r", "c", "pi", "pi_other"):
        padded[name] = [given[name][0], given[name][0]]
    small = shrink(claim.formal, target.complete, padded, True)
    assert len(small["rho"]) == 1
    assert refutes(claim.formal, target.complete, small)
    fewer = without(given, action=0)
    assert fewer
    assert fewer["r"] == [given["r"][0][1:]]


def test_rounding() -> None:
    assert rounded(0.01234, 2) == Fraction(12, 1000)
    assert payoff(0.96, 1) == 1
    assert row([0.9, 0.0999, 0.0001], 2, positive=False) == [Fraction(9, 10), Fraction(1, 10), 0]
    assert min(row([0.9, 0.0999, 0.0001], 2, positive=True)) == Fraction(1, 10000)
    assert sum(row([0.33, 0.33, 0.34], 1, positive=True)) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--claim", "L99"], "claim must be one of"),
        (["--claim", "W1", "--seconds", "-1"], "seconds must be positive"),
        (["--claim", "W1", "--seed", "-1"], "seeds must be non-negative integers, not -1"),
        (["--claim", "W1", "--out", "/dev/null/x"], r"/dev/null/x cannot be written \(Not a directory\)"),
    ],
)
def test_wrong_options_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        main(words)
