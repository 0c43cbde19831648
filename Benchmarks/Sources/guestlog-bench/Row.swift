// SPDX-License-Identifier: Apache-2.0

/// One figure of one run.
struct Measure {
    var name: String
    var unit: String
    var value: Double

    init(_ name: String, _ unit: String, _ value: Double) {
        self.name = name
        self.unit = unit
        self.value = value
    }
}

/// One row of the table: something that is done, and what it costs.
struct Row {
    /// Its name for `scripts/bench`.
    var name: String
    /// Runs by default; each is a process of its own.
    var runs: Int
    /// The targets, by the measure's name.
    var targets: [String: String]
    /// One run.
    var measure: () throws -> [Measure]

    init(_ name: String, runs: Int = 5, targets: [String: String] = [:], measure: @escaping () throws -> [Measure]) {
        self.name = name
        self.runs = runs
        self.targets = targets
        self.measure = measure
    }

    /// All rows, in the table's order.
    static var all: [Row] {
        Ingest.rows + Sockets.rows + Idle.rows + Console.rows + Since.rows + Follow.rows + Display.rows + Grep.rows
            + Recovery.rows + DiskUse.rows + StartUp.rows + RuntimeLogs.rows
    }

    static func named(_ name: String) throws -> Row {
        guard let row = all.first(where: { $0.name == name }) else {
            throw BenchError("no such row: \(name); there are \(all.map(\.name).joined(separator: ", "))")
        }
        return row
    }
}

/// The runs of one row, as rows of a markdown table: a line a measure.
struct Report {
    let row: Row
    private var order: [String] = []
    private var units: [String: String] = [:]
    private var values: [String: [Double]] = [:]

    init(row: Row) {
        self.row = row
    }

    /// The table's head.
    static let head = """
        | row | what | median | min – max | runs | target |
        |---|---|--:|--:|--:|---|

        """

    /// Takes in what one run printed.
    mutating func add(_ output: String) {
        for line in output.split(separator: "\n") {
            let fields = line.split(separator: "\t").map(String.init)
            guard fields.count == 3, let value = Double(fields[2]) else {
                continue
            }
            if units.updateValue(fields[1], forKey: fields[0]) == nil {
                order.append(fields[0])
            }
            values[fields[0], default: []].append(value)
        }
    }

    var text: String {
        order.map { name in
            let sorted = (values[name] ?? []).sorted()
            let middle = sorted.count / 2
            let median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
            let range = "\(Self.number(sorted[0])) – \(Self.number(sorted[sorted.count - 1]))"
            let what = "\(name), \(units[name] ?? "")"
            let target = row.targets[name] ?? ""
            return "| `\(row.name)` | \(what) | \(Self.number(median)) | \(range) | \(sorted.count) | \(target) |\n"
        }.joined()
    }

    /// Three significant digits, or all that stand before the point.
    private static func number(_ value: Double) -> String {
        var digits = 2
        var limit = 10.0
        while digits > 0, abs(value) >= limit {
            digits -= 1
            limit *= 10
        }
        if value != 0, abs(value) < 1 {
            digits = abs(value) < 0.1 ? 4 : 3
        }
        var scale = 1.0
        for _ in 0..<digits {
            scale *= 10
        }
        let whole = Int((abs(value) * scale).rounded())
        let sign = value < 0 ? "-" : ""
        guard digits > 0 else {
            return sign + String(whole)
        }
        let fraction = String(whole % Int(scale))
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return sign + String(whole / Int(scale)) + "." + zeros + fraction
    }
}
