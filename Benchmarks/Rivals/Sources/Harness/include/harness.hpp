// What the rivals share: options, threads, clocks, results, and the loops of the workloads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "data.hpp"

namespace bench {

struct Options {
  std::string workload, path = ".", variant;
  int threads = 1;
  size_t dimension = 64, batch = 8192, rows = 0, steps = 0, passes = 5, commit_every = 50;
  double exponent = -1;
  bool warm_all = false;

  Options(int argc, char **argv);
  /// The workload's stream, changed as the options say.
  Stream stream() const;
  bool strings() const { return workload.rfind("w6", 0) == 0; }
};

double seconds();
double processor_seconds();

/// Touches memory, or blocks of the disk, that the timed part will use, and gives them back.
void touch_memory(size_t bytes);
void touch_disk(size_t bytes, const std::string &directory);
/// Drops the files of a directory from the page cache, and reads each once.
void read_once(const std::string &directory);
/// The bytes that this process had read from a disk, pages of mapped files included.
int64_t disk_read_bytes();
size_t allocated_bytes(const std::string &directory);
void remove_directory(const std::string &directory);
bool exists(const std::string &path);
/// Memory aligned to 2 MB, on huge pages where the system has them, touched; never freed.
void *huge_pages(size_t bytes);

/// A number that one thread raises and another waits for: it spins first, so that half a batch costs
/// no wake-up, and sleeps after some tens of microseconds, so that threads that work get the processor.
class Signal {
 public:
  void raise();
  /// Waits until the number is `number`, which it never passes before the next wait.
  void wait(int number);

 private:
  std::atomic<int> value{0};
  std::atomic<bool> asleep{false};
  std::mutex mutex;
  std::condition_variable condition;
};

/// The caller's thread and perhaps a second one, for its half of each batch.
class Threads {
 public:
  explicit Threads(int count);
  ~Threads();
  const int count;
  /// Calls `body(thread, begin, end)` for each thread's part of `n` things.
  void run(size_t n, const std::function<void(int, size_t, size_t)> &body);

 private:
  void work();
  const std::function<void(int, size_t, size_t)> *job = nullptr;
  size_t job_size = 0;
  int batches = 0;
  Signal begun, ended;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

/// One line of JSON.
class Result {
 public:
  Result(const Options &options, const std::string &engine);
  Result &add(const char *name, double value);
  Result &add(const char *name, const std::string &value);
  Result &stream(const Stream &stream);
  /// Processor time is counted from here to `stop`.
  void start();
  void stop();
  void print(bool checked);

 private:
  std::string text;
  double wall = 0, processor = 0, cores = 0;
};

/// Adagrad on one row, with the gradient of the training workloads: `0.01*v + noise`.
void train_row(float *vector, float *accumulator, const float *noise, size_t dimension);

/// An engine that is asked for vectors.
class LookupEngine {
 public:
  virtual ~LookupEngine() = default;
  /// Writes the vectors of keys `begin` to `end - 1`, one after the other.
  virtual void lookup(int thread, const Keys &keys, size_t begin, size_t end, float *output) = 0;
};

/// W1 and W6-lookup: a pass to warm up, timed passes, a check of every answer.
void run_hot_lookup(const Options &options, const std::string &name, LookupEngine &engine);
/// W2, after the engine was opened on files in the page cache.
void run_warm_lookup(const Options &options, const std::string &name, LookupEngine &engine,
                     const std::string &directory);

/// An engine that keeps rows of `2 * dimension` floats: vector, then accumulator.
class TrainingEngine {
 public:
  virtual ~TrainingEngine() = default;
  /// Reads rows; `found[i - begin]` says whether key `i` has one.
  virtual void read(int thread, const Keys &keys, size_t begin, size_t end, float *rows,
                    uint8_t *found) = 0;
  virtual void write(int thread, const Keys &keys, size_t begin, size_t end,
                     const float *rows) = 0;
  /// Whether both threads may read at once; otherwise the caller reads the whole batch.
  virtual bool reads_in_parallel() const { return true; }
  /// Whether both threads may write at once; otherwise the caller writes the whole batch.
  virtual bool writes_in_parallel() const { return false; }
  /// Makes what was done so far durable, within the loop.
  virtual void commit() {}
  /// Makes everything durable, after the loop.
  virtual void finish() = 0;
};

/// W3 and W6-train. `directory` is where the engine keeps its files.
void run_training(const Options &options, const std::string &name, TrainingEngine &engine,
                  const std::string &directory, bool commits);

/// What W3's figures are made of.
struct TrainingTimes {
  std::vector<double> steps, commits;
  double total = 0, durable = 0;
  size_t distinct = 0;
  void add_to(Result &result, size_t batch_size) const;
};

/// Trains a sample of rows without any engine.
class TrainingCheck {
 public:
  TrainingCheck(const Options &options, const Stream &stream, const std::vector<uint32_t> &ids,
                const float *noise);
  const std::vector<uint32_t> rows;
  const Keys keys;
  /// The largest difference allowed.
  static constexpr float tolerance = 2e-5f;
  /// The largest difference between row `i` of the sample and `vector` and `accumulator`.
  float error(size_t i, const float *vector, const float *accumulator) const;

 private:
  size_t dimension;
  std::vector<float> expected;
};

/// The rows of W4: vector and accumulator `0.1 + v*v` side by side, in memory.
std::vector<float> bulk_rows(size_t rows, size_t dimension);

}  // namespace bench
