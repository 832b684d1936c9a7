#include <lmdb.h>
// For the file system check before LMDB opens a directory; not part of Swift's Glibc module.
#include <sys/vfs.h>

#include <stdint.h>
#include <stdlib.h>

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

/// Where a write transaction keeps its list of pages written ahead of its commit, if that is to be
/// freed for LMDB: 0.9.24 forgets the list when the transaction ends (ITS#9155, mended in 0.9.25),
/// and with it 1 MiB of addresses, and 8 bytes of memory for each of those pages. NULL for any other
/// version, and where the transaction does not look as it does in that one. (A 0.9.24 that somebody
/// mended by himself would free it a second time; none is known.)
static inline void **_Nullable clmdb_forgotten_list(MDB_txn *_Nonnull transaction) {
  int major = 0, minor = 0, patch = 0;
  mdb_version(&major, &minor, &patch);
  if (major != 0 || minor != 9 || patch != 24) return NULL;
  // struct MDB_txn: parent, child, next page, id, environment, freed pages, loose pages, their
  // count, pages written ahead.
  void **words = (void **)transaction;
  const int isKnown = words[0] == NULL && (size_t)words[3] == mdb_txn_id(transaction) &&
                      words[4] == (void *)mdb_txn_env(transaction);
  return isKnown ? words + 8 : NULL;
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
