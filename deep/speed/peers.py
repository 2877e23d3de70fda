"""The speed of the public code of the compared methods: the update of each method's own trainer, measured once.

Conditions: one thread of a virtual AMD EPYC with 2 cores, shared with other jobs (load average 5 to 14), on 28 November
2026; Python 3.11, torch 2.13.0 for CPUs (FISOR: JAX, pinned to one core, compilation left out). Each project's own
trainer class took its `train_one_step` or `update` on prepared batches of random data of HopperVel's sizes (11
observations, 3 actions, episodes of 1000 steps), published network sizes and batch, no data loader, logger
or evaluation. A rate is the median over windows of 2 to 2.5 seconds of processor time, after 3 steps; a repetition of
BCQ-Lag gave 6 % less, one of COptiDICE 5 % less. There products of 1024 x 1024 matrices reached `PRODUCT`.

Products are those of torch's counter, forward and backward, a multiply-add counted twice.
"""

from typing import NamedTuple


class Peer(NamedTuple):
    """One public update."""

    code: str
    """The project and the state of its code."""
    batch: int
    """Transitions in a minibatch; CDT: windows of 10 steps."""
    steps: float
    """Updates per CPU second."""
    gflop: float
    """Products of one update, in 1e9 operations. FISOR: XLA's count, element-wise operations included."""
    last_phase: bool = False
    """Whether the update was measured after a warm-up, so that the last phase of a method here is the same work."""
    policy_steps: int = 1
    """Steps of the policy in one update, which a phase "policy" here takes one by one."""
    options: tuple[str, ...] = ()
    """Words of deep.train's command line with which the paper preset has that batch."""


PRODUCT = 68e9
"""Floating-point operations per CPU second of products of 1024 x 1024 x 1024 on that machine, at load 5."""

PEERS = {
    "bcq_lag": Peer("OSRL 03a4586", 512, 2.1, 14.78),
    "bear_lag": Peer("OSRL 03a4586", 512, 2.1, 14.81),
    "cpq": Peer("OSRL 03a4586", 512, 3.4, 8.04),
    "coptidice": Peer("OSRL 03a4586", 512, 12.2, 2.16),
    "caps": Peer("CAPS f578c22, 2 heads", 512, 4.8, 7.40),
    "ccac": Peer("CCAC 4707c1f, after its warm-up", 512, 3.7, 8.78, last_phase=True),
    "fisor": Peer("FISOR 2097e8b", 2048, 1.5, 23.06, policy_steps=2),
    "cdt": Peer("OSRL 03a4586", 256, 0.63, 38.18, options=("--batch-size", "256")),
}
"""By the name that commands accept."""
