package import StorageBase

extension Environment {
  /// How an environment is opened.
  package struct Options: Sendable {
    /// The bytes of address space to map. Sparse: costs neither memory nor disk until used, so the
    /// default is large (1 TiB). Where an address-space limit refuses it, it is halved until it
    /// fits, down to 1 GiB.
    package var mapSize: Int
    /// How far the map may grow, in bytes; nil for no limit but the address space.
    package var maximumMapSize: Int?
    /// The reader slots, over all processes; the first process to open the directory decides.
    package var maxReaders: Int
    /// How many named databases may be open at once.
    package var maxNamedDatabases: Int
    /// What a commit promises.
    package var durability: Durability
    /// Refuses every write. The environment must exist.
    package var isReadOnly: Bool
    /// Opens on NFS, SMB, FUSE and 9p too, whose locks and maps cannot be trusted: the database may
    /// be corrupted if more than one machine reaches it.
    package var allowsUnsafeFileSystem: Bool
    /// How many seconds a growing map waits for other threads' read transactions to end.
    package var growthTimeout: Int
    /// Whether values may be written to the file past LMDB (``WriteTransaction/pageFile``).
    package var allowsPageFile = true

    package init(
      mapSize: Int = 1 << 40, maximumMapSize: Int? = nil, maxReaders: Int = 1024,
      maxNamedDatabases: Int = 4096, durability: Durability = .full, isReadOnly: Bool = false,
      allowsUnsafeFileSystem: Bool = false, growthTimeout: Int = 60
    ) {
      self.mapSize = mapSize
      self.maximumMapSize = maximumMapSize
      self.maxReaders = maxReaders
      self.maxNamedDatabases = maxNamedDatabases
      self.durability = durability
      self.isReadOnly = isReadOnly
      self.allowsUnsafeFileSystem = allowsUnsafeFileSystem
      self.growthTimeout = growthTimeout
    }
  }
}
