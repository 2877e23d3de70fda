"""`python -m verification.formal`: Coq checks every proof, and record.json says what it accepted."""

import json
import tempfile
import time
from pathlib import Path

from theory.support.errors import InputError
from verification.command import Parser, ends_cleanly
from verification.formal import coq, export, sources
from verification.formal.record import RECORD
from verification.formal.theorems import CONTROLS


def check(folder: Path) -> dict[str, object]:
    """Build the proofs in a folder and return the record; InputError with the reason where Coq does not accept them."""
    for name, text in sources.texts().items():
        if found := sources.hatches(text):
            raise InputError(f"{name}.v contains {', '.join(found)}, so that it proves nothing.")
    for name, found in sources.shadowing(sources.texts()).items():
        raise InputError(f"{name}.v gives {', '.join(found)} a meaning that {sources.TRUSTED}.v does not.")
    try:
        coq.build(folder)
        coq.check_controls(folder)
        axioms = coq.axioms(folder) | coq.enclosure_axioms(folder)
    except coq.Rejected as reason:
        raise InputError(f"Coq {coq.version()} does not accept {reason}") from None
    if more := axioms - coq.STANDARD_AXIOMS:
        raise InputError(f"the proofs assume {', '.join(sorted(more))}, which the standard library's reals do not.")
    theorems = sources.fingerprints()
    return {"coq": coq.version(), "axioms": sorted(axioms), "controls": len(CONTROLS), "theorems": theorems}


def main(arguments: list[str] | None = None) -> None:
    parser = Parser("verification.formal", "Check every proof with Coq and write verification/formal/record.json.")
    parser.add_argument("--export", action="store_true", help="write Certificates.v and Enclosures.v first")
    if parser.parse_args(arguments).export:
        for name, text in export.texts().items():
            (sources.FOLDER / f"{name}.v").write_text(text, encoding="utf-8")
    if not coq.has_interval():
        raise InputError(f"coqc 8.16 or later with Coq-Interval is not installed; {coq.INSTALL} installs both.")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        record = check(Path(folder))
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{RECORD}: {len(sources.fingerprints())} theorems and lemmas in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    with ends_cleanly("the record is as it was"):
        main()
