// A violation as a picture: one row a client, time from left to right, in one HTML file that needs nothing else.

extension LinearizabilityViolation {
    /// The most operations drawn; earlier ones are left out, and the page says how many.
    public static var timelineLimit: Int { 150 }

    /// A self-contained page: each operation a bar from its invocation to its return, the culprit in red, and on the others their
    /// place in an order that explains all before it. Time is drawn by rank, so that every bar can be read.
    public var timelineHTML: String {
        let first = max(0, operations.count - Self.timelineLimit)
        let layout = TimelineLayout(operations, first: first, culprit: culprit)
        var places: [Int: (place: Int, state: Model.State)] = [:]
        for (place, (index, state)) in zip(order, statesAlongOrder).enumerated() {
            places[index] = (place + 1, state)
        }
        var drawing = ""
        for (row, client) in layout.clients.enumerated() {
            let y = TimelineLayout.top + row * TimelineLayout.rowHeight
            drawing += "<text class=\"client\" x=\"8\" y=\"\(y + 19)\">client \(client)</text>"
            drawing += "<line class=\"rule\" x1=\"0\" x2=\"\(layout.width)\" y1=\"\(y + 34)\" y2=\"\(y + 34)\"/>\n"
        }
        for index in first..<operations.count { drawing += bar(index, layout, places[index]) }
        return Self.page(
            title: "Not linearizable: \(key)",
            summary: summary(leftOut: first),
            drawing: drawing,
            width: layout.width,
            height: layout.height
        )
    }

    private func bar(_ index: Int, _ layout: TimelineLayout, _ placed: (place: Int, state: Model.State)?) -> String {
        let operation = operations[index]
        let (x, y, width) = layout.place(index, operation)
        let (answer, isOpen): (String, Bool) =
            switch operation.outcome {
            case .answered(let answer, _): ("\(answer)", false)
            case .unknown, .failed: ("unknown", true)
            }
        let style = index == culprit ? "culprit" : isOpen ? "open" : placed == nil ? "unplaced" : "placed"
        let number = placed.map { "\($0.place). " } ?? ""
        let after =
            placed.map { "\nplace \($0.place) in the order, state after it: \($0.state)" } ?? "\nno place in the order"
        let span = "\(operation.invoked) to \(operation.returned.map { "\($0)" } ?? "?")"
        let tip = "client \(operation.client), \(span)\n\(operation.call) = \(answer)\(after)"
        let label = "\(number)\(operation.call) = \(isOpen ? "?" : answer)"
        return """
            <svg x="\(x)" y="\(y)" width="\(width)" height="28"><title>\(Self.escaped(tip))</title>\
            <rect class="\(style)" width="100%" height="100%" rx="4"/>\
            <text x="6" y="18">\(Self.escaped(label))</text></svg>

            """
    }

    private func summary(leftOut: Int) -> String {
        let culprit = operations[culprit]
        var text =
            "<p>Of the key <b>\(Self.escaped(key))</b>, no order of its first \(operations.count) operations explains "
        text += "the <b class=\"red\">red</b> one: client \(culprit.client), "
        text += "<code>\(Self.escaped("\(culprit.call)"))</code>. "
        text += "Without its return there is such an order: the numbers give it. "
        text += "It places \(order.count) operations and ends in "
        text += "<code>\(Self.escaped(String("\(state)".prefix(400))))</code>.</p>"
        if leftOut > 0 { text += "<p>\(leftOut) earlier operations are not drawn.</p>" }
        return text
    }

    private static func page(title: String, summary: String, drawing: String, width: Int, height: Int) -> String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>\(escaped(title))</title>
        <style>
        body { font: 14px/1.5 system-ui, sans-serif; margin: 24px; color: #1c2330; background: #fff; }
        h1 { font-size: 20px; margin: 0 0 8px; } p { max-width: 70em; margin: 6px 0; }
        .red { color: #b3261e; } .timeline { overflow-x: auto; border: 1px solid #d5dae3; margin-top: 14px; }
        text { font: 12px system-ui, sans-serif; fill: #1c2330; } .client { fill: #5a6475; }
        .rule { stroke: #eceff4; } .placed { fill: #cfe3fb; stroke: #6b9bd6; }
        .unplaced { fill: #f3f4f7; stroke: #a8b0bf; } .open { fill: #fdf2d0; stroke: #d0a92f; stroke-dasharray: 5 3; }
        .culprit { fill: #f9d0cc; stroke: #b3261e; stroke-width: 2; }
        .legend span { border: 1px solid #a8b0bf; border-radius: 4px; padding: 1px 8px; margin-right: 10px; }
        </style></head><body>
        <h1>\(escaped(title))</h1>
        \(summary)
        <p class="legend"><span style="background:#f9d0cc">cannot be explained</span>\
        <span style="background:#cfe3fb">placed, with its place in the order</span>\
        <span style="background:#f3f4f7">answered, not placed</span>\
        <span style="background:#fdf2d0">outcome unknown</span> Point at a bar for its times and the state after it.</p>
        <div class="timeline"><svg width="\(width)" height="\(height)" xmlns="http://www.w3.org/2000/svg">
        \(drawing)</svg></div>
        </body></html>

        """
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// Where the bars go: columns by the rank of their times, rows by client; a client whose open call overlaps the next gets another row.
private struct TimelineLayout {
    static let top = 12
    static let rowHeight = 36
    private static let left = 90
    private static let columnWidth = 46

    let clients: [Int]
    private var columns: [UInt64: Int] = [:]
    private var rows: [Int: Int] = [:]

    init<Model>(_ operations: [RecordedOperation<Model>], first: Int, culprit: Int) {
        let end = operations[culprit].returned ?? 0
        var times: Set<UInt64> = []
        var rowClients: [Int] = []
        var rowEnds: [UInt64] = []
        for index in first..<operations.count {
            let operation = operations[index]
            times.insert(operation.invoked)
            if let returned = operation.returned { times.insert(min(returned, end)) }
            let free = rowClients.indices.first {
                rowClients[$0] == operation.client && rowEnds[$0] <= operation.invoked
            }
            let row = free ?? rowClients.count
            if free == nil {
                rowClients.append(operation.client)
                rowEnds.append(0)
            }
            rowEnds[row] = operation.returned ?? .max
            rows[index] = row
        }
        // Rows of one client next to each other, clients in order.
        let sorted = rowClients.indices.sorted { (rowClients[$0], $0) < (rowClients[$1], $1) }
        var positions = Array(repeating: 0, count: sorted.count)
        for (position, row) in sorted.enumerated() { positions[row] = position }
        rows = rows.mapValues { positions[$0] }
        clients = sorted.map { rowClients[$0] }
        for (column, time) in times.sorted().enumerated() { columns[time] = column }
    }

    var width: Int { Self.left + (columns.count + 3) * Self.columnWidth }
    var height: Int { Self.top + clients.count * Self.rowHeight + 8 }

    func place<Model>(_ index: Int, _ operation: RecordedOperation<Model>) -> (x: Int, y: Int, width: Int) {
        let start = columns[operation.invoked] ?? 0
        let end = operation.returned.flatMap { columns[$0] } ?? columns.count + 1
        return (
            Self.left + start * Self.columnWidth,
            Self.top + (rows[index] ?? 0) * Self.rowHeight,
            max(end - start, 1) * Self.columnWidth - 4
        )
    }
}
