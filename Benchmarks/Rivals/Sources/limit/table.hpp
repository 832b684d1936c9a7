// An idealised table in memory, without any engine: what the machine can do.
#pragma once

#include <harness.hpp>
#include <kernels.hpp>

namespace limit {

using namespace bench;

/// Rows in one arena, found through one open-addressing index at most half full, all on huge pages.
struct Table {
  struct Entry {
    /// The int64 key, or the hash of a string key.
    uint64_t key;
    /// The row + 1; 0 is empty.
    uint32_t row;
    /// The last batch in which the row occurred.
    uint32_t batch;
  };
  /// A string key, length first.
  struct Name {
    uint8_t size;
    char bytes[31];
  };

  const bool strings;
  const size_t row_floats;
  size_t count = 0, capacity;
  size_t mask = 0;
  Entry *entries = nullptr;
  float *arena;
  Name *names;

  /// - capacity: the most rows; - expected: rows that the index has room for at once.
  Table(bool strings, size_t row_floats, size_t capacity, size_t expected)
      : strings(strings), row_floats(row_floats), capacity(capacity) {
    arena = static_cast<float *>(huge_pages(capacity * row_floats * sizeof(float)));
    names = strings ? static_cast<Name *>(huge_pages(capacity * sizeof(Name))) : nullptr;
    resize_index(expected);
  }

  void resize_index(size_t rows) {
    size_t size = 64;
    while (size < 2 * rows) size *= 2;
    Entry *old = entries;
    const size_t old_size = entries ? mask + 1 : 0;
    entries = static_cast<Entry *>(huge_pages(size * sizeof(Entry)));
    mask = size - 1;
    for (size_t i = 0; i < old_size; i++) {
      if (!old[i].row) continue;
      size_t place = home(old[i].key);
      while (entries[place].row) place = (place + 1) & mask;
      entries[place] = old[i];
    }
  }

  uint64_t word(const Keys &keys, size_t i) const {
    return strings ? hash_string(keys.data(i), keys.size(i)) : uint64_t(keys.ints[i]);
  }

  size_t home(uint64_t word) const { return (word * golden >> 24) & mask; }

  float *row(uint32_t number) const { return arena + size_t(number) * row_floats; }

  bool is_named(uint32_t number, const Keys &keys, size_t i) const {
    if (!strings) return true;
    const Name &name = names[number];
    const size_t size = keys.size(i);
    return name.size == size && __builtin_memcmp(name.bytes, keys.data(i), size) == 0;
  }

  /// The entry of a key, or the empty one where it belongs.
  Entry *find(uint64_t word, const Keys &keys, size_t i) const {
    size_t place = home(word);
    while (entries[place].row &&
           !(entries[place].key == word && is_named(entries[place].row - 1, keys, i)))
      place = (place + 1) & mask;
    return &entries[place];
  }

  /// Makes a row; the caller fills its floats in.
  uint32_t insert(Entry *entry, uint64_t word, const Keys &keys, size_t i) {
    const auto number = uint32_t(count++);
    if (count > capacity) __builtin_trap();
    if (strings) {
      names[number].size = uint8_t(keys.size(i));
      __builtin_memcpy(names[number].bytes, keys.data(i), keys.size(i));
    }
    if (2 * count > mask + 1) {
      resize_index(count * 2);
      entry = find(word, keys, i);
    }
    *entry = {word, number + 1, 0};
    return number;
  }
};

/// Asks for the lines of `floats` floats.
inline void prefetch(const float *row, size_t floats) {
  for (size_t d = 0; d < floats; d += 16) __builtin_prefetch(row + d, 0, 3);
}

inline void prefetch_to_write(const float *row, size_t floats) {
  for (size_t d = 0; d < floats; d += 16) __builtin_prefetch(row + d, 1, 3);
}

}  // namespace limit

#define KERNELS_NAMESPACE base
#include "table.inc"
#undef KERNELS_NAMESPACE

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define KERNELS_NAMESPACE avx2
#include "table.inc"
#undef KERNELS_NAMESPACE
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,prefer-256-bit"))), \
                             apply_to = function)
#define KERNELS_NAMESPACE avx512
#include "table.inc"
#undef KERNELS_NAMESPACE
#pragma clang attribute pop
#endif
