#include <lmdb.h>
// For the file system check before LMDB opens a directory; not part of Swift's Glibc module.
#include <sys/vfs.h>
