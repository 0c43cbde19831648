// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The parser's completion script for bash, with what it lacks.
enum BashCompletion {
    /// What the script begins with.
    private static let beginning = "#!/bin/bash\n\n__guestlog_"

    /// `text`, corrected if it is the script.
    static func corrected(_ text: String) -> String {
        guard text.hasPrefix(beginning) else {
            return text
        }
        var text = text
        for change in changes {
            if let range = text.firstRange(of: change.old) {
                text.replaceSubrange(range, with: change.new)
            }
        }
        return text
    }

    private static let changes: [(old: String, new: String)] = [
        // A VM named like a folder in the working directory is no folder; its namespace is a part of its name.
        (old: "complete -o filenames -F _guestlog guestlog", new: "complete -F _guestlog guestlog"),
        (
            old: """
            __guestlog_add_completions() {

            """,
            new: """
            __guestlog_add_completions() {
                case "${1}" in
                -d|-f)
                    compopt -o filenames 2>/dev/null
                    ;;
                -W)
                    __guestlog_add_lines "${2}"
                    return
                    ;;
                esac

            """
        ),
        // compgen would expand the words of -W, in which a tenant's VM may have a command.
        (
            old: """
            __guestlog_add_completions() {

            """,
            new: #"""
            # Offers each line of ${1} that begins with the current word, quoted as that word is.
            __guestlog_add_lines() {
                local quote="${COMP_WORDS[COMP_CWORD]:0:1}"
                local typed="${cur}" line quoted
                [[ "${quote}" = [\"\'] ]] || quote=''
                typed="${typed#"${quote}"}"
                [[ "${quote}" = \' ]] || typed="${typed//\\/}"
                while IFS='' read -r line; do
                    [[ -n "${line}" && "${line}" = "${typed}"* ]] || continue
                    case "${quote}" in
                    \')
                        [[ "${line}" = *\'* ]] || COMPREPLY+=("${line}")
                        ;;
                    \")
                        [[ "${line}" = *[\"\$\`\\!]* ]] || COMPREPLY+=("${line}")
                        ;;
                    *)
                        printf -v quoted %q "${line}"
                        # bash would divide a word at these.
                        quoted="${quoted//:/\\:}"
                        quoted="${quoted//=/\\=}"
                        COMPREPLY+=("${quoted//@/\\@}")
                        ;;
                    esac
                done <<< "${1}"
            }

            __guestlog_add_completions() {

            """#
        ),
        (
            old: """
                "${COMP_WORDS[0]}" "${@}" "${words[@]}"

            """,
            new: """
                \(Completions.quotingVariable)=1 "${COMP_WORDS[0]}" "${@}" "${words[@]}"

            """
        ),
        // bash divides `--option=value` at the sign, which is a word of its own.
        (
            old: """
                local -r cur="${2}"
                local -r prev="${3}"

                local -i positional_number
                local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

            """,
            new: """
                local -r cur="${2}"
                local prev="${3}"
                if [[ "${prev}" = '=' && "${COMP_CWORD}" -ge 2 ]]; then
                    prev="${COMP_WORDS[COMP_CWORD - 2]}"
                fi

                local -i positional_number
                local -a unparsed_words=()
                local typed
                for typed in "${COMP_WORDS[@]:1:${COMP_CWORD}}"; do
                    [[ "${typed}" = '=' ]] || unparsed_words+=("${typed}")
                done
                [[ "${COMP_WORDS[COMP_CWORD]}" != '=' ]] || unparsed_words+=('')

            """
        ),
        // `help` is followed by a command.
        (
            old: """
            _guestlog_help() {

            """,
            new: """
            _guestlog_help() {
                COMPREPLY+=($(compgen -W '\(commands)' -- "${cur}"))

            """
        ),
    ]

    private static var commands: String {
        Guestlog.configuration.subcommands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
            .joined(separator: " ")
    }
}
