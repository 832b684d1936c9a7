// LMDB by itself: keys in order, one read transaction a batch, appends in bulk.
#include <harness.hpp>

#include <lmdb.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>

using namespace bench;

namespace {

void require(int code) {
  if (code == MDB_SUCCESS) return;
  fprintf(stderr, "LMDB: %s\n", mdb_strerror(code));
  exit(1);
}

MDB_val value(const Keys &keys, size_t i) {
  return {keys.size(i), const_cast<char *>(keys.data(i))};
}

/// An environment with one tree.
struct Environment {
  MDB_env *environment;
  MDB_dbi tree;

  Environment(const std::string &directory, bool strings, unsigned flags) {
    mkdir(directory.c_str(), 0777);
    require(mdb_env_create(&environment));
    require(mdb_env_set_mapsize(environment, size_t(64) << 30));
    require(mdb_env_open(environment, directory.c_str(), flags | MDB_NOTLS | MDB_NORDAHEAD, 0666));
    MDB_txn *transaction;
    require(mdb_txn_begin(environment, nullptr, 0, &transaction));
    require(mdb_dbi_open(transaction, nullptr, strings ? 0 : MDB_INTEGERKEY, &tree));
    require(mdb_txn_commit(transaction));
  }
  ~Environment() { mdb_env_close(environment); }
};

/// The order of keys in the tree.
std::vector<uint32_t> sorted(const Keys &keys, size_t begin, size_t end) {
  std::vector<uint32_t> order(end - begin);
  std::iota(order.begin(), order.end(), uint32_t(begin));
  if (!keys.strings) {
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return uint64_t(keys.ints[a]) < uint64_t(keys.ints[b]); });
    return order;
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const size_t m = keys.size(a), n = keys.size(b);
    const int difference = memcmp(keys.data(a), keys.data(b), std::min(m, n));
    return difference ? difference < 0 : m < n;
  });
  return order;
}

/// W1, W2 and W6-lookup: rows straight from the map.
class Lookup : public LookupEngine {
 public:
  Lookup(const Options &bench) : dimension(bench.dimension) {
    const Stream stream = bench.stream();
    directory = bench.path + "/lmdb-" + std::to_string(stream.rows) + "x" +
                std::to_string(dimension) + (bench.strings() ? "-string" : "-int64");
    if (!exists(directory + "/BUILT")) build(bench.strings(), stream.rows);
    if (bench.workload == "w2") read_once(directory);
    environment.reset(new Environment(directory, bench.strings(), 0));
    for (auto &transaction : transactions) {
      require(mdb_txn_begin(environment->environment, nullptr, MDB_RDONLY, &transaction));
      mdb_txn_reset(transaction);
    }
  }

  void lookup(int thread, const Keys &keys, size_t begin, size_t end, float *output) override {
    MDB_txn *transaction = transactions[thread];
    require(mdb_txn_renew(transaction));
    for (size_t i = begin; i < end; i++) {
      MDB_val key = value(keys, i), row;
      require(mdb_get(transaction, environment->tree, &key, &row));
      memcpy(output + (i - begin) * dimension, row.mv_data, dimension * 4);
    }
    mdb_txn_reset(transaction);
  }

  std::string directory;

 private:
  void build(bool strings, size_t rows) {
    remove_directory(directory);
    // No MDB_WRITEMAP, which would make the file as large as the map.
    Environment environment(directory, strings, MDB_NOSYNC);
    const Keys keys(strings, {}, rows);
    MDB_txn *transaction;
    require(mdb_txn_begin(environment.environment, nullptr, 0, &transaction));
    for (uint32_t id : sorted(keys, 0, rows)) {
      MDB_val key = value(keys, id), row{dimension * 4, nullptr};
      require(mdb_put(transaction, environment.tree, &key, &row, MDB_APPEND | MDB_RESERVE));
      for (size_t d = 0; d < dimension; d++) {
        const float element = table_value(id, d, dimension);
        memcpy(static_cast<char *>(row.mv_data) + d * 4, &element, 4);
      }
    }
    require(mdb_txn_commit(transaction));
    require(mdb_env_sync(environment.environment, 1));
    fclose(fopen((directory + "/BUILT").c_str(), "w"));
  }

  const size_t dimension;
  std::unique_ptr<Environment> environment;
  MDB_txn *transactions[2];
};

/// W3 and W6-train: one write transaction from commit to commit, which reads and writes in key
/// order; a sync with each commit.
class Training : public TrainingEngine {
 public:
  Training(const Options &bench, const std::string &directory, unsigned flags)
      : floats(2 * bench.dimension),
        environment(directory, bench.strings(), flags | MDB_NOSYNC) {
    begin();
  }
  ~Training() override { mdb_txn_abort(transaction); }

  // The transaction belongs to the caller's thread.
  bool reads_in_parallel() const override { return false; }

  void read(int, const Keys &keys, size_t begin, size_t end, float *rows,
            uint8_t *found) override {
    order = sorted(keys, begin, end);
    for (uint32_t i : order) {
      MDB_val key = value(keys, i), row;
      const int code = mdb_get(transaction, environment.tree, &key, &row);
      found[i - begin] = code == MDB_SUCCESS;
      if (code == MDB_SUCCESS) memcpy(rows + (i - begin) * floats, row.mv_data, floats * 4);
      else if (code != MDB_NOTFOUND) require(code);
    }
  }

  void write(int, const Keys &keys, size_t begin, size_t, const float *rows) override {
    // In the order of the reads before.
    for (uint32_t i : order) {
      MDB_val key = value(keys, i),
              row{floats * 4, const_cast<float *>(rows + (i - begin) * floats)};
      require(mdb_put(transaction, environment.tree, &key, &row, 0));
    }
  }

  void commit() override {
    require(mdb_txn_commit(transaction));
    require(mdb_env_sync(environment.environment, 1));
    begin();
  }
  void finish() override { commit(); }

 private:
  void begin() { require(mdb_txn_begin(environment.environment, nullptr, 0, &transaction)); }

  const size_t floats;
  Environment environment;
  MDB_txn *transaction;
  std::vector<uint32_t> order;
};

/// W4: sorted, appended, one transaction.
void bulk_load(const Options &bench, const std::string &name, const std::string &directory) {
  const size_t rows = bench.rows ? bench.rows : 2000000, dimension = bench.dimension;
  const Keys keys(false, {}, rows);
  const auto values = bulk_rows(rows, dimension);
  touch_memory(size_t(1) << 30);
  touch_disk(rows * (dimension * 8 + 100), bench.path);
  remove_directory(directory);
  Environment environment(directory, false, bench.variant == "writemap" ? MDB_WRITEMAP : 0);
  Result result(bench, name);
  result.start();
  const double start = seconds();
  MDB_txn *transaction;
  require(mdb_txn_begin(environment.environment, nullptr, 0, &transaction));
  for (uint32_t i : sorted(keys, 0, rows)) {
    MDB_val key = value(keys, i),
            row{dimension * 8, const_cast<float *>(&values[i * 2 * dimension])};
    require(mdb_put(transaction, environment.tree, &key, &row, MDB_APPEND));
  }
  const double inserted = seconds() - start;
  require(mdb_txn_commit(transaction));
  const double total = seconds() - start;
  result.stop();
  require(mdb_txn_begin(environment.environment, nullptr, MDB_RDONLY, &transaction));
  bool right = true;
  for (size_t i = 0; i < rows && right; i += 97) {
    MDB_val key = value(keys, i), row;
    right = mdb_get(transaction, environment.tree, &key, &row) == MDB_SUCCESS &&
            memcmp(row.mv_data, &values[i * 2 * dimension], dimension * 8) == 0;
  }
  mdb_txn_abort(transaction);
  result.add("rows", double(rows)).add("dimension", double(dimension));
  result.add("insert_rows_per_s", double(rows) / inserted);
  result.add("insert_durable_rows_per_s", double(rows) / total)
      .add("rows_per_s", double(rows) / total);
  result.add("disk_bytes", double(allocated_bytes(directory))).print(right);
}

}  // namespace

int main(int argc, char **argv) {
  const Options options(argc, argv);
  const std::string name = options.variant.empty() ? "lmdb" : "lmdb-" + options.variant;
  const std::string directory = options.path + "/lmdb";
  if (options.workload == "w1" || options.workload == "w6-lookup") {
    Lookup engine(options);
    run_hot_lookup(options, name, engine);
  } else if (options.workload == "w2") {
    Lookup engine(options);
    run_warm_lookup(options, name, engine, engine.directory);
  } else if (options.workload == "w4") {
    bulk_load(options, name, directory);
    remove_directory(directory);
  } else {
    remove_directory(directory);
    {
      Training engine(options, directory, options.variant == "writemap" ? MDB_WRITEMAP : 0);
      run_training(options, name, engine, directory, true);
    }
    remove_directory(directory);
  }
}
