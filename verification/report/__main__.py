"""`python -m verification.report` writes verification/report.md and verification/report.html from the ledger."""

from pathlib import Path

from verification.command import Parser, ends_cleanly

HERE = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> None:
    Parser("verification.report", "Write report.md and report.html from the ledger.").parse_args(arguments)
    # These import torch: only where there is something to do.
    from verification.checker.certify import CERTIFICATES
    from verification.judging import LEDGER, load
    from verification.report.entries import markdown
    from verification.report.html import html

    entries = load(LEDGER)
    for name, text in (("report.md", markdown(entries)), ("report.html", html(entries))):
        (HERE / name).write_text(text, encoding="utf-8")
        print(HERE / name)
    print(f"{len(list(CERTIFICATES.glob('*.json')))} certificates in {CERTIFICATES}")


if __name__ == "__main__":
    with ends_cleanly():
        main()
