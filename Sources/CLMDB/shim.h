#include <lmdb.h>
// For the file system check before LMDB opens a directory; not part of Swift's Glibc module.
#include <sys/vfs.h>

#include <stdint.h>

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
