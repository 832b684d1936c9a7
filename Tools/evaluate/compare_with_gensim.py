#!/usr/bin/env python3
"""Trains the same text with word2vec (this repository) and with gensim, and judges both with
gensim's own evaluation code.

Each seed is one run of either side, one after the other, so that a busy machine slows both alike.
Small texts give low and scattered scores: look at the means and the spread, not at single runs.

    swift build -c release --product word2vec
    python3 Tools/evaluate/compare_with_gensim.py Tools/Data/presidents.txt.zst \
      --epochs 15 --seeds 5 --wordsim wordsim353.tsv --simlex simlex999.txt \
      --analogies questions-words.txt

Needs gensim 4 and the zstd command. The evaluation sets come with gensim's tests
(gensim/test/test_data).
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import tempfile
import time

import gensim
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.word2vec import LineSentence

# Words per second of processor time, all threads together, hardly depend on what else runs.
COLUMNS = ["wordsim", "simlex", "analogies", "words/s", "words/cpu-s"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("text", help="plain or .zst, one sentence a line")
    parser.add_argument("--tool", default=".build/release/word2vec")
    parser.add_argument("--wordsim")
    parser.add_argument("--simlex")
    parser.add_argument("--analogies")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--negative", type=int, default=5)
    parser.add_argument("--sample", type=float, default=1e-3)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--restrict-vocab", type=int, default=300_000)
    parser.add_argument("--tool-options", default="", help="more options for the tool")
    parser.add_argument("--skip-gensim", action="store_true")
    parser.add_argument("--json", help="append the results to this file, one object a line")
    return parser.parse_args()


class Clock:
    """Time on the wall, and of processors in this process and its children."""

    def __init__(self):
        self.begin = time.perf_counter(), self.processor()

    @staticmethod
    def processor():
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    def speeds(self, words):
        return {"words/s": words / (time.perf_counter() - self.begin[0]),
                "words/cpu-s": words / (self.processor() - self.begin[1])}


def evaluate(vectors, options):
    """The scores of a KeyedVectors, and how many of the questions it knows."""
    scores, counts = {}, {}
    for name in ["wordsim", "simlex"]:
        path = getattr(options, name)
        if path is None:
            continue
        _, spearman, unknown = vectors.evaluate_word_pairs(
            path, restrict_vocab=options.restrict_vocab)
        scores[name] = float(spearman.statistic)
        counts[name] = f"{100 - unknown:.1f} % of the pairs known"
    if options.analogies is not None:
        accuracy, sections = vectors.evaluate_word_analogies(
            options.analogies, restrict_vocab=options.restrict_vocab)
        scores["analogies"] = float(accuracy)
        counts["analogies"] = f"{len(sections[-1]['correct']) + len(sections[-1]['incorrect'])} asked"
    return scores, counts


def train_with_gensim(path, seed, words, options):
    model = Word2Vec(
        vector_size=options.dim, window=options.window, negative=options.negative, sg=1, hs=0,
        sample=options.sample, min_count=options.min_count, epochs=options.epochs, seed=seed,
        workers=options.threads)
    sentences = LineSentence(path)
    clock = Clock()
    model.build_vocab(sentences)
    model.train(sentences, total_examples=model.corpus_count, epochs=options.epochs)
    return model.wv, clock.speeds(words * options.epochs)


def train_with_tool(path, seed, words, options, directory):
    database = os.path.join(directory, f"model-{seed}")
    exported = os.path.join(directory, "vectors.txt")
    command = [
        options.tool, path, database, "--dim", options.dim, "--window", options.window,
        "--negative", options.negative, "--sample", options.sample, "--min-count",
        options.min_count, "--epochs", options.epochs, "--seed", seed, "--threads",
        options.threads, "--quiet", *options.tool_options.split(),
    ]
    clock = Clock()
    subprocess.run([str(part) for part in command], check=True)
    speeds = clock.speeds(words * options.epochs)
    # Exported by a second run, which finds nothing left to train: export is not part of the time.
    subprocess.run([str(part) for part in command + ["--export", exported]], check=True)
    vectors = KeyedVectors.load_word2vec_format(exported)
    return vectors, speeds


def summary(results):
    lines = []
    for side in results:
        parts = []
        for column in COLUMNS:
            values = [run[column] for run in results[side] if column in run]
            if not values:
                continue
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            digits = 0 if column.startswith("words/") else 4
            parts.append(f"{column} {statistics.mean(values):.{digits}f} +- {spread:.{digits}f}")
        lines.append(f"{side:9s} " + "   ".join(parts))
    return "\n".join(lines)


def main():
    options = arguments()
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as directory:
        path = options.text
        if path.endswith(".zst"):
            path = os.path.join(directory, "text.txt")
            subprocess.run(["zstd", "-dqf", options.text, "-o", path], check=True)
        with open(path, "rb") as file:
            words = sum(len(line.split()) for line in file)
        print(f"{options.text}: {words} words, {options.epochs} epochs, dimension {options.dim}, "
              f"{options.threads} threads, gensim {gensim.__version__}, "
              f"load {os.getloadavg()[0]:.1f}", flush=True)
        results = {"word2vec": []} if options.skip_gensim else {"word2vec": [], "gensim": []}
        for seed in range(1, options.seeds + 1):
            for side in results:
                if side == "gensim":
                    vectors, speeds = train_with_gensim(path, seed, words, options)
                else:
                    vectors, speeds = train_with_tool(path, seed, words, options, directory)
                scores, counts = evaluate(vectors, options)
                scores.update(speeds)
                results[side].append(scores)
                print(f"  seed {seed} {side:9s}",
                      "  ".join(f"{name} {value:.4f}" for name, value in scores.items()),
                      f" ({len(vectors)} words; "
                      + "; ".join(f"{name}: {text}" for name, text in counts.items()) + ")",
                      flush=True)
        print(summary(results))
        print(f"load at the end {os.getloadavg()[0]:.1f}")
        if options.json:
            with open(options.json, "a") as file:
                record = {"text": options.text, "epochs": options.epochs,
                          "threads": options.threads, "tool_options": options.tool_options,
                          "results": results}
                file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
