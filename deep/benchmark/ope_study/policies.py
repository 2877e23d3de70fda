"""The policies of the study: what a finished run of `deep.train` holds, and what lies around it.

    clone       the policy from which DRCORL's adaptation starts
    kept, last  what adaptation ended with; a run with `--gate.record` also has every policy that the gate evaluated
    stretched   clone + f (last - clone), f = .5, 1.5, 2, 3: adapted less, and more, than the gate allowed
    shaken      clone + noise of f times the spread of each layer's parameters, f = .05, .1, .2: clumsier clones

A run of another method has one policy per replica, *trained*, and shaken ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.files import DIGEST
from deep.core.randomness import generator
from deep.nn.mlp import unpack
from deep.nn.policies import Act, MLPPolicy
from deep.ope.paired_rollouts import CLONE_PREDICTION
from deep.runs.experiment import Experiment, restore
from deep.runs.folder import read_checkpoint
from theory.support.errors import InputError

STRETCHES = (0.5, 1.5, 2.0, 3.0)
SHAKES = (0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Candidates:
    """One policy for every replica of a run."""

    kind: str
    """As above; "evaluated" for those that the gate recorded."""
    degree: float
    """The stretch, the shake, or the step of adaptation."""
    theta: Float[Tensor, "replicas params"]

    @property
    def name(self) -> str:
        return f"{self.kind} {self.degree:g}"


@dataclass(frozen=True)
class FinishedRun:
    """A finished run whose learned dynamics are filled in, with what they predict for its clone; and its policies."""

    path: Path
    experiment: Experiment
    stored: dict[str, Tensor]
    digest: str
    """That of the checkpoint: results that depend on the run keep it, so that those of another run are recognised."""

    @classmethod
    def read(cls, path: Path) -> "FinishedRun":
        """Raises `InputError` where there is no run, it has no policy yet, or it has no learned dynamics."""
        experiment = restore(path)
        checkpoint = path / "checkpoint.safetensors"
        if not checkpoint.exists():
            raise InputError(f"the run in {path} has no checkpoint: finish it with deep.train --resume")
        if experiment.method.mean_network is None:
            algorithm = experiment.settings.algorithm
            raise InputError(f"{path} is a run of {algorithm}: accepted are methods whose policy is a single network")
        if not experiment.task.simulated:
            raise InputError(f"the run in {path} has no simulator: accepted is a run of a task that has one")
        if experiment.settings.dynamics.steps == 0:
            raise InputError(f"the run in {path} has no learned dynamics (--dynamics.steps 0): there is no estimate")
        stored, place, notes = read_checkpoint(checkpoint)
        last = experiment.phases()[-1]
        if (place.phase, place.step) != (last.name, last.steps):
            raise InputError(f"the run in {path} is not finished: go on with deep.train --resume")
        with torch.no_grad():
            for name, tensor in experiment.tensors().items():
                if name in experiment.dynamics.tensors() or name == CLONE_PREDICTION:
                    tensor.copy_(stored[name])
        return cls(path, experiment, stored, notes[DIGEST])

    @property
    def policy(self) -> MLPPolicy:
        return self.experiment.method.mean_network

    def act(self, theta: Float[Tensor, "replicas params"]) -> Act:
        """The mean actions of policies with these parameters."""

        @torch.no_grad()
        def act(observations: Tensor) -> Tensor:
            return self.policy.distribution(theta, observations)[0]

        return act

    def candidates(self) -> Iterator[Candidates]:
        """All sets of policies, in a fixed order."""
        last = self.stored["policy.ema"]
        if "clone.ema" not in self.stored:
            yield Candidates("trained", 1, last)
            yield from self._shaken(last)
            return
        clone = self.stored["clone.ema"]
        clone = clone.repeat_interleave(len(last) // len(clone), 0)
        yield Candidates("clone", 0, clone)
        if "chosen" in self.stored:
            yield Candidates("kept", 1, self.stored["chosen"])
        yield Candidates("last", 1, last)
        for evaluate_policy, theta in enumerate(self.stored.get("evaluated", ())):
            yield Candidates("evaluated", evaluate_policy * self.experiment.settings.method.gate.eval_every, theta)
        for stretch in STRETCHES:
            yield Candidates("stretched", stretch, clone + stretch * (last - clone))
        yield from self._shaken(clone)

    def _shaken(self, theta: Float[Tensor, "replicas params"]) -> Iterator[Candidates]:
        """Every replica has noise of its own."""
        layers = unpack(theta, self.policy.shapes)
        flat = [layer.flatten(1) for layer in layers]
        # The bias of a single action has no spread.
        spread = [x.std(1, correction=min(1, x.shape[1] - 1), keepdim=True).expand_as(x) for x in flat]
        for shake in SHAKES:
            rows = [
                generator(replica.seed, "shaken", str(replica.cost_limit), str(shake)).standard_normal(theta.shape[1])
                for replica in self.experiment.problem.replicas
            ]
            noise = torch.stack([torch.from_numpy(row) for row in rows]).to(theta)
            yield Candidates("shaken", shake, theta + shake * noise * torch.cat(spread, 1))
