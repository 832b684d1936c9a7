import Embeddings
import Machine

/// The table as a snapshot: into a file, durable, and into nothing, which is the work without the
/// disk.
struct Exports {
  let options: Snapshots

  init(_ options: Snapshots) { self.options = options }

  func run(_ targets: [String]) throws {
    let database = try EmbeddingDatabase(at: options.database, options: .readOnly)
    let table = try database.table("rows")
    let raw = Double(options.rows * options.dimension * 8)
    for name in targets {
      let path = name == "file" ? options.path + "/again.embsnap" : "/dev/null"
      var times: [Double] = []
      for _ in 0...options.passes {
        let start = seconds()
        try table.exportSnapshot(path)
        times.append(seconds() - start)
      }
      // The first brings the table into memory.
      let time = Array(times.dropFirst()).median
      Result("export", ["to": name])
        .add("seconds", time).add("raw_mb_per_s", raw / time / 1e6)
        .add("bytes", Double(fileSize(options.snapshot))).print()
    }
    removeFile(options.path + "/again.embsnap")
    try database.close()
  }
}

/// The snapshot into an empty table, durable.
struct Imports {
  let options: Snapshots

  init(_ options: Snapshots) { self.options = options }

  func run() throws {
    let path = options.path + "/imported"
    var times: [Double] = []
    for _ in 0..<options.passes {
      removeDatabase(path)
      let database = try EmbeddingDatabase(at: path)
      let table = try database.table(
        "rows", TrainedTable.configuration(dimension: options.dimension))
      let start = seconds()
      try table.importSnapshot(options.snapshot)
      times.append(seconds() - start)
      try database.close()
    }
    let raw = Double(options.rows * options.dimension * 8)
    Result("import", [:])
      .add("seconds", times.median).add("raw_mb_per_s", raw / times.median / 1e6).print()
  }
}

/// Opening, and the first lookup.
struct Openings {
  let options: Snapshots

  init(_ options: Snapshots) { self.options = options }

  func run() throws {
    var (opened, looked): ([Double], [Double]) = ([], [])
    let id = options.stream.ids()[0]
    for _ in 0..<20 {
      let start = seconds()
      let store = try SnapshotStore(options.snapshot)
      opened.append(seconds() - start)
      _ = try store.lookup(IDColumn([key(id)]))
      looked.append(seconds() - start)
    }
    Result("open", [:])
      .add("open_ms", opened.median * 1e3).add("with_first_lookup_ms", looked.median * 1e3)
      .print()
  }
}
