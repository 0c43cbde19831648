// SPDX-License-Identifier: Apache-2.0

import TextFormats

extension BootState {
    /// A line's position, time and surroundings.
    struct Context {
        var offset: Int
        var time: Int64
        /// Whether other text precedes it on the same row: it was not printed by a command.
        var isMidLine = false
        /// Whether it is complete, or a pause follows.
        var isComplete = true
        /// Whether it follows a command at a shell's prompt, or a pager shows it. Set for firmware's and a kernel's lines
        /// that would be doubtful, and for a panic without a stamp: the command may have printed it,
        /// so words after it begin no boot.
        var isAtShell = false
        /// Whether a pager shows it. Set when `isAtShell` is.
        var isOfPager = false
        /// Whether a command prints it, together with all text since the command's line: without a pause of
        /// `BootState.shortest`.
        var isOutput = false
        /// The prompt that it is itself, also with a command after it. Set while a prompt decides something.
        var prompt: ShellPrompt.Prompt?
        /// Whether it is a record of another kernel that a program prints: with a priority, and a stamp that is ahead of this
        /// kernel's clock.
        var isOfOtherKernel = false
        /// The words of a banner that a start prints once.
        var words: [UInt8] = []
    }
}
