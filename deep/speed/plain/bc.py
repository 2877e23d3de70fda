"""Behaviour cloning's update for one replica, one network after the other."""

from torch import Tensor, nn

from deep.methods.bc import BC
from deep.speed.plain.networks import Draws, Learner, flat, linear_decay, mlp


class Clone:
    """Least squares on the data's actions."""

    def __init__(self, method: BC, replica: int) -> None:
        self.method, self.rows = method, method.rows.table[replica, : int(method.rows.counts[replica])]
        rows = method.actor.theta[replica], method.actor.ema[replica]
        theta, ema = (nn.Sequential(mlp(method.policy.network, row), nn.Tanh()) for row in rows)
        self.actor = Learner(theta, method.config.learning_rate, ema)

    def update(self, step: int, draws: Draws) -> None:
        chosen = self.rows[(draws["row"].double() * len(self.rows)).long()]
        replay = self.method.problem.replay
        loss = nn.functional.mse_loss(self.actor.module(replay.observations[chosen]), replay.actions[chosen])
        self.actor.adam_step(loss, linear_decay(step, self.method.config.steps))
        self.actor.update_ema(self.method.config.ema_rate)

    def learned(self) -> dict[str, Tensor]:
        return {"policy.theta": flat(self.actor.module), "policy.ema": flat(self.actor.ema)}


PHASES = {"cloning": Clone}
