#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "harness.hpp"

namespace bench {

// MARK: Options

Options::Options(int argc, char **argv) {
  auto fail = [&](const std::string &what) {
    fprintf(stderr,
            "%s\nUsage: %s --workload w1|w2|w3|w4|w6-lookup|w6-train [--threads 1|2] [--path DIR]\n"
            "  [--variant NAME] [--dimension N] [--batch N] [--exponent X] [--rows N] [--steps N]\n"
            "  [--passes N] [--commit-every N] [--warm-all]\n",
            what.c_str(), argv[0]);
    exit(64);
  };
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name == "--warm-all") {
      warm_all = true;
      continue;
    }
    if (i + 1 == argc) fail(name + " needs a value.");
    const std::string value = argv[++i];
    if (name == "--workload") workload = value;
    else if (name == "--path") path = value;
    else if (name == "--variant") variant = value;
    else if (name == "--threads") threads = std::stoi(value);
    else if (name == "--dimension") dimension = std::stoul(value);
    else if (name == "--batch") batch = std::stoul(value);
    else if (name == "--rows") rows = std::stoul(value);
    else if (name == "--steps") steps = std::stoul(value);
    else if (name == "--passes") passes = std::stoul(value);
    else if (name == "--commit-every") commit_every = std::stoul(value);
    else if (name == "--exponent") exponent = std::stod(value);
    else fail("There is no option " + name + ".");
  }
  if (workload.empty()) fail("--workload is missing.");
  if (threads != 1 && threads != 2) fail("--threads is 1 or 2.");
  if (dimension == 0 || dimension % 16) fail("--dimension is a multiple of 16.");
  mkdir(path.c_str(), 0777);
}

Stream Options::stream() const {
  Stream stream = workload == "w2"                              ? w2_stream
                  : workload == "w3" || workload == "w6-train" ? w3_stream
                                                                : w1_stream;
  stream.batch_size = batch;
  if (rows) stream.rows = rows;
  if (steps) stream.batches = steps;
  if (exponent >= 0) stream.exponent = exponent;
  return stream;
}

// MARK: System

double seconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

double processor_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

void touch_memory(size_t bytes) {
  void *memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  for (size_t offset = 0; offset < bytes; offset += 4096) static_cast<char *>(memory)[offset] = 1;
  munmap(memory, bytes);
}

void touch_disk(size_t bytes, const std::string &directory) {
  mkdir(directory.c_str(), 0777);
  const std::string path = directory + "/touched";
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0666);
  if (file < 0) return;
  const std::vector<char> buffer(4 << 20, 0x5a);
  for (size_t written = 0; written < bytes; written += buffer.size())
    if (write(file, buffer.data(), buffer.size()) != ssize_t(buffer.size())) break;
  fsync(file);
  close(file);
  unlink(path.c_str());
}

static void each_file(const std::string &directory,
                      const std::function<void(const std::string &)> &body) {
  DIR *listing = opendir(directory.c_str());
  if (!listing) return;
  while (dirent *entry = readdir(listing))
    if (entry->d_type == DT_REG) body(directory + "/" + entry->d_name);
  closedir(listing);
}

/// The number of a line `name: number` of a file; `otherwise` where there is none.
static int64_t field(const char *path, const std::string &name, int64_t otherwise) {
  std::ifstream information(path);
  std::string line;
  while (std::getline(information, line))
    if (line.rfind(name + ":", 0) == 0) return std::stoll(line.substr(name.size() + 1));
  return otherwise;
}

int64_t disk_read_bytes() { return field("/proc/self/io", "read_bytes", 0); }

static off_t available_bytes() {
  return off_t(field("/proc/meminfo", "MemAvailable", int64_t(1) << 40)) << 10;
}

void read_once(const std::string &directory) {
  std::vector<char> buffer(4 << 20);
  each_file(directory, [&](const std::string &path) {
    const int file = open(path.c_str(), O_RDONLY);
    if (file < 0) return;
    fsync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    // Only the end, where memory has no room for more: what was read before would be dropped again.
    struct stat status;
    if (fstat(file, &status) == 0)
      lseek(file, std::max<off_t>(0, status.st_size - available_bytes()), SEEK_SET);
    while (read(file, buffer.data(), buffer.size()) > 0) {
    }
    close(file);
  });
}

size_t allocated_bytes(const std::string &directory) {
  size_t bytes = 0;
  each_file(directory, [&](const std::string &path) {
    struct stat status;
    if (stat(path.c_str(), &status) == 0) bytes += size_t(status.st_blocks) * 512;
  });
  return bytes;
}

void remove_directory(const std::string &directory) {
  each_file(directory, [](const std::string &path) { unlink(path.c_str()); });
  rmdir(directory.c_str());
}

bool exists(const std::string &path) { return access(path.c_str(), F_OK) == 0; }

void *huge_pages(size_t bytes) {
  constexpr size_t huge = 2 << 20;
  bytes = (bytes + huge - 1) / huge * huge;
  auto *memory = static_cast<char *>(
      mmap(nullptr, bytes + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) {
    fprintf(stderr, "There are no %zu bytes of memory.\n", bytes);
    exit(1);
  }
  memory += (huge - uintptr_t(memory) % huge) % huge;
  madvise(memory, bytes, MADV_HUGEPAGE);
  for (size_t offset = 0; offset < bytes; offset += 4096) memory[offset] = 0;
  return memory;
}

// MARK: Threads

Threads::Threads(int count) : count(count) {
  if (count == 2) thread = std::thread([this] { work(); });
}

Threads::~Threads() {
  if (count != 2) return;
  stopping = true;
  run(0, [](int, size_t, size_t) {});
  thread.join();
}

void Threads::run(size_t n, const std::function<void(int, size_t, size_t)> &body) {
  if (count == 1) return body(0, 0, n);
  job = &body;
  job_size = n;
  batches++;
  begun.raise();
  body(0, 0, n / 2);
  ended.wait(batches);
}

void Threads::work() {
  for (int number = 1;; number++) {
    begun.wait(number);
    (*job)(1, job_size / 2, job_size);
    const bool is_last = stopping;
    ended.raise();
    if (is_last) return;
  }
}

void Signal::raise() {
  value++;
  if (!asleep) return;
  std::lock_guard lock(mutex);
  condition.notify_one();
}

void Signal::wait(int number) {
  for (int spins = 0; spins < 100000; spins++) {
    if (value.load(std::memory_order_acquire) == number) return;
  }
  std::unique_lock lock(mutex);
  asleep = true;
  condition.wait(lock, [&] { return value == number; });
  asleep = false;
}

// MARK: Results

Result::Result(const Options &options, const std::string &engine) {
  text = "{\"workload\": \"" + options.workload + "\", \"engine\": \"" + engine + "\"";
  add("threads", options.threads);
}

Result &Result::add(const char *name, double value) {
  char number[64];
  if (!std::isfinite(value)) snprintf(number, sizeof number, "null");
  else if (value == std::floor(value)) snprintf(number, sizeof number, "%.0f", value);
  else snprintf(number, sizeof number, "%.9g", value);
  text += std::string(", \"") + name + "\": " + number;
  return *this;
}

Result &Result::add(const char *name, const std::string &value) {
  text += std::string(", \"") + name + "\": \"" + value + "\"";
  return *this;
}

Result &Result::stream(const Stream &stream) {
  add("rows", double(stream.rows)).add("batch", double(stream.batch_size));
  return add("batches", double(stream.batches)).add("zipf_exponent", stream.exponent);
}

void Result::start() {
  wall = seconds();
  processor = processor_seconds();
}

void Result::stop() { cores = (processor_seconds() - processor) / (seconds() - wall); }

void Result::print(bool checked) {
  double load = 0;
  getloadavg(&load, 1);
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  text += std::string(", \"checked\": ") + (checked ? "true" : "false");
  add("load_average", load).add("cpu_cores_used", cores);
  add("peak_resident_mib", double(usage.ru_maxrss >> 10));
  printf("%s}\n", text.c_str());
  fflush(stdout);
}

}  // namespace bench
