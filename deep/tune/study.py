"""The search: a training for each trial, judged by the estimate from the data alone.

The value of a trial is the mean over its replicas (seeds and cost limits) of

    R_e                                  where the whole 95 % interval of the estimated cost is within the limit l, and
                                         nothing casts doubt on the estimate
    -10 - min(90, (u - l)+ / max(l, 1) + 1[doubt])      otherwise, for the upper end u of the interval

with the estimated return R_e on the scale of the scores, cut to [-10, 10]. The second is below the first, whatever the
return. No simulator is used: a trial that has used one ends the search. The learned dynamics follow from the data and
the seeds alone; the first trial trains them and the others take them over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deep.cli.run_folder import check_folder
from deep.core.files import read_json, wrong_form
from deep.core.provenance import software_versions
from deep.core.validation import use_threads
from deep.evaluate.scores import evaluate, offline_costs
from deep.evaluate.summary import SCHEMA, remarks_on
from deep.runs.config_file import fingerprint
from deep.runs.experiment import Experiment, about_data, finished, identity, take_dynamics
from deep.runs.folder import RunFolder
from deep.runs.trainer import train
from deep.tasks import Task, within_limit
from deep.training import Options, parse, settings_of
from deep.tune.search import Dimension, as_words
from theory.support.errors import InputError
from theory.support.files import write_whole

LARGEST = 10.0
"""Estimated scores beyond it count as this."""
WORST = 90.0
TRIAL = re.compile(r"trial-[0-9a-f]{10}")
"""The name of a trial's folder."""


def qualifies(result: Mapping[str, Any]) -> bool:
    """Whether the whole interval of the estimated cost is within the limit, and nothing casts doubt on the estimate."""
    return bool(within_limit(result["offline_cost_interval"][1], result["cost_limit"])) and not result["offline_doubt"]


def criterion(results: Sequence[Mapping[str, Any]], task: Task) -> float:
    """The value of a trial from its offline estimates, one entry for each replica, see above."""
    values = []
    for result in results:
        limit, high = result["cost_limit"], result["offline_cost_interval"][1]
        doubt = result["offline_doubt"] is not None
        if qualifies(result):
            score = float(task.normalised_reward(result["offline_return_estimate"]))
            values.append(min(max(score, -LARGEST), LARGEST))
        else:
            values.append(-LARGEST - min(WORST, max(high - limit, 0.0) / max(limit, 1.0) + doubt))
    return sum(values) / len(values)


def mend_journal(path: Path) -> None:
    """Cut a last line that a killed search has not written to its end; raises `InputError` for other damage."""
    if not path.is_file():
        raise InputError(f"{path} is no file: the journal of a search is accepted there")
    with wrong_form(path, "the journal of a search"):
        whole, _, torn = path.read_bytes().rpartition(b"\n")
        lines = [json.loads(line) for line in whole.split(b"\n")] if whole else []
        if not all("op_code" in line for line in lines) or (lines and "study_name" not in lines[0]):
            raise ValueError("it does not begin with a search, or a line is no operation of one")
    if torn:
        write_whole(path, whole + b"\n" if whole else b"")


class Search:
    """A resumable study in a folder: study.log is Optuna's journal, and each trial has a run's folder of its own."""

    def __init__(self, folder: Path, words: Sequence[str], space: Sequence[Dimension], seed: int, resume: bool) -> None:
        """`words` are the options of deep.train that all trials share. Raises `InputError` where the package optuna is
        missing, or the folder holds another search."""
        try:
            import optuna
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend
        except ImportError as error:
            raise InputError(f"deep.tune needs a package ({error}): `pip install optuna` installs it") from error
        self.optuna, self.folder, self.words, self.space, self.seed = optuna, folder, list(words), list(space), seed
        self._described = False
        journal, about = folder / "study.log", {"words": list(words), "space": [repr(each) for each in space]}
        if journal.exists() and not resume:
            raise InputError(
                f"--out {folder} already holds a search: give another folder, or --resume to go on with it"
            )
        if resume and not journal.exists():
            raise InputError(f"--resume: there is no search in {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        if journal.exists():
            mend_journal(journal)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with wrong_form(journal, "the journal of a search"):
            try:
                storage = JournalStorage(JournalFileBackend(str(journal)))
                self.study = optuna.create_study(
                    storage=storage, study_name="tune", direction="maximize", load_if_exists=True
                )
            except (AssertionError, optuna.exceptions.OptunaError) as error:
                raise ValueError(f"optuna cannot read it, {type(error).__name__}") from None
        if (before := self.study.user_attrs.get("about")) not in (None, about):
            raise InputError(f"--resume: the search in {folder} has other options or ranges: {json.dumps(before)}")
        with wrong_form(journal, "the journal of a search"):
            self._check_trials()
        self.study.set_user_attr("about", about)

    def _check_trials(self) -> None:
        """Raise a `ValueError`, or what reading an entry raises, where a complete trial is not as it was written."""
        state = self.optuna.trial.TrialState
        if any(trial.state == state.RUNNING for trial in self.study.trials[:-1]):
            raise ValueError("a trial before the last one has no end")  # a kill leaves the last one alone
        for trial in self.study.get_trials(states=(state.COMPLETE,)):
            chosen = {each.name: each.word(trial.params[each.name]) for each in self.space}
            attributes = trial.user_attrs
            if attributes["seal"] != seal(chosen, attributes["folder"], attributes["estimates"], trial.values):
                raise ValueError(f"trial {trial.number} has other values or results than it had")

    def run(self, count: int) -> None:
        """Go on until so many trials are complete; one that was killed is made again from its last checkpoint."""
        state = self.optuna.trial.TrialState
        for trial in self.study.get_trials(states=(state.RUNNING,)):
            self.study.tell(trial.number, state=state.FAIL)  # the sampler proposes the same values again
        while (done := len(self.study.get_trials(states=(state.COMPLETE,)))) < count:
            # A fresh sampler for each trial: a resumed search draws what an uninterrupted one does.
            self.study.sampler = self.optuna.samplers.TPESampler(seed=self.seed + done)
            self.study.optimize(self._objective, n_trials=1)
            last = self.study.get_trials(states=(state.COMPLETE,))[-1]
            print(f"trial {done + 1} of {count}: {last.value:.4f}  {describe(last.params)}", flush=True)

    def _objective(self, trial: Any) -> float:
        chosen = {each.name: each.suggest(trial) for each in self.space}
        trial.set_user_attr("folder", folder_of(chosen))
        experiment = self.trained(chosen)
        results = estimates(experiment)
        trial.set_user_attr("estimates", results)
        value = criterion(results, experiment.task)
        trial.set_user_attr("seal", seal(chosen, folder_of(chosen), results, [value]))
        return value

    def trained(self, chosen: Mapping[str, str]) -> Experiment:
        """Train with these values, or go on with a training that was stopped."""
        options = self.options(chosen)
        use_threads(options.threads)
        experiment = Experiment(settings_of(options))
        if not self._described:
            print(f"data: {experiment.data.path}", *remarks_on(experiment), sep="\n  ", flush=True)
            self._described = True
        if experiment.settings.dynamics.steps == 0:
            raise InputError("--dynamics.steps 0: the criterion is an estimate by learned dynamics, so they are needed")
        folder = RunFolder(self.folder / folder_of(chosen))
        resume = folder.config.exists()
        check_folder(folder.path, resume)
        phases = experiment.phases()
        shared = self.folder / "dynamics.json"
        if shared.exists():
            with wrong_form(shared, "the folder with a search's dynamics"):
                first = read_json(shared)["folder"]
                if not TRIAL.fullmatch(first):
                    raise ValueError(f"the folder {first!r}")
            if first != folder.path.name:
                phases = take_dynamics(experiment, self.folder / first)
        about = {"schema": SCHEMA, "identity": identity(experiment), "data": about_data(experiment)}
        folder.open({**about, **software_versions()}, resume)
        with folder:
            train(phases, experiment.tensors(), folder, experiment.device)
        simulator = experiment.problem.simulator
        if simulator is not None and int(simulator.episodes.sum()):
            raise InputError(
                "this training uses the simulator: a search by estimates from the data alone cannot use it"
            )
        if not shared.exists():
            write_whole(shared, json.dumps({"folder": folder.path.name}).encode())
        return experiment

    def options(self, chosen: Mapping[str, str]) -> Options[Any]:
        """The options of deep.train of a trial."""
        words = [word for name, value in chosen.items() for word in as_words(None, name, value)]
        return parse([*self.words, *words])

    def report(self) -> dict[str, Any]:
        """What the search has found, best first; nothing in it comes from a simulator."""
        complete = self.study.get_trials(states=(self.optuna.trial.TrialState.COMPLETE,))
        ranked = sorted(complete, key=lambda trial: -float(trial.value or 0.0))
        return {
            "criterion": "the estimate from the data alone: deep.tune.study",
            "words": self.words,
            "qualified_trials": sum(all(map(qualifies, trial.user_attrs["estimates"])) for trial in ranked),
            "trials": [
                {"value": trial.value, "settings": trial.params}
                | {name: trial.user_attrs[name] for name in ("folder", "estimates")}
                for trial in ranked
            ],
        }

    def verdict(self, entry: Mapping[str, Any], episodes: int) -> list[dict[str, Any]]:
        """What the simulator says of a trial, after the search: one result for each replica."""
        return evaluate(finished(self.folder / entry["folder"])[0], episodes)[1]


def estimates(experiment: Experiment) -> list[dict[str, Any]]:
    """The offline estimates of every replica, with its seed and limit."""
    found = offline_costs(experiment, experiment.policy())
    replicas = experiment.problem.replicas
    return [replica._asdict() | entry for replica, entry in zip(replicas, found, strict=True)]


def unqualified(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where no trial qualifies for all its replicas, that this is so, and for each limit the least estimated cost."""
    if any(all(map(qualifies, trial["estimates"])) for trial in trials):
        return []
    lines = [
        "NO TRIAL QUALIFIED: in none is the whole 95 % interval of the estimated cost within the limit, without a "
        "doubt, for every seed and limit."
    ]
    entries = [(result, trial) for trial in trials for result in trial["estimates"]]
    for limit in sorted({result["cost_limit"] for result, _ in entries}):
        own = [entry for entry in entries if entry[0]["cost_limit"] == limit]
        least, trial = min(own, key=lambda entry: entry[0]["offline_cost_estimate"])
        low, high = least["offline_cost_interval"]
        doubt = f", doubtful ({least['offline_doubt']})" if least["offline_doubt"] else ""
        lines.append(
            f"cost limit {limit:g}: {sum(qualifies(result) for result, _ in own)} of {len(own)} estimates qualify; the "
            f"least estimated cost is {least['offline_cost_estimate']:.3g} [{low:.3g}, {high:.3g}]{doubt}, of seed "
            f"{least['seed']} in {trial['folder']}"
        )
    return lines


def folder_of(chosen: Mapping[str, str]) -> str:
    """The name of a trial's folder: it follows from its values, so that a stopped trial is found again."""
    return f"trial-{fingerprint(dict(chosen))[:10]}"


def seal(chosen: Mapping[str, str], folder: str, results: Sequence[Mapping[str, Any]], values: Sequence[float]) -> str:
    """A digest of all that the journal holds of a complete trial: what has been edited shows."""
    return fingerprint({"settings": dict(chosen), "folder": folder, "estimates": list(results), "values": list(values)})


def describe(params: Mapping[str, Any]) -> str:
    """The values of a trial on one line."""
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in params.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())
