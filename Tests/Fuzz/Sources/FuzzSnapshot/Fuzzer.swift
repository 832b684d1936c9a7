import FuzzSnapshotSupport

/// What libFuzzer calls with each input.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeRawBufferPointer(start: bytes, count: count)
  if let violation = SnapshotCheck.violation(input) { fatalError(violation) }
  return 0
}
