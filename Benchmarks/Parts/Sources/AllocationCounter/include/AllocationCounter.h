/// Counts the allocations of the process it is linked into, in all threads and libraries.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// Allocations since the process began; always 0 where they cannot be counted (not glibc).
int64_t allocation_count(void);

#endif
