"""Draws results.svg from the table 'All runs' of results.md.

python3 Docs/pictures/results.py > Docs/pictures/results.svg
"""

import html
import pathlib
import re

INK, SOFT, RULE, BAND = "#1b1f24", "#5c6570", "#c3c9d0", "#e8ebef"
TRAINED, SAID, PAPER = "#2563c9", "#c2570c", "#8b46c1"
LEFT, WIDTH, STEP, TOP = 280, 520, 34, 108
parts = []


def text(x, y, content, size=13, color=INK, anchor="start", weight=400):
    parts.append(
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{html.escape(content)}</text>')


def line(x1, y1, x2, y2, color, width=1.0):
    parts.append(
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}" stroke-width="{width}"/>')


def dot(x, y, radius, fill, stroke="none"):
    parts.append(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{stroke}" '
        'stroke-width="1.6"/>')


def cross(x, y, color):
    line(x - 4, y - 4, x + 4, y + 4, color, 2)
    line(x - 4, y + 4, x + 4, y - 4, color, 2)


def diamond(x, y, color):
    parts.append(
        f'<path d="M{x:.1f} {y - 7:.1f}l6 7l-6 7l-6 -7z" fill="none" stroke="{color}" '
        'stroke-width="1.8"/>')


def numbers(cell):
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", cell.replace(",", ""))]


def rows():
    """The rows of the table: what they are of, and their numbers."""
    page = pathlib.Path(__file__).parent.parent.joinpath("results.md").read_text()
    table = page.split("## All runs")[1].split("\n\n")[1].splitlines()[2:]
    data = ""
    for row in table:
        cells = [re.sub(r"[*`]", "", cell).strip() for cell in row.strip("|").split("|")]
        data = cells[0] or data
        yield data, cells


def label(cell):
    """What was trained: the inner step first."""
    step, tasks = cell.split(", ", 1)
    name = {"LoRA": "LoRA inner", "full": "full inner"}.get(step, step)
    tasks = re.sub(r"^([\d,]+)(?=$|, )", r"\1 tasks", re.sub(r" \(.*\)", " tasks", tasks))
    return f"{name}, {tasks}".replace(", open", ", open end").replace("three seeds", "3 seeds")


def place(share):
    return LEFT + WIDTH * share / 100


def legend(x, y):
    dot(x, y - 4, 4.5, "#fff", SOFT)
    text(x + 12, y, "FT before training")
    dot(x + 150, y - 4, 5.5, TRAINED)
    text(x + 162, y, "FT after training, ± standard error")
    line(x + 398, y - 12, x + 398, y + 4, INK, 3)
    text(x + 408, y, "prompt before training")
    cross(x + 572, y - 4, SAID)
    text(x + 584, y, "greedily, where less")
    diamond(x + 738, y - 4, PAPER)
    text(x + 750, y, "the paper's share")


found = list(rows())
text(24, 34, "One gradient step on a text, and the text in the prompt", 20, weight=600)
text(
    24, 56, "Right responses of tests (SQuAD, WikiText: right tokens) in per cent. Teacher: taught by the "
    "prompted model. Open end: no line feed.", 13, SOFT)
text(place(100) + 22, TOP + 19, "recovered", 13, SOFT)
legend(30, 84)
y, before = TOP, ""
for data, cells in found:
    if data != before:
        y += 14
        text(24, y + 5, data, 14, weight=600)
        y += 22
        before = data
    start, trained, prompt = numbers(cells[4])[0], numbers(cells[5]), numbers(cells[7])[0]
    share = numbers(cells[9])
    text(36, y + 5, label(cells[1]), 13)
    line(LEFT, y, place(100), y, RULE)
    line(place(start), y, place(prompt), y, BAND, 11)
    line(place(prompt), y - 9, place(prompt), y + 9, INK, 3)
    dot(place(start), y, 4.5, "#fff", SOFT)
    paper = numbers(cells[10])
    if paper:
        diamond(place(start + paper[0] * (prompt - start) / 100), y, PAPER)
    said = numbers(cells[6])
    if said and said[0] < trained[0] - 1:
        cross(place(said[0]), y, SAID)
    error = trained[1] if len(trained) > 1 else 0
    line(place(trained[0] - error), y, place(trained[0] + error), y, TRAINED, 2.5)
    dot(place(trained[0]), y, 5.5, TRAINED)
    text(place(100) + 22, y + 5, f"{share[0]:.1f} ± {share[1]:.1f} %", 14, weight=600)
    y += STEP
for tick in range(0, 101, 20):
    line(place(tick), y - 4, place(tick), y + 2, SOFT)
    text(place(tick), y + 18, f"{tick} %", 12, SOFT, "middle")
height = y + 34
print(
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {height:.0f}" width="960" '
    f'height="{height:.0f}" font-family="system-ui, sans-serif">'
    f'<rect width="960" height="{height:.0f}" fill="#fff"/>' + "\n".join(parts) + "</svg>")
