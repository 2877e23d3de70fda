"""deep.core.memory: freed memory is used again, without a page fault for each of its pages."""

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, torch
from deep.core.memory import keep_freed_memory
agreed = keep_freed_memory() if sys.argv[1] == "keep" else None
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(12_000_000)  # 48 MB, more than glibc takes from its heap by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
for _ in range(20):  # alignment asks for a little more than was freed: blocks find room where a few were freed
    faults()
print(agreed, max(faults() for _ in range(5)) if agreed else min(faults() for _ in range(5)))
"""


def run(word: str, **environment: str) -> tuple[str, int]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | environment
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, word], env=own, capture_output=True, text=True, check=True
    ).stdout.split()
    return done[0], int(done[1])


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this system's allocator is not glibc's")
def test_a_large_tensor_takes_the_memory_of_the_one_before():
    agreed, faults = run("keep")
    assert agreed == "True"
    assert faults < 100
    assert run("leave")[1] > 1000, "48 MB have 11 719 pages"
    assert run("keep", MALLOC_ARENA_MAX="1")[0] == "False"
