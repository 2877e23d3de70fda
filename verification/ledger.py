"""`python -m verification.ledger` judges every claim and writes the verdicts to verification/ledger.json."""

from verification.command import Parser, ends_cleanly


def main(arguments: list[str] | None = None) -> None:
    description = "Judge every claim and write the verdicts to verification/ledger.json."
    Parser("verification.ledger", description).parse_args(arguments)
    from verification.judging import judge_all  # imports torch: only where there is something to do

    judge_all()


if __name__ == "__main__":
    with ends_cleanly("the ledger is as it was"):
        main()
