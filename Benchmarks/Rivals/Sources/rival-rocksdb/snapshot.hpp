#pragma once

#include <harness.hpp>

/// Lookups of random present ids in the vectors that `snapshots` leaves below the path, by MultiGet
/// with a block cache; a line for each size of the cache and number of threads.
int look_up_snapshot(const bench::Options &options);
