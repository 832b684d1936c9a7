// swift-tools-version: 6.2
import PackageDescription

// Fuzzers of everything that reads files from strangers, one executable a target, for libFuzzer.
// The modules under test are compiled here from links to their sources: instrumented, and without
// the rest of the library.

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
  name: "Fuzz",
  targets: [
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash"),
    .target(name: "StorageBase", dependencies: ["CXXHash", "CZstd"], swiftSettings: settings),
    .target(name: "Exchange", dependencies: ["StorageBase"], swiftSettings: settings),
    .target(name: "CKernels"),
    .target(
      name: "Snapshots", dependencies: ["StorageBase", "CZstd", "CKernels"],
      swiftSettings: settings),
    .target(
      name: "FuzzSnapshotSupport", dependencies: ["Snapshots", "StorageBase"],
      swiftSettings: settings),
    .target(name: "FuzzSupport", dependencies: ["Exchange"], swiftSettings: settings),
    .executableTarget(
      name: "FuzzText", dependencies: ["FuzzSupport"], swiftSettings: settings),
    .executableTarget(
      name: "FuzzWord2vec", dependencies: ["FuzzSupport"], swiftSettings: settings),
    .executableTarget(
      name: "FuzzNpy", dependencies: ["FuzzSupport"], swiftSettings: settings),
    .executableTarget(
      name: "FuzzSafetensors", dependencies: ["FuzzSupport"], swiftSettings: settings),
    .executableTarget(
      name: "FuzzSnapshot", dependencies: ["FuzzSnapshotSupport"], swiftSettings: settings),
  ]
)
