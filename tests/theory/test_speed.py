"""The speed command on small sizes: it runs, compares and rejects wrong input."""

import pytest

from theory.speed import __main__ as speed


def test_speed_prints_ratios(capsys) -> None:
    speed.main(
        [
            "--states",
            "4",
            "--actions",
            "2",
            "--batch",
            "8",
            "--iterations",
            "3",
            "--sizes",
            "20",
            "--large",
            "40",
        ]
    )
    printed = capsys.readouterr().out
    for words in ("batched / plain", "CMDP-iterations/s", "linear program", "values differ by", "certified residual"):
        assert words in printed


def test_speed_rejects_nonsense(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        speed.main(["--batch", "0"])
    assert caught.value.code == 2
    assert "--batch 0: accepted is a number of at least 1" in capsys.readouterr().err
