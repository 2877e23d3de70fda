"""Data of one's own that cannot be taken, and options that do not fit them: one sentence each, before any work."""

import numpy as np
import pytest

from deep import train
from deep.data.custom import CustomData, load_custom
from deep.evaluate import __main__ as evaluate
from deep.tasks import make
from tests.support import custom_lab as custom_lab
from tests.support.builders import TINY
from tests.support.custom_runs import BOUNDS, CART, arrays, trained, without_successors, write
from theory.support.errors import InputError
from theory.support.words import last_of_each


def put(key: str, place, value):
    def change(fields: dict[str, np.ndarray]) -> None:
        fields[key][place] = value

    return change


def drop(key: str):
    return lambda fields: fields.pop(key)


def cut(fields: dict[str, np.ndarray]) -> None:
    without_successors(fields)
    fields["actions"] = fields["actions"][:-1]


def broken_off(fields: dict[str, np.ndarray]) -> None:
    without_successors(fields)
    fields["timeouts"][-1] = False


def deep(fields: dict[str, np.ndarray]) -> None:
    without_successors(fields)
    fields["observations"] = fields["observations"][..., None]


def single_steps(fields: dict[str, np.ndarray]) -> None:
    without_successors(fields)
    fields["timeouts"][:] = True


def late_costs(fields: dict[str, np.ndarray]) -> None:
    without_successors(fields)
    fields["costs"] = fields["timeouts"].astype(np.float32)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("actions", 3, 2.5), "has actions from -.* to 2.5: actions from -2 to 2 are accepted; --action-low"),
        (put("actions", 3, np.nan), "has nan in row 3 of actions"),
        (put("costs", 3, -1), "has -1.0 in row 3 of costs"),
        (put("observations", (3, 0), np.inf), "has inf in row 3 of observations"),
        (put("next_observations", (3, 0), 9), "has 9.0 in row 3 of next_observations"),
        (put("timeouts", -1, False), "stops in the middle of a trajectory"),
        (broken_off, "stops in the middle of a trajectory"),
        (drop("costs"), "has no array costs"),
        (drop("timeouts"), "has no array timeouts"),
        (cut, r"has actions of shape \(359, 1\): 360 rows, as in rewards"),
        (deep, r"has observations of shape \(360, \d, 1\)"),
        (late_costs, "has costs only in the last steps of trajectories"),
        (single_steps, "neither next_observations nor two steps in a row"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(change, sentence, recorded, tmp_path):
    fields = arrays(recorded)
    change(fields)
    with pytest.raises(InputError, match=sentence) as error:
        load_custom(write(tmp_path / "bad.hdf5", fields), CustomData(action_low=(-2,), action_high=(2,)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "has actions from -2 to 2: actions from -1 to 1 are accepted"),
        ([*BOUNDS, "--episode-length", "20"], "has an episode of 30 steps where 20 are the most"),
        ([*BOUNDS, "--reward-range", "3", "1"], "--reward-range [3.0, 1.0]"),
        ([*BOUNDS, "--reward-range", "0", "inf"], "--reward-range [0.0, inf]"),
        (["--action-low", "2", "--action-high", "-2"], "--action-low [2.0] and --action-high [-2.0]"),
        (["--action-low", "-2", "-2", "--action-high", "2"], "simulator's bound, [-2.0, -2.0]: accepted is one number"),
        (["--env", "NoSuchThing-v0"], "--env NoSuchThing-v0 cannot be made"),
        (["--env", "no_such_module:Cart-v0"], "--env no_such_module:Cart-v0 cannot be made"),
        (["--env", "tests.support.custom_lab:CartWithoutCost-v0"], 'has no cost in a step\'s info: info["cost"]'),
        (
            ["--env", "tests.support.custom_lab:UnboundedCart-v0"],
            "simulator's bound, [-inf]: accepted is one number of at most 1e+15 in size, for",
        ),
        (["--env", "tests.support.custom_lab:BlindCart-v0"], "has observations that are not finite"),
        (["--env", "CartPole-v1"], "--env CartPole-v1 has actions Discrete(2): a Box"),
        (["--env", "MountainCarContinuous-v0", *BOUNDS], "has no cost in a step's info"),
        (["--env", "Pendulum-v1", "--episode-length", "30"], "--env Pendulum-v1 has observations Box"),
        (["--env", "tests.support.custom_lab:CartOfTwoForces-v0", *BOUNDS], "CartOfTwoForces-v0 has actions Box"),
        (["--task", "HopperVel", "--env", CART], "--env with data of HopperVel"),
        (["--task", "custom", "--dataset", "embedded"], "--task custom with --dataset embedded"),
        ([*BOUNDS, "--online.episodes", "2", "--gate.kind", "simulator"], "--online.episodes 2: a custom data set"),
    ],
)
def test_a_mistake_is_refused_in_one_sentence_before_anything_is_trained(words, sentence, recorded, tmp_path, capsys):
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as caught:
        train.main(last_of_each(["--dataset", str(recorded), *TINY, "--out", str(out), *words]))
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_start_that_cannot_be_seen_is_refused(recorded, monkeypatch):
    task, _, _ = load_custom(recorded, CustomData(env=CART))
    monkeypatch.setattr(custom_lab.Cart, "reset", lambda self, **options: (np.full(2, np.nan, dtype=np.float32), {}))
    with pytest.raises(InputError, match="has observations that are not finite"):
        make(task).reset(seed=0)


def test_no_film_without_a_simulator(recorded, tmp_path, capsys):
    trained(tmp_path / "run", recorded, "bc_all", *BOUNDS)
    with pytest.raises(SystemExit):
        evaluate.main([str(tmp_path / "run"), "--video", str(tmp_path / "film.gif")])
    assert "has no simulator to film" in capsys.readouterr().err
