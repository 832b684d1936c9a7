// What the machine can do: the workloads on arrays, an index and prefetches, without any engine.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "table.hpp"

using namespace limit;

namespace {

#if defined(__x86_64__)
#define DISPATCH(CALL)                                  \
  switch (instruction_set()) {                          \
    case InstructionSet::avx512: return limit::avx512::CALL;   \
    case InstructionSet::avx2: return limit::avx2::CALL;       \
    default: return limit::base::CALL;                       \
  }
#else
#define DISPATCH(CALL) return limit::base::CALL;
#endif

void lookup(const Table &table, const Keys &keys, size_t begin, size_t end, float *output,
            size_t dimension) {
  if (table.strings) DISPATCH(lookup<true>(table, keys, begin, end, output, dimension))
  DISPATCH(lookup<false>(table, keys, begin, end, output, dimension))
}

size_t distinct(Table &table, const Keys &keys, size_t begin, size_t end, uint32_t batch,
                uint32_t *rows, uint32_t *positions) {
  if (table.strings) DISPATCH(distinct<true>(table, keys, begin, end, batch, rows, positions))
  DISPATCH(distinct<false>(table, keys, begin, end, batch, rows, positions))
}

void train(Table &table, const Keys &keys, const uint32_t *rows, const uint32_t *positions,
           size_t begin, size_t end, size_t first_new, const float *gradients, size_t dimension) {
  DISPATCH(train(table, keys, rows, positions, begin, end, first_new, gradients, dimension))
}

/// W1, W2 and W6-lookup.
class Lookup : public LookupEngine {
 public:
  Lookup(const Options &options, size_t rows)
      : dimension(options.dimension), table(options.strings(), dimension, rows, rows) {
    const Keys keys(options.strings(), {}, rows);
    for (size_t id = 0; id < rows; id++) {
      const uint64_t word = table.word(keys, id);
      float *row = table.row(table.insert(table.find(word, keys, id), word, keys, id));
      for (size_t d = 0; d < dimension; d++) row[d] = table_value(id, d, dimension);
    }
  }
  void lookup(int, const Keys &keys, size_t begin, size_t end, float *output) override {
    ::lookup(table, keys, begin, end, output, dimension);
  }

 private:
  const size_t dimension;
  Table table;
};

/// Writes memory to a file that was written before, and syncs it; returns the seconds.
double write_durably(const std::string &path, const void *bytes, size_t count) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT, 0666);
  if (file < 0) perror(path.c_str()), exit(1);
  const double start = seconds();
  for (size_t done = 0; done < count;) {
    const ssize_t n = pwrite(file, static_cast<const char *>(bytes) + done,
                             std::min<size_t>(count - done, 8 << 20), off_t(done));
    if (n <= 0) perror("write"), exit(1);
    done += size_t(n);
  }
  fdatasync(file);
  const double time = seconds() - start;
  close(file);
  return time;
}

/// W3 and W6-train: index, distinct rows, gradient and Adagrad in place.
void run_training(const Options &options) {
  const Stream stream = options.stream();
  const size_t dimension = options.dimension;
  const auto ids = stream.ids();
  const Keys keys(options.strings(), ids);
  const float *noise = gradient_noise(stream.batch_size, dimension);
  // No more rows are touched than may come; the index starts with room for a quarter of that.
  const size_t capacity = std::min(stream.rows, ids.size());
  Table table(options.strings(), 2 * dimension, std::min(capacity, ids.size() / 2),
              std::min<size_t>(capacity, 1 << 20));
  std::vector<uint32_t> rows(stream.batch_size + 1), positions(stream.batch_size + 1);
  Threads threads(options.threads);
  const std::string file = options.path + "/limit.rows";
  write_durably(file, table.arena, std::min<size_t>(table.capacity, 1000000) * 8 * dimension);

  Result result(options, "limit");
  result.stream(stream).add("dimension", double(dimension));
  TrainingTimes times;
  result.start();
  const double start = seconds();
  for (size_t step = 0; step < stream.batches; step++) {
    const double begin_step = seconds();
    const size_t first_new = table.count;
    const size_t n =
        distinct(table, keys, step * stream.batch_size, (step + 1) * stream.batch_size,
                 uint32_t(step) + 1, rows.data(), positions.data());
    threads.run(n, [&](int, size_t begin, size_t end) {
      train(table, keys, rows.data(), positions.data(), begin, end, first_new,
            noise + (step * 977) % stream.batch_size * dimension, dimension);
    });
    times.distinct += n;
    times.steps.push_back(seconds() - begin_step);
  }
  times.total = seconds() - start;
  result.stop();
  times.durable = write_durably(file, table.arena, table.count * 2 * dimension * sizeof(float));
  unlink(file.c_str());

  const TrainingCheck check(options, stream, ids, noise);
  float error = 0;
  for (size_t i = 0; i < check.rows.size(); i++) {
    const Table::Entry *entry = table.find(table.word(check.keys, i), check.keys, i);
    const float *row = entry->row ? table.row(entry->row - 1) : nullptr;
    const float difference = row ? check.error(i, row, row + dimension) : 1;
    if (!(difference <= error)) error = difference;
  }
  times.add_to(result, stream.batch_size);
  result.add("stored_rows", double(table.count));
  result.add("checked_rows", double(check.rows.size())).add("largest_error", error);
  result.print(error <= TrainingCheck::tolerance);
}

/// W4: a plain file.
void run_bulk_load(const Options &options) {
  const size_t rows = options.rows ? options.rows : 2000000, dimension = options.dimension;
  const Keys keys(false, {}, rows);
  const auto values = bulk_rows(rows, dimension);
  const size_t size = 8 + 8 * dimension, chunk = 16384;
  const std::string path = options.path + "/limit.bulk";
  std::vector<char> buffer(chunk * size);
  {
    // The file is written once before.
    const std::vector<char> once(rows * size, 1);
    write_durably(path, once.data(), once.size());
  }
  Result result(options, "limit");
  const int file = open(path.c_str(), O_RDWR);
  result.start();
  const double start = seconds();
  for (size_t first = 0; first < rows; first += chunk) {
    const size_t n = std::min(chunk, rows - first);
    for (size_t i = 0; i < n; i++) {
      memcpy(&buffer[i * size], &keys.ints[first + i], 8);
      memcpy(&buffer[i * size + 8], &values[(first + i) * 2 * dimension], size - 8);
    }
    if (pwrite(file, buffer.data(), n * size, off_t(first * size)) != ssize_t(n * size))
      perror("write"), exit(1);
  }
  const double inserted = seconds() - start;
  fdatasync(file);
  const double total = seconds() - start;
  result.stop();
  bool right = true;
  std::vector<char> row(size);
  for (size_t i = 0; i < rows && right; i += 97) {
    right = pread(file, row.data(), size, off_t(i * size)) == ssize_t(size) &&
            memcmp(row.data(), &keys.ints[i], 8) == 0 &&
            memcmp(&row[8], &values[i * 2 * dimension], size - 8) == 0;
  }
  close(file);
  unlink(path.c_str());
  result.add("rows", double(rows)).add("dimension", double(dimension));
  result.add("insert_rows_per_s", double(rows) / inserted);
  result.add("insert_durable_rows_per_s", double(rows) / total).add("rows_per_s", double(rows) / total);
  result.add("disk_bytes", double(rows * size)).print(right);
}

}  // namespace

int main(int argc, char **argv) {
  const Options options(argc, argv);
  if (options.workload == "w1" || options.workload == "w6-lookup") {
    Lookup engine(options, options.stream().rows);
    run_hot_lookup(options, "limit", engine);
  } else if (options.workload == "w2") {
    Lookup engine(options, options.stream().rows);
    run_warm_lookup(options, "limit", engine, "");
  } else if (options.workload == "w3" || options.workload == "w6-train") {
    run_training(options);
  } else {
    run_bulk_load(options);
  }
}
