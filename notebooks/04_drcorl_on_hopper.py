# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 DRCORL on the hopper
#
# One method on one task, from the data to the film. A one-legged robot is paid for hopping forward; every step faster
# than .7402 costs 1, and an episode of 1000 steps may cost 20, 40 or 80. DRCORL (i) learns a diffusion model of the
# behaviour in the data, (ii) clones a fast policy, and (iii) adapts it: up the reward, down the cost, or up a common
# direction of both. A gate on the estimated cost decides which, and the model's *score* holds the policy to the data.
# Training uses no simulator; it only scores the result at the very end.
#
# The data were **collected by this project** (`deep/data/embedded/README.md`); they are not DSRL's, and no number here
# can be compared with a published one.

# %%
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from matplotlib.lines import Line2D
from presentation import BLACK, BLUE, GREEN, METHOD_COLOURS, ORANGE, PINK, REGION_COLOURS, new, say, show, table

import deep
from deep.benchmark.rows import TITLES, rows_in
from deep.core.phase import block_start
from deep.core.randomness import draw_block
from deep.evaluate.scores import FIRST_EVALUATION_SEED
from deep.methods.drcorl.behaviour_model import BehaviourConfig
from deep.methods.drcorl.config import DRCORLConfig
from deep.methods.drcorl.drcorl import DRCORL
from deep.runs.experiment import Experiment, Settings
from deep.tasks import find_task, make
from theory.support.tables import read_table

RESULTS = Path(deep.__file__ or "").parents[1] / "notebooks" / "results" / "paired"
LIMITS = {20.0: BLUE, 40.0: ORANGE, 80.0: GREEN}
SEED, LIMIT = 0, 20.0  # the replica that is shown in detail

task = find_task("HopperVel")
brief = DRCORLConfig(behaviour=BehaviourConfig(steps=1500))
experiment = Experiment(Settings(method=brief, dataset="embedded", device="cpu"))
data, method = experiment.data, experiment.method
assert isinstance(method, DRCORL)

scores = [row for row in rows_in(RESULTS / "results.csv") if row["data"] == "embedded"]
default = [row for row in scores if not row["variant"]]
own = [row for row in default if row["algorithm"] == "drcorl"]
seeds = ", ".join(f"{seed:g}" for seed in sorted({row["seed"] for row in own}))
say(
    "*Scores are read from `results.csv`, the course of training from `hopper/`, both in `notebooks/results/paired`, "
    f"whose README has commands and machine (seeds {seeds}, {own[0]['episodes']:g} episodes per policy, all stages "
    "trained anew for each seed).*"
)

# %% [markdown]
# ## The data
#
# Each dot is an episode of one of many policies that PPO went through. DRCORL starts from a clone of the *best
# consistent* trajectories: the one with the largest return among those that satisfy the cost limit, and the nine whose
# actions are most like it. Ringed: those for the limit of 20.

# %%
figure, panels = new(10.6, 4.0, 1, 2)
axes, zoom = panels
chosen = brief.clone.choose(data, LIMIT)
for ax in panels:
    ax.plot(data.trajectory_costs, data.trajectory_returns, ".", color="#AAAAAA", markersize=4, label="an episode")
    ax.plot(
        data.trajectory_costs[chosen],
        data.trajectory_returns[chosen],
        "o",
        markerfacecolor="none",
        markeredgecolor=PINK,
        markersize=7,
        label="cloned for the limit 20",
    )
    for limit, colour in LIMITS.items():
        ax.axvline(limit, color=colour, linewidth=1.2, label=f"limit {limit:g}")
    ax.set(xlabel="cost of an episode (steps that were too fast)")
axes.set(ylabel="return of an episode", title="all episodes")
zoom.set(xlim=(-3, 100), ylim=(1000, 1850), title="those that matter")
axes.legend(loc="lower right")
show(figure, "The data's episodes in the plane of cost and return, with the limits and the cloned trajectories.")

lines = []
for limit in LIMITS:
    eligible = data.trajectory_costs <= limit
    best = data.trajectory_returns[eligible].max()
    lines.append(
        [f"{limit:g}", f"{eligible.sum()} of {len(eligible)}", f"{best:.0f}", f"{task.normalised_reward(best):.3f}"]
    )
table(["limit", "episodes that keep it", "the best one's return", "on DSRL's scale R"], lines)
say(
    "There is little to win above the best episode: the hopper is paid for the very speed that costs, and the best "
    "episodes run just below the threshold."
)

# %% [markdown]
# ## What the diffusion model knows
#
# The model learns $\mu(a\mid s)$ by predicting the noise $\epsilon$ in noisy actions $a_t=\alpha_t a+\sigma_t\epsilon$;
# then $-\hat\epsilon/\sigma_t$ is the score, the direction in which actions become more likely. Here a short training,
# made now (1500 steps instead of 12 000), and its score at one state of the data (where the
# actions nearby differ most), over two of the three joint torques, the third as in the data. Dots: actions that the
# data have in the 300 states nearest to this one.

# %%
phase = method.behaviour.phase()
first_losses, last_losses = [], []
for block in range(phase.steps // 50):
    draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, experiment.device)
    for k in range(50):
        loss = phase.update(torch.tensor(float(50 * block + k)), {n: d[k] for n, d in draws.items()})
        (first_losses if block < 2 else last_losses).append(float(loss["denoising_loss"]))
say(
    f"Mean squared error of the predicted noise: {np.mean(first_losses):.2f} in the first 100 steps, "
    f"{np.mean(last_losses[-100:]):.2f} in the last (1 for a model that has learned nothing)."
)

# %%
NOISE_LEVEL, NEAREST = 0.25, 300
replay = experiment.replay


def nearest(row: int) -> torch.Tensor:
    """The rows of the data whose states are nearest to this row's."""
    return (replay.observations - replay.observations[row]).square().sum(1).topk(NEAREST, largest=False).indices


# In the stride of the best trajectory, the state at which the data's policies disagree most.
stride = range(int(data.starts[chosen[0]]) + 300, int(data.starts[chosen[0]]) + 400, 5)
at = max(stride, key=lambda row: float(data.actions[nearest(row).numpy(), :2].std(0).sum()))
near = nearest(at)
grid = torch.linspace(-1, 1, 17)
first, second = torch.meshgrid(grid, grid, indexing="ij")
third = torch.full_like(first, float(data.actions[at, 2]))
actions = torch.stack([first, second, third], -1).reshape(1, -1, 3)
states = replay.observations[at].expand(1, actions.shape[1], -1)
t = torch.full(actions.shape[:2], NOISE_LEVEL)
alpha, sigma = method.behaviour.schedule.alpha(t), method.behaviour.schedule.sigma(t)
with torch.no_grad():
    predicted = method.behaviour.at(states)(alpha.unsqueeze(-1) * actions, t)
score = (-predicted / sigma.unsqueeze(-1))[0, :, :2].reshape(17, 17, 2).numpy()
size = np.linalg.norm(score, axis=-1)
figure, axes = new(5.8, 4.8)
picture = axes.quiver(
    first,
    second,
    *np.moveaxis(score / size[..., None], -1, 0),
    size,
    cmap="viridis_r",
    pivot="mid",
    scale=26,
    width=0.004,
)
figure.colorbar(picture, ax=axes, label="size of the score")
axes.plot(*data.actions[near.numpy(), :2].T, ".", color=ORANGE, markersize=4, label="actions in the data nearby")
axes.plot(*data.actions[at, :2], "*", color=BLACK, markersize=13, label="the data's action here")
axes.set(xlabel="torque at the thigh", ylabel="torque at the leg", title=f"score at noise level t = {NOISE_LEVEL}")
figure.legend(loc="outside lower center", ncols=2)
show(figure, "Arrows of the behaviour model's score over two torques, pointing to where the data's actions lie.")
say(
    "The arrows run to where the data's actions are, from everywhere: this is what holds the policy to the data. Where "
    "there are several such places, reverse KL picks one; least squares would average them."
)

# %% [markdown]
# ## What is trained before adaptation
#
# The run's own curves, a line per seed (per seed and limit for the clone and its cost critics, which depend on what is
# cloned). Critics regress on the data's own discounted sums for 1000 steps and bootstrap from then on, the cost critics
# pessimistically.

# %%
recorded = [json.loads(line) for line in (RESULTS / "hopper" / "metrics.jsonl").read_text().splitlines()]
CURVES = {
    "dynamics": ("change_error", "error of the next state"),
    "behaviour": ("denoising_loss", "error of the noise"),
    "cloning": ("squared_distance_to_data", "squared distance"),
    "reward critic": ("reward_td_loss", "TD loss"),
    "cost critics": ("clone_cost_critic_value", "mean $Q_c$ of the clone"),
}
figure, panels = new(10.6, 2.5, 1, len(CURVES))
for axes, (phase_name, (key, label)) in zip(panels, CURVES.items(), strict=True):
    here = [record for record in recorded if record["phase"] == phase_name]
    axes.plot([record["step"] for record in here], [record[key] for record in here], color=BLUE, linewidth=0.9)
    axes.set(title=f"{phase_name}:\n{label}", xlabel="step", ylim=(0, None))
show(figure, "Losses of the learned dynamics, the behaviour model, the clones and the critics over their steps.")

# %% [markdown]
# ## Adaptation, step by step
#
# Every 50 steps the policy is evaluated in learned dynamics. Short rollouts from the same states give the difference in
# cost between the policy and the clone. The estimate is the mean cost of the cloned trajectories plus this difference;
# the gate adds one standard deviation. There are two ensembles. The *training* ensemble sets the gate's cost. The
# *held-out* ensemble plays no part in the gradient and helps to select the policy that is kept. Top row: the branch
# that Algorithm 3 took, as shares over seeds and steps.

# %%
metrics = [record for record in recorded if record["phase"] == "adaptation"]
place = json.loads((RESULTS / "hopper" / "replicas.json").read_text())
steps = [record["step"] for record in metrics]
evaluated = [block_start(step) for step in steps]  # the gate's costs belong to the policy at the start of a block
BRANCHES = {
    "safe": ("reward alone", REGION_COLOURS["safe"]),
    "align": ("sum of both", REGION_COLOURS["aligned"]),
    "conflict": ("both, projected", REGION_COLOURS["conflict"]),
    "unsafe": ("cost alone", REGION_COLOURS["unsafe"]),
}
names, colours = zip(*BRANCHES.values(), strict=True)
figure, panels = new(10.6, 6.4, 3, len(LIMITS), sharex=True)
for column, limit in zip(panels.T, LIMITS, strict=True):
    mine = [i for i, replica in enumerate(place) if replica["cost_limit"] == limit]
    shares = np.array(
        [[np.mean([record[f"share_{name}"][i] for i in mine]) for name in BRANCHES] for record in metrics]
    )
    column[0].stackplot(steps, shares.T, colors=colours, labels=[n for n, _ in BRANCHES.values()])
    column[0].set(title=f"limit {limit:g}", ylim=(0, 1))
    for i in mine:
        column[1].plot(evaluated, [record["gate"][i] for record in metrics], color=BLUE, linewidth=1)
        column[1].plot(evaluated, [record["predicted_cost"][i] for record in metrics], "--", color=ORANGE, linewidth=1)
        column[2].plot(evaluated, [record["predicted_reward"][i] for record in metrics], color=GREEN, linewidth=1)
        kept = place[i]["chosen_step"]
        column[1].axvline(kept, color=PINK, linewidth=0.8)
        column[2].axvline(kept, color=PINK, linewidth=0.8)
    column[1].axhline(limit, color=BLACK, linewidth=1)
    column[1].set_yscale("symlog", linthresh=20)
    column[1].set_yticks([0, 10, 20, 50, 100, 200], ["0", "10", "20", "50", "100", "200"])
    column[2].set(xlabel="step of adaptation")
panels[0, 0].set_ylabel("share of the branch")
panels[1, 0].set_ylabel("estimated cost\nof an episode")
panels[2, 0].set_ylabel("estimated return\nof an episode")
styles: list[tuple[str, Any]] = [(BLUE, "-"), (ORANGE, "--"), (PINK, "-"), (BLACK, "-")]
lines = [Line2D([], [], color=colour, linestyle=style) for colour, style in styles]
figure.legend(
    [*panels[0, 0].collections, *lines],
    [
        *names,
        "the gate's cost (training ensemble)",
        "cost by the held-out ensemble",
        "the policy that is kept",
        "the limit",
    ],
    loc="outside lower center",
    ncols=4,
)
show(figure, "The branch of the rule, the gate's cost and the estimated return over the steps of adaptation, by limit.")

overall = {
    label: np.mean([np.mean(record[f"share_{name}"]) for record in metrics]) for name, (label, _) in BRANCHES.items()
}
kept = sum(replica["chosen_step"] == 0 for replica in place)
say(
    "Over all replicas and steps: "
    + ", ".join(f"{label} {share:.0%}" for label, share in overall.items())
    + f". The clone is kept in {kept} of {len(place)} replicas: an adapted policy replaces it only where both halves "
    "estimate a larger return and a cost within the limit."
)

# %% [markdown]
# ## Is the estimate right?
#
# Each dot is one policy of the off-policy evaluation study of this run (`notebooks/results/paired/study/hopper`). It
# has 360 policies: 240 that were evaluated during adaptation, the others around clones and last policies. True costs
# are means of 10 simulator episodes. Left: the preprint's kind of gate, an upper confidence bound (mean plus two
# deviations) of cost critics, which fitted-Q evaluation at $\gamma=.99$ fitted to each policy. Middle and right: the
# held-out ensemble of the learned dynamics, mean plus one deviation, by rollouts of whole episodes (the earlier
# default) and by paired rollouts. All are offline estimates, so all can be wrong. Line: bound = truth. Shaded: what
# would pass the gate at the limit 20. Orange: that limit.

# %%
studied = read_table(RESULTS / "study" / "hopper" / "results.csv")


def column_of(name: str, rows: Sequence[dict[str, Any]] = studied) -> np.ndarray:
    return np.array([row[name] for row in rows])


true = column_of("true cost")
figure, panels = new(10.6, 4.0, 1, 3, sharex=True, sharey=True)
ESTIMATES = {
    "fitted_q": (2, "critics of fitted-Q: mean + 2 deviations"),
    "held_out": (1, "whole episodes: mean + 1 deviation"),
    "paired, held_out": (1, "paired rollouts: mean + 1 deviation"),
}
verdict = []
for axes, (name, (k, title)) in zip(panels, ESTIMATES.items(), strict=True):
    bound = column_of(f"{name}: cost") + k * column_of(f"{name}: cost_std")
    axes.plot(true, bound, ".", color=BLUE, markersize=5)
    axes.plot([0, 2000], [0, 2000], color=BLACK, linewidth=1)
    axes.axhspan(-1, 20, color="#F5E9EE", zorder=0)
    axes.axvline(20, color=ORANGE, linewidth=1)
    axes.set_xscale("symlog", linthresh=20)
    axes.set_yscale("symlog", linthresh=20)
    axes.set(xlabel="true cost of an episode", title=title, xlim=(-1, 600), ylim=(-1, 2000))
    below = (bound < true).mean()
    passed, unsafe = ((bound <= 20) & (true > 20)).sum(), (true > 20).sum()
    refused, safe = ((bound > 20) & (true <= 20)).sum(), (true <= 20).sum()
    verdict.append([title, f"{below:.0%}", f"{passed} of {unsafe}", f"{refused} of {safe}"])
panels[0].set_ylabel("upper bound on its cost, from the data")
show(figure, "Upper bounds of three estimators against the true cost of the study's policies.")
table(["bound", "below the truth", "policies above 20 that pass at 20", "policies within 20 that do not"], verdict)
say(
    "Fitted-Q and whole episodes are alarms that are nearly always on: hardly any policy that violates the limit "
    "passes, and hardly any that satisfies it. With paired rollouts more policies of either kind pass; the selection "
    "needs both ensembles. Errors for the policies that were kept, here and in the run with the earlier default:"
)
forms = {"paired rollouts": own, "whole episodes": [r for r in scores if r["algorithm"] == "drcorl" and r["variant"]]}
lines = []
for form, mine in forms.items():
    errors = np.array([row["offline_cost"] - row["cost"] for row in mine])
    inside = sum(row["offline_cost_low"] <= row["cost"] <= row["offline_cost_high"] for row in mine)
    lines.append([form, f"{np.median(np.abs(errors)):.0f}", f"{errors.mean():+.0f}", f"{inside} of {len(mine)}"])
table(["estimator", "error of the estimated cost (median size)", "mean error", "true cost in the 95 % interval"], lines)

# %% [markdown]
# The change of cost and return from the clone to each policy that was evaluated during adaptation: the paired estimate
# of the held-out ensemble against the simulator. Return: with the change of episode length that rollouts of whole
# episodes predict (orange), as the gate has it, and without it (blue).

# %%
during = [row for row in studied if row["kind"] == "evaluated"]
first = {(row["seed"], row["limit"]): row for row in during if row["degree"] == 0}
clones = [first[row["seed"], row["limit"]] for row in during]


def change(name: str) -> np.ndarray:
    return column_of(name, during) - column_of(name, clones)


half = "paired, held_out"
lasting = column_of(f"{half}: length", during) / column_of(f"{half}: length", clones)
by_step = column_of(f"{half}: reward", during) / lasting - column_of(f"{half}: reward", clones)
figure, (left, right) = new(10.6, 3.8, 1, 2)
left.plot(change("true cost"), change(f"{half}: cost"), ".", color=BLUE, markersize=5)
left.set(xlabel="true change of cost", ylabel="estimated change", title="cost")
right.plot(change("true return"), change(f"{half}: reward"), ".", color=ORANGE, markersize=5)
right.plot(change("true return"), by_step, ".", color=BLUE, markersize=5)
right.set(xlabel="true change of return", title="return", ylim=(-80, 45))
for axes, ends in ((left, (-20, 130)), (right, (-5, 40))):
    axes.plot(ends, ends, color=BLACK, linewidth=1)
    axes.axhline(0, color=BLACK, linewidth=0.5)
show(figure, "Changes of cost and return since the clone, one dot per policy; some of the orange ones lie below.")
moved = column_of("degree", during) > 0
changes = {
    "cost, in the simulator": change("true cost"),
    "cost, estimated": change(f"{half}: cost"),
    "return, in the simulator": change("true return"),
    "return, estimated": change(f"{half}: reward"),
    "return, estimated without the length": by_step,
}
table(
    ["change since the clone", "mean", "share of policies in which it rises"],
    [[name, f"{found[moved].mean():+.0f}", f"{(found[moved] > 0).mean():.0%}"] for name, found in changes.items()],
)
say(
    f"In the simulator the shortest of these {len(during)} policies' episodes last "
    f"{column_of('true length', during).min():.0f} steps on average: the models predict falls that do not happen, and "
    "this removes the gain in return that short rollouts show. It keeps the selected policies near the clone, where "
    "the estimated rise of the cost is accurate; further away it is too small. Without the length the return rises "
    "more, and one of the twelve kept policies violates its limit (`notebooks/results/paired`)."
)

# %% [markdown]
# ## What the hopper does
#
# One episode of the policy for the limit 20 (seed 0), played now from the exported file
# (`python -m deep.export`), which needs nothing of this project. The bodies are the simulator's own capsules.

# %%
CAPSULE = 3  # MuJoCo's number of that shape, mjGEOM_CAPSULE
policy = onnxruntime.InferenceSession(RESULTS / "hopper" / "policy.onnx")
env = make(task)
observation, _ = env.reset(seed=FIRST_EVALUATION_SEED)
simulator: Any = env.unwrapped
frames, total_reward, total_cost, speeds, done = [], 0.0, 0.0, [], False
while not done:
    model, state = simulator.model, simulator.data
    if len(speeds) % 4 == 0:
        capsules = []
        for g in range(model.ngeom):
            if model.geom_type[g] == CAPSULE:
                axis = state.geom_xmat[g].reshape(3, 3)[:, 2] * model.geom_size[g, 1]
                ends = np.stack([state.geom_xpos[g] - axis, state.geom_xpos[g] + axis])[:, [0, 2]]
                capsules.append((ends, float(model.geom_size[g, 0])))
        frames.append(capsules)
    (action,) = policy.run(None, {"observation": observation[None].astype("float32")})
    observation, reward, terminated, truncated, info = env.step(np.asarray(action)[0])
    total_reward, total_cost = total_reward + float(reward), total_cost + info["cost"]
    speeds.append(info["x_velocity"])
    done = terminated or truncated

FIRST, COUNT = 100, 12  # of the frames kept, so that the hopper is in full stride
figure, axes = new(10.6, 2.3)
for k, capsules in enumerate(frames[FIRST : FIRST + COUNT * 4 : 4]):
    shift = 0.75 * k - np.mean([ends[:, 0].mean() for ends, _ in capsules])
    for (ends, radius), colour in zip(capsules, (BLUE, ORANGE, GREEN, PINK), strict=True):
        axes.plot(ends[:, 0] + shift, ends[:, 1], color=colour, linewidth=radius * 110, solid_capstyle="round")
axes.axhline(0, color=BLACK, linewidth=1)
axes.set_aspect("equal")
axes.grid(visible=False)
axes.set(xticks=[], ylabel="height in m", title="every 16th step, drawn side by side")
show(figure, "A film strip of the hopper in mid-stride, one figure after the other.", keep="04_drcorl_on_hopper")

figure, axes = new(10.6, 2.6)
axes.plot(speeds, color=BLUE, linewidth=0.8)
axes.axhline(task.velocity_threshold, color=ORANGE, linewidth=1.2)
axes.set(xlabel="step", ylabel="speed in m/s", title="the speed, and the threshold above which a step costs 1")
show(figure, "The hopper's speed over an episode beside the threshold.")
say(
    f"This episode: {len(speeds)} steps, return {total_reward:.0f} (R = {task.normalised_reward(total_reward):.2f}), "
    f"cost {total_cost:.0f}."
)

# %% [markdown]
# ## Reward and cost against the limit
#
# All seeds, with the clone of the same trajectories (BC-Best) and the clones of everything (BC-All) and of all
# episodes within the limit (BC-Safe) beside it.

# %%
METHODS = {name: (TITLES[name], METHOD_COLOURS[TITLES[name]]) for name in ("bc_all", "bc_safe", "bc_best", "drcorl")}
limits = sorted({row["cost_limit"] for row in own})
figure, panels = new(10.6, 3.8, 1, 2)
for axes, (key, unit) in zip(panels, (("R", "return R, on DSRL's scale"), ("cost", "cost of an episode")), strict=True):
    for shift, (algorithm, (label, colour)) in zip((-0.18, -0.06, 0.06, 0.18), METHODS.items(), strict=True):
        for x, limit in enumerate(limits):
            values = [r[key] for r in default if (r["algorithm"], r["cost_limit"]) == (algorithm, limit)]
            axes.plot([x + shift] * len(values), values, "o", color=colour, markersize=5, label=None if x else label)
    axes.set_xticks(range(len(limits)), [f"{limit:g}" for limit in limits])
    axes.set(xlabel="cost limit of an episode", ylabel=unit)
for x, limit in enumerate(limits):
    panels[1].plot([x - 0.35, x + 0.35], [limit, limit], color=BLACK, linewidth=1.5, label=None if x else "the limit")
panels[1].set_yscale("symlog", linthresh=20)
figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=5)
show(figure, "Return and cost of every seed's policy at each limit, for DRCORL and three kinds of cloning.")

lines = []
for algorithm, (label, _) in METHODS.items():
    mine = [row for row in default if row["algorithm"] == algorithm]
    safe = sum(row["safe"] for row in mine)
    lines.append(
        [
            label,
            f"{safe} of {len(mine)}",
            *(
                f"{np.mean([r['R'] for r in mine if r['cost_limit'] == limit]):.2f}, "
                f"{np.mean([r['cost'] for r in mine if r['cost_limit'] == limit]):.0f}"
                for limit in limits
            ),
        ]
    )
table(["method", "within the limit", *(f"limit {limit:g}: R, cost" for limit in limits)], lines)

# %% [markdown]
# ## What this shows, and what it does not
#
# - On these data DRCORL satisfies every cost limit, and its policies earn on average a little more than a clone of the
#   same trajectories (BC-Best). There is little more to earn, because these trajectories run at the speed limit. In
#   five of twelve replicas the clone is kept.
# - The estimated costs are too high here: the cloned trajectories explore and cost more than their clones. So the limit
#   is not used up.
# - Cloning everything (BC-All) falls, cloning what is safe (BC-Safe) is slower: choosing consistent trajectories is
#   what carries the result.
# - One task, one data set collected by one algorithm, three seeds; length and number of the short rollouts and the
#   step size were chosen on it. `06_table_and_speed` has two more data sets. It says nothing about data whose best
#   trajectories are few or contradict each other.
