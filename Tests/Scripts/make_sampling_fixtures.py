#!/usr/bin/env python3
"""Writes Tests/EmbeddingsTests/Fixtures/sampling/formulas.json.

The formulas are those of TensorFlow's range_sampler.cc (LogUniformSampler::Probability and
ExpectedCountHelper), evaluated with 60 decimal digits; the law of distinct draws by enumeration in
exact fractions; the generator is a transcription of the reference C code of xoshiro256** 1.0 and
SplitMix64 (https://prng.di.unimi.it). Needs the standard library only.

Usage: python3 Tests/Scripts/make_sampling_fixtures.py
"""

import itertools
import json
import pathlib
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60
MASK = (1 << 64) - 1


def log_uniform(range_, rank):
    ratio = (Decimal(rank) + 2) / (Decimal(rank) + 1)
    return float(ratio.ln() / Decimal(range_ + 1).ln())


def expected_count(p, tries, is_distinct):
    p = Decimal(p)
    if not is_distinct:
        return float(p * tries)
    return float(1 - ((1 - p).ln() * tries).exp())


def unigram(frequency, distortion):
    return float((Decimal(frequency).ln() * Decimal(distortion)).exp()) if frequency else 0.0


def split_mix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def xoshiro(seed):
    def rotl(x, k):
        return ((x << k) | (x >> (64 - k))) & MASK

    s = list(itertools.islice(split_mix(seed), 4))
    while True:
        yield (rotl((s[1] * 5) & MASK, 7) * 9) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)


def distinct_law(weights, count, excluded):
    """The probability of each ordered draw of `count` distinct rows by rejection, and the mean of
    the number of tries."""
    total = sum(weights)
    law, mean_tries = [], Fraction(0)
    rows = [r for r in range(len(weights)) if r not in excluded and weights[r] > 0]
    gone = sum(weights[r] for r in excluded)
    for draw in itertools.permutations(rows, count):
        p, tries, left = Fraction(1), Fraction(0), total - gone
        for row in draw:
            p *= Fraction(weights[row], left)
            tries += Fraction(total, left)
            left -= weights[row]
        law.append({"rows": list(draw), "probability": float(p)})
        mean_tries += p * tries
    return {
        "weights": weights, "count": count, "excluded": excluded, "law": law,
        "meanTries": float(mean_tries),
    }


ranges = [1, 2, 10, 1000, 10**6, 4 * 10**9]
fixtures = {
    "logUniform": [
        {"range": n, "rank": k, "probability": log_uniform(n, k)}
        for n in ranges for k in sorted({0, 1, 7, n // 2, n - 1}) if k < n
    ],
    "expectedCount": [
        {"p": p, "tries": t, "isDistinct": d, "value": expected_count(p, t, d)}
        for p in [1e-12, 1e-6, 0.001, 0.25, 0.999] for t in [1, 5, 100, 100000]
        for d in [False, True]
    ],
    "unigram": [
        {"frequency": str(f), "distortion": d, "weight": unigram(f, d)}
        for f in [0, 1, 2, 1000, 10**12, 2**64 - 1] for d in [0.0, 0.5, 0.75, 1.0, 1.5, 8.0]
    ],
    "xoshiro256": [
        {"seed": str(seed), "outputs": [str(x) for x in itertools.islice(xoshiro(seed), 16)]}
        for seed in [0, 1, 42, MASK]
    ],
    "distinct": [
        distinct_law([1, 2, 3, 4, 10], 3, []),
        distinct_law([7, 1, 0, 2, 5, 40], 2, [5]),
        distinct_law([1, 1, 1, 1, 1], 3, [0]),
        distinct_law([50, 1, 1, 3], 4, []),
    ],
}
folder = pathlib.Path(__file__).parent.parent / "EmbeddingsTests/Fixtures/sampling"
folder.mkdir(parents=True, exist_ok=True)
(folder / "formulas.json").write_text(json.dumps(fixtures, indent=1) + "\n")
