"""The tensor shapes of the package; the axis names are checked in the test run.

Every tensor is float64 and its first axis counts CMDPs; `batch` may be 1.
"""

from jaxtyping import Bool, Float64, Int64
from torch import Tensor

PerCMDP = Float64[Tensor, "batch"]
PerState = Float64[Tensor, "batch state"]
PerStateAction = Float64[Tensor, "batch state action"]
Transitions = Float64[Tensor, "batch state action state"]
Mask = Bool[Tensor, "batch"]
Code = Int64[Tensor, "batch"]
