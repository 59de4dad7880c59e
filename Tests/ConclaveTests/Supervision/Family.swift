import Conclave

/// A supervisor of puppets that notes `+name` at a start and `-name reason` at a stop, and its children by name.
final class Family: Sendable {
    struct Member: Sendable {
        var name: String
        var options = SpawnOptions.permanent

        init(_ name: String, _ options: SpawnOptions = .permanent) {
            self.name = name
            self.options = options
        }
    }

    let journal = Journal<String>()
    /// The newest incarnations' references.
    private let refs = Journal<(String, ActorRef<Puppet.Message>)>()
    /// Starts that are to fail, by name; each is used once.
    private let fuses = Journal<String>()
    private let burnt = Journal<String>()

    func ref(_ name: String) -> ActorRef<Puppet.Message> {
        guard let (_, ref) = refs.entries.last(where: { $0.0 == name }) else { preconditionFailure("no \(name) yet") }
        return ref
    }

    /// The next start of `name` fails.
    func failNextStart(of name: String) { fuses.note(name) }

    /// A parent of `members`.
    func parent(
        _ strategy: SupervisionStrategy,
        intensity: RestartIntensity = RestartIntensity(1, per: .seconds(5)),
        autoShutdown: AutoShutdown = .never,
        _ members: [Member]
    ) -> Puppet {
        Puppet(
            starting: { context in
                context.supervise(strategy, intensity: intensity, autoShutdown: autoShutdown)
                for member in members { try self.spawn(member, context) }
            },
            stopping: { reason, _ in self.journal.note("-parent \(reason)") }
        )
    }

    func spawn(_ member: Member, _ context: borrowing Context<Puppet.Message>) throws {
        let name = member.name
        try context.spawn(name, options: member.options) {
            Puppet(
                self.journal,
                starting: { context in
                    self.refs.note((name, context.myself))
                    let isDue = self.fuses.entries.count { $0 == name } > self.burnt.entries.count { $0 == name }
                    self.journal.note(isDue ? "!\(name)" : "+\(name)")
                    if isDue {
                        self.burnt.note(name)
                        throw Planned()
                    }
                },
                stopping: { reason, _ in self.journal.note("-\(name) \(reason)") }
            )
        }
    }

    /// What has been noted since the last call.
    func news() -> [String] {
        let all = journal.entries
        let new = Array(all.dropFirst(seen.entries.last ?? 0))
        seen.note(all.count)
        return new
    }
    private let seen = Journal<Int>()
}
