"""Draws the cost of a row over the size of the table, as SVG.

    python3 Scripts/plot.py results.json scaling.svg
"""

import json
import math
import sys

COLORS = {"embeddingstore": "#1f6feb", "limit": "#8b949e"}
DASHES = {"w1": "", "w3": "6 4"}
TITLES = {"w1": "lookup of a cached row", "w3": "training a row"}
WIDTH, HEIGHT = 760, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 70, 50, 90


def series(lines):
    """By engine and workload: rows of the table and nanoseconds a row."""
    points = {}
    for line in lines:
        if "rows_per_s" not in line:
            continue
        nanoseconds = 1e9 / line.get("rows_per_s_without_commits", line["rows_per_s"])
        points.setdefault((line["engine"], line["workload"]), []).append(
            (line["rows"], nanoseconds))
    return {key: sorted(values) for key, values in points.items()}


def short(rows):
    """10k, 5M."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if rows >= unit:
            return f"{rows / unit:g}{letter}"
    return str(rows)


def draw(lines, path):
    curves = series(lines)
    if not curves:
        return
    values = [point for curve in curves.values() for point in curve]
    x0, x1 = (math.log10(f(p[0] for p in values)) for f in (min, max))
    steps = [m * 10**e for e in range(0, 7) for m in (1, 2, 5)]
    bottom = max([s for s in steps if s <= min(p[1] for p in values)], default=steps[0])
    top = min([s for s in steps if s >= max(p[1] for p in values)], default=steps[-1])
    x1 = max(x1, x0 + 1)
    y0, y1 = math.log10(bottom), math.log10(max(top, 2 * bottom))

    def at(rows, nanoseconds):
        x = LEFT + (math.log10(rows) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (math.log10(nanoseconds) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    def text(x, y, content, anchor="middle", size=12):
        return (
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="#24292f">{content}</text>')

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(WIDTH / 2, 24, "Nanoseconds a row, by the size of the table (commits apart)", size=15),
    ]
    for step in steps:
        if bottom <= step <= max(top, 2 * bottom):
            _, y = at(10**x0, step)
            parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
            parts.append(text(LEFT - 8, y + 4, f"{step:,}", "end"))
    parts.append(text(LEFT - 8, TOP - 14, "ns", "end"))
    for rows in sorted({p[0] for p in values}):
        x, _ = at(rows, bottom)
        parts.append(f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#eaeef2"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 18, short(rows)))
    parts.append(text(WIDTH / 2, HEIGHT - BOTTOM + 36, "rows of the table"))
    for i, ((engine, workload), curve) in enumerate(sorted(curves.items())):
        color, dash = COLORS.get(engine, "#cf222e"), DASHES.get(workload, "2 3")
        stroke = f'stroke="{color}" stroke-width="2" stroke-dasharray="{dash}" fill="none"'
        path_data = "M" + "L".join(f"{x} {y}" for x, y in (at(*point) for point in curve))
        parts.append(f'<path d="{path_data}" {stroke}/>')
        for point in curve:
            x, y = at(*point)
            parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>')
        x, y = at(*curve[-1])
        parts.append(text(x + 8, y + 4, f"{curve[-1][1]:.0f}", "start"))
        x, y = LEFT + (i % 2) * 330, HEIGHT - 34 + (i // 2) * 20
        parts.append(f'<path d="M{x} {y - 4}h30" {stroke}/>')
        parts.append(text(x + 38, y, f"{engine}: {TITLES.get(workload, workload)}", "start"))
    parts.append("</svg>")
    with open(path, "w") as out:
        out.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        draw([line for line in json.load(source) if line["suite"] == "scaling"], sys.argv[2])
