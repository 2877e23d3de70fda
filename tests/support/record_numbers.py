"""`python -m tests.support.record_numbers [ROOM ...]`: record anew what `tests.support.numbers.summary` compares.

Prints every number that changes. Look at each before you commit: a number that was not meant to change is a mistake.
"""

import argparse
from collections.abc import Sequence

from tests.support.numbers.rooms import ROOMS
from tests.support.numbers.summary import changes, load, measured, write


def main(arguments: Sequence[str] | None = None) -> None:
    """Record these rooms, all of them where none is named."""
    parser = argparse.ArgumentParser("python -m tests.support.record_numbers", description="Record numbers anew.")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"one of {', '.join(ROOMS)}; none: all")
    rooms = parser.parse_args(arguments).rooms
    if unknown := [name for name in rooms if name not in ROOMS]:
        raise SystemExit(f"unknown room {unknown[0]!r}: accepted are {', '.join(ROOMS)}")
    for room in rooms or ROOMS:
        known, cases = load(room), ROOMS[room]()
        found = {name: measured(case) for name, case in cases.items()}
        for name, numbers in found.items():
            for line in changes(known[name], numbers, cases[name]) if name in known else ["all of it is new"]:
                print(f"{room}, {name}: {line}")
        for name in known.keys() - found.keys():
            print(f"{room}, {name}: is no longer a case")
        write(room, found)
        print(f"{room}: {len(found)} cases, {sum(map(len, found.values()))} numbers")


if __name__ == "__main__":
    main()
