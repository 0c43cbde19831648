// SPDX-License-Identifier: Apache-2.0

// RuntimeSources: records that programs beside the VMs write, into the VMs' streams: journals, files, imports.
//
//     SourceService       all sources of a daemon                               begin here
//     SourceRun           one source: reads, commits, keeps its position
//     SourceInput         what a source reads from: JournalInput, FileInput, ImportInput
//     FileSources         all files of a daemon, by one thread with one inotify instance
//     ConsoleRun          a console's text, from the files that follow each other
//     RecordRouter        records through the pipeline to the streams of their VMs
//     ReadPosition, CommitCounter, DiskPosition, SourceMark    exactly once, however the process ends
//     Journal/            libsystemd, loaded at run time
//     Forward/            a receiver of the Fluentd Forward protocol (ForwardReceiver; ForwardSession, without I/O)
