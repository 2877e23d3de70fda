"""deep.methods.drcorl.hybrid and the gates that use it: the simulator in training, every episode of it counted."""

import json

import numpy as np
import pytest
import torch

from deep import train
from deep.core.randomness import draw_block
from deep.envs.counted import FIRST_TRAINING_SEED
from deep.envs.rollout import Step, rollout
from deep.methods.drcorl.hybrid import OnlineConfig, OnlineReplay
from deep.tasks import make
from tests.support.builders import TINY
from tests.support.lighter import unchecked
from theory.support.errors import InputError
from theory.support.words import last_of_each

pytestmark = pytest.mark.usefixtures("short_episodes", "no_figures")

SIMULATOR = ("--gate.kind", "simulator", "--online.episodes", "2")
CRITICS = ("--online.episodes", "2", "--online.update-critics", "--online.fraction", "0.5")
LIMITS = ("--cost-limits", "4", "9")


def test_the_simulator_gate_is_the_mean_cost_of_new_episodes(build):
    experiment = build(*LIMITS, *SIMULATOR)
    method, simulator = experiment.method, experiment.problem.simulator
    with torch.no_grad():  # a policy that leans forward, and costs something
        method.actor.ema[:, -3:] += torch.tensor([[1.0, 0.3, 1.0], [-1.0, 1.0, 0.0]])

    def act(observations):
        return method.act_current(experiment.replay.normalise(torch.from_numpy(observations))).numpy()

    expected = [
        rollout(experiment.task, act, range(first, first + 2), replicas=2).costs.mean(1)
        for first in (FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + 2)
    ]
    for step in range(2):
        assert method.evaluation.evaluate_policy(step)["simulator_cost"].tolist() == pytest.approx(expected[step])
        assert method.gate.cost.tolist() == pytest.approx(expected[step])
    assert max(expected[0]) > 0
    assert simulator.episodes.tolist() == [4, 4]


def test_offline_training_plays_nothing(build):
    experiment = build(*LIMITS)
    for phase in experiment.phases():
        for hook in phase.hooks:
            hook.call(0)
    assert experiment.problem.simulator.episodes.tolist() == [0, 0]


def test_simulator_transitions_are_stored_as_observed(build):
    """Compared with the single environment, stepped with the same actions."""
    experiment = build(*LIMITS, *CRITICS)
    method, replay = experiment.method, experiment.method.evaluation.buffer
    method.evaluation.evaluate_policy(0)
    lengths = []
    for replica in range(2):
        stored = [tensor[replica, : replay.written[replica]] for name, tensor in sorted(replay.tensors().items())[:-1]]
        actions, costs, next_observations, not_terminal, observations, rewards = stored
        rows = []
        for episode in range(2):
            env = make(experiment.task)
            observation, _ = env.reset(seed=FIRST_TRAINING_SEED + episode)
            done = False
            while not done:
                at = experiment.replay.normalise(torch.from_numpy(observation).float())
                action = method.act_current(at.expand(2, 1, -1))[replica, 0]
                before = at
                observation, reward, terminated, truncated, info = env.step(action.numpy())
                scaled = reward * experiment.problem.reward_scale
                after = experiment.replay.normalise(torch.from_numpy(observation).float())
                rows.append([*before, *action, scaled, info["cost"], *after, not terminated])
                done = terminated or truncated
        found = torch.cat(
            [observations, actions, rewards[:, None], costs[:, None], next_observations, not_terminal[:, None]], 1
        )
        expected = torch.tensor(rows)
        assert found.shape == expected.shape
        order = [torch.from_numpy(np.lexsort(np.round(m.numpy(), 3).T)) for m in (found, expected)]
        torch.testing.assert_close(found[order[0]], expected[order[1]], atol=1e-3, rtol=1e-3)
        lengths.append(len(rows))
    assert replay.written.tolist() == lengths


def test_critics_and_policy_learn_from_simulator_transitions(build):
    """With and without the stored transitions, one update differs; the reward critic, shared by limits, does not."""
    results = {}
    for played in (True, False):
        experiment = build(*LIMITS, *CRITICS)
        phase = experiment.phases()[-1]
        phase.on_start()
        if played:
            for hook in phase.hooks:
                hook.call(0)
        else:
            experiment.method.evaluation.evaluate_in_dynamics(0)
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
        phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
        results[played] = {name: tensor.clone() for name, tensor in experiment.tensors().items()}
    same = {name for name in results[True] if torch.equal(results[True][name], results[False][name])}
    assert {"reward_critic.theta", "clone.theta"} <= same
    assert not {"cost_critic.theta", "policy.theta"} & same


def test_a_ring_keeps_the_latest_and_an_empty_one_changes_nothing(build):
    experiment = build(*LIMITS)
    ring = OnlineReplay(
        OnlineConfig(1, True, fraction=0.5, buffer_episodes=1), experiment.replay, 1.0, replicas=2, length=3
    )
    batch = experiment.replay.batch(torch.arange(8).reshape(2, 4))
    uniform = torch.tensor([[0.0, 0.5, 0.9, 0.9]] * 2)
    assert torch.equal(ring.mix(batch, uniform).costs, batch.costs)

    for cost in range(5):  # replica 1 alone steps, five times
        step = Step(np.zeros((1, 11)), np.zeros(1), np.array([10.0 + cost]), np.array([False]), np.array([False]))
        ring.recorder()(np.array([1]), np.zeros((1, 11), np.float32), np.zeros((1, 3), np.float32), step)
    assert ring.written.tolist() == [0, 5]
    mixed = ring.mix(batch, uniform)
    assert torch.equal(mixed.costs[0], batch.costs[0])
    assert mixed.costs[1, :2].tolist() == [13.0, 14.0]  # places 0 and 1 of [13, 14, 12]
    assert torch.equal(mixed.costs[1, 2:], batch.costs[1, 2:])
    assert torch.equal(mixed.reward_to_go, batch.reward_to_go)


@pytest.mark.parametrize(
    "options",
    [
        ("--online.episodes", "2"),
        ("--gate.kind", "simulator"),
        ("--online.update-critics",),
        (*CRITICS, "--online.fraction", "0"),
        (*CRITICS, "--online.buffer-episodes", "1"),
    ],
)
def test_simulator_episodes_without_a_use_or_uses_without_episodes_are_rejected(build, options):
    with pytest.raises(InputError, match="--online"):
        build(*options)


@pytest.mark.slow
@unchecked()
@pytest.mark.parametrize("options", [SIMULATOR, CRITICS, (*CRITICS, "--gate.kind", "simulator")])
def test_the_summary_counts_the_episodes(options, dataset_file, tmp_path, capsys):
    words = ["--dataset", str(dataset_file), "--out", str(tmp_path / "run"), "--episodes", "1", *LIMITS, *TINY]
    train.main(last_of_each([*words, "--adaptation-steps", "60", *options]))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["simulator_episodes_used_in_training"] == 2 * 2 * 2  # replicas x evaluations x episodes
    capsys.readouterr()
