"""What is measured: cases of each suite."""

WORKLOADS = ["w1", "w2", "w3", "w4", "w6-lookup", "w6-train"]

# Floats and optimizer state of the rows that W3 meets at its usual size.
W3_STATE_BYTES = 682_435 * 512
# The same of all rows that it draws from.
W3_ALL_BYTES = 5_000_000 * 512


class Case:
    """A workload with its options. `only` names the engines that it is meant for."""

    def __init__(self, workload, threads, options=None, only=None, ours=None):
        self.workload = workload
        self.threads = threads
        # Options that every engine takes, and those that only ours does.
        self.options = options or {}
        self.ours = ours or {}
        self.only = only

    def changed(self, options):
        return Case(
            self.workload, self.threads, {**self.options, **options}, self.only, self.ours)

    def __str__(self):
        options = {**self.options, **self.ours}
        text = f"{self.workload}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        return text + "".join(f", {name} {value}" for name, value in options.items())


def main(threads, workloads):
    """Every workload as it is defined."""
    chosen = workloads.split(",") if workloads else WORKLOADS
    for workload in chosen:
        for count in threads:
            # A bulk load has one caller.
            if workload != "w4" or count == 1:
                yield Case(workload, count)


def shapes(threads, workloads):
    """W1 with other dimensions, batches and distributions."""
    for options in (
        {"dimension": 16}, {"dimension": 256}, {"batch": 512}, {"batch": 65_536, "steps": 32},
        {"exponent": 0.8}, {"exponent": 1.2},
    ):
        for count in threads:
            yield Case("w1", count, options, only=IN_MEMORY)


def budget(threads, workloads):
    """W3 with a budget of a tenth of what it trains or of all rows that ids are drawn from, with a
    scratch file as by default and without one; and with commits that are waited for."""
    for count in threads:
        yield Case(
            "w3", count, ours={"wait-for-commits": True},
            only=["embeddingstore", "rocksdb-wal", "lmdb"])
        for size in [W3_STATE_BYTES // 10, W3_ALL_BYTES // 10]:
            for scratch in [{}, {"scratch": 0}]:
                yield Case(
                    "w3", count, ours={"budget": size, **scratch}, only=["embeddingstore"])


def memory(threads, workloads, rows=5_000_000):
    """W2 with less memory than its file takes, page cache included, and a budget of 1 % of it.

    A disk gives a few thousand rows a second. So there are few batches, and one pass: a second one
    would find in the page cache what the first one read."""
    options = {"rows": rows, "steps": 16, "passes": 1}
    for count in threads:
        yield Case(
            "w2", count, options, only=["embeddingstore", "lmdb", "rocksdb-block", "rocksdb-pread"],
            ours={"budget": rows * 256 // 100})


def memory_by_balloon(threads, workloads):
    """The same for a limit on the whole machine, which cannot be as low."""
    return memory(threads, workloads, rows=20_000_000)


def scaling(threads, workloads):
    """Uniform lookups of cached rows, and training, over tables of growing size."""
    for rows in SCALES:
        yield Case(
            "w1", 1, {"rows": rows, "exponent": 0, "warm-all": True, "passes": 3}, only=CORE)
    for rows in SCALES:
        yield Case("w3", 1, {"rows": rows}, only=CORE)


SCALES = (10_000, 100_000, 1_000_000, 5_000_000, 20_000_000)
CORE = ["embeddingstore", "limit"]
IN_MEMORY = CORE + ["rocksdb-cuckoo", "lmdb"]

SUITES = {
    "main": main, "shapes": shapes, "budget": budget, "memory": memory, "scaling": scaling,
}
