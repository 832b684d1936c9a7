#!/usr/bin/env python3
"""Writes the fixtures of the exchange tests with gensim, numpy and safetensors themselves.

Needs gensim, numpy and safetensors. Usage: make_exchange_fixtures.py [FOLDER]
(default: Tests/ExchangeTests/Fixtures/generated). Every fixture holds the same 23 rows of dimension 7,
whose bits stand in expected.f32 (raw little-endian float32) and whose words stand in words.txt.
"""

import pathlib
import sys

import numpy as np
from gensim.models import KeyedVectors
from safetensors.numpy import save_file

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else (
    pathlib.Path(__file__).parent.parent / "ExchangeTests" / "Fixtures" / "generated")
folder.mkdir(parents=True, exist_ok=True)

N, D = 23, 7
random = np.random.default_rng(20260101)
# Bit patterns from the whole range of float32, the finite ones, and some of everyday size.
bits = random.integers(0, 2**32, size=N * D, dtype=np.uint32)
vectors = bits.view(np.float32).copy()
vectors[~np.isfinite(vectors)] = 0.1
vectors[: N * D // 2] = random.standard_normal(N * D // 2).astype(np.float32)
vectors[:6] = [0.0, -0.0, 1e-45, -1.1754944e-38, 3.4028235e38, 16777216.0]
vectors = vectors.reshape(N, D)
words = ["king", "queen", "Z\u00fcrich", "\u0434\u043e\u043c", "\u6771\u4eac", "\U0001f600", "42", "-1",
         "3.5", "nan", "</s>", "'quoted'", "\"double\"", "back\\slash", "a" * 200]
words += [f"word{i}" for i in range(N - len(words))]
counts = [1000 - 3 * i for i in range(N)]
ids = np.array([(-1) ** i * (i * 0x0102030405060708 & (2**63 - 1)) for i in range(N)], dtype=np.int64)

vectors.tofile(folder / "expected.f32")
ids.tofile(folder / "expected.i64")
(folder / "words.txt").write_text("".join(w + "\n" for w in words), encoding="utf-8")

kv = KeyedVectors(vector_size=D)
kv.add_vectors(words, vectors)
for word, count in zip(words, counts):
    kv.set_vecattr(word, "count", count)
kv.save_word2vec_format(str(folder / "gensim.txt"), fvocab=str(folder / "gensim.vocab"),
                        binary=False)
kv.save_word2vec_format(str(folder / "gensim.bin"), binary=True)
kv.save_word2vec_format(str(folder / "gensim.glove"), binary=False, write_header=False)

np.save(folder / "vectors.npy", vectors)
np.save(folder / "ids.npy", ids)
np.save(folder / "vectors-f16.npy", np.linspace(-4, 4, N * D).astype(np.float16).reshape(N, D))
np.save(folder / "vectors-f64.npy", np.linspace(-4, 4, N * D).reshape(N, D))
np.save(folder / "fortran.npy", np.asfortranarray(vectors))
np.save(folder / "big-endian.npy", vectors.astype(">f4"))
np.save(folder / "objects.npy", np.array([[1, "a"]], dtype=object), allow_pickle=True)
np.savez(folder / "vectors.npz", vectors=vectors)

joined = "".join(words).encode()
offsets = np.cumsum([0] + [len(w.encode()) for w in words]).astype(np.int32)
save_file({"weight": vectors}, folder / "one.safetensors")
save_file({"embeddings": vectors, "ids": ids}, folder / "ids.safetensors", {"format": "np"})
save_file({"embeddings": vectors, "id_bytes": np.frombuffer(joined, dtype=np.uint8),
           "id_offsets": offsets}, folder / "words.safetensors")
save_file({"a": vectors, "b": vectors[:, :2].copy()}, folder / "two.safetensors")
save_file({"q": np.zeros((3, 2), dtype=np.int8)}, folder / "int8.safetensors")

(folder / "gensim.txt.zst").unlink(missing_ok=True)
try:
    import zstandard
    (folder / "gensim.txt.zst").write_bytes(
        zstandard.ZstdCompressor(write_checksum=True).compress((folder / "gensim.txt").read_bytes()))
except ImportError:
    import subprocess
    subprocess.run(["zstd", "-q", "-19", str(folder / "gensim.txt"), "-o",
                    str(folder / "gensim.txt.zst")], check=True)
