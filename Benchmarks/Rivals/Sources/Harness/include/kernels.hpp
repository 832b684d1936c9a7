// Row kernels for several instruction sets; the best one that the machine has is chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bench {

enum class InstructionSet { base, avx2, avx512 };

inline InstructionSet instruction_set() {
#if defined(__x86_64__)
  static const InstructionSet best = __builtin_cpu_supports("avx512f")  ? InstructionSet::avx512
                                     : __builtin_cpu_supports("avx2") ? InstructionSet::avx2
                                                                      : InstructionSet::base;
  return best;
#else
  return InstructionSet::base;
#endif
}

/// Sixteen floats, in as many registers as the instruction set takes.
typedef float Floats __attribute__((ext_vector_type(16), aligned(4)));

}  // namespace bench

#pragma STDC FP_CONTRACT OFF

#define KERNELS_NAMESPACE base
#include "kernels.inc"
#undef KERNELS_NAMESPACE

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define KERNELS_NAMESPACE avx2
#include "kernels.inc"
#undef KERNELS_NAMESPACE
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,prefer-256-bit"))), \
                             apply_to = function)
#define KERNELS_NAMESPACE avx512
#include "kernels.inc"
#undef KERNELS_NAMESPACE
#pragma clang attribute pop
#endif
