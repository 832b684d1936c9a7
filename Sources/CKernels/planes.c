#include "CKernels.h"

#include <string.h>

#define CK_INLINE static inline __attribute__((always_inline))

// Little-endian, as all formats of the store: byte 0 of an element is its least significant one.

typedef uint32_t ck_words __attribute__((ext_vector_type(16)));
typedef uint8_t ck_word_bytes __attribute__((ext_vector_type(16)));

CK_INLINE void ck_split4_inline(const uint8_t *in, size_t count, uint8_t *planes) {
  uint8_t *p0 = planes, *p1 = p0 + count, *p2 = p1 + count, *p3 = p2 + count;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    ck_words v;
    memcpy(&v, in + 4 * i, sizeof v);
    const ck_word_bytes b0 = __builtin_convertvector(v & 0xFF, ck_word_bytes);
    const ck_word_bytes b1 = __builtin_convertvector((v >> 8) & 0xFF, ck_word_bytes);
    const ck_word_bytes b2 = __builtin_convertvector((v >> 16) & 0xFF, ck_word_bytes);
    const ck_word_bytes b3 = __builtin_convertvector(v >> 24, ck_word_bytes);
    memcpy(p0 + i, &b0, sizeof b0);
    memcpy(p1 + i, &b1, sizeof b1);
    memcpy(p2 + i, &b2, sizeof b2);
    memcpy(p3 + i, &b3, sizeof b3);
  }
  for (; i < count; i++) {
    p0[i] = in[4 * i];
    p1[i] = in[4 * i + 1];
    p2[i] = in[4 * i + 2];
    p3[i] = in[4 * i + 3];
  }
}

CK_INLINE void ck_join4_inline(const uint8_t *planes, size_t count, uint8_t *out) {
  const uint8_t *p0 = planes, *p1 = p0 + count, *p2 = p1 + count, *p3 = p2 + count;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    ck_word_bytes b0, b1, b2, b3;
    memcpy(&b0, p0 + i, sizeof b0);
    memcpy(&b1, p1 + i, sizeof b1);
    memcpy(&b2, p2 + i, sizeof b2);
    memcpy(&b3, p3 + i, sizeof b3);
    const ck_words v = __builtin_convertvector(b0, ck_words) |
                       __builtin_convertvector(b1, ck_words) << 8 |
                       __builtin_convertvector(b2, ck_words) << 16 |
                       __builtin_convertvector(b3, ck_words) << 24;
    memcpy(out + 4 * i, &v, sizeof v);
  }
  for (; i < count; i++) {
    out[4 * i] = p0[i];
    out[4 * i + 1] = p1[i];
    out[4 * i + 2] = p2[i];
    out[4 * i + 3] = p3[i];
  }
}

static void ck_split4_baseline(const uint8_t *in, size_t count, uint8_t *planes) {
  ck_split4_inline(in, count, planes);
}

static void ck_join4_baseline(const uint8_t *planes, size_t count, uint8_t *out) {
  ck_join4_inline(planes, count, out);
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static void ck_split4_avx2(const uint8_t *in, size_t count,
                                                           uint8_t *planes) {
  ck_split4_inline(in, count, planes);
}

__attribute__((target("avx2"))) static void ck_join4_avx2(const uint8_t *planes, size_t count,
                                                          uint8_t *out) {
  ck_join4_inline(planes, count, out);
}

__attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl"))) static void ck_split4_avx512(
    const uint8_t *in, size_t count, uint8_t *planes) {
  ck_split4_inline(in, count, planes);
}

__attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl"))) static void ck_join4_avx512(
    const uint8_t *planes, size_t count, uint8_t *out) {
  ck_join4_inline(planes, count, out);
}

#endif

void ck_split_planes(const void *elements, size_t count, size_t width, uint8_t *planes) {
  if (width == 4) {
#if defined(__x86_64__)
    switch (ck_chosen_variant()) {
      case ck_variant_avx512: ck_split4_avx512(elements, count, planes); return;
      case ck_variant_avx2: ck_split4_avx2(elements, count, planes); return;
      case ck_variant_baseline: break;
    }
#endif
    ck_split4_baseline(elements, count, planes);
    return;
  }
  const uint8_t *in = elements;
  for (size_t p = 0; p < width; p++)
    for (size_t i = 0; i < count; i++) planes[p * count + i] = in[i * width + p];
}

void ck_join_planes(const uint8_t *planes, size_t count, size_t width, void *elements) {
  if (width == 4) {
#if defined(__x86_64__)
    switch (ck_chosen_variant()) {
      case ck_variant_avx512: ck_join4_avx512(planes, count, elements); return;
      case ck_variant_avx2: ck_join4_avx2(planes, count, elements); return;
      case ck_variant_baseline: break;
    }
#endif
    ck_join4_baseline(planes, count, elements);
    return;
  }
  uint8_t *out = elements;
  for (size_t p = 0; p < width; p++)
    for (size_t i = 0; i < count; i++) out[i * width + p] = planes[p * count + i];
}
