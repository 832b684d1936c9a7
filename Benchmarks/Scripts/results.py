"""Collects what the engines printed, and shows medians."""

import json
import os
import statistics


class Results:
    def __init__(self, path):
        self.path = path
        self.lines = []

    @property
    def all_checked(self):
        return all(line.get("checked") for line in self.lines)

    def add(self, suite, case, engine, round_number, line):
        self.lines.append(
            {"suite": suite, "case": str(case), "asked": engine, "round": round_number, **line})
        with open(self.path + ".new", "w") as out:
            json.dump(self.lines, out, indent=1)
            out.write("\n")
        os.replace(self.path + ".new", self.path)

    def of_suite(self, suite):
        return [line for line in self.lines if line["suite"] == suite]

    def median(self, suite, case, engine, field):
        values = [
            line[field] for line in self.of_suite(suite)
            if line["case"] == str(case) and line["asked"] == engine and line.get(field) is not None
        ]
        return statistics.median(values) if values else None

    def print_case(self, suite, case):
        """A table: medians, and each in relation to the limit and to ours."""
        lines = [line for line in self.of_suite(suite) if line["case"] == str(case)]
        if not lines:
            return
        names = list(dict.fromkeys(line["asked"] for line in lines))
        figure = {name: self.median(suite, case, name, "rows_per_s") for name in names}
        loads = [line["load_average"] for line in lines if "load_average" in line]
        rounds = 1 + max(line["round"] for line in lines)
        load = f", load average {min(loads):.1f} to {max(loads):.1f}" if loads else ""
        print(f"\n{case}; median of {rounds}{load}\n")
        header = ["engine", "million rows/s", "from", "to", "of limit", "ours to it"]
        extra = self.extra_columns(suite, case, names)
        rows = [header + [title for title, _ in extra]]
        for name in sorted(names, key=lambda n: -(figure[n] or 0)):
            mine = [line for line in lines if line["asked"] == name]
            speeds = [line["rows_per_s"] for line in mine if "rows_per_s" in line]
            if not speeds:
                rows.append([name, mine[0].get("error", "failed")] + [""] * (len(rows[0]) - 2))
                continue
            row = [name, million(figure[name]), million(min(speeds)), million(max(speeds))]
            row.append(ratio(figure[name], figure.get("limit")))
            row.append(ratio(figure.get("embeddingstore"), figure[name]))
            row += [column(name) for _, column in extra]
            if not all(line["checked"] for line in mine):
                row[1] += " WRONG VALUES"
            rows.append(row)
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for i, row in enumerate(rows):
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            print("| " + " | ".join(cells) + " |")
            if i == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        print(flush=True)

    def extra_columns(self, suite, case, names):
        """What else a workload is about, as titles and functions of the engine."""

        def column(field, factor, form):
            def cell(name):
                value = self.median(suite, case, name, field)
                return "" if value is None else form.format(value * factor)
            return cell

        wanted = {
            "w2": [("first, million", "rows_per_s_first", 1e-6, "{:.2f}")],
            "w3": [
                ("durable, million", "rows_per_s_durable", 1e-6, "{:.3f}"),
                ("p50 ms", "step_p50_ms", 1, "{:.2f}"), ("p99 ms", "step_p99_ms", 1, "{:.1f}"),
                ("max ms", "step_max_ms", 1, "{:.0f}"), ("commits", "commits_written", 1, "{:.0f}"),
                ("durable s", "durable_s", 1, "{:.2f}"), ("disk MB", "disk_bytes", 1e-6, "{:.0f}"),
            ],
            "w4": [("disk MB", "disk_bytes", 1e-6, "{:.0f}")],
        }
        wanted["w6-train"] = wanted["w3"]
        return [
            (title, column(field, factor, form))
            for title, field, factor, form in wanted.get(case.workload, [])
        ]


def million(value):
    return f"{value / 1e6:.3f}"


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else ""
