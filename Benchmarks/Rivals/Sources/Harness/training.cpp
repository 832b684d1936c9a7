#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "harness.hpp"
#include "kernels.hpp"

namespace bench {

// MARK: The kernel

void train_row(float *vector, float *accumulator, const float *noise, size_t dimension) {
  switch (instruction_set()) {
#if defined(__x86_64__)
    case InstructionSet::avx512: return avx512::train(vector, accumulator, noise, dimension);
    case InstructionSet::avx2: return avx2::train(vector, accumulator, noise, dimension);
#endif
    default: return base::train(vector, accumulator, noise, dimension);
  }
}

// MARK: Figures

static double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = size_t(std::ceil(double(values.size()) * q));
  return values[std::min(std::max<size_t>(rank, 1), values.size()) - 1];
}

void TrainingTimes::add_to(Result &result, size_t batch_size) const {
  const double rows = double(batch_size * steps.size());
  const double committing = std::accumulate(commits.begin(), commits.end(), 0.0);
  const size_t last = std::min<size_t>(100, steps.size());
  result.add("rows_per_s", rows / total)
      .add("rows_per_s_without_commits", rows / (total - committing))
      .add("steps_per_s", double(steps.size()) / total)
      .add("steps_per_s_last100",
           double(last) / std::accumulate(steps.end() - long(last), steps.end(), 0.0))
      .add("total_s", total)
      .add("step_p50_ms", quantile(steps, 0.5) * 1e3)
      .add("step_p99_ms", quantile(steps, 0.99) * 1e3)
      .add("step_max_ms", quantile(steps, 1) * 1e3)
      .add("commits", double(commits.size()))
      .add("commits_written", double(commits.size() + 1))
      .add("commits_s", committing)
      .add("commit_max_ms", quantile(commits, 1) * 1e3)
      .add("unique_rows_per_s", double(distinct) / total)
      .add("durable_s", durable)
      .add("rows_per_s_durable", rows / (total + durable));
}

// MARK: The check

static std::vector<uint32_t> sample(const std::vector<uint32_t> &ids) {
  std::unordered_set<uint32_t> chosen;
  const size_t edge = std::min<size_t>(200, ids.size());
  for (size_t i = 0; i < edge; i++) {
    chosen.insert(ids[i]);
    chosen.insert(ids[ids.size() - 1 - i]);
  }
  for (size_t i = 0; i < ids.size(); i += std::max<size_t>(1, ids.size() / 600))
    chosen.insert(ids[i]);
  std::vector<uint32_t> rows(chosen.begin(), chosen.end());
  std::sort(rows.begin(), rows.end());
  return rows;
}

TrainingCheck::TrainingCheck(const Options &options, const Stream &stream,
                             const std::vector<uint32_t> &ids, const float *noise)
    : rows(sample(ids)), keys(options.strings(), rows), dimension(options.dimension) {
  expected.assign(rows.size() * 2 * dimension, 0.1f);
  std::unordered_map<uint32_t, size_t> place;
  for (size_t i = 0; i < rows.size(); i++) {
    place[rows[i]] = i;
    initial_vector(keys.seed(i), &expected[i * 2 * dimension], dimension);
  }
  std::vector<uint32_t> met_in(stream.rows, 0);
  for (size_t step = 0; step < stream.batches; step++) {
    size_t distinct = 0;
    for (size_t k = 0; k < stream.batch_size; k++) {
      const uint32_t id = ids[step * stream.batch_size + k];
      if (met_in[id] == step + 1) continue;
      met_in[id] = uint32_t(step) + 1;
      const size_t j = distinct++;
      const auto found = place.find(id);
      if (found == place.end()) continue;
      float *v = &expected[found->second * 2 * dimension], *a = v + dimension;
      const float *row = noise + (j + (step * 977) % stream.batch_size) * dimension;
      for (size_t d = 0; d < dimension; d++) {
        const float scaled = 0.01f * v[d];
        const float g = scaled + row[d];
        const float square = g * g;
        a[d] += square;
        v[d] -= 0.05f * g / (std::sqrt(a[d]) + 1e-10f);
      }
    }
  }
}

float TrainingCheck::error(size_t i, const float *vector, const float *accumulator) const {
  const float *row = &expected[i * 2 * dimension];
  float largest = 0;
  for (size_t d = 0; d < dimension; d++) {
    const float v = std::fabs(vector[d] - row[d]), a = std::fabs(accumulator[d] - row[dimension + d]);
    // A NaN is no small difference.
    if (!(v <= largest)) largest = v;
    if (!(a <= largest)) largest = a;
  }
  return largest;
}

// MARK: The loop

void run_training(const Options &options, const std::string &name, TrainingEngine &engine,
                  const std::string &directory, bool commits) {
  const Stream stream = options.stream();
  const size_t dimension = options.dimension, floats = 2 * dimension;
  const auto ids = stream.ids();
  const Keys keys(options.strings(), ids);
  const float *noise = gradient_noise(stream.batch_size, dimension);
  Distinct distinct(options.strings(), stream.batch_size);
  std::vector<float> rows(stream.batch_size * floats);
  std::vector<uint8_t> found(stream.batch_size);
  Threads threads(options.threads);
  const size_t bytes = std::min(stream.rows, ids.size() / 6) * dimension * 16;
  touch_memory(std::min<size_t>(bytes, size_t(4) << 30));
  touch_disk(std::min<size_t>(2 * bytes, size_t(4) << 30), options.path);

  Result result(options, name);
  result.stream(stream).add("dimension", double(dimension));
  TrainingTimes times;
  result.start();
  const double start = seconds();
  for (size_t step = 0; step < stream.batches; step++) {
    const double begin_step = seconds();
    distinct.find(keys, step * stream.batch_size, (step + 1) * stream.batch_size);
    const Keys &unique = distinct.keys;
    if (!engine.reads_in_parallel())
      engine.read(0, unique, 0, unique.count, rows.data(), found.data());
    threads.run(unique.count, [&](int thread, size_t begin, size_t end) {
      if (engine.reads_in_parallel())
        engine.read(thread, unique, begin, end, &rows[begin * floats], &found[begin]);
      const float *gradients = noise + (step * 977) % stream.batch_size * dimension;
      for (size_t i = begin; i < end; i++) {
        float *row = &rows[i * floats];
        if (!found[i]) {
          initial_vector(unique.seed(i), row, dimension);
          std::fill_n(row + dimension, dimension, 0.1f);
        }
        train_row(row, row + dimension, gradients + i * dimension, dimension);
      }
      if (engine.writes_in_parallel())
        engine.write(thread, unique, begin, end, &rows[begin * floats]);
    });
    if (!engine.writes_in_parallel()) engine.write(0, unique, 0, unique.count, rows.data());
    times.distinct += unique.count;
    const size_t done = step + 1;
    if (commits && options.commit_every && done % options.commit_every == 0 &&
        done < stream.batches) {
      const double begin_commit = seconds();
      engine.commit();
      times.commits.push_back(seconds() - begin_commit);
    }
    times.steps.push_back(seconds() - begin_step);
  }
  times.total = seconds() - start;
  result.stop();
  const double begin_durable = seconds();
  engine.finish();
  times.durable = seconds() - begin_durable;

  const TrainingCheck check(options, stream, ids, noise);
  float error = 0;
  for (size_t i = 0; i < check.rows.size(); i++) {
    uint8_t is_there = 0;
    engine.read(0, check.keys, i, i + 1, rows.data(), &is_there);
    const float difference = is_there ? check.error(i, rows.data(), rows.data() + dimension) : 1;
    if (!(difference <= error)) error = difference;
  }
  times.add_to(result, stream.batch_size);
  result.add("commit_every", commits ? double(options.commit_every) : 0);
  if (!directory.empty()) result.add("disk_bytes", double(allocated_bytes(directory)));
  result.add("checked_rows", double(check.rows.size())).add("largest_error", error);
  result.print(error <= TrainingCheck::tolerance);
}

}  // namespace bench
