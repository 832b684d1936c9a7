import Testing
import LMDB
