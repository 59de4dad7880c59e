// Names for actors, unique in a system.

internal import Synchronization

/// The names of a system's actors: each name belongs to one actor, which may have several.
///
/// A name is given back when its actor ends for good, before any monitor hears of the end; it stays with the actor over restarts.
///
/// **Looking up and sending are two steps.** The actor may end in between: then the message is a dead letter and an ask fails with
/// `noProcess`. A reference never turns into one of another actor, whoever gets the name. Who has to know what became of the
/// message asks, or monitors.
public final class Registry: @unchecked Sendable {
    private struct Entry {
        let cell: ActorCell
        let watch: ListingWatch
        /// False while the actor that took the name has not finished its start.
        var isVisible: Bool
    }
    private struct GroupKey: Hashable {
        let name: String
        let message: ObjectIdentifier
    }

    // SAFETY: `entries` and `groups` are only touched under `lock`.
    private let lock = SpinLock()
    private var entries: [String: Entry] = [:]
    private var groups: [GroupKey: AnyObject] = [:]

    init() {}

    /// Gives `actor` a name. An actor that names itself uses `Context.register`.
    ///
    /// - Throws: `RegistryError.nameTaken` if another actor has the name, `ended` if the actor is known to have ended.
    public func register<Message>(_ name: String, _ actor: ActorRef<Message>) throws(RegistryError) {
        try add(name, actor.cell, isVisible: true)
    }

    /// Takes a name from the actor that has it, if any.
    public func unregister(_ name: String) {
        lock.lock()
        let entry = entries.removeValue(forKey: name)
        lock.unlock()
        entry?.watch.cancel()
    }

    /// The actor that has the name; nil if there is none or if it takes other messages. See `Registry` for what may happen next.
    public func lookup<Message>(_ name: String, of message: Message.Type = Message.self) -> ActorRef<Message>? {
        lock.lock()
        let entry = entries[name]
        lock.unlock()
        guard let entry, entry.isVisible, entry.cell.header.pointee.runtime.messageType == message else { return nil }
        return ActorRef(entry.cell)
    }

    /// All names, sorted.
    public var names: [String] {
        lock.lock()
        let visible = entries.filter(\.value.isVisible)
        lock.unlock()
        return visible.keys.sorted()
    }

    /// The group of that name for actors that take `Message`; made at its first use, it lives as long as the system.
    public func group<Message>(_ name: String, of message: Message.Type = Message.self) -> Group<Message> {
        let key = GroupKey(name: name, message: ObjectIdentifier(message))
        lock.lock()
        defer { lock.unlock() }
        if let group = groups[key] { return unsafeDowncast(group, to: Group<Message>.self) }
        let made = Group<Message>()
        groups[key] = made
        return made
    }

    // MARK: Adding and removing

    func add(_ name: String, _ cell: ActorCell, isVisible: Bool) throws(RegistryError) {
        // Relaxed: an end that this misses takes the name back by the watch below.
        if cell.isKnownToHaveEnded { throw .ended }
        let watch = ListingWatch(cell) { [weak self, unowned cell] in self?.remove(name, cell) }
        lock.lock()
        if let owner = entries[name]?.cell {
            lock.unlock()
            if owner === cell { return }
            throw .nameTaken(name)
        }
        entries[name] = Entry(cell: cell, watch: watch, isVisible: isVisible)
        lock.unlock()
        watch.begin()
    }

    /// The actor that took these names has started.
    func show(_ names: [String], of cell: ActorCell) {
        lock.lock()
        for name in names where entries[name]?.cell === cell { entries[name]?.isVisible = true }
        lock.unlock()
    }

    /// The start of the actor that took these names has failed.
    func withdraw(_ names: [String], of cell: ActorCell) {
        var withdrawn: [Entry] = []
        lock.lock()
        for name in names where entries[name]?.cell === cell {
            if let entry = entries.removeValue(forKey: name) { withdrawn.append(entry) }
        }
        lock.unlock()
        for entry in withdrawn { entry.watch.cancel() }
    }

    private func remove(_ name: String, _ cell: ActorCell) {
        lock.lock()
        let entry = entries[name]?.cell === cell ? entries.removeValue(forKey: name) : nil
        lock.unlock()
        // Released out here: it may be the last reference but the caller's.
        withExtendedLifetime(entry) {}
    }
}

/// Why an actor was not registered.
public enum RegistryError: Error, Hashable {
    /// Another actor has the name.
    case nameTaken(String)
    /// The actor has ended.
    case ended
}

extension RegistryError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .nameTaken(let name): "the name \"\(name)\" is registered by another actor"
        case .ended: "the actor has ended"
        }
    }
}

extension Context {
    /// Gives this actor a name in its system's registry. Once more with the same name, for example after a restart, does nothing.
    ///
    /// In `started` the name is taken at once, and can be looked up when the start has succeeded.
    ///
    /// - Throws: `RegistryError.nameTaken` if another actor has the name.
    public func register(_ name: String) throws {
        try cell.pointee.object.register(name)
    }
}

extension ActorCell {
    /// By this actor's own handler.
    fileprivate func register(_ name: String) throws(RegistryError) {
        let isStarting = header.pointee.phase == .starting
        try system.registry.add(name, self, isVisible: !isStarting)
        if isStarting { require().reservedNames.append(name) }
    }

    /// A start has succeeded: the names it took are to be found from now on.
    func showReservedNames() {
        guard let relations, !relations.reservedNames.isEmpty else { return }
        system.registry.show(relations.reservedNames, of: self)
        relations.reservedNames = []
    }

    /// The first start has failed: others may have the names it took.
    func withdrawReservedNames() {
        guard let relations, !relations.reservedNames.isEmpty else { return }
        system.registry.withdraw(relations.reservedNames, of: self)
        relations.reservedNames = []
    }
}
