"""What type checkers know of the package: the lazily imported names of `deep.api`."""

from types import ModuleType

from deep import api
from deep.api import OfflineDataset as OfflineDataset
from deep.api import TrainedPolicy as TrainedPolicy
from deep.api import TrainingResult as TrainingResult
from deep.api import load_dataset as load_dataset
from deep.api import load_policy as load_policy
from deep.api import make_env as make_env
from deep.api import save_episodes as save_episodes

class _Train(ModuleType):
    __call__ = staticmethod(api.train)

class _Evaluate(ModuleType):
    __call__ = staticmethod(api.evaluate)

train: _Train
evaluate: _Evaluate
