r"""Bellman targets of the Lagrangian methods, for the values that a method gives to next states.

corrected:  y_r = r + gamma (1 - d) V_r(s'),  y_c = c + gamma (1 - d) V_c(s'),  d = 1 in terminal steps; both clamped to
            what is possible. Timeouts are bootstrapped.
public:     what OSRL's code computes (read at 03a4586): y_r = r + gamma (1 - e) V_r(s'), e = 1 at timeouts too, and
            y_c = c + gamma V_c(s') everywhere, without bounds.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.data.replay import Batch
from deep.methods.parts.twin_critics import TwinCritics, soft_clipped


class Targets:
    """Targets for twin critics, in their units: (n, 4, batch)."""

    def __init__(self, critics: TwinCritics, public: bool) -> None:
        self.critics, self.public = critics, public
        data = critics.problem.data
        rewards = critics.problem.replay.rewards
        self.not_ended = torch.from_numpy(~(data.terminals | data.timeouts)).to(rewards.device, rewards.dtype)

    def of_values(
        self,
        batch: Batch,
        rows: Int[Tensor, "n batch"],
        next_reward: Float[Tensor, "n batch"],
        next_cost: Float[Tensor, "n batch"],
    ) -> Float[Tensor, "n 4 batch"]:
        """From V_r and V_c at the next states of the transitions at these rows of the data."""
        if not self.public:
            return self.critics.targets(batch, next_reward, next_cost)
        everywhere = batch._replace(not_terminal=torch.ones_like(batch.not_terminal))
        return self.critics.targets(everywhere, self.not_ended[rows] * next_reward, next_cost, bounded=False)

    def of_candidates(
        self,
        batch: Batch,
        rows: Int[Tensor, "n batch"],
        next_actions: Float[Tensor, "n many act"],
        worse: float,
    ) -> Float[Tensor, "n 4 batch"]:
        """From M candidates for each next state, side by side, with `worse` as the weight of the worse of two critics:

        V_r = max_j (worse min_i Q_i^r + (1 - worse) max_i Q_i^r)(s', a_j),
        V_c = mean_j ((1 - worse) min_i Q_i^c + worse max_i Q_i^c)(s', a_j).

        In public code V_c is made as V_r is: the maximum over the candidates, and mostly the minimum of each two.
        """
        values = self.critics.next_values(batch, next_actions)
        reward = soft_clipped(values.reward, worse).unflatten(1, (rows.shape[1], -1))
        cost = soft_clipped(values.cost, worse if self.public else 1 - worse).unflatten(1, (rows.shape[1], -1))
        return self.of_values(batch, rows, reward.amax(2), cost.amax(2) if self.public else cost.mean(2))
