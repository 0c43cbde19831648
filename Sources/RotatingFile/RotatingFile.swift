// SPDX-License-Identifier: Apache-2.0

// RotatingFile: a plain log file at any path, limited by rotation.
//
// `RotatingFileWriter` writes it under virtlogd's names: PATH is live, PATH.0 the newest backup, PATH.1 older.
