"""Draws the cost of a row over the size of the table, as SVG.

    python3 Scripts/plot.py results.json scaling.svg
"""

import json
import math
import sys

COLORS = {"embeddingstore": "#1f6feb", "limit": "#8b949e"}
DASHES = {"w1": "", "w3": "6 4"}
TITLES = {"w1": "lookup of a cached row", "w3": "training a row"}
WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60


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


def draw(lines, path):
    curves = series(lines)
    if not curves:
        return
    values = [point for curve in curves.values() for point in curve]
    x0, x1 = (math.log10(f(p[0] for p in values)) for f in (min, max))
    y0 = math.floor(math.log10(min(p[1] for p in values)))
    y1 = math.ceil(math.log10(max(p[1] for p in values)))
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)

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
        text(WIDTH / 2, 24, "Nanoseconds a row, over the rows of the table (commits apart)", size=15),
    ]
    for decade in range(y0, y1 + 1):
        _, y = at(10**x0, 10**decade)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        parts.append(text(LEFT - 8, y + 4, f"{10**decade:g}", "end"))
    for rows in sorted({p[0] for p in values}):
        x, _ = at(rows, 10**y0)
        parts.append(f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#eaeef2"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 18, f"{rows:,}"))
    for i, ((engine, workload), curve) in enumerate(sorted(curves.items())):
        color, dash = COLORS.get(engine, "#cf222e"), DASHES.get(workload, "2 3")
        stroke = f'stroke="{color}" stroke-width="2" stroke-dasharray="{dash}" fill="none"'
        path_data = "M" + "L".join(f"{x} {y}" for x, y in (at(*point) for point in curve))
        parts.append(f'<path d="{path_data}" {stroke}/>')
        for point in curve:
            x, y = at(*point)
            parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>')
        x, y = LEFT + (i % 2) * 330, HEIGHT - 26 + (i // 2) * 17
        parts.append(f'<path d="M{x} {y - 4}h30" {stroke}/>')
        parts.append(text(x + 38, y, f"{engine}: {TITLES.get(workload, workload)}", "start"))
    parts.append("</svg>")
    with open(path, "w") as out:
        out.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        draw([line for line in json.load(source) if line["suite"] == "scaling"], sys.argv[2])
