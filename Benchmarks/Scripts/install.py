"""Installs what the rivals need, and builds everything."""

import os
import shutil
import subprocess
import sys

from engines import BENCHMARKS, ENGINES

PYTHON_PACKAGES = {
    "torch": ["torch", "numpy"],
    # The last version, which brings the TensorFlow that it was built for.
    "tfra": ["tensorflow-recommenders-addons==0.8.1"],
}


def prepare(path, chosen, may_install):
    """Builds the programs of the engines that were chosen. Returns, by name, the interpreters of
    those that can run; says why others cannot."""
    if may_install:
        subprocess.run([os.path.join(os.path.dirname(BENCHMARKS), "Tools", "setup")], check=True)
    interpreters = {}
    has_rocksdb = has_library("rocksdb", "librocksdb-dev", may_install)
    built = build(has_rocksdb)
    for name in chosen:
        if name not in ENGINES:
            sys.exit(f"There is no engine {name}; there are {', '.join(ENGINES)}.")
        file = ENGINES[name][0]
        if name in PYTHON_PACKAGES:
            interpreter = environment(path, name, may_install)
            if interpreter:
                interpreters[name] = interpreter
            else:
                print(f"{name} is left out: pip has no {PYTHON_PACKAGES[name][0]} for this Python.")
        elif file in built:
            interpreters[name] = None
        else:
            print(f"{name} is left out: {file} could not be built.")
    return interpreters


def has_library(library, package, may_install):
    def found():
        return subprocess.run(["pkg-config", "--exists", library]).returncode == 0

    if found() or not may_install or not shutil.which("apt-get"):
        return found()
    root = [] if os.getuid() == 0 else ["sudo"]
    install = root + ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    if subprocess.run(install, stdout=subprocess.DEVNULL).returncode != 0:
        subprocess.run(root + ["apt-get", "update", "-qq"])
        subprocess.run(install, stdout=subprocess.DEVNULL)
    return found()


def build(has_rocksdb):
    """Builds what can be built; the names of the programs."""
    built = set()
    rivals = os.path.join(BENCHMARKS, "Rivals")
    products = [(BENCHMARKS, "workloads"), (rivals, "limit"), (rivals, "rival-lmdb")]
    if has_rocksdb:
        products.append((rivals, "rival-rocksdb"))
    for package, product in products:
        print(f"Building {product} ...", file=sys.stderr, flush=True)
        command = ["swift", "build", "-c", "release", "--product", product]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True)
        if done.returncode == 0:
            built.add(product)
        else:
            print(done.stdout[-4000:] + done.stderr[-4000:], file=sys.stderr)
    return built


def environment(path, name, may_install):
    """An environment of its own for a rival in Python: its interpreter, or None."""
    directory = os.path.join(path, f"python-{name}")
    interpreter = os.path.join(directory, "bin", "python")
    module = "torch" if name == "torch" else "tensorflow_recommenders_addons"

    def works():
        return os.path.exists(interpreter) and subprocess.run(
            [interpreter, "-c", f"import {module}"], capture_output=True).returncode == 0

    if works():
        return interpreter
    if not may_install:
        return None
    print(f"Installing {' '.join(PYTHON_PACKAGES[name])} ...", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True)
    subprocess.run([interpreter, "-m", "pip", "install", "-q"] + PYTHON_PACKAGES[name])
    return interpreter if works() else None
