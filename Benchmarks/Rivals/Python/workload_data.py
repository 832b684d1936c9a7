"""Ids, rows and gradients of the workloads, and what the rivals written in Python share."""

import argparse
import json
import os
import resource
import time

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
STREAMS = {
    "w1": (1, 256, 1_000_000, 1.05, 0xF7CD4B719D0DA500),
    "w2": (2, 512, 5_000_000, 0.0, 0x97CD0FD44B485693),
    "w3": (3, 500, 5_000_000, 1.05, 0x103FA090A86840FC),
}
BATCH = 8192
DIMENSION = 64


def mix64(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def random_words(stream, i):
    start = mix64(np.array([stream], np.uint64))
    return mix64(start + (i + np.uint64(1)) * GOLDEN)


def fnv1a(data):
    value, prime, mask = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1
    for byte in data:
        value = ((value ^ byte) * prime) & mask
    return value


def int64_keys(ids):
    return mix64(ids.astype(np.uint64) + GOLDEN).view(np.int64)


def ids_of(workload, batches=None):
    """The row numbers of a workload, [batches, BATCH]."""
    stream, count, rows, exponent, checksum = STREAMS[workload]
    words = random_words(stream, np.arange(count * BATCH, dtype=np.uint64))
    if exponent == 0:
        high, low = words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)
        n = np.uint64(rows)
        ids = (high * n + ((low * n) >> np.uint64(32))) >> np.uint64(32)
    else:
        weights = np.array([float(k) ** -exponent for k in range(1, rows + 1)])
        cumulative = np.cumsum(weights)
        u = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53 * cumulative[-1]
        rank = np.minimum(np.searchsorted(cumulative, u, side="right"), rows - 1)
        ids = (np.uint64(2654435761) * rank.astype(np.uint64) + np.uint64(12345)) % np.uint64(rows)
    ids = ids.astype(np.uint32)
    assert fnv1a(ids.tobytes()) == checksum, f"the ids of {workload} differ from their definition"
    return ids.reshape(count, BATCH)[:batches]


def table_values(ids):
    """The vectors of rows, [n, DIMENSION]."""
    values = np.empty((len(ids), DIMENSION), np.float32)
    for start in range(0, len(ids), 1 << 16):
        part = ids[start : start + (1 << 16)].astype(np.uint64)[:, None]
        e = (part * np.uint64(DIMENSION) + np.arange(DIMENSION, dtype=np.uint64)) * np.uint64(2)
        a, b = random_words(0x6A55, e), random_words(0x6A55, e + np.uint64(1))
        low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
        s = (a & low) + (a >> shift) + (b & low) + (b >> shift)
        values[start : start + len(part)] = (s.astype(np.float64) - 8589934590.0) * 2.016373e-11
    return values


def cached_table(rows, path):
    """Rows 0 to `rows - 1`, kept in a file below `path`."""
    os.makedirs(path, exist_ok=True)
    file = os.path.join(path, f"rows-{rows}x{DIMENSION}.f32")
    if not os.path.exists(file) or os.path.getsize(file) != rows * DIMENSION * 4:
        table_values(np.arange(rows, dtype=np.uint64)).tofile(file)
    return np.fromfile(file, np.float32).reshape(rows, DIMENSION)


def plus_minus(words, scale):
    unit = np.float32(scale) / np.float32(2147483648.0)
    halves = words.view(np.int32).reshape(*words.shape, 2).astype(np.float32) * unit
    return halves.reshape(*words.shape[:-1], -1) if words.ndim > 1 else halves.reshape(-1)


def noise():
    """What gradients get, [2*BATCH, DIMENSION]."""
    words = random_words(0x6AD, np.arange(BATCH * DIMENSION, dtype=np.uint64))
    return plus_minus(words, 0.01).reshape(2 * BATCH, DIMENSION)


def initial_vectors(keys):
    """Where rows start, [n, DIMENSION]."""
    i = np.arange(1, DIMENSION // 2 + 1, dtype=np.uint64)
    return plus_minus(mix64(keys.view(np.uint64)[:, None] + i * GOLDEN), 0.05)


def expected_rows(ids, sample, start, in_order_of_value):
    """Trains rows `sample` from `start` without any engine; returns vectors and accumulators."""
    vectors, sums = start.copy(), np.full_like(start, 0.1)
    gradients = noise()
    for step, batch in enumerate(ids):
        unique, first = np.unique(batch, return_index=True)
        if in_order_of_value:
            position = np.arange(len(unique))
        else:
            position = np.empty(len(unique), np.int64)
            position[np.argsort(first)] = np.arange(len(unique))
        place = np.minimum(np.searchsorted(unique, sample), len(unique) - 1)
        met = unique[place] == sample
        j = position[place[met]]
        g = np.float32(0.01) * vectors[met] + gradients[j + (step * 977) % BATCH]
        sums[met] += g * g
        vectors[met] -= np.float32(0.05) * g / (np.sqrt(sums[met]) + np.float32(1e-10))
    return vectors, sums


def sample_of(ids):
    flat = ids.reshape(-1)
    return np.unique(np.concatenate([flat[:200], flat[-200:], flat[:: max(1, flat.size // 600)]]))


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--workload", required=True, choices=["w1", "w2", "w3"])
    parser.add_argument("--threads", type=int, default=1, choices=[1, 2])
    parser.add_argument("--path", default=".")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--verify", action="store_true", help="a short run whose values are checked")
    return parser.parse_args()


def timed_passes(batches, lookup, passes):
    """Seconds of each pass; three where they are slow."""
    times = []
    while len(times) < passes and (len(times) < 3 or sum(times) < 20):
        start = time.perf_counter()
        for batch in batches:
            lookup(batch)
        times.append(time.perf_counter() - start)
    return times


class Usage:
    def __enter__(self):
        self.wall, self.processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.cores = (time.process_time() - self.processor) / (time.perf_counter() - self.wall)


def report(workload, engine, options, checked, usage, **figures):
    line = {"workload": workload, "engine": engine, "threads": options.threads, **figures}
    line["checked"] = bool(checked)
    line["load_average"] = round(os.getloadavg()[0], 2)
    line["cpu_cores_used"] = round(usage.cores, 3)
    line["peak_resident_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps(line), flush=True)
