import Foundation
import StorageBase
import Testing

@Suite final class FileTests {
  let folder = FileManager.default.temporaryDirectory.appending(path: "files-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func path(_ name: String) -> String { folder.appending(path: name).path }
  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }
  private func make(_ text: String, _ name: String = "file") throws -> String {
    try Data(text.utf8).write(to: folder.appending(path: name))
    return path(name)
  }
  private func text(_ span: Span<UInt8>) -> String {
    String(decoding: span.indices.map { span[$0] }, as: UTF8.self)
  }
  private func content(_ name: String) throws -> String {
    try String(decoding: Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
  }

  @Test func linesAreLentWithoutTheirEndsWhateverTheBufferSize() throws {
    let file = try make("one\r\n\ntwo three\nlast\r")
    for size in [16, 17, 64, 1 << 16] {
      let source = try ByteSource(path: file, bufferSize: size)
      var lines: [String] = []
      while let line = try source.nextLine(maximum: 100, { text($0) }) { lines.append(line) }
      #expect(lines == ["one", "", "two three", "last"])
      #expect(source.lineNumber == 4)
      #expect(source.offset == 21 && source.bytesRead == 21 && source.totalBytes == 21)
    }
  }

  @Test func aLineBeyondTheMaximumIsRefusedWithItsNumber() throws {
    let source = try ByteSource(
      path: make("a\n" + String(repeating: "b", count: 1000)), bufferSize: 16)
    _ = try source.nextLine(maximum: 10) { _ in }
    let error = #expect(throws: EmbeddingError.self) { try source.nextLine(maximum: 999) { _ in } }
    #expect(error?.code == .malformedInput)
    #expect(error?.message.contains("line 2") == true)
    #expect(try source.nextLine(maximum: 1000) { $0.count } == 1000)
  }

  @Test func peekingConsumesNothingAndNextNeedsAllItsBytes() throws {
    let source = try ByteSource(path: make("abcdef"), bufferSize: 16)
    #expect(try source.peek(100) { text($0) } == "abcdef")
    #expect(try source.nextLine(maximum: 10, peeking: true) { text($0) } == "abcdef")
    #expect(try source.next(4) { text($0) } == "abcd")
    #expect(try source.next(3) { text($0) } == nil)
    #expect(source.offset == 4)
    #expect(try source.next(2) { text($0) } == "ef")
    #expect(try source.fill(1) == 0)
  }

  @Test func aRegionIsReadByItsOwnOffsets() throws {
    let file = try RandomAccessFile(path: make("0123456789"))
    let source = ByteSource(file, range: 2..<7)
    #expect(try source.next(2) { text($0) } == "23")
    #expect(source.offset == 4 && source.bytesRead == 2 && source.totalBytes == 5)
    #expect(try source.peek(10) { text($0) } == "456")
  }

  @Test func anAtomicFileIsSeenOnlyAfterItsCommit() throws {
    _ = try make("old")
    var file = try AtomicFile(path: path("file"), bufferSize: 4)
    try file.write(Array("new".utf8))
    try file.write(Array(" content".utf8))
    #expect(file.offset == 11)
    #expect(try content("file") == "old")
    #expect(try names().count == 2)
    try file.commit()
    #expect(try content("file") == "new content")
    #expect(try names() == ["file"])
  }

  @Test func anAtomicFileDroppedLeavesNothing() throws {
    func drop() throws {
      var file = try AtomicFile(path: path("file"))
      try file.write([1])
    }
    try drop()
    #expect(try names() == [])
  }

  @Test func bytesCanBeWrittenOutOfOrder() throws {
    var file = try AtomicFile(path: path("file"))
    try file.write(Array("tail".utf8).span.bytes, at: 4)
    try file.write(Array("head".utf8))
    try file.commit()
    #expect(try content("file") == "headtail")
  }

  @Test func aSymbolicLinkIsFollowedAndADeviceIsWrittenDirectly() throws {
    _ = try make("old", "target")
    try FileManager.default.createSymbolicLink(
      atPath: path("link"), withDestinationPath: path("target"))
    var file = try AtomicFile(path: path("link"))
    try file.write(Array("new".utf8))
    try file.commit()
    #expect(try content("target") == "new")
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: path("link")) == path("target"))
    var null = try AtomicFile(path: "/dev/null")
    let isStream = null.isStream
    #expect(isStream)
    try null.write([1])
    try null.commit()
  }

  @Test func foldersAndMissingFoldersAreRefusedByName() throws {
    let folder = folder.path
    let first = #expect(throws: EmbeddingError.self) { _ = try AtomicFile(path: folder) }
    #expect(first?.code == .alreadyExists)
    let second = #expect(throws: EmbeddingError.self) {
      _ = try AtomicFile(path: path("none/file"))
    }
    #expect(second?.code == .notFound)
    #expect(second?.message.contains("none/file") == true)
    let third = #expect(throws: EmbeddingError.self) { _ = try ByteSource(path: folder) }
    #expect(third?.code == .io)
    let fourth = #expect(throws: EmbeddingError.self) {
      _ = try RandomAccessFile(path: "/dev/null")
    }
    #expect(fourth?.code == .invalidArgument)
  }

  @Test func everyFailedCallOfAWriteLeavesTheOldContent() throws {
    func write(_ text: String) throws {
      var file = try AtomicFile(path: path("file"), bufferSize: 4)
      for byte in text.utf8 { try file.write([byte]) }
      try file.commit()
    }
    try write("old")
    let counting = FaultPlan()
    try FileFaults.run(counting) { try write("new content") }
    var afterRename = 0
    for call in 0..<counting.calls {
      try write("old")
      let error = #expect(throws: EmbeddingError.self) {
        try FileFaults.run(FaultPlan(failingCall: call, errno: 28)) { try write("new content") }
      }
      #expect(error?.code == .diskFull)
      #expect(try names() == ["file"])
      // Only after the rename, when the folder is synced, does the new content stand.
      if try content("file") != "old" {
        afterRename += 1
        #expect(error?.message.contains("is written, but") == true)
      }
    }
    #expect(afterRename == 2)
  }

  @Test func aFailedWriteStaysFailed() throws {
    let error = #expect(throws: EmbeddingError.self) {
      var file = try AtomicFile(path: path("file"), bufferSize: 1)
      do {
        // Only the first write fails; the commit must not pretend that nothing happened.
        try FileFaults.run(FaultPlan(failingCall: 0, errno: 28)) { try file.write([1, 2]) }
      } catch {}
      try file.commit()
    }
    #expect(error?.code == .diskFull)
    #expect(try names() == [])
  }

  @Test func partialTransfersAreCompleted() throws {
    try FileFaults.run(FaultPlan(maximumTransfer: 3)) {
      var file = try AtomicFile(path: path("file"))
      try file.write(Array("0123456789".utf8))
      try file.commit()
      let source = try ByteSource(path: path("file"))
      #expect(try source.peek(100) { text($0) } == "0123456789")
    }
  }

  @Test func zstandardFramesAreDecompressedOneAfterTheOther() throws {
    // Two frames with raw blocks, "ab" and "cd\n", and a skippable frame between them.
    func frame(_ text: String) -> [UInt8] {
      [0x28, 0xB5, 0x2F, 0xFD, 0x20, UInt8(text.utf8.count)]
        + [UInt8(text.utf8.count << 3 | 1), 0, 0] + Array(text.utf8)
    }
    let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 0xFF]
    let bytes = frame("ab") + skippable + frame("cd\n")
    try Data(bytes).write(to: folder.appending(path: "x.zst"))
    let source = try ByteSource(path: path("x.zst"), bufferSize: 16)
    #expect(source.isCompressed && source.contentSize == nil && source.totalBytes == bytes.count)
    #expect(try source.nextLine(maximum: 10) { text($0) } == "abcd")
    #expect(try source.fill(1) == 0)
    #expect(source.bytesRead == bytes.count && source.offset == 5)
  }

  @Test func aZstandardWindowLargerThanTheBoundIsRefusedBeforeItIsAllocated() throws {
    // A window of 2^31 bytes, and then a raw block.
    let bytes: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 0x09, 0, 0, 0x61]
    try Data(bytes).write(to: folder.appending(path: "x.zst"))
    let source = try ByteSource(path: path("x.zst"))
    let error = #expect(throws: EmbeddingError.self) { try source.fill(1) }
    #expect(error?.code == .malformedInput)
    #expect(error?.message.contains("x.zst, byte 0") == true)
  }
}
