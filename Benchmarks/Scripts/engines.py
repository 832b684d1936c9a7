"""The programs that are compared, and how each is called."""

import json
import os
import subprocess
import sys

BENCHMARKS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Program, variant, and the workloads that it is good for.
ENGINES = {
    "embeddingstore": ("workloads", None, ["w1", "w2", "w3", "w4", "w6-lookup", "w6-train"]),
    "limit": ("limit", None, ["w1", "w2", "w3", "w4", "w6-lookup", "w6-train"]),
    "torch": ("torch_rival.py", None, ["w1", "w2", "w3"]),
    "tfra": ("tfra_rival.py", None, ["w1", "w2", "w3"]),
    "rocksdb-cuckoo": ("rival-rocksdb", "cuckoo", ["w1", "w2"]),
    "rocksdb-plain": ("rival-rocksdb", "plain", ["w1", "w2", "w6-lookup"]),
    "rocksdb-block": ("rival-rocksdb", "block", ["w1", "w2", "w6-lookup"]),
    "rocksdb-pread": ("rival-rocksdb", "pread", ["w2"]),
    "rocksdb-wal": ("rival-rocksdb", "wal", ["w3", "w6-train"]),
    "rocksdb-nowal": ("rival-rocksdb", "nowal", ["w3", "w6-train"]),
    "rocksdb-ingest": ("rival-rocksdb", "ingest", ["w4"]),
    "rocksdb-flush": ("rival-rocksdb", "flush", ["w4"]),
    "lmdb": ("rival-lmdb", None, ["w1", "w2", "w3", "w4", "w6-lookup", "w6-train"]),
}


def program(name):
    """The file of an engine's program."""
    file = ENGINES[name][0]
    if file == "workloads":
        return os.path.join(BENCHMARKS, ".build", "release", file)
    if file.endswith(".py"):
        return os.path.join(BENCHMARKS, "Rivals", "Python", file)
    return os.path.join(BENCHMARKS, "Rivals", ".build", "release", file)


class Engines:
    def __init__(self, path, available):
        """`available` maps the names of engines to the interpreters they need, or None."""
        self.path = path
        self.available = available

    def takes(self, name, case):
        if case.workload not in ENGINES[name][2] or (case.only and name not in case.only):
            return False
        # In the page cache a memory map is the better way to read blocks; with enough cache, in W1,
        # it is not needed.
        return not (case.options and name in ("torch", "tfra"))

    def run(self, name, case, prefix=()):
        """Runs an engine once; the line that it printed, or one that says what went wrong."""
        variant = ENGINES[name][1]
        if variant == "block" and case.workload == "w2":
            variant = "mmap"
        interpreter = self.available[name]
        command = list(prefix) + ([interpreter] if interpreter else []) + [program(name)]
        command += ["--workload", case.workload, "--threads", str(case.threads)]
        command += ["--path", self.path]
        if variant:
            command += ["--variant", variant]
        options = {**case.options, **(case.ours if name == "embeddingstore" else {})}
        for option, value in options.items():
            command += [f"--{option}"] if value is True else [f"--{option}", str(value)]
        print(f"  {name} ...", end="", file=sys.stderr, flush=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
        except subprocess.TimeoutExpired:
            print(" took more than an hour", file=sys.stderr)
            return {"error": "took more than an hour", "checked": False}
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode != 0 or not lines:
            message = (done.stderr.strip().splitlines() or ["no output"])[-1]
            print(f" failed: {message}", file=sys.stderr)
            return {"error": message, "checked": False}
        line = json.loads(lines[-1])
        print(f" {line['rows_per_s'] / 1e6:.3f} million rows/s", file=sys.stderr)
        return line
