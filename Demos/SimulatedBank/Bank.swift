// The bank: plain actors that know nothing of any simulation.

import Conclave

/// An account takes money and gives it out.
struct Account: Behavior {
    enum Message {
        case balance(Reply<Int>)
        /// Whoever sends this has looked at the balance.
        case take(Int)
        /// Answers whether there was enough.
        case withdraw(Int, Reply<Bool>)
        case deposit(Int)
    }

    let name: String
    var balance: Int
    /// Hears of every new balance.
    let audit: @Sendable (String, Int) -> Void

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .balance(let reply): reply(balance)
        case .take(let amount): balance -= amount
        case .withdraw(let amount, let reply):
            let isCovered = amount <= balance
            if isCovered { balance -= amount }
            reply(isCovered)
        case .deposit(let amount): balance += amount
        }
        audit(name, balance)
    }
}

/// One order of a customer's.
struct Transfer: Hashable, Sendable, CustomStringConvertible {
    var time: Duration
    var teller: Int
    var from: String
    var to: String
    var amount: Int

    var description: String { "at \(time): teller \(teller), move \(amount) from \(from) to \(to)" }
}

enum TellerMessage {
    case transfer(Transfer)
    /// What an account has answered.
    case sawBalance(Transfer, Int?)
    case withdrawn(Transfer, Bool)
}

/// Looks before it takes. What it saw may be old when it takes: between the two, another teller may have looked too.
struct HastyTeller: Behavior {
    let accounts: [String: ActorRef<Account.Message>]

    mutating func receive(_ message: consuming TellerMessage, _ context: borrowing Context<TellerMessage>) {
        switch consume message {
        case .transfer(let order):
            guard let from = accounts[order.from] else { return }
            context.ask(from) {
                .balance($0)
            } _: {
                .sawBalance(order, try? $0.get())
            }
        case .sawBalance(let order, let balance):
            guard let balance, balance >= order.amount else { return }
            accounts[order.from]?.send(.take(order.amount))
            accounts[order.to]?.send(.deposit(order.amount))
        case .withdrawn: break
        }
    }
}

/// Lets the account decide: looking and taking are one message.
struct CarefulTeller: Behavior {
    let accounts: [String: ActorRef<Account.Message>]

    mutating func receive(_ message: consuming TellerMessage, _ context: borrowing Context<TellerMessage>) {
        switch consume message {
        case .transfer(let order):
            guard let from = accounts[order.from] else { return }
            context.ask(from) {
                .withdraw(order.amount, $0)
            } _: {
                .withdrawn(order, (try? $0.get()) ?? false)
            }
        case .withdrawn(let order, let isCovered):
            if isCovered { accounts[order.to]?.send(.deposit(order.amount)) }
        case .sawBalance: break
        }
    }
}
