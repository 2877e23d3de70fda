"""Registered environments that report costs in other ways, and ids without a version."""

import gymnasium
import numpy as np
import pytest

from deep.data.custom import CustomData, load_custom
from deep.envs.custom import interface
from deep.tasks import make
from tests.support import custom_lab
from theory.support.errors import InputError

CART = "tests.support.custom_lab:Cart-v0"


@pytest.fixture
def env(recorded):
    env = make(load_custom(recorded, CustomData(env=CART))[0])
    env.reset(seed=0)
    return env


@pytest.mark.parametrize("wrap", [np.float32, lambda x: np.array([x]), lambda x: np.array([[x]]), int, bool])
def test_a_cost_or_reward_may_be_an_array_of_one_number(env, wrap, monkeypatch):
    def step(self, action):
        return self.state.astype(np.float32), wrap(1.0), False, False, {"cost": wrap(1.0)}

    monkeypatch.setattr(custom_lab.Cart, "step", step)
    _, reward, _, _, info = env.step(np.zeros(1))
    assert (reward, info["cost"]) == (1.0, 1.0)
    assert type(reward) is type(info["cost"]) is float


@pytest.mark.parametrize(
    ("cost", "shown"), [(np.ones(2), r"\[1\. 1\.\]"), ("1", "1"), ([], r"\[\]"), ({"a": 1}, r"\{'a': 1\}")]
)
def test_any_other_cost_is_rejected_in_one_sentence(env, cost, shown, monkeypatch):
    monkeypatch.setattr(custom_lab.Cart, "step", lambda self, action: (self.state, 0.0, False, False, {"cost": cost}))
    with pytest.raises(InputError, match=f"has the cost {shown} in a step's info"):
        env.step(np.zeros(1))


def test_a_reward_that_is_no_number_is_rejected(env, monkeypatch):
    monkeypatch.setattr(custom_lab.Cart, "step", lambda self, action: (self.state, np.nan, False, False, {"cost": 0}))
    with pytest.raises(InputError, match="has the reward nan: one finite number"):
        env.step(np.zeros(1))


def test_an_id_without_a_version_is_the_latest_version():
    gymnasium.make(CART).close()  # imports the module, which registers it
    assert interface("Cart") == interface("Cart-v0")
    assert interface("tests.support.custom_lab:Cart").episode_length == custom_lab.LENGTH
