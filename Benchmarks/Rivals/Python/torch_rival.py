"""PyTorch on the workloads. It has no keys: rows are given, and all of them stand in memory."""

import statistics
import time

import numpy as np
import torch

from workload_data import *


def lookups(options):
    ids = ids_of(options.workload)
    rows = STREAMS[options.workload][2]
    table = torch.from_numpy(cached_table(rows, options.path))
    batches = [torch.from_numpy(batch.astype(np.int64)) for batch in ids]
    timed = batches if options.workload == "w1" else batches[256:]
    output = torch.empty(BATCH, DIMENSION)

    def lookup(batch):
        torch.index_select(table, 0, batch, out=output)

    figures = {}
    if options.workload == "w2":
        figures["rows_per_s_first"] = 64 * BATCH / timed_passes(batches[:64], lookup, 1)[0]
    for batch in batches:
        lookup(batch)
    with Usage() as usage:
        times = timed_passes(timed, lookup, options.passes)
    checked = True
    for k in range(0, len(timed), 8):
        lookup(timed[k])
        checked &= np.array_equal(output.numpy(), table_values(timed[k].numpy()))
    figures["rows_per_s"] = len(timed) * BATCH / statistics.median(times)
    report(options.workload, "torch", options, checked, usage, rows=rows, batch=BATCH, **figures)


def training(options):
    """Adagrad on the distinct rows of a batch, which `unique` puts in order of their numbers."""
    ids = ids_of("w3", 20 if options.verify else None)
    rows = STREAMS["w3"][2]
    table = torch.from_numpy(initial_vectors(int64_keys(np.arange(rows, dtype=np.uint64))))
    sums = torch.full_like(table, 0.1)
    gradients = torch.from_numpy(noise())
    batches = [torch.from_numpy(batch.astype(np.int64)) for batch in ids]
    steps, distinct = [], 0
    with Usage() as usage:
        start = time.perf_counter()
        for step, batch in enumerate(batches):
            begin = time.perf_counter()
            unique = torch.unique(batch)
            v, a = table.index_select(0, unique), sums.index_select(0, unique)
            offset = (step * 977) % BATCH
            g = v.mul(0.01).add_(gradients[offset : offset + len(unique)])
            a.addcmul_(g, g)
            v.sub_(g.mul_(0.05).div_(a.sqrt().add_(1e-10)))
            table.index_copy_(0, unique, v)
            sums.index_copy_(0, unique, a)
            distinct += len(unique)
            steps.append(time.perf_counter() - begin)
        total = time.perf_counter() - start
    start = time.perf_counter()
    file = os.path.join(options.path, "torch.checkpoint")
    with open(file, "r+b" if os.path.exists(file) else "wb") as out:
        torch.save({"vectors": table, "sums": sums}, out)
        out.flush()
        os.fsync(out.fileno())
    durable = time.perf_counter() - start
    size = os.path.getsize(file)
    os.unlink(file)
    sample = sample_of(ids)
    vectors, accumulators = expected_rows(
        ids, sample, initial_vectors(int64_keys(sample)), in_order_of_value=True)
    at = torch.from_numpy(sample.astype(np.int64))
    error = max(
        np.abs(table[at].numpy() - vectors).max(), np.abs(sums[at].numpy() - accumulators).max())
    report(
        "w3", "torch", options, error <= 2e-5, usage, rows=rows, batch=BATCH,
        rows_per_s=len(ids) * BATCH / total, unique_rows_per_s=distinct / total, total_s=total,
        step_p50_ms=float(np.quantile(steps, 0.5)) * 1e3,
        step_p99_ms=float(np.quantile(steps, 0.99)) * 1e3, step_max_ms=max(steps) * 1e3,
        durable_s=durable, rows_per_s_durable=len(ids) * BATCH / (total + durable),
        disk_bytes=size, checked_rows=len(sample), largest_error=float(error))


options = arguments(__doc__)
torch.set_num_threads(options.threads)
with torch.no_grad():
    training(options) if options.workload == "w3" else lookups(options)
