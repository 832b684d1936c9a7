#include "CKernels.h"

#include <string.h>

#define CK_INLINE static inline __attribute__((always_inline))

CK_INLINE void ck_halves_inline(const float *floats, size_t count, uint16_t *halves) {
  for (size_t i = 0; i < count; i++) {
    const _Float16 half = (_Float16)floats[i];
    memcpy(halves + i, &half, sizeof half);
  }
}

CK_INLINE void ck_floats_inline(const uint16_t *halves, size_t count, float *floats) {
  for (size_t i = 0; i < count; i++) {
    _Float16 half;
    memcpy(&half, halves + i, sizeof half);
    floats[i] = (float)half;
  }
}

#if defined(__x86_64__)

// Baseline x86-64 converts by a call for each element; every processor with AVX2 has the
// instructions for eight at once.

__attribute__((target("avx2,f16c"))) static void ck_halves_f16c(const float *floats, size_t count,
                                                                uint16_t *halves) {
  ck_halves_inline(floats, count, halves);
}

__attribute__((target("avx2,f16c"))) static void ck_floats_f16c(const uint16_t *halves,
                                                                size_t count, float *floats) {
  ck_floats_inline(halves, count, floats);
}

static int ck_has_f16c(void) {
  return ck_chosen_variant() != ck_variant_baseline && __builtin_cpu_supports("f16c");
}

#endif

void ck_halves_of_floats(const float *floats, size_t count, uint16_t *halves) {
#if defined(__x86_64__)
  if (ck_has_f16c()) {
    ck_halves_f16c(floats, count, halves);
    return;
  }
#endif
  ck_halves_inline(floats, count, halves);
}

void ck_floats_of_halves(const uint16_t *halves, size_t count, float *floats) {
#if defined(__x86_64__)
  if (ck_has_f16c()) {
    ck_floats_f16c(halves, count, floats);
    return;
  }
#endif
  ck_floats_inline(halves, count, floats);
}
