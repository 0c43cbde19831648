// SPDX-License-Identifier: Apache-2.0

// RotatingFile: plain log files that are limited by rotation.
//
// `RotatingFileWriter` writes one under virtlogd's names: PATH is live, PATH.0 the newest backup, PATH.1 older.
// `RotatingFileFollower` reads one that any program rotates, as one text, from a position that can be saved, and
// `LogFileWatch` tells when to read. `FileSequence`, a state machine without I/O, decides which file comes next.
