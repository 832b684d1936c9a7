// swift-tools-version: 6.2
import PackageDescription

// The programs that `workloads` is compared with, in C++. Nothing else depends on them.
let package = Package(
  name: "Rivals",
  targets: [
    .systemLibrary(name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["librocksdb-dev"])]),
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .target(name: "Harness", linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .executableTarget(name: "limit", dependencies: ["Harness"]),
    .executableTarget(name: "rival-rocksdb", dependencies: ["Harness", "CRocksDB"]),
    .executableTarget(name: "rival-lmdb", dependencies: ["Harness", "CLMDB"]),
  ],
  cxxLanguageStandard: .cxx17
)
