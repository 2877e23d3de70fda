"""A policy as the simulator plays it: raw observations in, actions out, as arrays of numpy."""

import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from deep.core.method import Act, Policy, State, act_in_parts, as_policy, state_rows
from deep.data.replay import Replay


class PolicyPlayer:
    """The `deep.envs.rollout.Player` of a policy. It normalises observations, and the rollout holds the state."""

    def __init__(self, policy: Policy | Act, replay: Replay) -> None:
        self.policy, self.replay = as_policy(policy), replay

    def start(self, first: int, count: int) -> State:
        """The state of the episodes first ... first + count - 1 of every replica at their first step."""
        return state_rows(self.policy.start(first + count), slice(first, None))

    def act(
        self, state: State, observations: Float[NDArray, "replica n obs"]
    ) -> tuple[Float[NDArray, "replica n act"], State]:
        normalised = self.replay.normalise(torch.from_numpy(observations).to(self.replay.mean.device))
        actions, state = act_in_parts(self.policy, state, normalised)
        return actions.cpu().numpy(), state

    def observe(
        self,
        state: State,
        rewards: Float[NDArray, "replica n"],
        costs: Float[NDArray, "replica n"],
        done: Bool[NDArray, "replica n"],
    ) -> State:
        device = self.replay.mean.device
        reward, cost = (torch.from_numpy(array).to(self.replay.mean) for array in (rewards, costs))
        return self.policy.observe(state, reward, cost, torch.from_numpy(done).to(device))
