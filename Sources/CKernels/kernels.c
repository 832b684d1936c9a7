#include "CKernels.h"

#include <stdatomic.h>
#include <string.h>

// Every variant must round alike, so that a store gives the same bits on every machine.
#pragma STDC FP_CONTRACT OFF

// Under a sanitizer the loops cannot run in vectors as they ask; that is no matter there.
#pragma clang diagnostic ignored "-Wpass-failed"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the store's formats and kernels are little-endian"
#endif

typedef float ck_lanes __attribute__((ext_vector_type(16)));
typedef float ck_lanes8 __attribute__((ext_vector_type(8)));
typedef float ck_lanes4 __attribute__((ext_vector_type(4)));
typedef float ck_lanes2 __attribute__((ext_vector_type(2)));

#define CK_GOLDEN 0x9E3779B97F4A7C15ull
#define CK_INLINE static inline __attribute__((always_inline))

CK_INLINE uint64_t ck_mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

/// Prefetches the first lines of a row, and of its gradient of `dimension` floats, `ahead` rows
/// before their turn; the hardware follows from there. Short rows need more of them under way.
CK_INLINE void ck_prefetch_row(float *const *rows, const float *const *gradients, size_t r,
                               size_t count, size_t floats, size_t dimension, size_t ahead) {
  const size_t most = 16 * 16;
  if (r + ahead >= count) return;
  if (floats > most) floats = most;
  if (dimension > most) dimension = most;
  const float *row = rows[r + ahead], *gradient = gradients[r + ahead];
#pragma clang loop unroll_count(4)
  for (size_t i = 0; i < floats; i += 16) __builtin_prefetch(row + i, 1, 3);
#pragma clang loop unroll_count(4)
  for (size_t i = 0; i < dimension; i += 16) __builtin_prefetch(gradient + i, 0, 3);
}

/// Copies the first `count` < 16 floats of a block, without the call that a memcpy of variable
/// length would be.
CK_INLINE void ck_copy_rest(void *to, const char *from, size_t count) {
  char *out = to;
  if (count & 8) memcpy(out, from, 32), out += 32, from += 32;
  if (count & 4) memcpy(out, from, 16), out += 16, from += 16;
  if (count & 2) memcpy(out, from, 8), out += 8, from += 8;
  if (count & 1) memcpy(out, from, 4);
}

/// Counts one step in the slot and returns the count. memcpy, so that no copy through a
/// floating-point register can change the bits.
CK_INLINE uint32_t ck_next_step(float *slot) {
  uint32_t t;
  memcpy(&t, slot, sizeof t);
  if (t < 0x7F7FFFFFu) t += 1;
  memcpy(slot, &t, sizeof t);
  return t;
}

/// What corrects the bias of Adam's moments: the repeated squares of both betas, as many as were
/// `known` to be needed, and `alpha` of the step `t` that was asked for last, 0 for none.
struct ck_corrections {
  double squares1[32], squares2[32];
  uint32_t known, t;
  float alpha;
};

/// `lr*sqrt(1 - beta2^t)/(1 - beta1^t)`. The powers are products of repeated squares:
/// multiplications only, so the same bits everywhere. Rows of one batch are at different steps, so
/// this has to be fast.
CK_INLINE float ck_adam_alpha(struct ck_corrections *c, float lr, uint32_t t) {
  if (t == c->t) return c->alpha;
  // A slot from a file may hold any 32 bits.
  for (; c->known < 32 && t >> c->known; c->known++) {
    const uint32_t last = c->known - 1;
    c->squares1[c->known] = c->squares1[last] * c->squares1[last];
    c->squares2[c->known] = c->squares2[last] * c->squares2[last];
  }
  double power1 = 1, power2 = 1;
  for (uint32_t bits = t; bits != 0; bits &= bits - 1) {
    power1 *= c->squares1[__builtin_ctz(bits)];
    power2 *= c->squares2[__builtin_ctz(bits)];
  }
  c->t = t;
  return c->alpha = (float)(lr * __builtin_elementwise_sqrt(1 - power2) / (1 - power1));
}

/// A divisor of many floats, `y`: see CK_NAME(quotient) in optimizers.inc.
struct ck_divisor {
  float y, inverse, rest;
  double inverse_in_double;
};

CK_INLINE struct ck_divisor ck_divisor_of(float y) {
  const double inverse = 1 / (double)y;
  return (struct ck_divisor){y, 1 / y, (float)(inverse - (double)(1 / y)), inverse};
}

/// Ids that are looked up side by side: their addresses stay in the first-level cache.
#define CK_CHUNK 512
/// The buckets among which a row number may stand.
#define CK_GROUP 4

// What reads words that other threads may write, in vectors: see located.inc.
#define CK_UNSYNCHRONIZED __attribute__((no_sanitize("thread")))

typedef uint32_t ck_narrow_bucket __attribute__((ext_vector_type(16)));
typedef uint64_t ck_wide_bucket __attribute__((ext_vector_type(8)));
typedef _Bool ck_flags16 __attribute__((ext_vector_type(16)));
typedef _Bool ck_flags8 __attribute__((ext_vector_type(8)));

CK_UNSYNCHRONIZED CK_INLINE uint64_t ck_bucket_number(const struct ck_locations *at,
                                                      uint64_t hash) {
  return (uint64_t)((unsigned __int128)hash * at->bucket_count >> 64);
}

CK_UNSYNCHRONIZED CK_INLINE const char *ck_bucket(const struct ck_locations *at, uint64_t number) {
  return (const char *)at->buckets + 64 * number;
}

/// The block of a row that an entry names, which may be any number of 40 bits.
CK_UNSYNCHRONIZED CK_INLINE uint64_t ck_block_of(const struct ck_locations *at, uint64_t row) {
  return at->inverse == 0 ? row : (uint64_t)((unsigned __int128)row * at->inverse >> 64);
}

/// The entry of a block, or NULL where its chunk was not made.
CK_UNSYNCHRONIZED CK_INLINE const uint64_t *ck_block_entry(const struct ck_locations *at,
                                                           uint64_t block) {
  if (__builtin_expect(block >= at->block_capacity, 0)) return NULL;
  const uint64_t *const *chunks = at->chunks;
  const uint64_t *chunk =
      __atomic_load_n(chunks + (block >> at->chunk_shift), __ATOMIC_ACQUIRE);
  return chunk ? chunk + (block & ((1ull << at->chunk_shift) - 1)) : NULL;
}

/// The address that an entry holds, or NULL where it is that of another commit.
CK_UNSYNCHRONIZED CK_INLINE const char *ck_block_address(const struct ck_locations *at,
                                                         uint64_t entry) {
  if (__builtin_expect(entry >> at->page_bits != at->tag, 0)) return NULL;
  const uint64_t page = entry & ((1ull << at->page_bits) - 1);
  return (const char *)(uintptr_t)(page << 12 | at->page_offset);
}

#if defined(__ARM_FEATURE_FMA)
#define CK_FMA 1
#else
#define CK_FMA 0
#endif
#define CK_NAME(f) ck_##f##_baseline
#define CK_TABLE ck_table_baseline
#include "kernels.inc"

#if defined(__x86_64__)

#define CK_FMA 1
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_NAME(f) ck_##f##_avx2
#define CK_TABLE ck_table_avx2
#include "kernels.inc"
#pragma clang attribute pop

#define CK_FMA 1
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define CK_NAME(f) ck_##f##_avx512
#define CK_TABLE ck_table_avx512
#include "kernels.inc"
#pragma clang attribute pop

#endif

const struct ck_kernels *ck_kernels_of(enum ck_variant variant) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (variant == ck_variant_avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("fma")
               ? &ck_table_avx512
               : NULL;
  if (variant == ck_variant_avx2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &ck_table_avx2 : NULL;
#endif
  return variant == ck_variant_baseline ? &ck_table_baseline : NULL;
}

enum ck_variant ck_chosen_variant(void) {
  if (ck_kernels_of(ck_variant_avx512)) return ck_variant_avx512;
  if (ck_kernels_of(ck_variant_avx2)) return ck_variant_avx2;
  return ck_variant_baseline;
}

/// The chosen table. Threads that race here store the same pointer.
CK_INLINE const struct ck_kernels *ck_chosen(void) {
  static _Atomic(const struct ck_kernels *) chosen;
  const struct ck_kernels *table = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (__builtin_expect(table == NULL, 0)) {
    table = ck_kernels_of(ck_chosen_variant());
    atomic_store_explicit(&chosen, table, memory_order_relaxed);
  }
  return table;
}

void ck_sgd(float *const *rows, const float *const *gradients, size_t count, size_t dimension, float lr) {
  ck_chosen()->sgd(rows, gradients, count, dimension, lr);
}

void ck_momentum(float *const *rows, const float *const *gradients, size_t count, size_t dimension,
                 float lr, float momentum, int nesterov) {
  ck_chosen()->momentum(rows, gradients, count, dimension, lr, momentum, nesterov);
}

void ck_adagrad(float *const *rows, const float *const *gradients, size_t count, size_t dimension,
                float lr, float epsilon) {
  ck_chosen()->adagrad(rows, gradients, count, dimension, lr, epsilon);
}

void ck_rowwise_adagrad(float *const *rows, const float *const *gradients, size_t count, size_t dimension,
                        float lr, float epsilon) {
  ck_chosen()->rowwise_adagrad(rows, gradients, count, dimension, lr, epsilon);
}

void ck_ftrl(float *const *rows, const float *const *gradients, size_t count, size_t dimension, float lr,
             float l1, float l2, float l2_shrinkage) {
  ck_chosen()->ftrl(rows, gradients, count, dimension, lr, l1, l2, l2_shrinkage);
}

void ck_adam(float *const *rows, const float *const *gradients, size_t count, size_t dimension, float lr,
             float beta1, float beta2, float epsilon) {
  ck_chosen()->adam(rows, gradients, count, dimension, lr, beta1, beta2, epsilon);
}

void ck_add(float *sum, const float *values, size_t count) {
  ck_chosen()->add(sum, values, count);
}

float ck_dot(const void *x, const void *y, size_t count) { return ck_chosen()->dot(x, y, count); }

void ck_dot_rows(const float *query, const void *rows, size_t stride, size_t count,
                 size_t dimension, float *scores) {
  ck_chosen()->dot_rows(query, rows, stride, count, dimension, scores);
}

void ck_stream(float *target, const float *source, size_t count) {
  typedef float lanes __attribute__((vector_size(16)));
  typedef float unaligned_lanes __attribute__((vector_size(16), aligned(4)));
  size_t i = 0;
  if (((uintptr_t)target & 15) == 0) {
    for (; i + 4 <= count; i += 4) {
      lanes four = *(const unaligned_lanes *)(source + i);
      __builtin_nontemporal_store(four, (lanes *)(target + i));
    }
  }
  for (; i < count; i++) target[i] = source[i];
}

void ck_copy_rows(const float *const *rows, float *const *outputs, size_t count,
                  size_t dimension) {
  ck_chosen()->copy_rows(rows, outputs, count, dimension);
}

size_t ck_copy_located(const struct ck_locations *locations, const int64_t *ids, size_t count,
                       float *output, uint32_t *others) {
  return ck_chosen()->copy_located(locations, ids, count, output, others);
}

void ck_uniform(float *vector, size_t count, uint64_t state, float center, float half, float low,
                float high) {
  ck_chosen()->uniform(vector, count, state, center, half, low, high);
}
