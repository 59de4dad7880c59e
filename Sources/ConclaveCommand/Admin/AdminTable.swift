/// Answers to an operator: aligned columns for people, one JSON object a row for programs.
struct AdminTable {
    private let columns: [String]
    private let rows: [[String]]

    init(_ columns: [String], _ rows: [[String]]) {
        self.columns = columns
        self.rows = rows
    }

    func output(json: Bool) -> String { json ? jsonLines : text }

    /// With a line of titles, columns apart by two blanks.
    var text: String {
        let widths = columns.indices.map { place in ([columns] + rows).map { $0[place].count }.max() ?? 0 }
        return ([columns.map { $0.uppercased() }] + rows).map { row in
            var line = ""
            for place in row.indices.dropLast() { line += padded(row[place], to: widths[place] + 2) }
            line += row.last ?? ""
            while line.hasSuffix(" ") { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    /// Numbers and truth values are written as such; what is not known is left out.
    var jsonLines: String {
        rows.map { row in
            var line = JSONLine()
            for (name, value) in zip(columns, row) where !value.isEmpty {
                let name = name.replacing(" ", with: "_")
                if name == "hash" || name == "incarnation" {
                    line.add(name, value)
                } else if let number = Int64(value) {
                    line.add(name, number)
                } else if let flag = Bool(value) {
                    line.add(name, flag)
                } else {
                    line.add(name, value)
                }
            }
            return line.text + "\n"
        }.joined()
    }
}
