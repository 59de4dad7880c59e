import Conclave
@main struct ActorBench { static func main() { print(probeThreadState() as Any) } }
