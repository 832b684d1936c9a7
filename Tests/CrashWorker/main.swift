// The process that the crash tests kill: `CrashWorker train|import|follow|compact|export <directory> full|noSync`.
// It writes 8 bytes to standard output for each commit, after it returned.
import Embeddings
import Glibc
import TestSupport

func report(_ number: Int64) {
  var number = number
  write(STDOUT_FILENO, &number, 8)
}

let arguments = CommandLine.arguments
guard arguments.count == 4 else {
  print("usage: CrashWorker train|import|follow|compact|export <directory> full|noSync")
  exit(2)
}
let durability = Durability(rawValue: arguments[3]) ?? .full
do {
  switch arguments[1] {
  case "train": try CrashWorkload.train(at: arguments[2], durability: durability, report: report)
  case "follow":
    try CrashWorkload.follow(at: arguments[2], durability: durability, report: report)
  case "compact":
    try CrashWorkload.compactForEver(at: arguments[2], durability: durability, report: report)
  case "export": try CrashWorkload.exportForEver(at: arguments[2], report: report)
  default:
    try CrashWorkload.importForEver(at: arguments[2], durability: durability, report: report)
  }
} catch {
  let message = Array("CrashWorker: \(error)\n".utf8)
  _ = message.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  exit(1)
}
