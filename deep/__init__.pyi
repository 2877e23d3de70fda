"""What type checkers know of the package: the lazily imported names of `deep.api`."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from deep.api import OfflineDataset as OfflineDataset
from deep.api import TrainedPolicy as TrainedPolicy
from deep.api import TrainingResult as TrainingResult
from deep.api import load_dataset as load_dataset
from deep.api import load_policy as load_policy
from deep.api import make_env as make_env

class _Train(ModuleType):
    def __call__(
        self,
        task: str = "auto",
        algorithm: str = "drcorl",
        *,
        dataset: str | Path = "auto",
        preset: str = "quick",
        seeds: Sequence[int] = (0,),
        cost_limits: Sequence[float] = (),
        out: str | Path | None = None,
        resume: bool = False,
        episodes: int = 20,
        **settings: Any,
    ) -> TrainingResult: ...

class _Evaluate(ModuleType):
    def __call__(
        self, run: str | Path | TrainingResult | TrainedPolicy, episodes: int = 20
    ) -> list[dict[str, Any]]: ...

train: _Train
evaluate: _Evaluate
