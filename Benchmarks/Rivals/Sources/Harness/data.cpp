#include "data.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

uint64_t fnv1a(const void *bytes, size_t count, uint64_t hash) {
  for (size_t i = 0; i < count; i++)
    hash = (hash ^ static_cast<const uint8_t *>(bytes)[i]) * 0x100000001b3;
  return hash;
}

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "%s differs from its definition.\n", what);
  exit(1);
}

std::vector<uint32_t> Stream::ids() const {
  const size_t count = batches * batch_size;
  const RandomStream random(number);
  std::vector<uint32_t> ids(count);
  if (exponent == 0) {
    for (size_t i = 0; i < count; i++)
      ids[i] = uint32_t(static_cast<unsigned __int128>(random[i]) * rows >> 64);
  } else {
    std::vector<double> cumulative(rows + 1);
    double sum = 0;
    for (size_t k = 1; k <= rows; k++) cumulative[k] = sum += pow(double(k), -exponent);
    for (size_t i = 0; i < count; i++) {
      const double u = double(random[i] >> 11) * 0x1p-53 * sum;
      const size_t above =
          std::upper_bound(cumulative.begin() + 1, cumulative.end(), u) - cumulative.begin() - 1;
      const uint64_t rank = std::min(above, rows - 1);
      ids[i] = uint32_t((2654435761 * rank + 12345) % rows);
    }
  }
  const struct {
    Stream stream;
    uint64_t checksum;
  } known[] = {{w1_stream, 0xf7cd4b719d0da500},
               {w2_stream, 0x97cd0fd44b485693},
               {w3_stream, 0x103fa090a86840fc}};
  for (const auto &k : known)
    if (k.stream.number == number && k.stream.batches == batches && k.stream.rows == rows &&
        k.stream.batch_size == batch_size && k.stream.exponent == exponent)
      require(fnv1a(ids.data(), count * 4) == k.checksum, "An id stream");
  return ids;
}

Keys::Keys(bool strings, const std::vector<uint32_t> &ids, size_t rows)
    : strings(strings), count(ids.empty() ? rows : ids.size()) {
  auto id = [&](size_t i) { return ids.empty() ? uint64_t(i) : uint64_t(ids[i]); };
  if (!strings) {
    ints.resize(count);
    for (size_t i = 0; i < count; i++) ints[i] = int64_key(id(i));
    return;
  }
  offsets.resize(count + 1);
  // Readers of whole words may read past the last key.
  bytes.resize(count * 24 + 8);
  uint32_t end = 0;
  for (size_t i = 0; i < count; i++) {
    offsets[i] = end;
    char text[32];
    const int size = snprintf(text, sizeof text, "user_%llu",
                              (unsigned long long)(mix64(id(i) + golden) & 0x7fffffffffffffff));
    memcpy(&bytes[end], text, size);
    end += size;
  }
  offsets[count] = end;
}

uint64_t Keys::seed(size_t i) const {
  if (!strings) return uint64_t(ints[i]);
  uint64_t number = 0;
  for (const char *c = data(i) + 5; c < data(i) + size(i); c++) number = number * 10 + (*c - '0');
  return number;
}

Distinct::Distinct(bool strings, size_t batch_size) {
  keys.strings = strings;
  size_t size = 16;
  while (size < 2 * batch_size) size *= 2;
  entries.resize(size);
  keys.ints.resize(strings ? 0 : batch_size + 1);
  keys.offsets.resize(strings ? batch_size + 2 : 0);
  keys.bytes.resize(strings ? batch_size * 24 + 32 : 0);
}

void Distinct::find(const Keys &source, size_t begin, size_t end) {
  batch++;
  const size_t mask = entries.size() - 1;
  uint32_t found = 0;
  for (size_t i = begin; i < end; i++) {
    if (!source.strings) {
      const uint64_t key = uint64_t(source.ints[i]);
      size_t place = (key * golden >> 32) & mask;
      while (entries[place].batch == batch && entries[place].hash != key) place = (place + 1) & mask;
      // Whether a key is new cannot be predicted, so nothing branches on it.
      const bool is_new = entries[place].batch != batch;
      entries[place] = {key, batch, 0};
      keys.ints[found] = int64_t(key);
      found += is_new;
      continue;
    }
    const char *key = source.data(i);
    const size_t size = source.size(i);
    const uint64_t hash = hash_string(key, size);
    size_t place = (hash >> 32) & mask;
    while (entries[place].batch == batch &&
           !(entries[place].hash == hash && keys.size(entries[place].position) == size &&
             memcmp(keys.data(entries[place].position), key, size) == 0))
      place = (place + 1) & mask;
    if (entries[place].batch == batch) continue;
    entries[place] = {hash, batch, found};
    memcpy(&keys.bytes[keys.offsets[found]], key, size);
    keys.offsets[found + 1] = keys.offsets[found] + uint32_t(size);
    found++;
  }
  keys.count = found;
}

float *gradient_noise(size_t batch_size, size_t dimension) {
  const RandomStream random(0x6AD);
  const size_t count = 2 * batch_size * dimension;
  auto *noise = static_cast<float *>(aligned_alloc(64, (count * 4 + 63) / 64 * 64));
  constexpr float unit = 0.01f / 2147483648.0f;
  for (size_t i = 0; i < count / 2; i++) {
    const uint64_t hash = random[i];
    noise[2 * i] = float(int32_t(hash)) * unit;
    noise[2 * i + 1] = float(int32_t(hash >> 32)) * unit;
  }
  if (batch_size == 8192 && dimension == 64)
    require(fnv1a(noise, count * 4) == 0x2568b5b9773f5b11, "The noise of the gradients");
  return noise;
}

}  // namespace bench
