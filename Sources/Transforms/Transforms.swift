// SPDX-License-Identifier: Apache-2.0

// Transforms: what a record becomes on its way into the store. Pure functions, record in, records out: no I/O, no clock.
//
//     Pipeline            ordered filters of the records with a tag                begin here
//     Processors/         one filter a file: parser, rename, remove, route …
//     RecordFormat        the formats that a parser reads
//     Kata/               what the Kata runtime, its agent and its console watcher write, in one form
//     GlobPattern         the patterns of rules, matched against a whole value
