"""Draws meta-step.svg: python3 Docs/pictures/meta_step.py > Docs/pictures/meta-step.svg"""

INK, SOFT, RULE = "#1b1f24", "#5c6570", "#c3c9d0"
UP, DOWN, TANGENT, DISK = "#2563c9", "#c2570c", "#8b46c1", "#12805c"
parts = []


def text(x, y, content, size=14, color=INK, anchor="middle", weight=400):
    parts.append(
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{content}</text>')


def box(x, y, width, height, fill="#fff", stroke=RULE, radius=6):
    parts.append(
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{fill}" '
        f'stroke="{stroke}"/>')


def arrow(x1, y1, x2, y2, color, dashes=""):
    name = color[1:]
    parts.append(
        f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{color}" stroke-width="2.5" fill="none" '
        f'stroke-dasharray="{dashes}" marker-end="url(#a{name})"/>')


def panel(x, number, title, below, sweeps, top, under):
    """A stack of blocks that one or two sweeps go through."""
    text(x + 110, 62, f"{number}  {title}", 15, weight=600)
    text(x + 110, 82, below, 12.5, SOFT)
    for index in range(4):
        box(x + 40, 130 + 42 * index, 140, 32, "#f6f7f9")
        text(x + 110, 151 + 42 * index, ["LM head", "block L", "⋮", "block 1"][index], 13, SOFT)
    for offset, direction, color, dashes in sweeps:
        low, high = 306, 124
        a, b = (low, high) if direction == "up" else (high, low)
        arrow(x + offset, a, x + offset, b, color, dashes)
    text(x + 110, 112, top, 14)
    text(x + 110, 330, under, 13.5)


panel(10, 1, "inner forward", "the context, under θ", [(24, "up", UP, "")],
      "L(c, θ)", "tokens of c")
panel(255, 2, "inner backward", "the same tokens, back", [(196, "down", DOWN, "")],
      "∂L = 1", "g = ∇L(c, θ)")
panel(500, 3, "outer forward, backward", "query and response, under θ′",
      [(24, "up", UP, ""), (196, "down", DOWN, "")], "L_out(q, a; θ′)", "tokens of q and a")
panel(745, 4, "tangent up, down", "the context again, moved along v",
      [(24, "up", TANGENT, "7 4"), (196, "down", TANGENT, "7 4")],
      "d/dε ∇L(c, θ + ε v) at ε = 0", "H v")

# What goes from one phase to the next.
for x, label in [(242, "block inputs"), (487, "X and Δ"), (732, "v")]:
    parts.append(f'<path d="M{x - 18} 210h30" stroke="{SOFT}" stroke-width="1.5" '
                 f'marker-end="url(#a{SOFT[1:]})"/>')
    text(x - 2, 200, label, 11.5, SOFT)

# The results under the phases.
box(262, 352, 206, 44, "#fdf3ea", DOWN)
text(365, 372, "θ′ = θ − η g", 15, weight=600)
text(365, 388, "low rank, never a matrix", 11.5, SOFT)
box(507, 352, 206, 44, "#fdf3ea", DOWN)
text(610, 372, "v = ∂L_out / ∂θ′", 15, weight=600)
text(610, 388, "adapter-shaped, or factors", 11.5, SOFT)
box(752, 352, 206, 44, "#f4ecfa", TANGENT)
text(855, 379, "v − η H v", 17, weight=600)
arrow(468, 374, 503, 374, SOFT)
arrow(713, 374, 748, 374, SOFT)
text(115, 370, "Adam moves θ", 15, weight=600)
text(115, 388, "(the adapter, or all of it)", 11.5, SOFT)
parts.append(f'<path d="M855 396V424H115V399" stroke="{TANGENT}" stroke-width="2" fill="none" '
             f'marker-end="url(#a{TANGENT[1:]})"/>')
text(485, 419, "summed over the tasks of the batch", 12, SOFT)

# The base weights.
box(10, 462, 955, 40, "#e9f5f0", DISK)
text(487, 487, "base weights: one LZ4 file, mapped read-only; every pass decodes it anew, tile by tile",
     14, DISK)
for x in (120, 365, 610, 855):
    arrow(x, 462, x, 444, DISK)

defs = "".join(
    f'<marker id="a{c[1:]}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="5" markerHeight="5" '
    f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{c}"/></marker>'
    for c in (UP, DOWN, TANGENT, DISK, SOFT))
print(f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 975 516" width="975" height="516"
  font-family="system-ui, 'Segoe UI', 'Liberation Sans', sans-serif" role="img"
  aria-label="One meta-step: inner forward, inner backward, outer forward and backward, tangent up and down">
<defs>{defs}</defs>
<rect width="975" height="516" rx="10" fill="#ffffff"/>
""" + f'<text x="14" y="28" font-size="17" font-weight="600" fill="{INK}">One meta-step</text>\n'
    + "\n".join(parts) + "\n</svg>")
