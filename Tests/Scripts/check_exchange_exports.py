#!/usr/bin/env python3
"""Reads what this library exported with gensim, numpy and safetensors, and compares bit for bit.

Usage: check_exchange_exports.py FOLDER [FIXTURES]

FOLDER holds the rows of the fixtures exported as export.txt, export.bin, export-newline.bin,
export.glove, export.npy (with .ids.npy), words.npy (with words.ids.txt), ints.safetensors,
words.safetensors and tfra-keys/-values. The exchange tests write them where the variable
EXCHANGE_EXPORTS names a folder.
"""

import pathlib
import sys

import numpy as np
from gensim.models import KeyedVectors
from safetensors.numpy import load_file

folder = pathlib.Path(sys.argv[1])
fixtures = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else (
    pathlib.Path(__file__).parent.parent / "ExchangeTests" / "Fixtures" / "generated")
words = (fixtures / "words.txt").read_text(encoding="utf-8").split("\n")[:-1]
ids = np.fromfile(fixtures / "expected.i64", dtype=np.int64)
vectors = np.fromfile(fixtures / "expected.f32", dtype=np.uint32).reshape(len(words), -1)


def same(name, array, keys, expected_keys):
    assert array.dtype == np.float32, (name, array.dtype)
    assert list(keys) == list(expected_keys), (name, "ids differ")
    assert np.array_equal(np.ascontiguousarray(array).view(np.uint32), vectors), (name, "floats differ")
    print(f"{name}: {array.shape[0]} rows are the same")


for name, options in [("export.txt", {}), ("export.bin", {"binary": True}),
                      ("export-newline.bin", {"binary": True}),
                      ("export.glove", {"no_header": True})]:
    kv = KeyedVectors.load_word2vec_format(str(folder / name), **options)
    same(name, kv.vectors, kv.index_to_key, words)
same("export.npy", np.load(folder / "export.npy"), np.load(folder / "export.ids.npy"), ids)
lines = (folder / "words.ids.txt").read_bytes().split(b"\n")[:-1]
same("words.npy", np.load(folder / "words.npy"), lines, [w.encode() for w in words])
tensors = load_file(folder / "ints.safetensors")
same("ints.safetensors", tensors["embeddings"], tensors["ids"], ids)
tensors = load_file(folder / "words.safetensors")
joined, offsets = tensors["id_bytes"].tobytes(), tensors["id_offsets"]
same("words.safetensors", tensors["embeddings"],
     [joined[a:b].decode() for a, b in zip(offsets, offsets[1:])], words)
same("tfra", np.fromfile(folder / "tfra-values", dtype=np.float32).reshape(vectors.shape),
     np.fromfile(folder / "tfra-keys", dtype=np.int64), ids)
