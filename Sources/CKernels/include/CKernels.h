/// Row kernels: optimizer steps, sums, dot products and the uniform initializer.
///
/// Conventions
/// - Vectors are `float` arrays of `dimension` elements, dimension >= 1. Nothing is allocated.
/// - `rows[i]` points at a row: its vector, directly followed by the optimizer's slots. Rows of one
///   call are distinct and aligned to 4 bytes. `gradients[i]` points at the gradient of row i,
/// which
///   overlaps no row.
/// - Each kernel exists for several instruction sets; the best one that the machine has is chosen
///   at run time. ALL give the same bits, those of the formulas below with every operation rounded:
///   no approximated square root or quotient, no fused multiply-add but where it makes a quotient
///   that is a division's to the last bit, and sums in one fixed order (16 lanes; element i goes to
///   lane i % 16; then lanes j and j + 8, j + 4, j + 2, j + 1 are added).
/// - Thread-safe as long as no two calls touch the same row.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// Asks the processor to bring the cache line at `address` close, for reading. Never faults.
static inline void ck_prefetch(const void *_Nonnull address) {
  __builtin_prefetch(address, 0, 3);
}

/// Asks for the cache line at `address`, for writing. Never faults.
static inline void ck_prefetch_for_writing(const void *_Nonnull address) {
  __builtin_prefetch(address, 1, 3);
}

/// Which of the first 12 bytes at `bucket` equal `tag`: bit i for byte i. 16 bytes are read.
static inline uint32_t ck_match_tags(const void *_Nonnull bucket, uint8_t tag) {
#if defined(__SSE2__)
  typedef char ck_bytes __attribute__((vector_size(16)));
  ck_bytes tags;
  __builtin_memcpy(&tags, bucket, sizeof tags);
  const ck_bytes wanted = {(char)tag, (char)tag, (char)tag, (char)tag, (char)tag, (char)tag,
                           (char)tag, (char)tag, (char)tag, (char)tag, (char)tag, (char)tag,
                           (char)tag, (char)tag, (char)tag, (char)tag};
  return (uint32_t)__builtin_ia32_pmovmskb128(tags == wanted) & 0xFFF;
#else
  const uint8_t *tags = (const uint8_t *)bucket;
  uint32_t found = 0;
  for (int i = 0; i < 12; i++) found |= (uint32_t)(tags[i] == tag) << i;
  return found;
#endif
}

// Optimizer steps on a batch of rows. The formulas are SGD, Momentum, Adagrad, RowWiseAdagrad, FTRL
// and Adam of the Optimizers folder, element by element; w vector, g gradient, lr learning rate.

/// `w -= lr*g`. No slots.
void ck_sgd(float *_Nonnull const *_Nonnull rows, const float *_Nonnull const *_Nonnull gradients, size_t count,
            size_t dimension, float learning_rate);

/// `a = mu*a + g; w -= lr*a`, or with `nesterov` not 0 `w -= lr*g + (lr*mu)*a`.
/// Slots: a[dimension].
void ck_momentum(float *_Nonnull const *_Nonnull rows, const float *_Nonnull const *_Nonnull gradients,
                 size_t count, size_t dimension, float learning_rate, float momentum,
                 int nesterov);

/// `a += g*g; w -= (lr*g)/(sqrt(a) + epsilon)`. Slots: a[dimension].
void ck_adagrad(float *_Nonnull const *_Nonnull rows, const float *_Nonnull const *_Nonnull gradients, size_t count,
                size_t dimension, float learning_rate, float epsilon);

/// `s += sum(g*g)/dimension; w -= (lr/(sqrt(s) + epsilon))*g`. Slots: s[1].
void ck_rowwise_adagrad(float *_Nonnull const *_Nonnull rows, const float *_Nonnull const *_Nonnull gradients,
                        size_t count, size_t dimension, float learning_rate, float epsilon);

/// `n' = n + g*g; z += (g + (2*l2_shrinkage)*w) - ((sqrt(n') - sqrt(n))/lr)*w; n = n';`
/// `w = abs(z) <= l1 ? 0 : (sign(z)*l1 - z)/(sqrt(n')/lr + 2*l2)`.
/// Slots: n[dimension], z[dimension].
void ck_ftrl(float *_Nonnull const *_Nonnull rows, const float *_Nonnull const *_Nonnull gradients, size_t count,
             size_t dimension, float learning_rate, float l1, float l2, float l2_shrinkage);

/// `t += 1; m += (g - m)*(1 - b1); v += (g*g - v)*(1 - b2); w -= (alpha*m)/(sqrt(v) + epsilon)`
/// with `alpha = lr*sqrt(1 - b2^t)/(1 - b1^t)`, computed in double by repeated squaring and rounded
/// once. Slots: m[dimension], v[dimension], t[1]: the bits of a uint32, which stays at 0x7F7FFFFF
/// (the largest finite float's bits, so t is never a NaN) once it is there.
void ck_adam(float *_Nonnull const *_Nonnull rows, const float *_Nonnull const *_Nonnull gradients, size_t count,
             size_t dimension, float learning_rate, float beta1, float beta2, float epsilon);

// Vectors.

/// `sum[i] += values[i]` for i < count: how the gradients of a repeated id are summed.
void ck_add(float *_Nonnull sum, const float *_Nonnull values, size_t count);

/// The sum of `x[i]*y[i]`, in the fixed order. Unaligned addresses are fine, so both may lie in a
/// memory map. 0 for count 0. The squared norm is `ck_dot(x, x, count)`.
float ck_dot(const void *_Nonnull x, const void *_Nonnull y, size_t count);

/// `scores[r] = ck_dot(query, rows + r*stride, dimension)` for r < count: a scan for nearest
/// neighbours. `stride` counts bytes; rows may be unaligned.
void ck_dot_rows(const float *_Nonnull query, const void *_Nonnull rows, size_t stride,
                 size_t count, size_t dimension, float *_Nonnull scores);

/// Copies `rows[i][0 ..< dimension]` to `outputs[i]` for i < count: the gather of a lookup, whose
/// caller has prefetched the rows.
void ck_copy_rows(const float *_Nonnull const *_Nonnull rows,
                  float *_Nonnull const *_Nonnull outputs, size_t count, size_t dimension);

/// Copies `count` floats past the processor's caches, which keep what is used soon. Other threads see
/// them in order with later stores only after `ck_fence_streams`.
void ck_stream(float *_Nonnull target, const float *_Nonnull source, size_t count);

/// Has what `ck_stream` wrote stand before every later store, for all threads.
static inline void ck_fence_streams(void) {
#if defined(__SSE2__)
  __builtin_ia32_sfence();
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/// Where the rows of a table's last commit stand, as far as it is known in memory: ids -> row numbers
/// (buckets of RowNumbers.swift), blocks -> their addresses (BlockAddresses.swift), and where keys
/// and vectors stand in a block (BlockLayout.swift).
struct ck_locations {
  const void *_Nonnull buckets;
  uint64_t bucket_count;
  uint32_t row_bits;
  uint32_t is_wide;

  /// Chunks of `1 << chunk_shift` entries, or NULL.
  const void *_Nonnull chunks;
  uint64_t block_capacity;
  uint32_t chunk_shift;
  /// An entry is a tag above so many bits of a page number; the value begins at `page_offset` there.
  uint32_t page_bits;
  uint64_t tag;
  uint64_t page_offset;

  uint64_t rows_per_block;
  /// 2^64 divided by that, rounded up; 0 for 1.
  uint64_t inverse;
  uint64_t keys_offset;
  uint64_t vectors_offset;
  uint64_t dimension;
};

/// Copies the vectors of the ids whose row and block are known to `output`, in batch order, and
/// notes the positions of the others: returns how many. `others` has room for `count`.
///
/// Row numbers and addresses may be written meanwhile. Blocks may not: the addresses with this tag
/// are good as long as the caller's read transaction.
size_t ck_copy_located(const struct ck_locations *_Nonnull locations, const int64_t *_Nonnull ids,
                       size_t count, float *_Nonnull output, uint32_t *_Nonnull others);

/// Uniform values: for each pair, `h = mix64(state + (i + 1)*GOLDEN)`, and `vector[2i]`,
/// `vector[2i + 1]` are `center + x*(half/2^31)` for x the low and the high half of h as int32,
/// limited to [low, high]. An odd last element takes the low half.
void ck_uniform(float *_Nonnull vector, size_t count, uint64_t state, float center, float half,
                float low, float high);

// Byte planes.

/// Splits `count` little-endian elements of `width` bytes into planes: byte p of element i goes to
/// `planes[p*count + i]`. Unaligned addresses are fine; the two must not overlap.
void ck_split_planes(const void *_Nonnull elements, size_t count, size_t width,
                     uint8_t *_Nonnull planes);

/// The way back: byte p of element i comes from `planes[p*count + i]`.
void ck_join_planes(const uint8_t *_Nonnull planes, size_t count, size_t width,
                    void *_Nonnull elements);

// Half precision: IEEE 754 binary16, as its bits.

/// `halves[i]` is the nearest to `floats[i]`, ties to even; infinity where none is near enough, and
/// a NaN for a NaN. The two must not overlap.
void ck_halves_of_floats(const float *_Nonnull floats, size_t count, uint16_t *_Nonnull halves);

/// The way back, which is exact.
void ck_floats_of_halves(const uint16_t *_Nonnull halves, size_t count, float *_Nonnull floats);

// Instruction sets.

/// The instruction sets that kernels exist for.
enum ck_variant {
  /// What every processor of the architecture has: SSE2 on x86-64, NEON on arm64.
  ck_variant_baseline = 0,
  /// x86-64 with AVX2 and FMA.
  ck_variant_avx2 = 1,
  /// x86-64 with AVX2, FMA, and AVX-512 F, BW, DQ and VL.
  ck_variant_avx512 = 2,
};

/// The kernels of one instruction set. The fields are the functions above.
struct ck_kernels {
  void (*_Nonnull sgd)(float *_Nonnull const *_Nonnull, const float *_Nonnull const *_Nonnull, size_t, size_t,
                       float);
  void (*_Nonnull momentum)(float *_Nonnull const *_Nonnull, const float *_Nonnull const *_Nonnull, size_t, size_t,
                            float, float, int);
  void (*_Nonnull adagrad)(float *_Nonnull const *_Nonnull, const float *_Nonnull const *_Nonnull, size_t, size_t,
                           float, float);
  void (*_Nonnull rowwise_adagrad)(float *_Nonnull const *_Nonnull, const float *_Nonnull const *_Nonnull, size_t,
                                   size_t, float, float);
  void (*_Nonnull ftrl)(float *_Nonnull const *_Nonnull, const float *_Nonnull const *_Nonnull, size_t, size_t,
                        float, float, float, float);
  void (*_Nonnull adam)(float *_Nonnull const *_Nonnull, const float *_Nonnull const *_Nonnull, size_t, size_t,
                        float, float, float, float);
  void (*_Nonnull add)(float *_Nonnull, const float *_Nonnull, size_t);
  float (*_Nonnull dot)(const void *_Nonnull, const void *_Nonnull, size_t);
  void (*_Nonnull dot_rows)(const float *_Nonnull, const void *_Nonnull, size_t, size_t, size_t,
                            float *_Nonnull);
  void (*_Nonnull copy_rows)(const float *_Nonnull const *_Nonnull,
                             float *_Nonnull const *_Nonnull, size_t, size_t);
  size_t (*_Nonnull copy_located)(const struct ck_locations *_Nonnull, const int64_t *_Nonnull,
                                  size_t, float *_Nonnull, uint32_t *_Nonnull);
  void (*_Nonnull uniform)(float *_Nonnull, size_t, uint64_t, float, float, float, float);
};

/// The instruction set that the functions above use on this machine.
enum ck_variant ck_chosen_variant(void);

/// The kernels of `variant`, or NULL where this machine or build lacks it. For tests, which compare
/// the variants bit for bit.
const struct ck_kernels *_Nullable ck_kernels_of(enum ck_variant variant);

#endif
