// The rows of a snapshot in RocksDB: vectors alone, by MultiGet with a block cache.
#include "snapshot.hpp"

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>

using namespace bench;
using rocksdb::Slice;

namespace {

void require(const rocksdb::Status &status) {
  if (status.ok()) return;
  fprintf(stderr, "RocksDB: %s\n", status.ToString().c_str());
  exit(1);
}

template <typename T>
std::vector<T> read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    fprintf(stderr, "%s is missing: run `snapshots` first\n", path.c_str());
    exit(1);
  }
  std::vector<T> values(size_t(file.tellg()) / sizeof(T));
  file.seekg(0);
  file.read(reinterpret_cast<char *>(values.data()), std::streamsize(values.size() * sizeof(T)));
  return values;
}

/// The order of the bytes is that of the ids.
uint64_t stored_key(int64_t id) {
  return __builtin_bswap64(uint64_t(id) ^ (uint64_t(1) << 63));
}

rocksdb::Options table_options(const std::string &variant, size_t cache) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.max_open_files = -1;
  options.stats_dump_period_sec = 0;
  options.compression = variant == "zstd"  ? rocksdb::kZSTD
                        : variant == "lz4" ? rocksdb::kLZ4Compression
                                           : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions block;
  block.format_version = 5;
  block.block_size = 4096;
  block.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  block.data_block_hash_table_util_ratio = 0.5;
  block.block_restart_interval = 1;
  block.checksum = rocksdb::kXXH3;
  block.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Index and filter stay in memory, beside the cache.
  block.block_cache = rocksdb::NewLRUCache(cache, 6);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(block));
  return options;
}

void build(const std::string &directory, const std::string &variant,
           const std::vector<int64_t> &keys, const std::vector<float> &vectors,
           size_t dimension) {
  require(rocksdb::DestroyDB(directory, rocksdb::Options()));
  const rocksdb::Options options = table_options(variant, 8 << 20);
  rocksdb::DB *opened;
  require(rocksdb::DB::Open(options, directory, &opened));
  std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
  const std::string file = directory + "/rows.ingest";
  require(writer.Open(file));
  for (size_t i = 0; i < keys.size(); i++) {
    const uint64_t key = stored_key(keys[i]);
    require(writer.Put(Slice(reinterpret_cast<const char *>(&key), 8),
                       Slice(reinterpret_cast<const char *>(&vectors[i * dimension]),
                             dimension * 4)));
  }
  require(writer.Finish());
  rocksdb::IngestExternalFileOptions ingestion;
  ingestion.move_files = true;
  require(db->IngestExternalFile({file}, ingestion));
  require(db->Close());
}

}  // namespace

int look_up_snapshot(const Options &options) {
  const std::string variant = options.variant.empty() ? "none" : options.variant;
  const auto keys = read_file<int64_t>(options.path + "/keys.i64");
  const auto vectors = read_file<float>(options.path + "/vectors.f32");
  const size_t dimension = vectors.size() / keys.size();
  const std::string directory = options.path + "/rocksdb-snapshot-" + variant;
  build(directory, variant, keys, vectors, dimension);
  read_once(directory);

  Stream stream = options.stream();
  const size_t batch = options.batch, batches = options.steps ? options.steps : 64;
  stream.number = 2;
  stream.exponent = 0;
  stream.rows = keys.size();
  stream.batch_size = batch;
  stream.batches = batches;
  const Keys drawn(false, stream.ids());
  std::vector<uint64_t> asked(drawn.ints.size());
  for (size_t i = 0; i < asked.size(); i++) asked[i] = stored_key(int64_t(drawn.ints[i]));

  for (const size_t mib : {64, 256, 1024})
    for (const int threads : {1, 2}) {
      rocksdb::DB *opened;
      require(rocksdb::DB::OpenForReadOnly(table_options(variant, mib << 20), directory, &opened));
      std::unique_ptr<rocksdb::DB> db(opened);
      std::vector<std::vector<float>> outputs(threads, std::vector<float>(batch * dimension));
      auto part = [&](int thread) {
        std::vector<Slice> slices(batch);
        std::vector<rocksdb::PinnableSlice> values(batch);
        std::vector<rocksdb::Status> statuses(batch);
        rocksdb::ReadOptions read;
        read.verify_checksums = false;
        float *output = outputs[thread].data();
        for (size_t b = thread; b < batches; b += threads) {
          for (size_t i = 0; i < batch; i++)
            slices[i] = Slice(reinterpret_cast<const char *>(&asked[b * batch + i]), 8);
          db->MultiGet(read, db->DefaultColumnFamily(), batch, slices.data(), values.data(),
                       statuses.data());
          for (size_t i = 0; i < batch; i++) {
            require(statuses[i]);
            memcpy(output + i * dimension, values[i].data(), dimension * 4);
            values[i].Reset();
          }
        }
      };
      std::vector<double> times;
      for (int pass = 0; pass < 4; pass++) {
        const double start = seconds();
        std::thread second;
        if (threads == 2) second = std::thread(part, 1);
        part(0);
        if (threads == 2) second.join();
        times.push_back(seconds() - start);
      }
      // What thread 0 has of its last batch.
      const size_t last = (batches - 1) / threads * threads;
      bool right = true;
      std::vector<std::pair<int64_t, size_t>> order(keys.size());
      for (size_t i = 0; i < keys.size(); i++) order[i] = {keys[i], i};
      for (size_t i = 0; i < batch && right; i++) {
        const int64_t id = int64_t(drawn.ints[last * batch + i]);
        const auto found = std::lower_bound(order.begin(), order.end(), std::make_pair(id, size_t(0)));
        right = found != order.end() && found->first == id &&
                memcmp(&vectors[found->second * dimension], &outputs[0][i * dimension],
                       dimension * 4) == 0;
      }
      const double first = times[0];
      std::sort(times.begin() + 1, times.end());
      const double n = double(asked.size());
      printf(
          "{\"what\": \"lookup\", \"engine\": \"rocksdb-%s\", \"budget_mib\": %zu, \"threads\": %d, "
          "\"rows_per_s\": %.0f, \"first_pass_rows_per_s\": %.0f, \"bytes\": %zu, "
          "\"checked\": %d}\n",
          variant.c_str(), mib, threads, n / times[2], n / first, allocated_bytes(directory), right);
      fflush(stdout);
    }
  require(rocksdb::DestroyDB(directory, rocksdb::Options()));
  return 0;
}
