"""Suite `snapshots`: a table of trained rows as a snapshot, beside what else could hold it.

All programs read the same table, which `snapshots` trains once below the path, and run in turn.
"""

import json
import os
import subprocess
import sys
import time

from engines import BENCHMARKS


def build():
    packages = [(BENCHMARKS, "snapshots"), (os.path.join(BENCHMARKS, "Rivals"), "rival-rocksdb")]
    for package, product in packages:
        print(f"Building {product} ...", file=sys.stderr, flush=True)
        command = ["swift", "build", "-c", "release", "--product", product]
        subprocess.run(command, cwd=package, check=True, stdout=sys.stderr)


def run(path):
    """Runs everything; the lines of results."""
    path = os.path.join(path, "snapshots")
    os.makedirs(path, exist_ok=True)
    ours = os.path.join(BENCHMARKS, ".build", "release", "snapshots")
    rocksdb = os.path.join(BENCHMARKS, "Rivals", ".build", "release", "rival-rocksdb")
    lines = []

    def call(*command):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        for line in done.stdout.splitlines():
            print(line, flush=True)
            lines.append(json.loads(line))

    def tell(**line):
        print(json.dumps(line), flush=True)
        lines.append(line)

    # Trains the table where it is missing.
    call(ours, "--path", path, "--measure", "open")
    for to in ("file", "null"):
        for _ in range(2):
            call(ours, "--path", path, "--measure", f"export-{to}", "--passes", "1")
            tell(what="zstd -3 -T2", to=to, **zstd(path, to))
    call(ours, "--path", path, "--measure", "import")
    sizes(path, tell)
    call(ours, "--path", path, "--measure", "lookup,table")
    for variant in ("none", "zstd"):
        call(rocksdb, "--workload", "snapshot", "--variant", variant, "--path", path)
    npy(path, tell)
    return lines


def zstd(path, to):
    """The stock tool on the raw floats of the table, two threads; not synced."""
    output = os.path.join(path, "raw.zst") if to == "file" else "/dev/null"
    source = subprocess.Popen(
        ["cat", os.path.join(path, "vectors.f32"), os.path.join(path, "slots.f32")],
        stdout=subprocess.PIPE)
    start = time.monotonic()
    subprocess.run(
        ["zstd", "-3", "-T2", "-q", "-f", "-o", output], stdin=source.stdout, check=True)
    taken = time.monotonic() - start
    source.wait()
    result = {"seconds": round(taken, 3)}
    if to == "file":
        result["bytes"] = os.path.getsize(output)
        os.remove(output)
    return result


def sizes(path, tell):
    """What the columns take as plain arrays, and as byte planes under zstd -3."""
    import numpy

    names = ["keys.i64", "vectors.f32", "slots.f32"]
    raw = sum(os.path.getsize(os.path.join(path, name)) for name in names)
    total = 0
    for name in names:
        width = 8 if name.endswith("i64") else 4
        column = numpy.fromfile(os.path.join(path, name), dtype=numpy.uint8).reshape(-1, width)
        for plane in range(width):
            done = subprocess.run(
                ["zstd", "-3", "-T2", "-q", "-c"], input=column[:, plane].tobytes(),
                stdout=subprocess.PIPE, check=True)
            total += len(done.stdout)
    tell(what="size", engine="byte planes + zstd -3, without frequencies", bytes=total)
    tell(what="size", engine="npy", bytes=raw + 3 * 128)
    tell(what="size", engine="snapshot", bytes=os.path.getsize(path + "/rows.embsnap"))


def npy(path, tell):
    """Random rows of an array mapped by NumPy, whose numbers are given: it has no ids."""
    import numpy

    vectors = numpy.memmap(path + "/vectors.f32", dtype=numpy.float32, mode="r").reshape(-1, 64)
    batches = numpy.random.default_rng(1).integers(0, len(vectors), (64, 8192))
    times = []
    for _ in range(4):
        start = time.monotonic()
        for rows in batches:
            vectors[rows]
        times.append(time.monotonic() - start)
    tell(what="lookup", engine="numpy mmap, row numbers given", threads=1,
         rows_per_s=round(batches.size / sorted(times[1:])[1]))
