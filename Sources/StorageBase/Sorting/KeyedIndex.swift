/// A 64-bit key with the number of what it belongs to.
package struct KeyedIndex: Sendable, Hashable {
  package var key: UInt64
  package var index: UInt32
  /// What else is to be known of it, in room that is there anyway.
  package var value: UInt32

  @inlinable
  package init(key: UInt64, index: UInt32, value: UInt32 = 0) {
    self.key = key
    self.index = index
    self.value = value
  }
}
