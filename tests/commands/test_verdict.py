"""deep.evaluate.verdict: where the offline estimate contradicts the simulator, and where it is in doubt."""

from typing import Any

import pytest

from deep.evaluate.verdict import contradictions, verdict


def result(interval: tuple[float, float], safe: bool) -> dict:
    return {
        "seed": 3,
        "cost_limit": 10.0,
        "cost_return": 4.0 if safe else 40.0,
        "safe": safe,
        "offline_cost_estimate": sum(interval) / 2,
        "offline_cost_interval": interval,
    }


@pytest.mark.parametrize(
    ("interval", "safe", "predicted"),
    [
        ((2.0, 8.0), True, None),
        ((2.0, 8.0), False, "satisfied"),
        ((2.0, 10.0), False, "satisfied"),
        ((8.0, 12.0), True, None),
        ((8.0, 12.0), False, None),
        ((12.0, 15.0), True, "violated"),
        ((12.0, 15.0), False, None),
        ((10.0, 15.0), True, None),
    ],
)
def test_an_interval_is_contradicted_where_all_of_it_lies_on_the_other_side_of_the_limit(interval, safe, predicted):
    lines = contradictions([result((1.0, 2.0), True), result(interval, safe)])
    assert len(lines) == (predicted is not None)
    for line in lines:
        assert "seed 3" in line
        assert f"predicts that the cost limit is {predicted}; in the simulator the mean cost is" in line


def test_nothing_is_contradicted_where_one_of_the_two_is_missing():
    unknown = result((12.0, 15.0), True) | {"offline_cost_estimate": None}
    simulated = result((12.0, 15.0), True)
    del simulated["cost_return"]
    assert contradictions([unknown, simulated]) == []


def test_the_reason_to_doubt_an_estimate_is_said():
    """On data of which a third of the visited states lacked, the estimate was 0 for a cost of 120, beside no word."""
    without_simulator: Any = None
    row = {"seed": 1, "cost_limit": 20.0, "offline_ood_score": 135.2, "offline_doubt": "far"}
    far, *rest = verdict(without_simulator, [row, row | {"cost_limit": 40.0, "offline_doubt": None}])
    assert far == (
        "seed 1, limit 20: the cost is unknown from the data alone: the predicted states leave the data (OOD "
        "score 135; that of the data is 1)."
    )
    assert rest == [""]
    (short, _) = verdict(without_simulator, [row | {"offline_doubt": "short"}])
    assert short.endswith("unknown from the data alone: the predicted episodes are shorter than those of the data.")
    assert verdict(without_simulator, [row | {"offline_doubt": None}]) == []
