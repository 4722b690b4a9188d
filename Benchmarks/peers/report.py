"""Tables of what run.py has measured."""

import json
import os

KEY = ("inner", "inner_parameters", "rank", "context", "query", "batch")
WORDS = {
    "imprint": "Imprint, everything kept",
    "imprint-lean": "Imprint, leanest",
    "torch-graph": "PyTorch, create_graph",
    "torch-func": "PyTorch, torch.func",
    "jax-user": "JAX, grad through the step",
    "jax-unrolled": "JAX, the same, blocks unrolled",
    "jax-lean": "JAX, forward over reverse, remat",
    "jax-factors": "JAX, the same, gradients as factors",
}


def processor():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def table(case):
    """Markdown of one case."""
    others = [row for row in case["peers"] if not row["name"].startswith("imprint")]
    fastest = min(others, key=lambda row: row["median"], default=None)
    leanest = min(others, key=lambda row: row["resident"], default=None)
    inner = "LoRA inner" if case["inner"] == "lora" else f"full inner ({case['inner_parameters']})"
    text = [
        f"### {inner}, rank {case['rank']}, context {case['context']}, query + response "
        f"{case['query']}, batch {case['batch']}",
        "",
        f"{case['date']}, {case['cores']} cores of {case['processor']}, "
        f"{len(case['peers'][0]['seconds'])} rounds, load average before {case['load']:.2f}; "
        + ", ".join(sorted({row["version"] for row in others})) + ".",
        "",
        "| | median s | range | RssAnon peak | VmHWM | VmHWM in steps | relative L2 to Imprint |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in case["peers"]:
        memory = [f"{row[key] / 2**20:,.0f} MiB" for key in ("anonymous", "resident", "resident_steps")]
        text.append(
            f"| {WORDS[row['name']]} | {row['median']:.2f} "
            f"| {min(row['seconds']):.2f} – {max(row['seconds']):.2f} | {' | '.join(memory)} "
            f"| {row['difference']:.1e} |"
        )
    if others:
        text.append("")
    for row in case["peers"] if others else []:
        if row["name"].startswith("imprint"):
            text.append(
                f"* {WORDS[row['name']]}: {row['median'] / fastest['median']:.2f} × the time of the "
                f"fastest peer ({WORDS[fastest['name']]}), {row['resident'] / leanest['resident']:.2f} × "
                f"the VmHWM of the leanest ({WORDS[leanest['name']]}), "
                f"{row['anonymous'] / min(o['anonymous'] for o in others):.2f} × the least RssAnon"
            )
    text += [f"* {ending} (-9: most often for want of memory), left out" for ending in case.get("ended", [])]
    return "\n".join(text) + "\n"


def add(case, folder):
    """Puts the case into peers.json in the place of an older one, writes peers.md, returns the table."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "peers.json")
    cases = []
    if os.path.exists(path):
        with open(path) as file:
            cases = json.load(file)
    cases = [old for old in cases if any(old[key] != case[key] for key in KEY)] + [case]
    for name, text in (
        ("peers.json", json.dumps(cases, indent=1) + "\n"),
        ("peers.md", "\n".join(table(case) for case in cases)),
    ):
        with open(os.path.join(folder, name + ".partial"), "w") as file:
            file.write(text)
        os.replace(os.path.join(folder, name + ".partial"), os.path.join(folder, name))
    return table(case)
