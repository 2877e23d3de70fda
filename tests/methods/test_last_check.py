"""deep.methods.drcorl.last_check: after adaptation the clone and the best policies at rest are evaluated once more."""

from collections.abc import Sequence

import pytest
import torch

from deep.ope.interface import Estimate
from tests.support.lighter import short_episodes
from theory.support.errors import InputError
from theory.support.words import last_of_each

TD = ("--dynamics.steps", "0", "--gate.kind", "td", "--gate.k", "0", "--critics.reward", "td")
RESTS = ("--rests.every", "100", "--rests.steps", "50", "--adaptation-steps", "400")
CHECK = (*TD, *RESTS, "--cost-limits", "4", "900", "--rests.candidates", "2", "--rests.candidate-steps", "200")


REPLICA = torch.tensor([[0.0], [10.0]])
"""What is added to the marks of the second replica's policies."""


def estimate(cost: Sequence[float], reward: Sequence[float]) -> Estimate:
    """An estimate that doubts nothing: long episodes on the data."""
    c, r = torch.tensor(cost), torch.tensor(reward)
    return Estimate(c, 0 * c, c, c, r, 0 * c + 1000, 0 * c)


@pytest.fixture
def method(build):
    return build("--seeds", "1", *CHECK).method


def rest(method, step: int, mark: float, found: Estimate) -> None:
    """A policy whose parameters are all `mark`, and in the second replica 10 more, is at rest, and its critics say this
    of it."""
    with torch.no_grad():
        method.actor.ema.copy_(mark + REPLICA)
    method.selection.update(step, (found,))
    method.evaluation.last_check.offer(step, (found,))


def marks(check) -> list[list[float]]:
    """The marks of the policies of every place: (places, replicas)."""
    return (check.policies[..., 0] - REPLICA[:, 0]).tolist()


def offered(method):
    """The clone and three policies at rest; returns are above the data's lowest."""
    low = method.selection.lowest_return
    for step, mark, cost, reward in (
        (0, 1.0, [3, 3], [1, 1]),
        (100, 2.0, [3, 3], [5, 2]),
        (200, 3.0, [9, 3], [9, 9]),
        (300, 4.0, [3, 3], [3, 1]),
    ):
        rest(method, step, mark, estimate(cost, [low + r for r in reward]))
    return method.evaluation.last_check


def test_that_no_policy_was_estimated_to_be_safe_is_said(method):
    """The limits are 4 and 900: costs of 9 and 12 are beyond the first one alone."""
    selection = method.selection
    assert len(selection.remarks()) == 1, "before any estimate nothing is known"
    rest(method, 0, 1.0, estimate([12, 12], [1, 1]))
    rest(method, 100, 2.0, estimate([9, 9], [1, 1]))
    (_, said) = selection.remarks()
    assert said.startswith(
        "seed 1, limit 4: training estimated no policy to be safe, and kept the one that came nearest"
    )
    rest(method, 200, 3.0, estimate([3, 9], [selection.lowest_return + 0.5] * 2))
    assert selection.score[0, 0].item() == pytest.approx(0.5), "of a safe policy, the return above the data's lowest"
    assert len(selection.remarks()) == 1


@short_episodes()
def test_the_clone_and_the_best_at_rest_are_the_candidates_of_each_replica(method):
    check = offered(method)
    places = torch.tensor(marks(check))
    assert places[0].tolist() == [1, 1]
    assert sorted(places[1:, 0].tolist()) == [2, 4]  # 3 exceeds the limit of 4
    assert sorted(places[1:, 1].tolist()) == [2, 3]
    assert (check.scores[..., 1] == (places - 1) * 100).all()
    assert method.selection.chosen[:, 0].tolist() == [2, 13]


@short_episodes()
def test_each_candidate_is_the_policy_for_its_steps_and_the_mean_of_their_second_half_is_its_estimate(
    method, monkeypatch
):
    check = offered(method)
    calls = []

    def values() -> Estimate:
        calls.append(float(method.actor.ema[0, 0]))
        return estimate([len(calls), 2 * len(calls)], [0, 0])

    monkeypatch.setattr(check, "estimate", values)
    phase = method.phases()[-1]
    assert (phase.name, phase.steps) == ("last check", 3 * 200)
    for step in range(0, phase.steps, 50):
        phase.hooks[0].call(step)
    first = [places[0] for places in marks(check)]
    assert calls == [mark for mark in first for _ in range(4)]
    assert check.estimates[..., 0].tolist() == [[3.5, 7.0], [7.5, 15.0], [11.5, 23.0]]


@short_episodes()
@pytest.mark.parametrize(
    ("costs", "kept"),
    [
        ([[3, 3], [3, 3], [3, 3]], [4, 3]),  # by the return
        ([[3, 3], [9, 3], [9, 3]], [1, 3]),  # too costly but for the clone
        ([[9, 3], [5, 3], [6, 3]], [1, 3]),  # the clone's trajectories satisfied the limit, so it stays
        ([[9, 950], [3, 950], [6, 3]], [2, 3]),
    ],
)
def test_the_last_estimates_alone_choose(method, costs, kept):
    check, low = offered(method), method.selection.lowest_return
    order = torch.tensor(marks(check)).argsort(0)  # by mark, whatever the places
    for replica in range(2):
        for rank, cost in enumerate(costs):
            place = order[rank, replica]
            check.estimates[place, replica] = torch.tensor([cost[replica], 0, 0, 0, low + 1 + rank, 1000, 0])
    check.choose()
    for parameters in (method.selection.kept, method.actor.theta, method.actor.ema):
        assert (parameters[:, 0] - REPLICA[:, 0]).tolist() == kept
    assert [step / 100 + 1 for step in method.report()["chosen_step"]] == kept
    told = method.report()["candidates"]
    assert sorted(each["cost"] for each in told[0]) == sorted(cost[0] for cost in costs)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rests.candidates", "5"), r"--rests\.candidates 5 with --rests\.every 100, --adaptation-steps 400"),
        (("--rests.candidate-steps", "150"), r"--rests\.candidate-steps 150: accepted is a multiple of 100"),
        (("--rests.every", "0"), r"--rests\.candidates 2 with --rests\.every 0"),
        (("--gate.select", "last"), r"--gate\.select last: accepted are"),
    ],
)
def test_checks_without_candidates_are_rejected(build, words, message):
    with pytest.raises(InputError, match=message):
        build(*last_of_each([*CHECK, *words]))
