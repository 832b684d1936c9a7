#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "harness.hpp"

namespace bench {
namespace {

/// Batches of keys, and where their answers go.
struct Batches {
  const Options &options;
  LookupEngine &engine;
  const Stream stream;
  const std::vector<uint32_t> ids;
  const Keys keys;
  float *const output;
  Threads threads;

  Batches(const Options &options, LookupEngine &engine)
      : options(options),
        engine(engine),
        stream(options.stream()),
        ids(stream.ids()),
        keys(options.strings(), ids),
        output(static_cast<float *>(
            aligned_alloc(64, stream.batch_size * options.dimension * sizeof(float)))),
        threads(options.threads) {
    memset(output, 0, stream.batch_size * options.dimension * sizeof(float));
  }
  ~Batches() { free(output); }

  void lookup(size_t batch) {
    threads.run(stream.batch_size, [&](int thread, size_t begin, size_t end) {
      const size_t first = batch * stream.batch_size;
      engine.lookup(thread, keys, first + begin, first + end, output + begin * options.dimension);
    });
  }

  std::vector<double> time(size_t begin, size_t end) {
    std::vector<double> times;
    double total = 0;
    while (times.size() < options.passes && (times.size() < 3 || total < 20)) {
      const double start = seconds();
      for (size_t batch = begin; batch < end; batch++) lookup(batch);
      times.push_back(seconds() - start);
      total += times.back();
    }
    return times;
  }

  bool check(size_t begin, size_t end) {
    const size_t dimension = options.dimension;
    for (size_t batch = begin; batch < end; batch++) {
      memset(output, 0xff, stream.batch_size * dimension * sizeof(float));
      lookup(batch);
      for (size_t i = 0; i < stream.batch_size; i++)
        for (size_t d = 0; d < dimension; d++)
          if (output[i * dimension + d] !=
              table_value(ids[batch * stream.batch_size + i], d, dimension))
            return false;
    }
    return true;
  }

  double rows_per_second(size_t batches, std::vector<double> times) {
    std::sort(times.begin(), times.end());
    return double(batches * stream.batch_size) / times[(times.size() - 1) / 2];
  }
};

}  // namespace

void run_hot_lookup(const Options &options, const std::string &name, LookupEngine &engine) {
  Batches batches(options, engine);
  Result result(options, name);
  result.stream(batches.stream).add("dimension", double(options.dimension));
  if (options.warm_all) {
    const Keys all(options.strings(), {}, batches.stream.rows);
    for (size_t begin = 0; begin < all.count; begin += batches.stream.batch_size)
      engine.lookup(0, all, begin, std::min(all.count, begin + batches.stream.batch_size),
                    batches.output);
  }
  for (size_t batch = 0; batch < batches.stream.batches; batch++) batches.lookup(batch);
  result.start();
  const auto times = batches.time(0, batches.stream.batches);
  result.stop();
  result.add("rows_per_s", batches.rows_per_second(batches.stream.batches, times));
  result.add("passes", double(times.size()));
  result.print(batches.check(0, batches.stream.batches));
}

void run_warm_lookup(const Options &options, const std::string &name, LookupEngine &engine,
                     const std::string &directory) {
  Batches batches(options, engine);
  const size_t count = batches.stream.batches;
  const size_t first = std::max<size_t>(1, count / 8), half = std::max(first, count / 2);
  Result result(options, name);
  result.stream(batches.stream).add("dimension", double(options.dimension));
  result.start();
  const double start = seconds();
  for (size_t batch = 0; batch < first; batch++) batches.lookup(batch);
  const double first_time = seconds() - start;
  for (size_t batch = first; batch < half; batch++) batches.lookup(batch);
  const int64_t read = disk_read_bytes();
  const auto times = batches.time(half, std::max(half + 1, count));
  const int64_t read_end = disk_read_bytes();
  result.stop();
  const size_t timed = std::max(half + 1, count) - half;
  result.add("rows_per_s", batches.rows_per_second(timed, times));
  result.add("rows_per_s_first", batches.rows_per_second(first, {first_time}));
  result.add("rows_per_s_pass_1", batches.rows_per_second(timed, {times[0]}));
  result.add("passes", double(times.size()));
  result.add("disk_bytes_per_row", double(read_end - read) /
                                       double(times.size() * timed * batches.stream.batch_size));
  if (!directory.empty()) result.add("disk_bytes", double(allocated_bytes(directory)));
  result.print(batches.check(0, first));
}

std::vector<float> bulk_rows(size_t rows, size_t dimension) {
  std::vector<float> values(rows * 2 * dimension);
  for (size_t id = 0; id < rows; id++) {
    float *row = &values[id * 2 * dimension];
    for (size_t d = 0; d < dimension; d++) {
      const float value = table_value(id, d, dimension);
      const float square = value * value;
      row[d] = value;
      row[dimension + d] = 0.1f + square;
    }
  }
  return values;
}

}  // namespace bench
