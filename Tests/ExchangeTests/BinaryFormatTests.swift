import Exchange
import StorageBase
import Testing

@Suite struct NpyTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func npy(_ dictionary: String, _ data: Int = 0, version: UInt8 = 1) -> [UInt8] {
    let text = Array(dictionary.utf8)
    var length = [UInt8(text.count & 0xFF), UInt8(text.count >> 8)]
    if version > 1 { length += [0, 0] }
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text
      + [UInt8](repeating: 0, count: data)
  }

  private func dictionary(_ descr: String, _ shape: String, order: String = "False") -> String {
    "{'descr': \(descr), 'fortran_order': \(order), 'shape': \(shape), }\n"
  }

  @Test(arguments: [UInt8(1), 2, 3])
  func everyVersionIsRead(version: UInt8) throws {
    let bytes = npy(dictionary("'<f4'", "(2, 3)"), 24, version: version)
    #expect(try Rows(reading: folder.write(bytes, to: "a.npy")).bits == [0, 0, 0, 0, 0, 0])
  }

  @Test(arguments: [
    ("(-2, 3)", "negative"), ("(2, 0)", "dimension 0"), ("(2,)", "[rows, dimension]"),
    ("()", "[rows, dimension]"), ("(2, 3, 4)", "[rows, dimension]"),
    ("(4294967296, 4294967296)", "larger than any"),
    ("(4611686018427387904, 8)", "larger than any"),
    ("(99999999999999999999, 1)", "too large"), ("(3, 3)", "36 bytes"), ("(1, 3)", "12 bytes"),
    ("(2, 3", "the shape has"), ("2", "expected '('"), ("(2, 3), 'shape': (2, 3)", "twice"),
  ])
  func shapesThatCannotBeAreRefused(shape: String, part: String) throws {
    let path = try folder.write(npy(dictionary("'<f4'", shape), 24), to: "a.npy")
    expectRefused(path, ReaderOptions(), .malformedInput, "a.npy, byte", part)
  }

  @Test(arguments: [
    ("'>f4'", "big-endian"), ("'|O'", "pickled"), ("''", "dtype ''"), ("'<c8'", "<c8"),
    ("'<i8'", "floats"), ("[('a', '<f4')]", "structured"), ("'<U8'", "<U8"),
  ])
  func otherTypesAreRefusedWithTheRemedy(descr: String, part: String) throws {
    let path = try folder.write(npy(dictionary(descr, "(2, 3)"), 24), to: "a.npy")
    expectRefused(path, ReaderOptions(), .unsupportedFormat, part)
  }

  @Test(arguments: [
    "", "{", "{}", "{'descr'}", "{'descr': '<f4'}", "{'x': '<f4', }", "{'descr': '<f4",
    "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 3), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } + 1", "[1]",
  ])
  func headersThatAreNoSuchDictionaryAreRefused(text: String) throws {
    expectRefused(
      try folder.write(npy(text, 24), to: "a.npy"), ReaderOptions(), .malformedInput, "byte")
  }

  @Test func absurdHeaderLengthIsRefused() throws {
    let bytes = [0x93] + Array("NUMPY".utf8) + [2, 0, 0xF0, 0xFF, 0xFF, 0xFF, 0x7B]
    expectRefused(
      try folder.write(bytes, to: "a.npy"), ReaderOptions(), .malformedInput, "4294967280")
  }

  @Test func idsOfAnotherNumberThanRowsAreRefused() throws {
    let path = try folder.write(npy(dictionary("'<f4'", "(2, 3)"), 24), to: "a.npy")
    func options(_ ids: String) throws -> ReaderOptions {
      ReaderOptions(idsPath: try folder.write(ids, to: "ids"))
    }
    expectRefused(path, try options("a\n"), .malformedInput, "ids, line 1", "one id a row")
    expectRefused(path, try options("a\nb\nc\n"), .malformedInput, "ids, line 3", "2 rows")
    expectRefused(path, try options("a\n\n"), .malformedInput, "ids, line 2", "empty")
    for shape in ["(1,)", "(3,)", "(2, 1)", "()"] {
      let ids = npy(dictionary("'<i8'", shape), 8)
      let options = ReaderOptions(idsPath: try folder.write(ids, to: "ids"))
      expectRefused(path, options, .malformedInput, "ids, byte", "2 rows")
    }
    expectRefused(path, ReaderOptions(idType: .bytes), .invalidArgument, "int64")
  }
}

@Suite struct SafetensorsTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func file(_ json: String, _ data: Int, length: UInt64? = nil) throws -> String {
    let length = length ?? UInt64(json.utf8.count)
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(json.utf8)
    return try folder.write(bytes + [UInt8](repeating: 0, count: data), to: "a.safetensors")
  }

  private let options = ReaderOptions(format: .safetensors)

  private func tensor(
    _ name: String, _ dtype: String = "F32", _ shape: String = "[2,3]", _ offsets: String = "[0,24]"
  ) -> String {
    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
  }

  @Test func headerThatClaimsMoreThanTheFileIsRefused() throws {
    for length in [UInt64(1000), 100_000_001, .max, 1 << 63] {
      expectRefused(
        try file("{\(tensor("a"))}", 24, length: length), options, .malformedInput, "claims")
    }
  }

  @Test(arguments: [
    "[0,23]", "[0,28]", "[4,28]", "[24,0]", "[0,9223372036854775807]", "[0]", "[0,24,24]",
    "[-1,23]",
    "[0.0,24]", "[0,1e1]", "[0,99999999999999999999]", "\"0\"", "[00,24]",
  ])
  func offsetsThatCannotBeAreRefused(offsets: String) throws {
    let path = try file("{\(tensor("a", "F32", "[2,3]", offsets))}", 24)
    expectRefused(path, options, .malformedInput, "a.safetensors, byte")
  }

  @Test func overlapsHolesAndBytesOfNoTensorAreRefused() throws {
    let first = tensor("a")
    for second in ["[20,44]", "[0,24]", "[28,52]"] {
      let path = try file("{\(first),\(tensor("b", "F32", "[2,3]", second))}", 52)
      expectRefused(path, options, .malformedInput, "byte 8")
    }
    expectRefused(try file("{\(first)}", 25), options, .malformedInput, "1 bytes of data")
  }

  @Test(arguments: [
    "[4294967296,4294967296]", "[9223372036854775807,3]", "[2,4]", "[-2,3]", "2",
  ])
  func shapesThatCannotBeAreRefused(shape: String) throws {
    expectRefused(try file("{\(tensor("a", "F32", shape))}", 24), options, .malformedInput, "byte")
  }

  @Test func jsonOutsideTheStandardIsRefused() throws {
    let good = tensor("a")
    for json in [
      "", "{", "[]", "{\(good)", "{\(good),}", "{\(good)}x", "{\(good),\(good)}", "{'a':1}",
      "{\(good),\"__metadata__\":{\"a\":tru}}", "{\(good),\"__metadata__\":01x}",
      "{\(good),\"__metadata__\":\(String(repeating: "[", count: 100_000))}",
      "{\(good),\"__metadata__\":\(String(repeating: "{\"a\":", count: 100_000))}",
      "{\(good),\"\u{01}\":1}", "{\(good),\"\\ud800\":{}}", "{\(good),\"\\x\":{}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3]}}", "{\"a\":{}}", "{\"a\":null}",
    ] {
      expectRefused(try file(json, 24), options, .malformedInput, "byte")
    }
  }

  @Test func escapesInNamesAreUnderstood() throws {
    let path = try file(
      "{ \"__metadata__\" : {\"a\": [1.5e3, -2, true, null, {}] },\n"
        + "\(tensor("\\u0061\\ud83d\\ude00\\n"))}",
      24)
    #expect(try Rows(reading: path, ReaderOptions(tensorName: "a\u{1F600}\n")).ids.count == 2)
  }

  @Test func idsThatDoNotFitTheRowsAreRefused() throws {
    let vectors = tensor("v", "F32", "[2,3]", "[0,24]")
    expectRefused(
      try file("{\(vectors),\(tensor("ids", "I64", "[3]", "[24,48]"))}", 24 + 24), options,
      .malformedInput, "'ids'", "[2]")
    expectRefused(
      try file("{\(vectors),\(tensor("ids", "F32", "[2]", "[24,32]"))}", 24 + 8), options,
      .malformedInput, "'ids'")
    // All offsets are 0: empty ids.
    expectRefused(
      try file(
        "{\(vectors),\(tensor("id_offsets", "I32", "[3]", "[24,36]")),"
          + "\(tensor("id_bytes", "U8", "[4]", "[36,40]"))}", 40), options, .malformedInput,
      "offset 0")
  }

  @Test func tfraPairsOfUnequalLengthAreRefused() throws {
    _ = try folder.write([UInt8](repeating: 0, count: 17), to: "t-keys")
    _ = try folder.write([UInt8](repeating: 0, count: 24), to: "t-values")
    expectRefused(folder.path("t-keys"), ReaderOptions(), .malformedInput, "t-keys, byte 17")
    _ = try folder.write([UInt8](repeating: 0, count: 16), to: "t-keys")
    #expect(try Rows(reading: folder.path("t-values")).dimension == 3)
    _ = try folder.write([UInt8](repeating: 0, count: 26), to: "t-values")
    expectRefused(folder.path("t-keys"), ReaderOptions(), .malformedInput, "t-values, byte 26")
  }
}
