/// The numbers of the format; `Formats.md` explains them.
enum Limits {
  static let version: UInt32 = 1
  static let dimension = 8_192
  static let slotCount = 32_768
  /// Bytes of the name of a table, an initializer, an optimizer, a parameter or a section.
  static let nameBytes = 255
  static let parameters = 256
  static let sections = 256
  /// Bytes of the header's frame.
  static let headerBytes = 1 << 20
  static let rowsPerBlock = 1 << 16
  /// Bytes of the floats of a block, unless it has one row only.
  static let blockFloatBytes = 1 << 22
  /// Bytes of the ids of a block, unless it has one row only.
  static let blockIDBytes = 1 << 20
  static let blocksPerPage = 1_024
  /// Bytes of one piece of a section before compression.
  static let sectionPieceBytes = 1 << 20
  /// What Zstandard's format can make of one byte: 128 KiB of a block of 4 bytes.
  static let largestExpansion = 1 << 15
}

/// What the writer chooses within the limits.
enum Defaults {
  /// Bytes of floats in a block: large enough to compress well, small enough for a lookup.
  static let blockFloatBytes = 1 << 18
  static let rowsPerBlock = 1 << 13
  static let blocksPerPage = 64
  static let filterBitsPerKey = 10
}

extension SnapshotDescription {
  /// The rows of a block that the writer chooses.
  var defaultRowsPerBlock: Int {
    let rowBytes = 4 * (dimension + storedSlotCount)
    return max(1, min(Defaults.rowsPerBlock, Defaults.blockFloatBytes / rowBytes))
  }
}
