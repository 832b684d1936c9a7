// RocksDB, tuned as its experts would for each workload. See Benchmarks/README.md for the variants.
#include <harness.hpp>

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>

#include "snapshot.hpp"

using namespace bench;
using rocksdb::Slice;

namespace {

void require(const rocksdb::Status &status) {
  if (status.ok()) return;
  fprintf(stderr, "RocksDB: %s\n", status.ToString().c_str());
  exit(1);
}

Slice slice(const Keys &keys, size_t i) { return Slice(keys.data(i), keys.size(i)); }

rocksdb::Options common() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kNoCompression;
  options.max_open_files = -1;
  options.IncreaseParallelism(2);
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // One file: the tables of these workloads fit.
  options.target_file_size_base = size_t(64) << 30;
  options.max_bytes_for_level_base = size_t(64) << 30;
  return options;
}

/// The tables that lookups read.
rocksdb::Options lookup_options(const std::string &variant, bool strings, size_t rows,
                                size_t row_bytes) {
  rocksdb::Options options = common();
  if (variant == "cuckoo") {
    // A memory-mapped hash table of fixed-length keys: at most two probes a key.
    rocksdb::CuckooTableOptions cuckoo;
    cuckoo.identity_as_first_hash = false;
    cuckoo.use_module_hash = true;
    cuckoo.hash_table_ratio = 0.8;
    options.table_factory.reset(rocksdb::NewCuckooTableFactory(cuckoo));
    options.allow_mmap_reads = true;
  } else if (variant == "plain") {
    // Memory-mapped as well, with a hash index in memory.
    rocksdb::PlainTableOptions plain;
    plain.user_key_len = strings ? rocksdb::kPlainTableVariableLength : 8;
    plain.bloom_bits_per_key = 0;
    plain.hash_table_ratio = 0.5;
    plain.index_sparseness = 1;
    options.table_factory.reset(rocksdb::NewPlainTableFactory(plain));
    options.prefix_extractor.reset(rocksdb::NewNoopTransform());
    options.allow_mmap_reads = true;
  } else {
    rocksdb::BlockBasedTableOptions block;
    block.format_version = 5;
    block.block_size = 4096;
    block.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
    block.data_block_hash_table_util_ratio = 0.5;
    // Every row of a block can be gone to directly.
    block.block_restart_interval = 1;
    block.checksum = rocksdb::kXXH3;
    if (variant == "mmap") {
      options.allow_mmap_reads = true;
      block.no_block_cache = true;
    } else if (variant == "pread") {
      block.block_cache = rocksdb::NewLRUCache(8 << 20);
    } else {
      block.block_cache = rocksdb::NewLRUCache(rows * (row_bytes + 64) * 2, 6);
    }
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(block));
  }
  return options;
}

/// W1, W2 and W6-lookup.
class Lookup : public LookupEngine {
 public:
  Lookup(const Options &bench) : dimension(bench.dimension), variant(bench.variant) {
    const Stream stream = bench.stream();
    directory = bench.path + "/rocksdb-" + variant + "-" + std::to_string(stream.rows) + "x" +
                std::to_string(dimension) + (bench.strings() ? "-string" : "-int64");
    options = lookup_options(variant, bench.strings(), stream.rows, dimension * 4);
    if (!exists(directory + "/BUILT")) build(bench.strings(), stream.rows);
    // Parallel split of a batch: each thread has what it needs.
    for (auto &scratch : scratches) {
      scratch.keys.resize(stream.batch_size);
      scratch.values.resize(stream.batch_size);
      scratch.statuses.resize(stream.batch_size);
    }
    if (bench.workload == "w2") read_once(directory);
    rocksdb::DB *opened;
    require(rocksdb::DB::OpenForReadOnly(options, directory, &opened));
    db.reset(opened);
  }

  void lookup(int thread, const Keys &keys, size_t begin, size_t end, float *output) override {
    rocksdb::ReadOptions read;
    read.verify_checksums = false;
    if (variant != "pread") {
      // In memory, one key at a time is the faster way: MultiGet sorts the keys first.
      rocksdb::PinnableSlice value;
      for (size_t i = begin; i < end; i++) {
        require(db->Get(read, db->DefaultColumnFamily(), slice(keys, i), &value));
        memcpy(output + (i - begin) * dimension, value.data(), dimension * 4);
        value.Reset();
      }
      return;
    }
    Scratch &scratch = scratches[thread];
    const size_t n = end - begin;
    for (size_t i = 0; i < n; i++) scratch.keys[i] = slice(keys, begin + i);
    db->MultiGet(read, db->DefaultColumnFamily(), n, scratch.keys.data(), scratch.values.data(),
                 scratch.statuses.data());
    for (size_t i = 0; i < n; i++) {
      require(scratch.statuses[i]);
      memcpy(output + i * dimension, scratch.values[i].data(), dimension * 4);
      scratch.values[i].Reset();
    }
  }

  std::string directory;

 private:
  struct Scratch {
    std::vector<Slice> keys;
    std::vector<rocksdb::PinnableSlice> values;
    std::vector<rocksdb::Status> statuses;
  };

  /// One memtable, one flush, one compaction: a single file at the bottom.
  void build(bool strings, size_t rows) {
    require(rocksdb::DestroyDB(directory, rocksdb::Options()));
    rocksdb::Options loading = options;
    loading.memtable_factory.reset(new rocksdb::VectorRepFactory);
    loading.allow_concurrent_memtable_write = false;
    loading.write_buffer_size = size_t(16) << 30;
    loading.allow_mmap_reads = options.allow_mmap_reads;
    rocksdb::DB *opened;
    require(rocksdb::DB::Open(loading, directory, &opened));
    std::unique_ptr<rocksdb::DB> loaded(opened);
    const Keys keys(strings, {}, rows);
    std::vector<float> row(dimension);
    rocksdb::WriteOptions write;
    write.disableWAL = true;
    rocksdb::WriteBatch batch;
    for (size_t id = 0; id < rows; id++) {
      for (size_t d = 0; d < dimension; d++) row[d] = table_value(id, d, dimension);
      batch.Put(slice(keys, id), Slice(reinterpret_cast<char *>(row.data()), dimension * 4));
      if (batch.Count() == 1024 || id + 1 == rows) {
        require(loaded->Write(write, &batch));
        batch.Clear();
      }
    }
    require(loaded->Flush({}));
    rocksdb::CompactRangeOptions compaction;
    compaction.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    require(loaded->CompactRange(compaction, nullptr, nullptr));
    require(loaded->Close());
    fclose(fopen((directory + "/BUILT").c_str(), "w"));
  }

  const size_t dimension;
  const std::string variant;
  rocksdb::Options options;
  std::unique_ptr<rocksdb::DB> db;
  Scratch scratches[2];
};

/// W3 and W6-train. All rows stay in one memtable, where equal sizes allow updates in place; the
/// files that it is flushed to come at the end.
class Training : public TrainingEngine {
 public:
  Training(const Options &bench, const std::string &directory, bool wal)
      : floats(2 * bench.dimension), wal(wal) {
    require(rocksdb::DestroyDB(directory, rocksdb::Options()));
    rocksdb::Options options = common();
    options.write_buffer_size = size_t(2) << 30;
    options.max_write_buffer_number = 3;
    options.arena_block_size = 8 << 20;
    options.memtable_huge_page_size = 0;
    options.inplace_update_support = true;
    options.inplace_update_num_locks = 1 << 16;
    options.allow_concurrent_memtable_write = false;
    // Each key is its own prefix: a hash table of lists of one.
    options.prefix_extractor.reset(rocksdb::NewNoopTransform());
    options.memtable_factory.reset(rocksdb::NewHashLinkListRepFactory(1 << 20));
    options.max_total_wal_size = size_t(64) << 30;
    rocksdb::BlockBasedTableOptions block;
    block.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    block.block_cache = rocksdb::NewLRUCache(1 << 30);
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(block));
    rocksdb::DB *opened;
    require(rocksdb::DB::Open(options, directory, &opened));
    db.reset(opened);
    write_options.disableWAL = !wal;
  }

  void read(int, const Keys &keys, size_t begin, size_t end, float *rows,
            uint8_t *found) override {
    // MultiGet would sort the keys first, for files that are not there.
    rocksdb::PinnableSlice value;
    for (size_t i = begin; i < end; i++) {
      const auto status = db->Get({}, db->DefaultColumnFamily(), slice(keys, i), &value);
      found[i - begin] = status.ok();
      if (status.ok()) memcpy(rows + (i - begin) * floats, value.data(), floats * 4);
      else if (!status.IsNotFound()) require(status);
      value.Reset();
    }
  }

  void write(int, const Keys &keys, size_t begin, size_t end, const float *rows) override {
    batch.Clear();
    for (size_t i = begin; i < end; i++)
      batch.Put(slice(keys, i), Slice(reinterpret_cast<const char *>(rows + (i - begin) * floats),
                                      floats * 4));
    require(db->Write(write_options, &batch));
  }

  void commit() override { require(db->SyncWAL()); }

  void finish() override {
    if (wal) require(db->SyncWAL());
    else require(db->Flush({}));
  }

 private:
  const size_t floats;
  const bool wal;
  rocksdb::WriteOptions write_options;
  rocksdb::WriteBatch batch;
  std::unique_ptr<rocksdb::DB> db;
};

/// W4 by ingestion: sorted files, written outside the database, linked into it.
void bulk_load(const Options &bench, const std::string &directory) {
  const size_t rows = bench.rows ? bench.rows : 2000000, dimension = bench.dimension;
  const Keys keys(false, {}, rows);
  const auto values = bulk_rows(rows, dimension);
  touch_memory(size_t(1) << 30);
  touch_disk(rows * (dimension * 8 + 32), bench.path);
  require(rocksdb::DestroyDB(directory, rocksdb::Options()));
  rocksdb::Options options = common();
  rocksdb::BlockBasedTableOptions block;
  block.block_size = 16384;
  block.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(block));
  rocksdb::DB *opened;
  require(rocksdb::DB::Open(options, directory, &opened));
  std::unique_ptr<rocksdb::DB> db(opened);

  Result result(bench, "rocksdb-" + bench.variant);
  result.start();
  const double start = seconds();
  double inserted;
  if (bench.variant == "ingest") {
    // Bytewise order is that of the big-endian number.
    std::vector<std::pair<uint64_t, uint32_t>> order(rows);
    for (size_t i = 0; i < rows; i++)
      order[i] = {__builtin_bswap64(uint64_t(keys.ints[i])), uint32_t(i)};
    std::sort(order.begin(), order.end());
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
    const std::string file = directory + "/bulk.ingest";
    require(writer.Open(file));
    for (const auto &[_, i] : order)
      require(writer.Put(slice(keys, i),
                         Slice(reinterpret_cast<const char *>(&values[i * 2 * dimension]),
                               dimension * 8)));
    // Syncs the file.
    require(writer.Finish());
    inserted = seconds() - start;
    rocksdb::IngestExternalFileOptions ingestion;
    ingestion.move_files = true;
    require(db->IngestExternalFile({file}, ingestion));
  } else {
    rocksdb::WriteOptions write;
    write.disableWAL = true;
    rocksdb::WriteBatch batch;
    for (size_t i = 0; i < rows; i++) {
      batch.Put(slice(keys, i), Slice(reinterpret_cast<const char *>(&values[i * 2 * dimension]),
                                      dimension * 8));
      if (batch.Count() == 8192 || i + 1 == rows) {
        require(db->Write(write, &batch));
        batch.Clear();
      }
    }
    inserted = seconds() - start;
    require(db->Flush({}));
  }
  const double total = seconds() - start;
  result.stop();
  bool right = true;
  rocksdb::PinnableSlice value;
  for (size_t i = 0; i < rows && right; i += 97) {
    right = db->Get({}, db->DefaultColumnFamily(), slice(keys, i), &value).ok() &&
            value.size() == dimension * 8 &&
            memcmp(value.data(), &values[i * 2 * dimension], dimension * 8) == 0;
    value.Reset();
  }
  result.add("rows", double(rows)).add("dimension", double(dimension));
  result.add("insert_rows_per_s", double(rows) / inserted);
  result.add("insert_durable_rows_per_s", double(rows) / total)
      .add("rows_per_s", double(rows) / total);
  result.add("disk_bytes", double(allocated_bytes(directory))).print(right);
  require(db->Close());
}

}  // namespace

int main(int argc, char **argv) {
  Options options(argc, argv);
  if (options.workload == "snapshot") return look_up_snapshot(options);
  const bool is_lookup = options.workload == "w1" || options.workload == "w2" ||
                         options.workload == "w6-lookup";
  if (options.variant.empty())
    options.variant = is_lookup ? "block" : options.workload == "w4" ? "ingest" : "wal";
  const std::string name = "rocksdb-" + options.variant, directory = options.path + "/rocksdb";
  if (is_lookup) {
    Lookup engine(options);
    if (options.workload == "w2") run_warm_lookup(options, name, engine, engine.directory);
    else run_hot_lookup(options, name, engine);
  } else if (options.workload == "w4") {
    bulk_load(options, directory);
    require(rocksdb::DestroyDB(directory, rocksdb::Options()));
  } else {
    {
      const bool wal = options.variant == "wal";
      Training engine(options, directory, wal);
      run_training(options, name, engine, directory, wal);
    }
    require(rocksdb::DestroyDB(directory, rocksdb::Options()));
  }
}
