"""A replica's result does not depend on the company it is trained in, in every phase of every method."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from deep.core.randomness import RandomInput, draw_block, generator


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def run_phases(experiment, steps: int) -> None:
    for phase in experiment.phases():
        phase.on_start()
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, steps, experiment.device)
        for hook in phase.hooks:
            hook.call(0)
        for step in range(steps):
            phase.update(torch.tensor(float(step)), {name: block[step] for name, block in draws.items()})


def compare(build, options: tuple[str, ...], steps: int, tolerance: float) -> None:
    company = build("--seeds", "3", "5", "--cost-limits", "4", "9", *options)
    alone = build("--seeds", "5", "--cost-limits", "9", *options)
    for experiment in (company, alone):
        run_phases(experiment, steps)
    together, single = company.tensors(), alone.tensors()
    rows = {1: slice(None), 2: slice(1, 2), 4: slice(3, 4)}  # of seeds, of replicas
    compared = 0
    for name, tensor in single.items():
        if tensor.dim() == 0:
            continue
        members = len(tensor) if name.startswith("dynamics") else 1
        index = slice(members, 2 * members) if members > 1 else rows[len(together[name])]
        said = partial("{}: {}".format, name)
        torch.testing.assert_close(together[name][index], tensor, atol=tolerance, rtol=tolerance, msg=said)
        compared += 1
    assert compared >= 4
    # A negative control: the other seed's replica is another run.
    assert not torch.allclose(together["policy.theta"][0], single["policy.theta"][0], atol=tolerance)


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


HUNDRED = [
    word
    for phase in ("--dynamics.steps", "--behaviour.steps", "--critics.steps", "--cloning-steps", "--adaptation-steps")
    for word in (phase, "100")
]
"""No phase is shorter than the updates: beyond its end a falling step size is negative, and rounding soon decides."""


@pytest.mark.parametrize("options", [(), ("--policy", "gaussian", "--behaviour.condition", "cost")])
def test_a_hundred_updates_in_float64(build, double, options):
    compare(build, (*HUNDRED, *options), 100, 1e-9)


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
