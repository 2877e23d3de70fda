"""Shape checking for the whole package, and one core: the tests must cost the same on every machine."""

import torch
from jaxtyping import install_import_hook

install_import_hook("theory", "beartype.beartype")
torch.set_num_threads(1)
