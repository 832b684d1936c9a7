"""TensorFlow Recommenders Addons on the workloads: its cuckoo hash table in memory.

It cannot initialize a row from its key: a timed run starts rows at random, and then a short run that
starts all of them from 0.01 is checked.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import statistics
import time

import numpy as np
import tensorflow as tf
import tensorflow_recommenders_addons as tfra

from workload_data import *


def hash_table(name, rows, default):
    return tfra.dynamic_embedding.CuckooHashTable(
        key_dtype=tf.int64, value_dtype=tf.float32, default_value=default, name=name,
        init_size=rows)


def lookups(options):
    ids = ids_of(options.workload)
    if options.workload == "w2":
        ids = ids[:384]
    rows = STREAMS[options.workload][2]
    values = cached_table(rows, options.path)
    table = hash_table("rows", rows, tf.zeros([DIMENSION]))
    for start in range(0, rows, 1 << 16):
        part = np.arange(start, min(rows, start + (1 << 16)), dtype=np.uint64)
        table.insert(tf.constant(int64_keys(part)), tf.constant(values[part]))
    del values
    batches = [tf.constant(int64_keys(batch)) for batch in ids]
    timed = batches if options.workload == "w1" else batches[256:]

    @tf.function(input_signature=[tf.TensorSpec([BATCH], tf.int64)])
    def lookup(keys):
        return table.lookup(keys)

    for batch in batches:
        lookup(batch)
    with Usage() as usage:
        times = timed_passes(timed, lookup, options.passes)
    first = 0 if options.workload == "w1" else 256
    checked = all(
        np.array_equal(lookup(timed[k]).numpy(), table_values(ids[first + k]))
        for k in range(0, len(timed), 8))
    report(
        options.workload, "tfra", options, checked, usage, rows=rows, batch=BATCH,
        rows_per_s=len(timed) * BATCH / statistics.median(times))


def train(ids, initial_vector):
    """Steps over `ids`; returns the tables, seconds of each step, and how many keys were distinct."""
    vectors = hash_table("vectors", 1 << 20, tf.zeros([DIMENSION]))
    sums = hash_table("sums", 1 << 20, tf.fill([DIMENSION], 0.1))
    gradients = tf.constant(noise())

    @tf.function(input_signature=[tf.TensorSpec([BATCH], tf.int64), tf.TensorSpec([], tf.int64)])
    def train_step(keys, step):
        unique, _ = tf.unique(keys)
        n = tf.size(unique)
        v = vectors.lookup(unique, dynamic_default_values=initial_vector(n))
        a = sums.lookup(unique)
        offset = tf.cast(step * 977 % BATCH, tf.int32)
        g = 0.01 * v + gradients[offset : offset + n]
        a += g * g
        v -= 0.05 * g / (tf.sqrt(a) + 1e-10)
        vectors.insert(unique, v)
        sums.insert(unique, a)
        return n

    batches = [tf.constant(int64_keys(batch)) for batch in ids]
    # Tracing is not a step.
    train_step.get_concrete_function()
    steps, distinct = [], 0
    for step, batch in enumerate(batches):
        begin = time.perf_counter()
        distinct += int(train_step(batch, tf.constant(step, tf.int64)))
        steps.append(time.perf_counter() - begin)
    return vectors, sums, steps, distinct


def training(options):
    ids = ids_of("w3", 20 if options.verify else None)
    with Usage() as usage:
        vectors, sums, steps, distinct = train(
            ids, lambda n: tf.random.uniform([n, DIMENSION], -0.05, 0.05))
    total = sum(steps)
    start = time.perf_counter()
    size = 0
    for name, table in (("vectors", vectors), ("sums", sums)):
        keys, values = table.export()
        for part, array in (("keys", keys.numpy()), ("values", values.numpy())):
            file = os.path.join(options.path, f"tfra-{name}-{part}")
            with open(file, "r+b" if os.path.exists(file) else "wb") as out:
                array.tofile(out)
                os.fsync(out.fileno())
            size += array.nbytes
    durable = time.perf_counter() - start
    for name in ("vectors", "sums"):
        for part in ("keys", "values"):
            os.unlink(os.path.join(options.path, f"tfra-{name}-{part}"))

    checked_ids = ids[:20]
    checked_vectors, checked_sums, _, _ = train(
        checked_ids, lambda n: tf.fill([n, DIMENSION], 0.01))
    sample = sample_of(checked_ids)
    v, a = expected_rows(
        checked_ids, sample, np.full((len(sample), DIMENSION), 0.01, np.float32),
        in_order_of_value=False)
    keys = tf.constant(int64_keys(sample))
    error = max(
        np.abs(checked_vectors.lookup(keys).numpy() - v).max(),
        np.abs(checked_sums.lookup(keys).numpy() - a).max())
    report(
        "w3", "tfra", options, error <= 2e-5, usage, rows=STREAMS["w3"][2], batch=BATCH,
        rows_per_s=len(ids) * BATCH / total, unique_rows_per_s=distinct / total, total_s=total,
        step_p50_ms=float(np.quantile(steps, 0.5)) * 1e3,
        step_p99_ms=float(np.quantile(steps, 0.99)) * 1e3, step_max_ms=max(steps) * 1e3,
        durable_s=durable, rows_per_s_durable=len(ids) * BATCH / (total + durable),
        disk_bytes=size, checked_rows=len(sample), largest_error=float(error))


options = arguments(__doc__)
tf.config.threading.set_intra_op_parallelism_threads(options.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
training(options) if options.workload == "w3" else lookups(options)
