import Glibc
import StorageBase
import TestSupport
import Testing

@Suite struct ScratchFileTests {
  let directory = TemporaryDirectory()

  @Test func regionsAreApartAndAreGivenOutAgain() throws {
    let file = ScratchFile(in: directory.path, regionBytes: 5000)
    #expect(file.regionBytes == 8192 && file.isOwn && !file.isExhausted)
    let first = try #require(file.take())
    let second = try #require(file.take())
    memset(first, 1, 8192)
    memset(second, 2, 8192)
    #expect(first.load(fromByteOffset: 8191, as: UInt8.self) == 1)
    file.giveBack(first)
    #expect(file.take() == first)
    #expect(FileFaults.run(FaultPlan(failingCall: 0)) { file.take() == nil })
    #expect(file.isExhausted)
  }

  @Test func aDiskThatIsFullGivesNoRegionUntilOneIsGivenBack() throws {
    let file = ScratchFile(in: directory.path, regionBytes: 4096)
    // A region gets its room, and is then written.
    let plan = FaultPlan(failingCall: 2, errno: ENOSPC)
    try FileFaults.run(plan) {
      let first = try #require(file.take())
      #expect(file.take() == nil && file.isExhausted)
      // It is not asked again, though it would have room by now.
      #expect(file.take() == nil && plan.calls == 3)
      file.giveBack(first)
      #expect(!file.isExhausted && file.take() == first)
      #expect(file.take() != nil && plan.calls == 5)
    }
  }

  @Test func onlyAFileThatNobodyUsesIsGivenUp() throws {
    let file = ScratchFile(in: directory.path, regionBytes: 4096)
    let region = try #require(file.take())
    file.giveUp()
    memset(region, 3, 4096)
    #expect(!file.isExhausted)
    file.giveBack(region)
    file.giveUp()
    #expect(file.isExhausted && file.take() == nil)
  }

  @Test func aForkedChildHasNoneOfItAndTheParentKeepsAll() async {
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      var file: ScratchFile? = ScratchFile(in: path, regionBytes: 4096)
      let region = file!.take()!
      memset(region, 7, 4096)
      let status = forked {
        if file!.isOwn { return 1 }
        // Not mapped: a use of it would end the child.
        if msync(region, 4096, MS_ASYNC) == 0 || errno != ENOMEM { return 2 }
        // Something else may stand there by then, which the file's end must leave alone.
        let other = mmap(
          region, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
        if other != region { return 3 }
        memset(region, 9, 4096)
        file = nil
        return region.load(as: UInt8.self) == 9 ? 0 : 4
      }
      #expect(status == 0, "step \(status >> 8), signal \(status & 0x7f)")
      #expect(region.load(fromByteOffset: 4095, as: UInt8.self) == 7)
      #expect(file!.take() != nil)
    }
  }
}
