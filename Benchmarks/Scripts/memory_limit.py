"""A limit on the memory of a process, its page cache included."""

import os
import shutil
import subprocess
import sys

EXPLANATION = (
    "The suite memory is left out: this user can neither run systemd-run --scope with MemoryMax, nor "
    "make a control group (version 2) with memory.max, nor lock memory. A limit on address space "
    "alone, as prlimit sets, says nothing of a program that maps its files.")

GROUP = "/sys/fs/cgroup/embedding-benchmarks"


def find(limit):
    """What to put before a command so that it may take `limit` bytes, or None."""
    if shutil.which("systemd-run"):
        for scope in (["systemd-run", "--scope", "-q"], ["systemd-run", "--user", "--scope", "-q"]):
            prefix = scope + ["-p", f"MemoryMax={limit}", "-p", "MemorySwapMax=0"]
            try:
                done = subprocess.run(prefix + ["true"], capture_output=True, timeout=10)
            except subprocess.TimeoutExpired:
                continue
            if done.returncode == 0:
                return prefix
    try:
        with open("/sys/fs/cgroup/cgroup.controllers") as controllers:
            if "memory" not in controllers.read().split():
                return None
        os.makedirs(GROUP, exist_ok=True)
        with open(os.path.join(GROUP, "memory.max"), "w") as out:
            out.write(str(limit))
    except OSError:
        return None
    return [sys.executable, os.path.abspath(__file__)]


if __name__ == "__main__":
    # Enters the control group, and becomes the command.
    with open(os.path.join(GROUP, "cgroup.procs"), "w") as out:
        out.write(str(os.getpid()))
    os.execvp(sys.argv[1], sys.argv[1:])
