"""deep.evaluate.verdict: where the offline estimate and the simulator contradict each other."""

import pytest

from deep.evaluate.verdict import contradictions


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
