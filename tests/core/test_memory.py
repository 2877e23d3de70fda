"""deep.core.memory: freed memory is used again, without a page fault for each of its pages."""

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, torch
from deep.core.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(12_000_000)  # 48 MB, more than glibc takes from its heap by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def of_five(choose):
    for _ in range(20):  # alignment asks for a little more than was freed: blocks find room where a few were freed
        faults()
    return choose(faults() for _ in range(5))
before = of_five(min)
print(before, keep_freed_memory(), of_five(max))
"""
ALONE = "from deep.core.memory import keep_freed_memory; print(keep_freed_memory())"


def run(script: str, **environment: str) -> list[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | environment
    done = subprocess.run([sys.executable, "-c", script], env=own, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this system's allocator is not glibc's")
def test_a_large_tensor_takes_the_memory_of_the_one_before():
    before, agreed, after = run(SCRIPT)
    assert int(before) > 1000, "48 MB have 11 719 pages"
    assert agreed == "True"
    assert int(after) < 100
    assert run(ALONE, MALLOC_ARENA_MAX="1") == ["False"]
