"""What `deep.describe` and `deep.convert` propose is trained on, and says the same of the data."""

import html
import json
import re
import shlex
from pathlib import Path

import pytest

import deep.convert.__main__ as convert
import deep.deploy.__main__ as deploy
import deep.describe.__main__ as describe
from deep import save_episodes, train
from deep.data.custom import CustomData, load_custom
from tests.support import other_writers as writers
from tests.support.written_sources import DATA, SHORTEST, SOURCES, proposed

pytest.importorskip("pyarrow")  # of the extra `data`


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures", "unchecked")
@pytest.mark.parametrize("source", SOURCES)
def test_each_is_trained_on_in_one_command(source, tmp_path, capsys):
    """Converted, and as it is: the results are the same."""
    written, options = SOURCES[source]
    path, out = written(tmp_path), tmp_path / "out.hdf5"
    convert.main([str(path), str(out), *options])
    words = ["--algorithm", "bc_all", "--steps", "4", "--hidden", "8", "--dynamics.steps", "0", "--cost-limits", "3"]
    results = []
    length = re.findall("--episode-length [0-9]+", capsys.readouterr().out)  # where last steps are left out
    assert len(length) == (source == "d3rlpy")
    for name, data, more in (("whole", out, " ".join(length).split()), ("direct", path, options)):
        train.main(["--dataset", str(data), *words, *more, "--out", str(tmp_path / name)])
        results.append(json.loads((tmp_path / name / "summary.json").read_text()))
    first, second = (result["results"][0] for result in results)
    assert first == second
    assert results[0]["dataset"]["transitions"] == results[1]["dataset"]["transitions"]


def cut_off(path: Path) -> Path:
    """A table under other names with the costs of another column, cut off in its last trajectory, actions up to 2."""
    data = {"obs": DATA["observations"], "action": 2.25 * DATA["actions"], "reward": DATA["rewards"]}
    data |= {"toll": DATA["costs"], "done": DATA["terminals"] | DATA["timeouts"]}
    return writers.write_csv(path, {key: values[:-4] for key, values in data.items()})


EPISODE = ("observations", "actions", "rewards", "costs")
READ = ["--columns", "observations=obs", "actions=action", "rewards=reward", "dones=done"]
FACTS = [
    "8 rows of trajectories that were cut off are left out",
    "costs by tests.support.other_writers:cost_of_the_first, in place of the file's",
    "next_observations are missing: the row after each; the last steps of 4 trajectories that timed out are left out",
    "done do not say why a trajectory ended: 4 of 12 steps are taken for timeouts",
]


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures", "unchecked")
def test_what_describe_proposes_is_trained_on_and_says_the_same(tmp_path, monkeypatch, capsys):
    """Every fact that describe prints stands on the screen of the training, on the run's page, and before deployment;
    in the converted data, on its card and in a training on it as well."""
    monkeypatch.chdir(tmp_path)
    path = cut_off(tmp_path / "my log.csv")
    reading = [*READ, "--cost-function", "tests.support.other_writers:cost_of_the_first", "--last-trajectory", "drop"]
    describe.main([str(path), *reading])
    described = capsys.readouterr().out
    *same, _, low, _, high = proposed(described)
    assert same == ["--dataset", str(path), *reading]
    actions = 2.25 * DATA["actions"][:-4]
    assert actions.min() - 0.02 < float(low) <= actions.min()
    assert actions.max() <= float(high) < actions.max() + 0.02
    train.main([*proposed(described), *SHORTEST, "--out", "run"])
    deploy.main(["run"])
    convert.main([str(path), "out.hdf5", *reading])
    convert.main([str(path), "out-v0", *reading, "--to", "minari"])
    screens = capsys.readouterr().out
    assert proposed(screens) == ["--dataset", "out-v0", *proposed(described)[-4:], "--episode-length", "12"]
    places = {"describe": described, "train": screens.split("page:")[0]}
    places |= {name: html.unescape(Path(f"run/{name}.html").read_text()) for name in ("page", "deployment")}
    for out in ("out.hdf5", "out-v0"):
        train.main(["--dataset", out, *proposed(screens)[2:], *SHORTEST, "--out", f"{out}-run"])
        places |= {
            f"training on {out}": capsys.readouterr().out,
            f"card of {out}": Path(out).with_suffix(".md").read_text(),
        }
        assert "--episode-length 12" in places[f"card of {out}"]
        describe.main([out])
        places[f"describe {out}"] = capsys.readouterr().out
    for place, text in places.items():
        for fact in FACTS:
            assert fact in text, (place, fact)
    results = [json.loads(Path(run, "summary.json").read_text()) for run in ("run", "out.hdf5-run", "out-v0-run")]
    assert results[0]["results"] == results[1]["results"] == results[2]["results"]
    assert "which no episode's cost here includes" in described
    assert [result["dataset"]["costs_left_out"] for result in results] == [True] * 3


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures", "unchecked")
@pytest.mark.parametrize("source", [*SOURCES, "episodes"])
def test_what_is_proposed_for_each_kind_of_data_works(source, tmp_path, monkeypatch, capsys):
    """Described and converted, trained on by the printed commands."""
    monkeypatch.chdir(tmp_path)
    if source == "episodes":
        path, options = save_episodes(Path("mine.hdf5"), writers.of_python(DATA)), []
    else:
        written, options = SOURCES[source]
        path = written(tmp_path)
    describe.main([str(path), *options])
    commands = [proposed(capsys.readouterr().out)]
    convert.main([str(path), "out.hdf5", *options])
    commands.append(proposed(capsys.readouterr().out))
    card = next(line for line in Path("out.md").read_text().splitlines() if line.startswith("    python -m deep.train"))
    commands.append(shlex.split(card)[3:])
    summaries = []
    for number, command in enumerate(commands):
        train.main([*command, *SHORTEST, "--out", f"run{number}"])
        summaries.append(json.loads(Path(f"run{number}", "summary.json").read_text()))
    assert summaries[0]["results"] == summaries[1]["results"] == summaries[2]["results"]


@pytest.mark.parametrize("form", ["episodes", "dsrl", "minari"])
def test_a_written_file_says_how_long_its_episodes_were(form, tmp_path, monkeypatch, capsys):
    """Without the last steps, whose next observations are unknown, no episode in the file has the 12 steps of the data;
    described, read without options, and converted again."""
    monkeypatch.chdir(tmp_path)
    episodes = [{**each, "terminated": each["terminals"][-1]} for each in writers.episodes(DATA)]
    with pytest.warns(UserWarning, match="no observation follows the last"):
        path = save_episodes(Path("mine.hdf5"), [{k: e[k] for k in (*EPISODE, "terminated")} for e in episodes])
    if form != "episodes":
        data = {key: DATA[key] for key in DATA if key != "next_observations"}
        log = writers.write_csv(Path("log.csv"), data)
        path = Path("out-v0" if form == "minari" else "out.hdf5")
        convert.main([str(log), str(path), "--to", form])
    convert.main([str(path), "again.hdf5"])
    for file in (str(path), "again.hdf5"):
        task, data, _ = load_custom(Path(file), CustomData())
        assert (data.lengths.max(), task.episode_length) == (11, 12)
        assert not [key for key in data.provenance if "recorded_length" in key]
        capsys.readouterr()
        describe.main([file])
        assert proposed(capsys.readouterr().out)[-2:] == ["--episode-length", "12"]
