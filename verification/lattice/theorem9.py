r"""Safe-DQL's Theorem 9, a posteriori: every term of its chain measured on trained networks.

The theorem speaks of a global minimiser and of a reference policy pi_0 without hinge. Trained networks are neither, so
both assumptions are replaced by what is measured. With L = L_d - eta E Q_r + lambda E hinge (Eq. (1)) at fixed critics,

    J_c(pi) <= E_D V_c^pi + Delta_occ,   Delta_occ = 2 B_c TV(rho, D)                     start states differ from D
    E_D V_c^pi <= E_{D, pi} Q_max + eps_c                                                 Lemma 8
    E_{D, pi} Q_max <= kappa + E_{D, pi} hinge                                            Lemma 7
    E_{D, pi} hinge <= E_{D, pi_0} hinge + (L_d(pi_0) + 2 eta B_r + max(0, L(pi) - L(pi_0))) / lambda

and the sum of the right-hand sides is the bound. pi_0 is the behaviour policy that the learner starts from, a member of
the class that minimises L_d alone. Discounted sums throughout; rewards in the learner's own scale, as eta is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.randomness import draw_block
from deep.methods.safe_dql.safe_dql import Objective, SafeDQL
from deep.runs.experiment import Experiment
from theory.bounds import occupancy_shift, safe_dql_bound
from theory.cmdp.shapes import PerCMDP, PerStateAction
from verification.lattice.data import Behaviour
from verification.lattice.exact import exact_values, state_frequencies
from verification.lattice.grid import Axis, Grid

ROWS, LOTS = 2048, 4
FINE = 21
"""Points per action axis where critics are compared with the truth: eps_c is a maximum over these."""


@dataclass(frozen=True, eq=False)
class Terms:
    """All terms, each (replica,); `bound` is the sum that J_c must not exceed, `slack` = bound - J_c.

    eps_c: the smallest over critics of sup_{s, a} (Q_c^pi - Q_i)_+, over nodes of the data and a fine grid of actions;
    conservatism: the part of it that is needed, max(0, E_D V_c^pi - E Q_max). loss, reference_loss: L(pi) and L(pi_0);
    cloning, hinge, predicted_cost (E Q_max): those of pi, and of pi_0 with the prefix reference.
    """

    J_c: PerCMDP
    data_cost: PerCMDP
    shift: PerCMDP
    eps_c: PerCMDP
    conservatism: PerCMDP
    predicted_cost: PerCMDP
    kappa: PerCMDP
    hinge: PerCMDP
    reference_hinge: PerCMDP
    cloning: PerCMDP
    reference_cloning: PerCMDP
    loss: PerCMDP
    reference_loss: PerCMDP
    suboptimality: PerCMDP
    eta: PerCMDP
    penalty: PerCMDP
    B_r: PerCMDP
    B_c: PerCMDP
    bound: PerCMDP
    slack: PerCMDP


def theorem_9(behaviour: Behaviour, experiment: Experiment, method: SafeDQL, policy: PerStateAction) -> Terms:
    """Measure the terms for the evaluated diffusion policies, whose induced policies are `policy`."""
    lattice, problem = behaviour.lattice, experiment.problem
    values = exact_values(lattice, policy)
    D = state_frequencies(lattice, problem.data.observations)
    own = _objective(experiment, method, method.actor.ema)
    reference = _objective(experiment, method, method.behaviour.ema[problem.seed_index])
    eta, penalty = own.eta, own.penalty
    loss, reference_loss = (terms.cloning - eta * terms.reward + penalty * terms.hinge for terms in (own, reference))
    suboptimality = (loss - reference_loss).clamp(min=0)

    Q_r, Q_c = _critics(behaviour, experiment, method, D)
    eps_c = (_on_fine_actions(behaviour, values.Q_c)[:, None] - Q_c).clamp(min=0)
    eps_c = torch.where(D[:, None, :, None] > 0, eps_c, 0.0).amax((2, 3)).amin(1)
    worth = 1 / (1 - problem.gamma)
    B_r = Q_r.abs().amax((1, 2, 3)).clamp(min=worth * float(problem.replay.rewards.abs().max()))
    B_c = Q_c.abs().amax((1, 2, 3)).clamp(min=worth * float(lattice.cmdp.c.max()))
    shift = torch.as_tensor(occupancy_shift(B_c, 0.5 * (lattice.cmdp.rho - D).abs().sum()))
    kappa, data_cost = method.kappa.double(), (D * values.V_c).sum(-1)
    printed = safe_dql_bound(kappa, eps_c, reference.cloning, penalty, eta, B_r, shift, suboptimality)
    bound = torch.as_tensor(printed) + reference.hinge
    return Terms(
        J_c=values.J_c,
        data_cost=data_cost,
        shift=shift,
        eps_c=eps_c,
        conservatism=(data_cost - own.predicted_cost).clamp(min=0),
        predicted_cost=own.predicted_cost,
        kappa=kappa,
        hinge=own.hinge,
        reference_hinge=reference.hinge,
        cloning=own.cloning,
        reference_cloning=reference.cloning,
        loss=loss,
        reference_loss=reference_loss,
        suboptimality=suboptimality,
        eta=eta,
        penalty=penalty,
        B_r=B_r,
        B_c=B_c,
        bound=bound,
        slack=bound - values.J_c,
    )


@torch.no_grad()
def _objective(experiment: Experiment, method: SafeDQL, theta: Float[Tensor, "replicas params"]) -> Objective:
    """The terms of Eq. (1) at these parameters, in double precision, from rows all over the data.

    Rows and draws do not depend on theta, so that two policies differ by themselves alone.
    """
    problem, replay = experiment.problem, experiment.replay
    sums: list[Tensor] = []
    rows = torch.linspace(0, len(replay) - 1, ROWS * LOTS).long().reshape(ROWS, LOTS).T
    for lot, picked in enumerate(rows):
        block = draw_block(method.objective_draws(ROWS), problem.replica_seeds, "theorem 9", lot, 1, problem.device)
        batch = replay.batch(picked.expand(len(problem.replicas), -1))
        terms = method.objective(
            theta, batch.observations, batch.actions, {name: draw[0] for name, draw in block.items()}
        )
        sums.append(torch.stack([term.double() for term in terms]))
    return Objective(*torch.stack(sums).mean(0))


def _fine(behaviour: Behaviour) -> Grid:
    return Grid(tuple(Axis(-1, 1, FINE) for _ in behaviour.lattice.actions.axes))


def _on_fine_actions(behaviour: Behaviour, Q: PerStateAction) -> Float[Tensor, "replica state fine"]:
    """The exact Q at a fine grid of continuous actions: it interpolates like everything else."""
    weights = behaviour.lattice.actions.weights(_fine(behaviour).nodes)
    return Q @ torch.from_numpy(weights).T


@torch.no_grad()
def _critics(
    behaviour: Behaviour, experiment: Experiment, method: SafeDQL, D: Float[Tensor, "1 state"]
) -> tuple[Float[Tensor, "replica twin state fine"], Float[Tensor, "replica twin state fine"]]:
    """The twin critics of reward and cost, at every node and fine action: those of Eq. (1), not their EMA."""
    lattice, actions = behaviour.lattice, torch.from_numpy(_fine(behaviour).nodes).to(experiment.replay.observations)
    observations = experiment.replay.normalise(torch.from_numpy(lattice.observe(lattice.states.nodes)))
    replicas, count = len(experiment.problem.replicas), len(actions)
    here = observations.repeat_interleave(count, dim=0).expand(replicas, -1, -1)
    repeated = actions.repeat(len(observations), 1).expand(replicas, -1, -1)
    values = method.critics.values(method.critics.q.theta, here, repeated)
    reward, cost = (both.double().unflatten(2, (-1, count)) for both in values)
    return torch.where(D[:, None, :, None] > 0, reward, 0.0), torch.where(D[:, None, :, None] > 0, cost, 0.0)
