"""`deep.benchmark.child` with short episodes and without figures."""

from deep.benchmark import child
from tests.support.lighter import no_figures, short_episodes

if __name__ == "__main__":
    with short_episodes(), no_figures():
        child.main()
