// SPDX-License-Identifier: Apache-2.0

// LogModel: the value types that all other modules use.
//
// The source (`VMIdentity`, `StreamName`), the time (`Timestamp`), the severity (`Severity`), line ends (`Lines`), the
// encoding of records (`JSON`), integers as bytes, and the characters that a terminal acts on. Nothing here uses a file,
// a socket, a clock or Foundation, so every other module may depend on it.
