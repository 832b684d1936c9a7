"""Makes a table (Markdown) and a plot (SVG) of what the program `admission` printed.

    python3 Scripts/admission_report.py results.jsonl plot.svg
"""

import json
import math
import statistics
import sys

# By experiment: title, the measure that is drawn, its name.
EXPERIMENTS = {
    "movies": ("rows of movies", "rmse", "RMSE"),
    "crosses": ("rows of user x genres", "rmse", "RMSE"),
    "words": ("rows of words", "loss", "loss"),
}
# By measure: name and decimals in tables; those of words stand beside the loss.
MEASURES = {
    "movies": [("rmse", "RMSE", 4), ("rmse_rare", "RMSE, rare", 4)],
    "crosses": [("rmse", "RMSE", 4), ("rmse_rare", "RMSE, rare", 4)],
    "words": [("loss", "loss", 3), ("loss_rare", "loss, rare", 3),
              ("wordsim", "WordSim", 3), ("wordsim_frequent", "WordSim, frequent", 3)],
}
# What stands in the summary: the measures of each experiment.
SUMMARY = {"movies": MEASURES["movies"][:1], "crosses": MEASURES["crosses"][:1],
           "words": [MEASURES["words"][0], MEASURES["words"][2]]}
# Variants that stand in the tables of each experiment only.
DETAILS = ["counter 2", "counter 5", "counter 10", "cutoff 10, 1 % shared", "cutoff 10, 10 % shared",
           "no rows, 1 % shared", "no rows, 10 % shared", "probabilistic 2, 5 % shared",
           "Bloom + cutoff 5, 5 % shared"]
# Lines of the plot: name, color, marker and the variants on it, the smallest table first.
LINES = [
    ("cutoff", "#1f6feb", "circle",
     ["cutoff 10", "cutoff 5", "cutoff 2", "no filter"]),
    ("Bloom filters", "#1a7f37", "diamond",
     ["counting Bloom 10", "counting Bloom 5", "counting Bloom 2", "no filter"]),
    ("cutoff, 5 % shared rows", "#d1570a", "square",
     ["no rows, 5 % shared", "cutoff 10, 5 % shared", "cutoff 5, 5 % shared",
      "cutoff 2, 5 % shared"]),
    ("probabilistic", "#8250df", "triangle",
     ["probabilistic 10", "probabilistic 5", "probabilistic 2"]),
]
PANEL, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 330, 330, 62, 12, 66, 52


class Results:
    """Lines of JSON, by experiment and variant, with the seeds side by side."""

    def __init__(self, lines):
        self.by_variant = {}
        for line in lines:
            variants = self.by_variant.setdefault(line["experiment"], {})
            variants.setdefault(line["variant"], {})[line["seed"]] = line

    def experiments(self):
        return [name for name in EXPERIMENTS if "no filter" in self.by_variant.get(name, {})]

    def mean(self, experiment, variant, value):
        """The mean over the seeds, and its spread; `value` is a field or a function of a line."""
        lines = self.by_variant[experiment][variant].values()
        values = [value(line) if callable(value) else line[value] for line in lines]
        values = [number for number in values if number is not None]
        return spread(values)

    def difference(self, experiment, variant, field):
        """The same of the difference to the table without a filter, seed by seed."""
        plain = self.by_variant[experiment]["no filter"]
        lines = self.by_variant[experiment][variant]
        return spread([lines[seed][field] - plain[seed][field] for seed in lines if seed in plain])


def spread(values):
    if not values:
        return math.nan, math.nan
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def all_bytes(line):
    return line["row_bytes"] + line["shared_bytes"] + line["state_bytes"]


def table(results, experiment):
    """One experiment as Markdown: quality as the difference to no filter, mean and deviation."""
    measures = [m for m in MEASURES[experiment]
                if m[0] in next(iter(results.by_variant[experiment]["no filter"].values()))]
    heads = ["variant", "rows", "of ids", "shared", "bytes", "filter", "smaller"]
    rows = [heads + [m[1] for m in measures] + ["processor time"]]
    whole = results.mean(experiment, "no filter", all_bytes)[0]
    time = results.mean(experiment, "no filter", "train_cpu_s")[0]
    for variant in results.by_variant[experiment]:
        def mean(value):
            return results.mean(experiment, variant, value)[0]
        size = mean(all_bytes)
        cells = [variant, f"{mean('rows'):,.0f}",
                 f"{mean(lambda l: 100 * l['rows'] / l['ids']):.0f} %",
                 f"{mean('shared_rows'):,.0f}", f"{size / 1e6:.2f} MB",
                 f"{mean('state_bytes') / 1e6:.2f} MB", f"{whole / size:.1f} x"]
        for field, _, decimals in measures:
            cells.append(quality(results, experiment, variant, field, decimals))
        cells.append(f"{mean('train_cpu_s') / time:.2f}")
        rows.append(cells)
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def quality(results, experiment, variant, field, decimals):
    """A value without a filter, the difference to it with one; mean and deviation."""
    if variant == "no filter":
        value, deviation = results.mean(experiment, variant, field)
        return f"{value:.{decimals}f} ({deviation:.{decimals}f})"
    value, deviation = results.difference(experiment, variant, field)
    return f"{value:+.{decimals}f} ({deviation:.{decimals}f})"


def summary(results):
    """All experiments side by side, by the most telling variants."""
    names = results.experiments()
    heads, measures = ["variant"], {}
    for name in names:
        line = next(iter(results.by_variant[name]["no filter"].values()))
        measures[name] = [m for m in SUMMARY[name] if m[0] in line]
        heads += [f"{name}: rows", "smaller"] + [m[1] for m in measures[name]]
    order = list(dict.fromkeys(
        variant for name in names for variant in results.by_variant[name]))
    rows = [heads, ["---"] * len(heads)]
    for variant in order:
        if variant in DETAILS:
            continue
        cells = [variant]
        for name in names:
            if variant not in results.by_variant[name]:
                cells += [""] * (2 + len(measures[name]))
                continue
            rows_kept = results.mean(name, variant, lambda l: 100 * l["rows"] / l["ids"])[0]
            whole = results.mean(name, "no filter", all_bytes)[0]
            cells += [f"{rows_kept:.0f} %",
                      f"{whole / results.mean(name, variant, all_bytes)[0]:.1f} x"]
            cells += [quality(results, name, variant, m[0], m[2]) for m in measures[name]]
        rows.append(cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def text(x, y, content, anchor="middle", size=11, color="#24292f", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{color}" {extra}>{content}</text>')


def marker(kind, x, y, color):
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>'
    shapes = {"square": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
              "diamond": [(0, -5), (5, 0), (0, 5), (-5, 0)],
              "triangle": [(0, -5), (5, 4), (-5, 4)]}
    points = " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in shapes[kind])
    return f'<polygon points="{points}" fill="{color}"/>'


def ticks(low, high):
    high = max(high, low + 1e-9)
    """Round values between two, about five of them."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= 5)
    first = math.ceil(low / step)
    return [step * i for i in range(first, math.floor(high / step) + 1)]


def panel(results, experiment, left):
    """One experiment: rows kept, the shared ones included, against the quality."""
    title, field, name = EXPERIMENTS[experiment]
    known = results.by_variant[experiment]
    points = {}
    for _, _, _, variants in LINES:
        for variant in variants:
            if variant in known:
                kept = results.mean(
                    experiment, variant,
                    lambda l: 100 * (l["rows"] + l["shared_rows"]) / l["ids"])[0]
                points[variant] = (kept, *results.difference(experiment, variant, field))
    drawn = {v: p for v, p in points.items() if not v.startswith("no rows")}
    x0 = math.log10(min(p[0] for p in drawn.values())) - 0.08
    x1 = 2.05
    low = min(p[1] - p[2] for p in drawn.values())
    high = max(p[1] + p[2] for p in drawn.values())
    low, high = low - 0.06 * (high - low), high + 0.06 * (high - low)

    def at(kept, value):
        x = left + LEFT + (math.log10(kept) - x0) / (x1 - x0) * (PANEL - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [text(left + (PANEL + LEFT) / 2, TOP - 10, title, size=13)]
    for value in ticks(low, high):
        (xa, y), (xb, _) = at(10 ** x0, value), at(10 ** x1, value)
        color = "#8c959f" if value == 0 else "#e1e4e8"
        parts.append(f'<line x1="{xa:.1f}" y1="{y:.1f}" x2="{xb:.1f}" y2="{y:.1f}" '
                     f'stroke="{color}"/>')
        parts.append(text(xa - 6, y + 4, "0" if value == 0 else f"{value:+.4g}", "end", 10))
    for kept in (1, 2, 5, 10, 20, 50, 100):
        if x0 <= math.log10(kept) <= x1:
            x, y = at(kept, low)
            parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{y + 4:.1f}" '
                         'stroke="#8c959f"/>')
            parts.append(text(x, y + 16, f"{kept} %", size=10))
    parts.append(text(left + (PANEL + LEFT) / 2, HEIGHT - 14, "rows kept, of all ids"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(text(left + 13, middle, f"{name}, difference to no filter",
                      extra=f'transform="rotate(-90 {left + 13} {middle})"'))
    for _, color, kind, variants in LINES:
        places = [(v, points[v]) for v in variants if v in drawn]
        line = " ".join("{:.1f},{:.1f}".format(*at(p[0], p[1])) for _, p in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" '
                     'stroke-width="1.5"/>')
        for variant, (kept, value, deviation) in places:
            (x, y), (_, top), (_, bottom) = (
                at(kept, value), at(kept, value + deviation), at(kept, value - deviation))
            parts.append(f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" '
                         f'stroke="{color}" stroke-opacity="0.45"/>')
            if variant == "no filter":
                color_here, kind_here = "#24292f", "circle"
            else:
                color_here, kind_here = color, kind
            parts.append(marker(kind_here, x, y, color_here))
            number = variant.split(",")[0].split()[-1]
            if number.isdigit():
                parts.append(text(x, y - 8, number, size=9, color=color))
    return "\n".join(parts)


def draw(results, path):
    names = results.experiments()
    width = PANEL * len(names)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" '
             'font-family="system-ui, sans-serif">',
             f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>']
    x = LEFT
    for name, color, kind, _ in LINES + [("no filter", "#24292f", "circle", [])]:
        parts.append(marker(kind, x, 20, color))
        parts.append(text(x + 10, 24, name, "start"))
        x += 34 + 6.2 * len(name)
    parts += [panel(results, name, PANEL * i) for i, name in enumerate(names)]
    parts.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        results = Results([json.loads(line) for line in file])
    print(summary(results) + "\n")
    for experiment in results.experiments():
        seeds = len(results.by_variant[experiment]["no filter"])
        print(f"**{experiment}**, {seeds} seeds\n\n{table(results, experiment)}\n")
    draw(results, sys.argv[2])


if __name__ == "__main__":
    main()
