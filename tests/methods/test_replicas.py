"""A replica's result does not depend on the replicas trained beside it, in every phase of every method."""

import pytest
import torch

from deep.core.randomness import RandomInput, draw_block, generator
from tests.support.lighter import unchecked
from tests.support.training import compare

pytestmark = pytest.mark.usefixtures("short_episodes")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--policy", "gaussian"),
        ("--gate.kind", "ucb", "--behaviour.condition", "cost", "--behaviour.dropout", "0.1"),
        ("--gate.kind", "ucb", "--gate.states", "start"),
        ("--adaptation.rule", "crpo", "--policy", "constant", "--update-behaviour"),
        ("--adaptation.rule", "pid", "--behaviour.kl-form", "limit", "--adaptation.temperature.growth", "sqrt"),
        ("--online.episodes", "1", "--online.update-critics", "--adaptation.regulariser", "after"),
    ],
)
def test_one_update_in_float32(build, options):
    compare(build, options, 1, 1e-5)


LONG = [
    word
    for phase in ("--dynamics.steps", "--behaviour.steps", "--critics.steps", "--cloning-steps", "--adaptation-steps")
    for word in (phase, "100")
]
"""No phase is shorter than the updates: beyond its end a falling step size is negative, and rounding soon decides."""


@pytest.mark.slow
@unchecked()
@pytest.mark.parametrize("options", [("--policy", "gaussian", "--behaviour.condition", "cost")])
def test_thirty_updates_in_float64(build, double, options):
    """The default options: tests/methods/test_registry.py."""
    compare(build, (*LONG, *options), 30, 1e-9)


def test_draws_depend_on_seed_phase_block_and_name_alone():
    draws = {"a": RandomInput("normal", (3,)), "b": RandomInput("uniform", ())}
    block = draw_block(draws, (1, 2, 1), "phase", 4, 5, torch.device("cpu"))
    again = draw_block({"a": draws["a"]}, (2,), "phase", 4, 5, torch.device("cpu"))
    assert block["a"].shape == (5, 3, 3)
    assert block["b"].shape == (5, 3)
    assert torch.equal(block["a"][:, 1:2], again["a"])
    assert torch.equal(block["a"][:, 0], block["a"][:, 2])
    for other in (("phase", 5), ("other", 4)):
        assert not torch.equal(block["a"], draw_block(draws, (1, 2, 1), *other, 5, torch.device("cpu"))["a"])
    assert ((block["b"] >= 0) & (block["b"] < 1)).all()
    assert generator(1, "x").random() != generator(2, "x").random()
