#!/usr/bin/env python3
"""Writes Tests/EmbeddingsTests/Fixtures/optimizers/*.bin: what other frameworks compute.

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu torch
    venv/bin/python Tests/Scripts/make_optimizer_fixtures.py

Each file replays one optimizer over STEPS batches with repeated ids, duplicates within a batch and
a learning rate that changes from step to step, and keeps all rows after three of the steps. Ids,
gradients and first vectors follow a rule that this script and OptimizerFixture.swift share, in
64-bit integers and exact float32 products; only learning rates and results are stored.

File, little-endian: magic "OPTF"; uint32 dimension, rows, steps, batch, slotCount, everyRow,
snapshots; float32 learningRate[steps]; then for each snapshot uint32 stepsDone, float32
vectors[rows][dimension], float32 slots[rows][slotCount].

Versions that made the committed files: see VERSIONS.txt beside them.
"""
import os
import struct
import subprocess
import sys

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np

DIMENSION, ROWS, STEPS, BATCH = 19, 20, 60, 12
SNAPSHOTS = (1, 20, 60)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                   "../EmbeddingsTests/Fixtures/optimizers")
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
f32 = np.float32


def mix64(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def rnd(stream, i):
    return mix64((mix64(stream) + (i + 1) * GOLDEN) & MASK)


def signed(stream, i):
    """A float32 in -1 ... 1: the low half of rnd as an int32, over 2^31."""
    low = rnd(stream, i) & 0xFFFFFFFF
    return f32(low - (1 << 32) if low >= 1 << 31 else low) * f32(2.0 ** -31)


def batch_ids(step, every_row):
    """Low ids are frequent, high ones rare; with every_row all rows come once, then the draws."""
    draws = [min(rnd(1, 2 * k) % ROWS, rnd(1, 2 * k + 1) % ROWS)
             for k in range(step * BATCH, (step + 1) * BATCH)]
    return (list(range(ROWS)) if every_row else []) + draws


def batches(every_row):
    """Ids and their gradients, duplicates included, for each step."""
    length = BATCH + (ROWS if every_row else 0)
    for step in range(STEPS):
        ids = batch_ids(step, every_row)
        g = np.array([[signed(2, (step * length + j) * DIMENSION + d) for d in range(DIMENSION)]
                      for j in range(length)], f32) * f32(0.25)
        yield step, ids, g


def summed(ids, g):
    """Distinct ids in order of first occurrence, and the float32 sums of their gradients."""
    order = list(dict.fromkeys(ids))
    sums = np.zeros((len(order), DIMENSION), f32)
    seen = set()
    for i, row in zip(ids, g):
        k = order.index(i)
        sums[k] = sums[k] + row if i in seen else row
        seen.add(i)
    return np.array(order, np.int64), sums


FIRST = np.array([[signed(3, r * DIMENSION + d) for d in range(DIMENSION)]
                  for r in range(ROWS)], f32) * f32(0.05)


def rates(base):
    """A learning rate that falls in a saw-tooth."""
    return [f32(base) * f32(1 - (s % 7) / 8) for s in range(STEPS)]


def write(name, base, slot_count, step_function, state, every_row=False):
    """step_function(lr, ids, gradients) makes one step; state() gives vectors and slots."""
    lr = rates(base)
    out = bytearray(b"OPTF" + struct.pack("<7I", DIMENSION, ROWS, STEPS, BATCH, slot_count,
                                          int(every_row), len(SNAPSHOTS)))
    out += np.array(lr, f32).tobytes()
    for step, ids, g in batches(every_row):
        step_function(lr[step], ids, g)
        if step + 1 in SNAPSHOTS:
            w, slots = state()
            assert w.shape == (ROWS, DIMENSION) and slots.shape == (ROWS, slot_count), slots.shape
            assert w.dtype == f32 and slots.dtype == f32
            out += struct.pack("<I", step + 1) + w.tobytes() + slots.tobytes()
    with open(os.path.join(OUT, name + ".bin"), "wb") as file:
        file.write(out)
    print(name, len(out))


# TensorFlow: the kernels behind its sparse optimizers.

def variable(value):
    return tf.Variable(np.array(value, f32))


def filled(value):
    return variable(np.full((ROWS, DIMENSION), value, f32))


def tensorflow():
    global tf
    import keras
    import tensorflow as tf
    version("tensorflow", tf)
    version("keras", keras)
    w = variable(FIRST)

    def sgd(lr, ids, g):
        index, sums = summed(ids, g)
        w.scatter_sub(tf.IndexedSlices(tf.constant(lr) * sums, index))
    write("tf_sgd", 0.1, 0, sgd, lambda: (w.numpy(), np.zeros((ROWS, 0), f32)))

    for nesterov in (False, True):
        w1, a1 = variable(FIRST), filled(0)

        def momentum(lr, ids, g):
            index, sums = summed(ids, g)
            tf.raw_ops.ResourceSparseApplyMomentum(
                var=w1.handle, accum=a1.handle, lr=lr, grad=sums, indices=index, momentum=f32(0.9),
                use_nesterov=nesterov)
        write("tf_nesterov" if nesterov else "tf_momentum", 0.05, DIMENSION, momentum,
              lambda: (w1.numpy(), a1.numpy()))

    w2, a2 = variable(FIRST), filled(0.1)

    def adagrad(lr, ids, g):
        index, sums = summed(ids, g)
        tf.raw_ops.ResourceSparseApplyAdagradV2(
            var=w2.handle, accum=a2.handle, lr=lr, epsilon=f32(1e-7), grad=sums, indices=index)
    write("tf_adagrad_v2", 0.1, DIMENSION, adagrad, lambda: (w2.numpy(), a2.numpy()))

    w3, a3 = variable(FIRST), filled(0.1)

    def adagrad_v1(lr, ids, g):
        index, sums = summed(ids, g)
        tf.raw_ops.ResourceSparseApplyAdagrad(
            var=w3.handle, accum=a3.handle, lr=lr, grad=sums, indices=index)
    write("tf_adagrad_v1", 0.1, DIMENSION, adagrad_v1, lambda: (w3.numpy(), a3.numpy()))

    for name, l1, l2, shrinkage in (("tf_ftrl", 0.0, 0.0, None), ("tf_ftrl_l1_l2", 0.6, 0.1, None),
                                    ("tf_ftrl_v2", 0.4, 0.05, 0.02)):
        w4, n4, z4 = variable(FIRST), filled(0.1), filled(0)

        def ftrl(lr, ids, g):
            index, sums = summed(ids, g)
            arguments = dict(var=w4.handle, accum=n4.handle, linear=z4.handle, grad=sums,
                             indices=index, lr=lr, l1=f32(l1), l2=f32(l2), lr_power=f32(-0.5))
            if shrinkage is None:
                tf.raw_ops.ResourceSparseApplyFtrl(**arguments)
            else:
                tf.raw_ops.ResourceSparseApplyFtrlV2(l2_shrinkage=f32(shrinkage), **arguments)
        write(name, 0.1, 2 * DIMENSION, ftrl,
              lambda: (w4.numpy(), np.concatenate([n4.numpy(), z4.numpy()], 1)))

    # Adam per row: each row is a variable of its own with its own step count, because TensorFlow's
    # sparse Adam moves all rows and keeps one count.
    rows = [[variable(FIRST[r]), variable(np.zeros(DIMENSION)), variable(np.zeros(DIMENSION))]
            for r in range(ROWS)]
    counts = [0] * ROWS

    def adam(lr, ids, g):
        for r, total in zip(*summed(ids, g)):
            counts[r] += 1
            v, m, s = rows[r]
            tf.raw_ops.ResourceApplyAdam(
                var=v.handle, m=m.handle, v=s.handle, lr=lr, beta1=f32(0.9), beta2=f32(0.999),
                beta1_power=f32(np.float64(f32(0.9)) ** counts[r]),
                beta2_power=f32(np.float64(f32(0.999)) ** counts[r]), epsilon=f32(1e-8), grad=total)

    def adam_state():
        slots = [np.concatenate([m.numpy(), s.numpy(), np.array([c], np.uint32).view(f32)])
                 for (_, m, s), c in zip(rows, counts)]
        return np.array([v.numpy() for v, _, _ in rows]), np.array(slots)
    write("tf_adam_rows", 0.01, 2 * DIMENSION + 1, adam, adam_state)

    # Keras 3 does not sum duplicates: it adds the square of each one's gradient to the accumulator.
    # It is given sums here, as Keras 2 and TensorFlow's own optimizers make them.
    k = keras.Variable(FIRST)
    optimizer = keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.1, epsilon=1e-7)
    optimizer.build([k])

    def keras_adagrad(lr, ids, g):
        optimizer.learning_rate.assign(lr)
        index, sums = summed(ids, g)
        slices = tf.IndexedSlices(tf.constant(sums), tf.constant(index),
                                  tf.constant([ROWS, DIMENSION], tf.int64))
        optimizer.apply([slices], [k])
    write("keras_adagrad", 0.1, DIMENSION, keras_adagrad,
          lambda: (k.numpy(), optimizer._accumulators[0].numpy()))


# PyTorch: its optimizers on sparse gradients, with the duplicates left in.

def pytorch():
    import torch
    version("torch", torch)

    def run(name, base, slot_count, make, slots, every_row, sparse=True):
        w = torch.nn.Parameter(torch.from_numpy(FIRST.copy()))
        optimizer = make([w])

        def step(lr, ids, g):
            optimizer.param_groups[0]["lr"] = float(lr)
            gradient = torch.sparse_coo_tensor(torch.tensor([ids]), torch.from_numpy(g),
                                               (ROWS, DIMENSION))
            w.grad = gradient if sparse else gradient.coalesce().to_dense()
            optimizer.step()
        write(name, base, slot_count, step,
              lambda: (w.detach().numpy().copy(), slots(optimizer.state[w])), every_row)

    run("torch_adagrad", 0.1, DIMENSION,
        lambda p: torch.optim.Adagrad(p, eps=1e-10, initial_accumulator_value=0),
        lambda s: s["sum"].numpy().copy(), False)
    # SGD with momentum and SparseAdam agree with a store where every row comes in every step.
    for nesterov in (False, True):
        run("torch_nesterov" if nesterov else "torch_momentum", 0.05, DIMENSION,
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=nesterov),
            lambda s: s["momentum_buffer"].numpy().copy(), True, sparse=False)

    def adam_slots(s):
        count = np.full((ROWS, 1), s["step"], np.uint32).view(f32)
        return np.concatenate([s["exp_avg"].numpy(), s["exp_avg_sq"].numpy(), count], 1)
    run("torch_sparse_adam", 0.01, 2 * DIMENSION + 1,
        lambda p: torch.optim.SparseAdam(p, betas=(0.9, 0.999), eps=1e-8), adam_slots, True)


# FBGEMM's exact row-wise Adagrad, after the definition in its generated split optimizer (not run:
# it needs fbgemm-gpu), with the mean taken in double.

def rowwise_adagrad():
    w, s = FIRST.copy(), np.zeros((ROWS, 1), f32)

    def step(lr, ids, g):
        for r, total in zip(*summed(ids, g)):
            s[r, 0] = s[r, 0] + f32(np.mean(total.astype(np.float64) ** 2))
            multiplier = lr / (np.sqrt(s[r, 0]) + f32(1e-10))
            w[r] = w[r] - multiplier * total
    write("numpy_rowwise_adagrad", 0.1, 1, step, lambda: (w.copy(), s.copy()))


def version(name, module):
    with open(os.path.join(OUT, "VERSIONS.txt"), "a") as versions:
        versions.write("%s %s\n" % (name, module.__version__))


if __name__ == "__main__":
    parts = {"tensorflow": tensorflow, "pytorch": pytorch, "rowwise": rowwise_adagrad}
    if len(sys.argv) > 1:
        parts[sys.argv[1]]()
    else:
        os.makedirs(OUT, exist_ok=True)
        with open(os.path.join(OUT, "VERSIONS.txt"), "w") as file:
            file.write("python %s\n" % sys.version.split()[0])
        version("numpy", np)
        # TensorFlow and PyTorch each carry an LLVM of their own and clash within one process.
        for part in parts:
            subprocess.run([sys.executable, __file__, part], check=True)
