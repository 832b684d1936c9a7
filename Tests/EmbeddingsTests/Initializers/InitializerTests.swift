import Embeddings
import Testing

@Suite struct InitializerTests {
  static let all: [Initializer] = [
    .zeros, .constant(0.25), .uniform(-0.05...0.05), .uniform(0...1), .normal(),
    .normal(mean: 1, standardDeviation: 2), .truncatedNormal(), .glorotUniform(fanIn: 9, fanOut: 3),
  ]

  static let goldenUniform: [(Int64, [UInt32])] = [
    (
      -2_152_535_657_050_944_081,
      [0x3CF6_B7FB, 0xBD0E_5B6B, 0xBB96_55A2, 0xBCF4_C45D, 0x3CFE_5C27, 0x3CD8_3F1A]
    ),
    (
      -7_995_527_694_508_729_151,
      [0x3D39_F568, 0x3D16_CF78, 0x3CC4_8FD3, 0xBBB8_EDC1, 0x3D4B_C75C, 0x3C49_F28D]
    ),
    (42, [0x3C99_57C8, 0xBCD3_B5C7, 0xBCF8_5030, 0x3C82_FFA4, 0x3D00_FB7B, 0xBC82_A61F]),
  ]

  private func bits(_ vector: [Float]) -> [UInt32] { vector.map(\.bitPattern) }

  /// From an independent program: pairs of int32 halves of SplitMix64 started at the id.
  @Test(arguments: goldenUniform)
  func uniformOfSeedZeroIsSplitMixOfTheID(_ id: Int64, _ expected: [UInt32]) {
    let vector = Initializer.uniform(-0.05...0.05).vector(dimension: 64, seed: 0, id: .int64(id))
    #expect(bits(Array(vector[..<4] + vector[62...])) == expected)
  }

  @Test func seedChangesTheStart() {
    let vector = Initializer.uniform(-0.05...0.05).vector(dimension: 4, seed: 7, id: 42)
    #expect(bits(vector) == [0x3C4B_017B, 0xBD07_09E4, 0xBCE2_792B, 0xBD1D_6F63])
  }

  /// From Python's `statistics.NormalDist.inv_cdf` on the same 52-bit values.
  @Test func normalVectorsAreTheQuantilesOfTheHashes() {
    let normal = Initializer.normal().vector(dimension: 6, seed: 0, id: 42)
    #expect(
      bits(normal) == [
        0x3D04_BF29, 0xBD4B_BD8C, 0xBCF0_6FA3, 0xBCA4_4569, 0xBDB5_A8CB, 0x3D64_FA3E,
      ])
    let truncated = Initializer.truncatedNormal().vector(dimension: 6, seed: 0, id: 42)
    #expect(
      bits(truncated) == [
        0x3CFB_B81B, 0xBD3F_193C, 0xBCE4_40F7, 0xBC9C_69A3, 0xBDA0_07D8, 0x3D55_8F69,
      ])
  }

  @Test func constantsFillTheVector() {
    #expect(Initializer.zeros.vector(dimension: 3, seed: 1, id: 1) == [0, 0, 0])
    #expect(Initializer.constant(0.25).vector(dimension: 2, seed: 1, id: "a") == [0.25, 0.25])
    #expect(Initializer.zeros == .constant(0))
  }

  @Test(arguments: all) func shorterVectorIsThePrefixOfALongerOne(_ initializer: Initializer) {
    let long = initializer.vector(dimension: 200, seed: 3, id: 99)
    for dimension in 0...200 {
      let vector = initializer.vector(dimension: dimension, seed: 3, id: 99)
      #expect(bits(vector) == bits(Array(long.prefix(dimension))))
    }
  }

  @Test(arguments: all) func fillOfASpanEqualsTheVector(_ initializer: Initializer) {
    var vector = [Float](repeating: .nan, count: 17)
    var span = vector.mutableSpan
    initializer.fill(&span, seed: 5, id: "crown")
    #expect(bits(vector) == bits(initializer.vector(dimension: 17, seed: 5, id: "crown")))
  }

  @Test func byteStringsStartFromTheirHash() {
    let id: EmbeddingID = "king"
    #expect(id.initializerBits == Array("king".utf8).withUnsafeBytes { xxh3($0) })
    #expect((-1 as EmbeddingID).initializerBits == .max)
    let initializer = Initializer.uniform(-1...1)
    let other = initializer.vector(dimension: 8, seed: 0, id: "queen")
    #expect(initializer.vector(dimension: 8, seed: 0, id: id) != other)
  }

  @Test(arguments: all) func initializersComeBackFromWhatIsStored(_ initializer: Initializer) throws
  {
    let back = try Initializer(name: initializer.name, parameters: initializer.parameters)
    #expect(back == initializer)
  }

  /// Stored with tables: a change here breaks every existing one.
  @Test func storedNamesDoNotChange() {
    #expect(Initializer.zeros.description == "constant(value = 0.0)")
    #expect(Initializer.uniform(-0.5...2).description == "uniform(low = -0.5, high = 2.0)")
    #expect(Initializer.normal().description == "normal(mean = 0.0, standardDeviation = 0.05)")
    #expect(
      Initializer.truncatedNormal().description
        == "truncatedNormal(mean = 0.0, standardDeviation = 0.05)")
  }

  @Test func unknownNamesAndParametersAreRefused() {
    for (name, parameters) in [
      ("orthogonal", []), ("uniform", [Hyperparameter(name: "low", value: 0)]),
    ] {
      let error = #expect(throws: EmbeddingError.self) {
        try Initializer(name: name, parameters: parameters)
      }
      #expect(error?.code == .invalidConfiguration)
    }
  }

  @Test(arguments: [
    Initializer.constant(.nan), .uniform(-.infinity...0),
    .uniform(-Float.greatestFiniteMagnitude...Float.greatestFiniteMagnitude),
    .normal(standardDeviation: -1), .truncatedNormal(mean: .infinity),
  ])
  func parametersOutOfRangeAreRefused(_ initializer: Initializer) {
    let error = #expect(throws: EmbeddingError.self) { try initializer.validate() }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("must") == true)
  }

  @Test func glorotUniformIsTheRangeOfItsFans() {
    #expect(Initializer.glorotUniform(fanIn: 100, fanOut: 50) == .uniform(-0.2...0.2))
  }

  @Test func glorotUniformWithoutFansTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = Initializer.glorotUniform(fanIn: 0, fanOut: 0)
    }
  }
}
