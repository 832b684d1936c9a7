"""A balloon: locks so much memory that the other programs have only so much left, page cache included.

For machines without control groups. It takes memory until `available` bytes are, as MemAvailable of
/proc/meminfo counts them, and holds it until its standard input ends; whatever ends it, the system
takes the memory back. It never leaves less than 2.5 GiB: where others need more meanwhile it gives
memory back at once, and does not take it again.

    python3 Scripts/balloon.py --available 3221225472    # until Ctrl-D
"""

import argparse
import contextlib
import ctypes
import mmap
import os
import select
import subprocess
import sys

LEAST_AVAILABLE = 5 << 29
CHUNK = 64 << 20


def available():
    with open("/proc/meminfo") as information:
        for line in information:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    raise OSError("/proc/meminfo has no MemAvailable")


class Balloon:
    def __init__(self):
        self.chunks = []
        self.lock = ctypes.CDLL(None, use_errno=True).mlock
        self.lock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

    @property
    def size(self):
        return len(self.chunks) * CHUNK

    def grow(self):
        chunk = mmap.mmap(-1, CHUNK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            # A fifth of the time, and of the page tables.
            with contextlib.suppress(OSError):
                chunk.madvise(mmap.MADV_HUGEPAGE)
        view = ctypes.c_char.from_buffer(chunk)
        failed = self.lock(ctypes.addressof(view), CHUNK)
        del view
        if failed:
            chunk.close()
            raise OSError(ctypes.get_errno(), "mlock: this user may not lock memory (ulimit -l)")
        self.chunks.append(chunk)

    def shrink(self):
        self.chunks.pop().close()

    def hold(self, wanted, most):
        """Takes memory, says so, and holds it until the standard input ends."""
        # Of two that want the last memory, the one that looks first gets it: a reserve of a chunk.
        while self.size + CHUNK <= most and available() >= wanted + 2 * CHUNK:
            self.grow()
        print(f"holding {self.size >> 20} MiB, {available() >> 20} MiB available", flush=True)
        while True:
            while self.chunks and available() < LEAST_AVAILABLE:
                self.shrink()
            if select.select([sys.stdin], [], [], 0.05)[0] and not os.read(0, 4096):
                return


@contextlib.contextmanager
def held(wanted, most=1 << 60):
    """Runs a balloon beside the body of a `with`; what it says that it holds."""
    command = [sys.executable, os.path.abspath(__file__)]
    command += ["--available", str(wanted), "--most", str(most)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline().strip()
        if not said:
            sys.exit("The balloon could not be filled.")
        yield said
    finally:
        process.stdin.close()
        process.wait()


def possible():
    """Whether this user may lock memory here."""
    if not os.path.exists("/proc/meminfo") or available() < LEAST_AVAILABLE + 4 * CHUNK:
        return False
    balloon = Balloon()
    try:
        balloon.grow()
    except OSError:
        return False
    balloon.shrink()
    return True


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--available", type=int, required=True, help="bytes to leave, 2.5 GiB or more")
    parser.add_argument("--most", type=int, default=1 << 60, help="bytes that it takes at most")
    options = parser.parse_args()
    if options.available < LEAST_AVAILABLE:
        parser.error("--available is at least 2.5 GiB (2684354560)")
    with contextlib.suppress(KeyboardInterrupt):
        Balloon().hold(options.available, options.most)


if __name__ == "__main__":
    main()
