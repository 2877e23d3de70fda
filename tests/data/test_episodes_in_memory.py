"""Lists of episodes are data sets, and `save_episodes` writes them; what is none is rejected in one sentence."""

import re
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from deep import save_episodes
from deep.data.conversion import of_episodes
from deep.data.custom import longest_recorded
from deep.data.dataset import KEYS
from tests.support import other_writers as writers
from tests.support.tables import DATA, ENDS
from theory.support.errors import InputError


def episode(steps: int = 4, **changed) -> dict:
    observations = np.arange(2.0 * (steps + 1)).reshape(-1, 2)
    actions, zeros = np.zeros((steps, 1)), np.zeros(steps)
    whole = {"observations": observations, "actions": actions, "rewards": zeros, "costs": zeros, "terminated": True}
    return whole | changed


SAME = episode()


@pytest.mark.parametrize(
    ("episodes", "sentence"),
    [
        (None, "is a NoneType: a list with an entry for each episode"),
        (3, "is a int: a list with an entry for each episode"),
        (
            [episode(observations=torch.ones(5, 2, requires_grad=True))],
            "observations that make no array .*requires grad",
        ),
        ([episode(observations=1.5)], "episode 0 of .* has a single number for observations: a row for each step"),
        ([episode(costs=np.ma.masked_array(np.zeros(4), [0, 1, 0, 0]))], "has costs of which some are masked"),
        (
            [episode(), episode(terminated=[0, 1, 0, 0])],
            "episode 1 of .* has terminated in step 1 of 4: an end in the last",
        ),
        ([episode(terminated=[0, 1, 1, 1])], "has terminated in step 1 of 4"),
        ([episode(terminated=[0, 1])], r"has terminated of shape \(2,\): one flag, or one for each step"),
        (
            [episode(), episode(dones=[0, 1, 0, 1])],
            "episode 1 of .* has dones in step 1 of 4: an end in the last step is accepted, and an entry for each",
        ),
        ([episode(truncations=[True, False, False, False])], "has truncations in step 0 of 4"),
        ([episode(infos={"is_terminal": [0, 0, 1, 1]})], "has infos/is_terminal in step 2 of 4"),
        (
            [episode(terminals=True, terminated=False)],
            "has terminals 1 and terminated 0 in its last step: marks .* agree",
        ),
        ([episode(done=[0, 0, 0, 0])], "has done 0 and terminated 1 in its last step"),
        ([episode(cost=np.ones(4))], "has costs and cost, and either may be costs: one of both is accepted"),
        ([episode(), SAME, episode(), SAME], "has one episode in memory as episodes 1 and 3: arrays of its own"),
        ([SAME, dict(SAME)], "has one episode in memory as episodes 0 and 1"),
        ([episode(terminated=[])], r"has terminated of shape \(0,\): one flag, or one for each step"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_list_of_episodes_is_rejected(episodes, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence) as error:
        save_episodes(tmp_path / "a.hdf5", episodes)
    assert "\n" not in str(error.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("terminated", "ended"),
    [(np.True_, True), ([0, 0, 0, 1], True), (np.zeros((4, 1)), False), ([1], True), ([[0], [0], [0], [1]], True)],
)
def test_terminated_is_one_flag_or_marks_the_last_step(terminated, ended, tmp_path):
    masked = np.ma.masked_array(np.zeros(4), False)
    with h5py.File(save_episodes(tmp_path / "a.hdf5", [episode(terminated=terminated, costs=masked)])) as file:
        np.testing.assert_array_equal(file["terminals"], [False] * 3 + [ended])


def as_list(last: bool) -> list[dict]:
    return [
        {
            "observations": writers.with_last(x) if last else x["observations"],
            **{key: x[key].tolist() for key in ("actions", "rewards", "costs")},
            "terminated": x["terminals"][-1],
        }
        for x in writers.episodes(DATA)
    ]


def test_a_list_of_episodes_is_a_data_set():
    found = of_episodes(as_list(True), "mine")
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], strict=True)
    shorter = of_episodes(as_list(False), "mine")
    assert len(shorter) == len(found) - 5


@pytest.mark.parametrize("unknown", [(), (0,), (1,), (0, 1, 2, 3, 4, 5)])
def test_an_episode_without_its_last_observation_loses_no_step_of_another(unknown):
    """It loses its own last step where it timed out, and the remark names it."""
    both, ends = zip(as_list(True), as_list(False), strict=True), np.flatnonzero(ENDS)
    found = of_episodes([short if i in unknown else long for i, (long, short) in enumerate(both)], "mine")
    lost = [i for i in unknown if not DATA["terminals"][ends[i]]]
    kept = np.delete(np.arange(67), ends[lost])
    for key in ("observations", "actions", "rewards", "costs"):
        np.testing.assert_array_equal(getattr(found, key), DATA[key][kept], strict=True)
    inside = ~np.isin(kept, ends[list(unknown)] if len(unknown) == 1 else ends)
    np.testing.assert_array_equal(found.next_observations[inside], DATA["next_observations"][kept][inside])
    if lost:
        assert f"of episode{'s' * (len(lost) > 1)} {lost[0]}" in found.remarks[0]
        assert re.search("the last step of 1 trajectory that timed out is|the last steps of 5 traj", found.remarks[0])
    if 0 in unknown:
        assert found.remarks[-1].startswith("no observation follows the last step of episode 0, which terminated; its")
    assert len(found.remarks) == bool(lost) + (0 in unknown)
    assert longest_recorded(found) == 12


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: x[2].pop("costs"), "episode 2 of mine has no costs: .*it has observations, actions"),
        (lambda x: x[1].update(actions=x[1]["actions"][1:]), r"episode 1 of mine has actions of shape \(11, 2\)"),
        (lambda x: x[1].update(observations=x[1]["observations"][2:]), "episode 1 of mine has 11 observations: 12 or"),
        (lambda x: x[1].update(observations=x[1]["observations"][:, 1:]), "mine has episodes of different sizes"),
        (lambda x: x.clear(), "mine has no episodes"),
        (lambda x: x[2]["costs"].__setitem__(3, -1), "episode 2 of mine has -1.0 in row 3 of costs"),
        (
            lambda x: x[2]["actions"].__setitem__(3, [0, np.nan]),
            "episode 2 of mine has nan in row 3 of actions, column 1",
        ),
        (lambda x: x[3].update(rewards=["a"] * 9), "episode 3 of mine has 'a' in row 0 of rewards: a number in each"),
        (
            lambda x: x[1].update(observations=[[1, 2, 3]] * 11 + [[1]]),
            "episode 1 of mine has observations that make no",
        ),
        (lambda x: x[1].update(terminated=None), "episode 1 of mine has None in terminated: a number"),
        (lambda x: x[1].update(terminated=2), "episode 1 of mine has 2.0 in terminated: a boolean, or 0 or 1"),
    ],
)
def test_episodes_that_are_none_are_rejected(change, sentence):
    episodes = as_list(True)
    change(episodes)
    with pytest.raises(InputError, match=sentence):
        of_episodes(episodes, "mine")


def test_what_is_no_list_of_episodes_is_rejected_and_any_iterable_taken():
    with pytest.raises(InputError, match="mine is a dict: a list with an entry for each episode is accepted"):
        of_episodes(as_list(True)[0], "mine")
    with pytest.raises(InputError, match="mine has no episodes"):
        of_episodes(iter(()), "mine")
    np.testing.assert_array_equal(of_episodes(iter(as_list(True)), "mine").rewards, DATA["rewards"])


# Next observations, and what an episode is called


def with_next(steps: int = 4, **changed) -> dict:
    """An episode that timed out and has its next observations."""
    whole = episode(steps, terminated=False)
    seen = whole["observations"]
    return whole | {"observations": seen[:-1], "next_observations": seen[1:]} | changed


def test_the_next_observations_of_an_episode_are_used(tmp_path, recwarn):
    """They were ignored, and the last step was left out because nothing followed it."""
    whole, other = with_next(), episode(5)
    with h5py.File(save_episodes(tmp_path / "a.hdf5", [whole, other])) as file:
        np.testing.assert_array_equal(np.asarray(file["next_observations"])[:4], whole["next_observations"])
        assert np.asarray(file["timeouts"]).tolist() == [*[0] * 3, 1, *[0] * 5]
    assert not recwarn.list


def test_next_observations_may_be_none():
    assert len(of_episodes([with_next(next_observations=None)], "x")) == 3


def test_next_observations_under_another_name_are_mentioned(tmp_path):
    whole = with_next()
    whole["next_obs"] = whole.pop("next_observations")
    with pytest.warns(UserWarning, match=r"step of episode 0 \(next_obs may serve, under the name next_observations\)"):
        save_episodes(tmp_path / "a.hdf5", [whole])


class Slots:
    __slots__ = ("observations",)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (
            with_next(next_observations=np.zeros((4, 2))),
            "has 0.0 in row 0 of next_observations, column 0: observations one",
        ),
        (
            with_next(next_observations=np.zeros((3, 2))),
            r"has next_observations of shape \(3, 2\): \(4, 2\) is accepted",
        ),
        (episode(next_observations=np.zeros((4, 2))), "has 0.0 in row 0 of next_observations"),
        (episode(observations={"pos": np.zeros(4)}), "has observations that are dictionaries of pos: rows of numbers"),
        (episode(observations=[{"pos": np.zeros(99)}] * 5), "has observations that are dictionaries of pos: rows"),
        (episode(rewards=["x" * 99] * 4), f"has '{'x' * 59}... in row 0 of rewards"),
        ((1, 2), "episode 0 of .* is a tuple without names: an entry or attribute observations is accepted, beside"),
        (SimpleNamespace(observations=1, infos={"cost": 1}), "has no actions: .*; it has observations, infos/cost$"),
        (Slots(), "has no observations: .*; it has observations"),
    ],
)
def test_a_rejected_episode_is_named_in_few_words(made, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence) as error:
        save_episodes(tmp_path / "a.hdf5", [made])
    assert len(str(error.value)) < 400
    assert "Namespace" not in str(error.value)


def test_the_cost_among_the_infos_of_an_episode_is_proposed(tmp_path):
    """Such as those of Minari: its class was named in the place of what it has."""
    made = SimpleNamespace(**{key: value for key, value in episode().items() if key != "costs"}, infos={"cost": 1})
    with pytest.raises(InputError, match=r"has no costs: .*; infos/cost may serve, under the name costs"):
        save_episodes(tmp_path / "a.hdf5", [made])


@pytest.mark.usefixtures("unchecked")
def test_an_episode_that_was_cut_off_is_mentioned(tmp_path):
    """One with neither flag was taken for timed out without a word, where readers of files say so."""
    cut = [{"truncated": False}, {"truncations": np.zeros(4, bool)}, {"done": False}, {"truncated": [[False]] * 4}]
    with pytest.warns(UserWarning, match="4 episodes end with neither flag and are taken for timed out"):
        save_episodes(tmp_path / "a.hdf5", [episode(terminated=False, **each) for each in cut])


@pytest.mark.usefixtures("unchecked")
def test_marks_and_costs_that_agree_are_no_matter(tmp_path, recwarn):
    """Nor are those that are none, and episodes of equal numbers."""
    timed_out = episode(terminated=False, truncated=True, dones=[0, 0, 0, 1], cost=np.zeros(4))
    ended = episode(terminals=[0, 0, 0, 1], truncated=False, done=True, infos={"cost": np.ones(4), "trial": 3})
    save_episodes(tmp_path / "a.hdf5", [timed_out, ended, episode(), episode(end=np.full(4, 7.0), term="short")])
    assert not recwarn


def test_what_float32_rounds_away_is_remarked_on():
    """Each episode became float32 before anything was compared."""
    found = of_episodes([episode(rewards=np.full(4, 1e-60), costs=np.full(4, 1e-50), cost=np.full(4, 1e-50))], "x")
    assert [note.split(", which")[0] for note in found.remarks] == [
        "rewards are at most 1e-60",
        "costs are at most 1e-50",
    ]
    assert not found.rewards.any()
    assert found.rewards.dtype == np.float32
    (note,) = of_episodes([episode(rewards=1e8 + np.arange(4) / 8)], "x").remarks
    assert note.startswith("rewards is 1e+08 with")
    assert (
        of_episodes([episode(rewards=np.full(4, 0.1), costs=np.full(4, 0.1), cost=np.full(4, 0.1))], "x").remarks == ()
    )
