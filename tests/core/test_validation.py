"""Options that no run can have: each is refused in one sentence that names it, before anything is written."""

import pytest

from deep import train
from deep.benchmark.ope_study import __main__ as study
from deep.core.validation import use_threads
from tests.support.builders import TINY
from theory.support.errors import InputError
from theory.support.words import last_of_each

REFUSED = {
    "drcorl": """--dynamics.members 0: a number of at least 1
--dynamics.steps -1: a number of at least 0
--dynamics.disagreement-every 0: a number of at least 1
--dynamics.batch-size 0: a number of at least 1
--dynamics.hidden 0: numbers of at least 1
--dynamics.learning-rate inf: a number above 0
--dynamics.episodes 0: a number of at least 1
--behaviour.steps -1: a number of at least 0
--behaviour.batch-size 0: a number of at least 1
--behaviour.blocks -1: a number of at least 0
--behaviour.learning-rate 0.0: a number above 0
--behaviour.ema-rate 0.0: a number above 0 and at most 1
--behaviour.t-range 0.0 0.5: numbers above 0 and below 1
--behaviour.width 0: a number of at least 1
--behaviour.dropout 2.0: a number of at least 0 and below 1
--behaviour.dropout 1.0: a number of at least 0 and below 1
--behaviour.unconditional 3.0: a number from 0 to 1
--behaviour.t-limit 0.0: a number above 0 and below 1
--behaviour.t-range 0.5 0.1: two noise levels, the lower one first
--critics.ensemble 0: a number of at least 1
--critics.expectile 2.0: a number above 0 and below 1
--critics.target-rate 5.0: a number above 0 and at most 1
--critics.pessimism -1.0: a number of at least 0
--critics.regression-steps -5: a number of at least 0
--critics.steps -1: a number of at least 0
--critics.learning-rate 0.0: a number above 0
--critics.hidden 0: numbers of at least 1
--adaptation.temperature.c0 -1.0: a number of at least 0
--adaptation.temperature.c1 -1.0: a number of at least 0
--adaptation.temperature.steps-per-epoch 0: a number of at least 1
--gate.k -5.0: a number of at least 0
--gate.k nan: a number of at least 0
--gate.short.steps 0: a number of at least 1
--gate.short.states 0: a number of at least 1
--gate.eval-every 0: a multiple of 50
--gate.eval-every 30: a multiple of 50
--gate.eval-every -50: a multiple of 50
--online.episodes -1: a number of at least 0
--clone.neighbours 0: a number of at least 1
--clone.return-share 5.0: a number from 0 to 1
--batch-size 0: a number of at least 1
--hidden 16 0: numbers of at least 1
--constant-std 0.0: a number above 0
--cloning-steps -1: a number of at least 0
--regression-steps -1: a number of at least 0
--adaptation-steps -1: a number of at least 0
--adaptation-rate -1.0: a number above 0
--learning-rate -1.0: a number above 0
--learning-rate nan: a number above 0
--ema-rate 2.0: a number above 0 and at most 1
--threads 0: a number of at least 1""",
    "safe_dql": """--batch-size 0: a number of at least 1
--hidden 0: numbers of at least 1
--hidden: one or more, the noise predictor's hidden layers
--clip -1.0: a number above 0
--chain 0: a number of at least 1
--candidates 0: a number of at least 1
--ema-rate -1.0: a number above 0 and at most 1
--behaviour-steps -1: a number of at least 0
--improvement-steps -1: a number of at least 0
--behaviour-rate 0.0: a number above 0
--learning-rate 0.0: a number above 0
--critics.learning-rate -1.0: a number above 0
--critics.target-rate 2.0: a number above 0 and at most 1
--critics.hidden 0: numbers of at least 1""",
    "bc_all": """--batch-size 0: a number of at least 1
--learning-rate 0.0: a number above 0
--steps -1: a number of at least 0
--hidden 0: numbers of at least 1
--ema-rate 0.0: a number above 0 and at most 1
--clone.return-share -1.0: a number from 0 to 1
--clone.neighbours 0: a number of at least 1""",
}


@pytest.mark.parametrize(
    ("algorithm", "found", "accepted"),
    [(algorithm, *line.split(": ")) for algorithm, lines in REFUSED.items() for line in lines.splitlines()],
)
def test_a_value_out_of_its_range_is_refused_by_name(algorithm, found, accepted, dataset_file, tmp_path, capsys):
    words = ["--algorithm", algorithm, "--dataset", str(dataset_file), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stopped:
        train.main(last_of_each([*words, *(TINY if algorithm == "drcorl" else []), *found.split()]))
    assert stopped.value.code == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())  # without the frame that long ones may have
    assert f"{found}: accepted " in said.replace(" without a number", "")
    assert accepted in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_threads_are_refused_alike_by_all_commands(tmp_path):
    with pytest.raises(InputError, match="--threads -1: accepted is a number of at least 1"):
        use_threads(-1)
    (tmp_path / "config.json").touch()
    with pytest.raises(InputError, match="--threads -3"):
        study.run(study.Options((tmp_path,), threads=-3))
