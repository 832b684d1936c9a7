import CLMDB

/// Gives memory that was freed, and that the C library keeps for later, back to the system: after work
/// that took much of it and will not come again soon. It takes about a millisecond.
package func returnFreedMemory() { clmdb_trim_memory() }
