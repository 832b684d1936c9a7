/// Who owns which keys of a table's tree `state.N`: the top byte of a key is its region.
enum StateRegion: UInt8, CaseIterable {
  /// Pages of the generations that last changed each block (``ChangeIndex``).
  case changeTags = 0x00
  /// Pages of the greatest generation in each page of tags.
  case changeSummary = 0x01
  /// One entry for each commit that changed the table (``CommitLog``).
  case commitLog = 0x02
  /// Ids that were deleted (``Tombstones``).
  case tombstones = 0x03
  /// Parts of the admission filter.
  case admissionFilter = 0x10
  /// What the admission filter counted since its parts were written.
  case admissionJournal = 0x11

  /// The bits of a key below its region.
  static let bits: UInt64 = 56

  /// The region of a key; nil where nobody owns it.
  init?(ofKey key: UInt64) {
    self.init(rawValue: UInt8(key >> Self.bits))
  }

  /// The key of this region with the low 56 bits `rest`.
  func key(_ rest: UInt64) -> UInt64 {
    precondition(rest >> Self.bits == 0, "a key reaches into another region")
    return UInt64(rawValue) << Self.bits | rest
  }

  /// The low 56 bits of a key of this region; nil for one of another.
  func rest(ofKey key: UInt64) -> UInt64? {
    key >> Self.bits == UInt64(rawValue) ? key & (1 << Self.bits - 1) : nil
  }
}
