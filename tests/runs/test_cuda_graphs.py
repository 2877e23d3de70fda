"""deep.runs.cuda_graphs without a device: fixed places change no bit, and no update does what a capture refuses."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from deep.core.phase import Phase
from deep.core.randomness import draw_block
from deep.runs.cuda_graphs import eager, graphed
from tests.support.training import Walk, folder_in

pytestmark = pytest.mark.usefixtures("short_episodes", "unchecked")

REFUSED = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "item", "unique2", "equal")
"""Operations that wait for the device, or bring numbers of the host to it."""
OPTIONS = [
    ("--gate.kind", "dynamics"),
    ("--policy", "gaussian", "--behaviour.dropout", "0.1", "--gate.kind", "ucb"),
    ("--gate.kind", "ucb", "--gate.states", "start", "--behaviour.condition", "cost", "--update-behaviour"),
    ("--adaptation.rule", "crpo", "--policy", "constant", "--behaviour.kl-form", "limit"),
    ("--adaptation.rule", "pid", "--adaptation.temperature.growth", "sqrt"),
    ("--online.episodes", "1", "--online.update-critics"),
    ("--algorithm", "safe_dql", "--dual-rate", "0.1", "--batch-size", "16", "--critics.hidden", "16"),
    ("--algorithm", "safe_dql", "--twin", "min", "--batch-size", "16", "--critics.hidden", "16"),
    ("--algorithm", "bc_safe", "--batch-size", "16"),
]


class Refusal(TorchDispatchMode):
    """Fails at the first operation that a capture would refuse."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        assert name not in REFUSED, f"{name} in an update"
        if name in ("index", "index_put_", "index_put"):
            assert not any(i is not None and i.dtype == torch.bool for i in args[1]), "a mask as an index"
        return func(*args, **(kwargs or {}))


def one_update(phase: Phase) -> None:
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, torch.device("cpu"))
    now, step = {name: block[0] for name, block in draws.items()}, torch.zeros(())
    with Refusal():
        phase.update(step, now)


@pytest.mark.parametrize("options", OPTIONS)
def test_no_update_waits_for_the_device(build, options):
    experiment = build("--seeds", "1", "2", "--cost-limits", "4", "9", *options)
    done = 0
    for phase in experiment.phases():
        if phase.steps > 0:
            phase.on_start()
            for hook in phase.hooks:
                hook.call(0)
            one_update(phase)
            done += 1
    assert done >= 1


@pytest.mark.parametrize("wrong", [lambda x: float(x), lambda x: x + torch.tensor([1.0]), lambda x: x.view(1)[[x > 0]]])
def test_the_refusal_sees_what_waits(wrong):
    """A negative control: reading a number, making one, choosing by a mask."""
    phase = Phase("p", 1, (0,), {}, lambda step, draws: {"x": torch.zeros(1) + wrong(step)})
    with pytest.raises(AssertionError, match=r"in an update|a mask as an index"):
        one_update(phase)


def test_fixed_places_change_no_bit(tmp_path):
    """Blocks of 50 and a last one of 30, and of 20: the first as it is, the next replayed, the short one as it is."""
    from deep.runs import trainer

    results, recorded = [], []

    def record(work):
        recorded.append(work)
        return work

    for name, compose in (("plain", eager), ("replayed", lambda update: graphed(update, record))):
        walk, folder = Walk(), folder_in(tmp_path / name)
        trainer.train(walk.phases(), walk.tensors(), folder, torch.device("cpu"), compose)
        results.append((walk.x, walk.y, folder.metrics.read_text()))
    (x, y, metrics), (other_x, other_y, other_metrics) = results
    assert torch.equal(x, other_x)
    assert torch.equal(y, other_y)
    assert metrics == other_metrics
    assert len(recorded) == 2  # once per phase


def test_a_replay_sees_new_inputs_only_through_its_places():
    """What a graph could not see, the recorded work may not use: the inputs of the call that recorded it."""
    seen = []

    def update(step, draws):
        seen.append((step.data_ptr(), draws["z"].data_ptr()))
        return {"z": draws["z"] + step}

    block = graphed(update, lambda work: work)
    for first in (0, 2, 4):
        steps = torch.arange(first, first + 2.0)
        assert torch.equal(block(steps, {"z": torch.ones(2, 3)})["z"], 1 + steps.unsqueeze(1).expand(2, 3))
    assert seen[2:4] == seen[4:6]
    assert seen[0:2] != seen[2:4]


@pytest.mark.parametrize("options", [OPTIONS[4], OPTIONS[6]])
def test_real_phases_at_fixed_places(build, options, tmp_path):
    from deep.runs import trainer

    long = ["--cost-limits", "4", *options]
    long += (
        ["--improvement-steps", "110", "--behaviour-steps", "0"]
        if "safe_dql" in options
        else ["--adaptation-steps", "110"]
    )
    results = []
    for name, compose in (("plain", eager), ("replayed", lambda update: graphed(update, lambda work: work))):
        experiment = build(*long)
        folder = folder_in(tmp_path / name)
        trainer.train(experiment.phases(), experiment.tensors(), folder, torch.device("cpu"), compose)
        results.append(experiment.tensors())
    assert all(torch.equal(tensor, results[1][name]) for name, tensor in results[0].items())
