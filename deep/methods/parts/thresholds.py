"""Cost limits of episodes as thresholds on critics."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.methods.parts.critics import episodic_to_discounted

States = Literal["data", "start", "cut"]


def cost_threshold(problem: Problem, states: States) -> Float[Tensor, " replicas"]:
    """kappa of every replica, a discounted sum of costs, by `episodic_to_discounted`; in torch's default dtype."""
    task = problem.task
    one_cost = episodic_to_discounted(1.0, problem.gamma, task.episode_length, states, task.expected_length)
    return problem.limits.to(torch.get_default_dtype()) * one_cost
