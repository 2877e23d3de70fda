"""The best response to a payoff, by Howard's policy iteration; batched, with a tolerance for each state-action pair."""

import torch

from theory.cmdp.shapes import PerState, PerStateAction
from theory.cmdp.sparse import AnyCMDP
from theory.optimum.policies import one_hot_argmax

ROUNDING = 8 * torch.finfo(torch.float64).eps
"""What comparisons of values ignore, relative to the values' own size."""
LEAK = 1e-9
"""The part of the largest value's rounding that a solve of all states at once leaves in the smallest ones."""
NEAR_ONE = "gamma is too near 1 for float64"


def best_response(
    cmdp: AnyCMDP, payoff: PerStateAction, start: PerStateAction | None = None, terms: PerStateAction | None = None
) -> tuple[PerStateAction, PerState]:
    """A deterministic policy maximising E sum gamma^t payoff, and its value function, by Howard's policy iteration.

    `terms` (batch, state, action): the size of what `payoff` was summed from, such as |r| + lambda c; |payoff| without.
    An action changes only where that improves Q by more than rounding, so that ties cannot cycle. The rounding of a
    pair (s, a) is that of its own numbers, terms + gamma P E sum gamma^t terms: a payoff of 1e15 elsewhere does not
    hide an improvement of 1. Raises RuntimeError if the improvements go on for longer than they could, which means that
    gamma is too near 1 for float64.
    """
    policy = one_hot_argmax(payoff) if start is None else start
    terms = payoff.abs() if terms is None else terms
    gamma = cmdp.gamma[:, None, None]
    improvements = 500 + cmdp.states * cmdp.actions
    for _ in range(improvements):
        payoffs = torch.stack([(policy * x).sum(-1) for x in (payoff, terms)], dim=-1)
        v, size = cmdp.solve(policy, payoffs).unbind(-1)
        Q = payoff + gamma * cmdp.next_value(v)
        largest = size.abs().amax(-1)[:, None, None]
        rounding = ROUNDING * (terms + gamma * cmdp.next_value(size.abs()) + LEAK * largest)
        gain = Q - (policy * (Q + rounding)).sum(-1, keepdim=True) - rounding
        if not bool((gain > 0).any()):
            return policy, v
        better = one_hot_argmax(torch.where(gain > 0, Q, -torch.inf))
        policy = torch.where((gain > 0).any(-1, keepdim=True), better, policy)
    raise RuntimeError(f"policy iteration did not settle in {improvements} improvements, as it does unless {NEAR_ONE}.")
