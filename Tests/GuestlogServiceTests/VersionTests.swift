// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct VersionTests {
    /// The repository's file at `path`.
    private func text(_ path: String) throws -> String {
        // …/Tests/GuestlogServiceTests/VersionTests.swift
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let file = try StoredFile(root + "/" + path, .read, on: LinuxFileSystem())
        return String(decoding: try file.read(at: 0, count: file.size), as: UTF8.self)
    }

    @Test("the daemon, the API's description and the changelog have the same version")
    func agree() throws {
        #expect(try text("docs/openapi.yaml").firstMatch(of: #/\n  version: (.+)\n/#)?.1 == ProgramVersion.current[...])
        #expect(try text("CHANGELOG.md").firstMatch(of: #/\n## (\S+)/#)?.1 == ProgramVersion.current[...])
    }
}
