// SPDX-License-Identifier: Apache-2.0

extension Configuration {
    /// The store and the socket in `file`, for commands that need nothing else of it, and the file's first error.
    ///
    /// An error elsewhere in the file does not keep anybody from reading a log. Where the paths themselves cannot be
    /// read, they are the defaults.
    ///
    /// Throws when the file cannot be read at all.
    public static func paths(
        in file: String
    ) throws(ConfigurationError) -> (paths: Configuration, error: ConfigurationError?) {
        paths(in: try ConfigurationError.text(of: file), of: file)
    }

    static func paths(in text: String, of file: String) -> (paths: Configuration, error: ConfigurationError?) {
        do throws(ConfigurationError) {
            return (try Configuration(file: file, text: text), nil)
        } catch {
            var paths = Configuration()
            if let top = try? ConfigurationReader(file: file, text: text) {
                try? paths.readPaths(top)
            }
            return (paths, error)
        }
    }
}
