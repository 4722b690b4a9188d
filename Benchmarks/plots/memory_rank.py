"""memory_rank.py RESULTS.json FOLDER [svg|png]: draws what `imprint-bench memory-rank` has measured.

    memory-against-rank.svg, memory-against-context.svg, time-against-memory.svg
"""

import json
import os
import sys

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

MEBIBYTE = 2**20
TARGET = 16.5  # bytes an adapter parameter: f32 parameter, gradient, two moments, and half a byte
INK, GREY = "#222222", "#8a8a8a"
# Okabe and Ito's colours, which people with a colour vision deficiency tell apart.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"]

plt.rcParams.update(
    {
        "svg.hashsalt": "imprint",
        "font.size": 11,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11.5,
        "axes.titlelocation": "left",
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.8,
        "lines.linewidth": 2,
        "lines.markersize": 5,
        "lines.marker": "o",
    }
)


def variant(row):
    inner = "LoRA" if row["training"]["inner"] == "lora" else "full"
    return f"LoRA outer, {inner} inner step"


def peak(row):
    return row["peakAnonymous"] / MEBIBYTE


def log_axis(axis, values, text=lambda v: f"{v:,.0f}"):
    """A logarithmic axis with a label at each of `values`."""
    (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)("log", base=2)
    axis.set_major_locator(FixedLocator(values))
    axis.set_major_formatter(FuncFormatter(lambda v, _: text(v)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def powers(low, high):
    """Powers of two from below `low` to above `high`."""
    return [2.0**power for power in range(-8, 20) if low / 2 < 2.0**power < high * 2]


def label_ends(axis, curves, distance=9):
    """Writes each curve's name at its right end, moved apart where two are close."""
    figure = axis.figure
    figure.draw_without_rendering()  # The layout decides where the ends are.
    points = 72 / figure.dpi
    ends = sorted((axis.transData.transform((x, y))[1] * points, n, (x, y), c) for n, x, y, c in curves)
    places = [end[0] for end in ends]
    for _ in range(200):
        for i in range(len(places) - 1):
            lack = 14 - (places[i + 1] - places[i])
            if lack > 0.01:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
    for (height, name, end, colour), place in zip(ends, places):
        axis.annotate(
            name, end, xytext=(distance, place - height), textcoords="offset points", va="center",
            color=colour, annotation_clip=False,
        )


def panels(rows, height=4.6):
    """A figure with a panel for every variant."""
    names = sorted({variant(row) for row in rows}, key=lambda name: "full" in name)
    figure, axes = plt.subplots(
        1, len(names), figsize=(0.6 + 4.9 * len(names), height), sharey=True, squeeze=False,
        layout="constrained",
    )
    figure.get_layout_engine().set(wspace=0.06, w_pad=0.1)
    return figure, list(zip(names, axes[0]))


def save(figure, title, subtitle, path):
    figure.suptitle(title + "\n", x=0.01, ha="left", fontsize=14, fontweight="bold")
    figure.text(0.01, 0.915, subtitle, fontsize=10, color="#555555")
    nothing = {"Date": None, "Creator": None} if path.endswith("svg") else {"Software": None}
    figure.savefig(path, dpi=110, metadata=nothing)
    plt.close(figure)
    print(path)


def against(rows, path, key, by, axis_label, name, title, subtitle, parameters, dense=()):
    """RssAnon against training[key], a curve for each training[by]; `dense` has no adapter and no
    rank: a level for each of its training[by] beside the full inner step."""
    figure, axes = panels(rows)
    values = [peak(row) for row in [*rows, *dense]]
    ends = []
    for index, (which, axis) in enumerate(axes):
        chosen = [row for row in rows if variant(row) == which]
        groups = sorted({row["training"][by] for row in chosen})
        curves = []
        for group, colour in zip(groups, COLOURS):
            points = sorted(
                (row["training"][key], peak(row)) for row in chosen if row["training"][by] == group
            )
            axis.plot(*zip(*points), color=colour)
            curves.append((name(group), *points[-1], colour))
            for row in dense if which.endswith("full inner step") else ():
                if row["training"][by] == group:
                    axis.axhline(peak(row), color=colour, linestyle=":", linewidth=1.5, marker="")
        xs = sorted({row["training"][key] for row in chosen})
        axis.set_title(which)
        axis.set_xlabel(axis_label)
        log_axis(axis.xaxis, xs)
        axis.set_xlim(xs[0] / 1.15, xs[-1] * 1.15)
        log_axis(axis.yaxis, powers(min(values), max(values)))
        axis.set_ylim(min(values) / 1.2, max(values) * 1.2)
        if index == 0:
            axis.set_ylabel("RssAnon, peak (MiB)")
        if parameters:
            one = min(chosen, key=lambda row: row["training"]["rank"])
            each = one["adapterParameters"] / one["training"]["rank"] / MEBIBYTE
            base = min(peak(r) for r in chosen) - TARGET * each * xs[0]
            guide = [xs[0] * (xs[-1] / xs[0]) ** (i / 60) for i in range(61)]
            axis.plot(
                guide, [base + TARGET * each * x for x in guide], color=INK, linestyle=(0, (2, 2)),
                linewidth=1.3, marker="", zorder=3,
            )
            note = f"dashed: {TARGET} bytes\nan adapter parameter"
            if dense and which.endswith("full inner step"):
                note += "\ndotted: every parameter\ntrained, no adapter"
            axis.text(
                0.98, 0.03, note, ha="right",
                transform=axis.transAxes, color="#555555", fontsize=9.5,
            )
        ends.append((axis, curves))
    for axis, curves in ends:
        label_ends(axis, curves)
    save(figure, title, subtitle, path)


def time_against_memory(rows, path, subtitle):
    figure, axis = plt.subplots(figsize=(7.6, 4.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15)
    curves, seconds = [], []
    for which, colour in zip(sorted({variant(row) for row in rows}, key=lambda n: "full" in n), COLOURS):
        chosen = sorted(
            (row for row in rows if variant(row) == which), key=lambda row: row["training"]["budget"]
        )
        xs = [row["training"]["budget"] / MEBIBYTE for row in chosen]
        ys = [
            sorted(row["seconds"])[len(row["seconds"]) // 2]
            / (row["training"]["batch"] * row["training"]["contextsPerUpdate"])
            for row in chosen
        ]
        seconds += ys
        axis.plot(xs, ys, color=colour)
        curves.append((which.removeprefix("LoRA outer, "), xs[-1], ys[-1], colour))
        above = which.endswith("full inner step")
        for row, x, y in zip(chosen, xs, ys):
            axis.annotate(
                f"{row['keptBlocks']}/{row['together']}", (x, y), xytext=(0, 8 if above else -8),
                textcoords="offset points", ha="center", va="bottom" if above else "top",
                color=colour, fontsize=8.5,
            )
    budgets = sorted({row["training"]["budget"] / MEBIBYTE for row in rows})
    log_axis(axis.xaxis, budgets)
    axis.set_xlim(budgets[0] / 1.15, budgets[-1] * 1.15)
    axis.set_ylim(0, max(seconds) * 1.15)
    axis.set_xlabel("memory budget, --memory (MiB)")
    axis.set_ylabel("seconds a task")
    label_ends(axis, curves, distance=18)
    axis.text(
        0.02, 0.04, "at each point: blocks kept / tasks a sweep", transform=axis.transAxes, color="#555555", fontsize=9.5,
    )
    save(figure, "Time of a meta-step against the memory it may use", subtitle, path)


def main(source, folder, suffix="svg"):
    with open(source) as file:
        results = json.load(file)
    done = [r for r in results["measurements"] if "refusal" not in r and "failure" not in r]
    os.makedirs(folder, exist_ok=True)
    model = results["model"].removesuffix(".imprint")
    machine = f"{model}, {results['parameters'] / 1e6:,.0f} M parameters; {results['processor']}"
    lean = [r for r in done if r["training"].get("budget") is None]
    fewest = min((r["training"]["contextsPerUpdate"] for r in lean), default=1)
    lean = [r for r in lean if r["training"]["contextsPerUpdate"] == fewest]
    dense = [r for r in lean if r["training"]["outer"] == "full"]
    lean = [r for r in lean if r["training"]["outer"] == "lora"]
    each = f"; leanest plan, {fewest} context{'s' if fewest > 1 else ''} an update"
    if len({r["training"]["rank"] for r in lean}) > 1:
        against(
            lean, os.path.join(folder, "memory-against-rank." + suffix), "rank", "contextTokens",
            "rank of the adapter", lambda tokens: f"context {tokens}",
            "Memory of training against rank", machine + each, parameters=True, dense=dense,
        )
    if len({r["training"]["contextTokens"] for r in lean}) > 1:
        ranks = sorted({r["training"]["rank"] for r in lean})
        shown = [1, 8, 64, 256] if {1, 8, 64, 256} <= set(ranks) else ranks[:: -(-len(ranks) // 4)]
        against(
            [r for r in lean if r["training"]["rank"] in shown],
            os.path.join(folder, "memory-against-context." + suffix), "contextTokens", "rank",
            "tokens of the context", lambda rank: f"rank {rank}",
            "Memory of training against context length", machine + each, parameters=False,
        )
    sweep = [r for r in done if r["training"].get("budget") is not None]
    if sweep:
        one = sweep[0]["training"]
        time_against_memory(
            sweep, os.path.join(folder, "time-against-memory." + suffix),
            f"{machine}; rank {one['rank']}, context {one['contextTokens']}, batch {one['batch']}",
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
