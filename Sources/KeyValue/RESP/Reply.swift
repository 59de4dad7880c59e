/// What a server answers to one command, independent of the protocol version (RESP2 or RESP3) it is written in.
package enum Reply: Hashable, Sendable {
    /// A short text such as `OK`, without line ends.
    case simple(String)
    /// A refusal: the code in capitals that programs look at, and a text for people.
    case failure(ReplyError)
    case integer(Int64)
    /// Any bytes.
    case bulk(Bytes)
    /// No such thing. In RESP2 a bulk of length -1.
    case null
    case array([Reply])
    /// Pairs in the given order. In RESP2 an array of twice the length.
    case map([Pair])
    /// In RESP2 an array.
    case set([Reply])
    /// In RESP2 the integer 1 or 0.
    case boolean(Bool)
    /// In RESP2 a bulk.
    case double(Double)
    /// A text with its format, three letters such as `txt`. In RESP2 a bulk.
    case verbatim(format: String, text: Bytes)
    /// Sent without a question. In RESP2 an array.
    case push([Reply])

    /// One entry of a map.
    package struct Pair: Hashable, Sendable {
        package var key: Reply
        package var value: Reply

        package init(_ key: Reply, _ value: Reply) {
            self.key = key
            self.value = value
        }
    }

    /// What most writes answer.
    package static let ok = Reply.simple("OK")

    /// A refusal with this code and text.
    package static func error(_ code: String, _ message: String) -> Reply {
        .failure(ReplyError(code: code, message: message))
    }

    /// A text as bulk.
    package static func bulk(text: String) -> Reply { .bulk(Bytes(text: text)) }
}

/// The content of a refusal.
package struct ReplyError: Error, Hashable, Sendable {
    /// What programs look at: `ERR`, `WRONGPASS`, `CLUSTERDOWN`. One word.
    package var code: String
    /// What people read. Line ends in it are written as blanks.
    package var message: String

    package init(code: String = "ERR", message: String) {
        self.code = code
        self.message = message
    }
}

/// Which dialect a connection speaks. It starts with the second and changes with HELLO.
package enum RESPVersion: Int, Hashable, Sendable {
    case two = 2
    case three = 3
}
