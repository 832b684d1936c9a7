#include <lmdb.h>
// For the file system check before LMDB opens a directory; not part of Swift's Glibc module.
#include <sys/vfs.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#ifdef __linux__
// Declared here since the C library shows it only with _GNU_SOURCE.
int sync_file_range(int fd, int64_t offset, int64_t count, unsigned int flags);
#endif

/// Has the system begin to write what the page cache holds of a file, and does not wait for it.
/// Only a hint, and nothing on systems that have no such call.
static inline void clmdb_start_writeback(int fd) {
#ifdef __linux__
  (void)sync_file_range(fd, 0, 0, 2 /* SYNC_FILE_RANGE_WRITE */);
#else
  (void)fd;
#endif
}

/// Whether a write transaction looks as those of LMDB 0.9.24 do, so that its parts can be told.
static inline int clmdb_is_known(MDB_txn *_Nonnull transaction) {
  int major = 0, minor = 0, patch = 0;
  mdb_version(&major, &minor, &patch);
  if (major != 0 || minor != 9 || patch != 24 || sizeof(void *) != 8) return 0;
  // struct MDB_txn: parent, child, next page, id, environment, freed pages, loose pages, their
  // count, pages written ahead.
  void **words = (void **)transaction;
  return words[0] == NULL && (size_t)words[3] == mdb_txn_id(transaction) &&
         words[4] == (void *)mdb_txn_env(transaction);
}

/// Where a write transaction keeps its list of pages written ahead of its commit, if that is to be
/// freed for LMDB: 0.9.24 forgets the list when the transaction ends (ITS#9155, mended in 0.9.25),
/// and with it 1 MiB of addresses, and 8 bytes of memory for each of those pages. NULL for any other
/// version, and where the transaction does not look as it does in that one. (A 0.9.24 that somebody
/// mended by himself would free it a second time; none is known.)
static inline void **_Nullable clmdb_forgotten_list(MDB_txn *_Nonnull transaction) {
  return clmdb_is_known(transaction) ? (void **)transaction + 8 : NULL;
}

/// A page that a transaction has changed, by its number, and where it is in memory.
typedef struct {
  size_t number;
  void *_Nullable memory;
} clmdb_changed_page;

/// Takes a value that was just reserved, and that stands on pages of its own, out of LMDB's hands:
/// LMDB no longer writes its pages when it commits, and their memory is freed. Returns the number of
/// the first, for the caller to write them before the commit; 0, and nothing is changed, for any
/// version of LMDB but 0.9.24, and where something is not as it is there.
///
/// After that LMDB treats the pages as it treats pages that it has written ahead of the commit itself.
static inline size_t clmdb_take_pages(MDB_txn *_Nonnull transaction, void *_Nonnull value) {
  if (!clmdb_is_known(transaction)) return 0;
  // Behind those above: changed pages, 5 words, number of databases and flags, room for more pages.
  clmdb_changed_page *list = ((clmdb_changed_page **)transaction)[9];
  unsigned int *room = (unsigned int *)((void **)transaction + 16);
  const size_t most = (1 << 17) - 1;
  const size_t count = list[0].number;
  if (count == 0 || count + *room != most) return 0;
  // A page begins with its number, 2 bytes that are not used, its kind, and how many belong together.
  char *memory = (char *)value - 16;
  const uint16_t overflow = 0x04, dirty = 0x10;
  size_t number;
  uint16_t kind;
  memcpy(&number, memory, sizeof number);
  memcpy(&kind, memory + 10, sizeof kind);
  if (kind != (overflow | dirty)) return 0;
  // The list is in the order of the numbers, and pages that are new to the file come last.
  size_t low = 1, high = count;
  if (list[high].number == number) low = high;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (list[middle].number < number) low = middle + 1;
    else high = middle;
  }
  if (list[low].number != number || list[low].memory != (void *)memory) return 0;
  memmove(list + low, list + low + 1, (count - low) * sizeof *list);
  list[0].number = count - 1;
  *room += 1;
  free(memory);
  return number;
}

/// Gives memory that was freed back to the system, where the C library keeps it for later.
static inline void clmdb_trim_memory(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

/// Frees that list, after its transaction has ended and before the next one begins.
static inline void clmdb_free_list(void *_Nullable *_Nullable list) {
  if (list == NULL || *list == NULL) return;
  // The list begins with its length, behind its capacity.
  free((size_t *)*list - 1);
  *list = NULL;
}
