// Ids, rows and gradients of the workloads, as the Swift target WorkloadData makes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

constexpr uint64_t golden = 0x9E3779B97F4A7C15;

inline uint64_t mix64(uint64_t z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

/// SplitMix64 started at `mix64(stream)`, readable at any place.
struct RandomStream {
  uint64_t start;
  explicit RandomStream(uint64_t stream) : start(mix64(stream)) {}
  uint64_t operator[](uint64_t i) const { return mix64(start + (i + 1) * golden); }
};

uint64_t fnv1a(const void *bytes, size_t count, uint64_t hash = 0xcbf29ce484222325);

inline int64_t int64_key(uint64_t id) { return int64_t(mix64(id + golden)); }

/// The row numbers that a workload asks for.
struct Stream {
  uint64_t number;
  size_t batches, batch_size, rows;
  /// 0: uniform.
  double exponent;

  std::vector<uint32_t> ids() const;
};

constexpr Stream w1_stream{1, 256, 8192, 1000000, 1.05};
constexpr Stream w2_stream{2, 512, 8192, 5000000, 0};
constexpr Stream w3_stream{3, 500, 8192, 5000000, 1.05};

/// Keys in memory: int64, or strings as offsets and bytes.
struct Keys {
  bool strings = false;
  size_t count = 0;
  std::vector<int64_t> ints;
  std::vector<uint32_t> offsets;
  std::vector<char> bytes;

  Keys() = default;
  /// The keys of `ids`, or with an empty list those of rows 0 to `rows - 1`.
  Keys(bool strings, const std::vector<uint32_t> &ids, size_t rows = 0);

  const char *data(size_t i) const {
    return strings ? bytes.data() + offsets[i] : reinterpret_cast<const char *>(&ints[i]);
  }
  size_t size(size_t i) const { return strings ? offsets[i + 1] - offsets[i] : 8; }
  /// What a new row starts from: the key itself, or the number in it.
  uint64_t seed(size_t i) const;
};

/// A hash of a string key, word by word.
inline uint64_t hash_string(const char *key, size_t size) {
  auto fold = [](uint64_t a) {
    auto product = static_cast<unsigned __int128>(a ^ golden) * 0xa0761d6478bd642f;
    return uint64_t(product >> 64) ^ uint64_t(product);
  };
  uint64_t hash = size * golden, word;
  if (size < 8) {
    for (size_t i = 0; i < size; i++) hash = (hash ^ uint8_t(key[i])) * golden;
    return hash;
  }
  for (size_t offset = 0; offset < size - 8; offset += 8) {
    __builtin_memcpy(&word, key + offset, 8);
    hash = fold(hash ^ word);
  }
  __builtin_memcpy(&word, key + size - 8, 8);
  return fold(hash ^ word);
}

/// Finds the distinct keys of a batch in the order in which they first occur.
class Distinct {
 public:
  Distinct(bool strings, size_t batch_size);
  void find(const Keys &source, size_t begin, size_t end);
  /// The distinct keys of the last batch; `keys.count` of them.
  Keys keys;

 private:
  struct Entry {
    uint64_t hash;
    uint32_t batch, position;
  };
  std::vector<Entry> entries;
  uint32_t batch = 0;
};

/// Element `d` of row `id` of a table.
inline float table_value(uint64_t id, size_t d, size_t dimension) {
  static const RandomStream random(0x6A55);
  const uint64_t e = (id * dimension + d) * 2;
  const uint64_t a = random[e], b = random[e + 1];
  const uint64_t s = (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32);
  return float((double(s) - 8589934590.0) * 2.016373e-11);
}

/// The noise of the gradients, two rows for each id of a batch; aligned to 64 bytes, never freed.
float *gradient_noise(size_t batch_size, size_t dimension);

/// Writes the vector that a row starts from.
inline void initial_vector(uint64_t seed, float *vector, size_t dimension) {
  constexpr float unit = 0.05f / 2147483648.0f;
  for (size_t i = 0; i < dimension / 2; i++) {
    const uint64_t hash = mix64(seed + (i + 1) * golden);
    vector[2 * i] = float(int32_t(hash)) * unit;
    vector[2 * i + 1] = float(int32_t(hash >> 32)) * unit;
  }
}

}  // namespace bench
