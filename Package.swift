// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "conclave",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Conclave", targets: ["Conclave"]),
        .library(name: "ConclaveNet", targets: ["ConclaveNet"]),
        .library(name: "ConclaveRaft", targets: ["ConclaveRaft", "RaftCore"]),
        .library(name: "ConclaveSimulation", targets: ["ConclaveSimulation"]),
        .executable(name: "conclave", targets: ["ConclaveCommand"]),
        .executable(name: "actor-bench", targets: ["ActorBench"]),
        .executable(name: "demo-bank", targets: ["Bank"]),
        .executable(name: "demo-agents", targets: ["Agents"]),
        .executable(name: "demo-work-queue", targets: ["WorkQueue"]),
        .executable(name: "demo-parallel-sum", targets: ["ParallelSum"]),
        .executable(name: "demo-chat-server", targets: ["ChatServer"]),
        .executable(name: "demo-replicated-agent", targets: ["ReplicatedAgent"]),
        .executable(name: "demo-simulated-bank", targets: ["SimulatedBank"]),
    ],
    dependencies: [],
    targets: [
        // What Swift cannot import: thread-local storage, a CPU hint, signal masks.
        .target(name: "ConclavePlatform"),

        .target(name: "Conclave", dependencies: ["ConclavePlatform"]),
        .target(name: "ConclaveNet", dependencies: ["Conclave", "ConclavePlatform"]),
        .target(name: "RaftCore"),
        .target(name: "RaftScenario", dependencies: ["RaftCore"]),
        .target(name: "RaftLog", dependencies: ["ConclavePlatform", "RaftCore"]),
        .target(name: "ConclaveRaft", dependencies: ["Conclave", "ConclaveNet", "RaftCore", "RaftLog"]),
        .target(
            name: "ConclaveSimulation",
            dependencies: ["Conclave", "ConclaveNet", "ConclaveRaft", "RaftCore", "RaftLog", "RaftScenario"]
        ),
        // Known bugs, planted from outside: for `conclave sim --planted` and the tests.
        .target(name: "PlantedBugs", dependencies: ["RaftCore", "RaftScenario"]),
        .target(name: "KeyValue", dependencies: ["Conclave", "ConclaveNet", "ConclaveRaft", "RaftCore"]),
        .executableTarget(
            name: "ConclaveCommand",
            dependencies: [
                "Conclave", "ConclaveNet", "ConclaveRaft", "ConclaveSimulation", "KeyValue", "PlantedBugs", "RaftCore",
                "RaftLog", "RaftScenario",
            ]
        ),

        .executableTarget(name: "ActorBench", dependencies: ["Conclave"], path: "Demos/ActorBench"),
        .target(name: "DemoSupport", path: "Demos/DemoSupport"),
        .executableTarget(name: "Bank", dependencies: ["Conclave", "DemoSupport"], path: "Demos/Bank"),
        .executableTarget(name: "Agents", dependencies: ["Conclave", "DemoSupport"], path: "Demos/Agents"),
        .executableTarget(name: "WorkQueue", dependencies: ["Conclave", "DemoSupport"], path: "Demos/WorkQueue"),
        .executableTarget(name: "ParallelSum", dependencies: ["Conclave", "DemoSupport"], path: "Demos/ParallelSum"),
        .executableTarget(
            name: "ChatServer",
            dependencies: ["Conclave", "ConclaveNet", "DemoSupport"],
            path: "Demos/ChatServer"
        ),
        .executableTarget(
            name: "ReplicatedAgent",
            dependencies: ["Conclave", "ConclaveRaft", "RaftCore", "DemoSupport"],
            path: "Demos/ReplicatedAgent"
        ),
        .executableTarget(
            name: "SimulatedBank",
            dependencies: ["Conclave", "ConclaveSimulation", "DemoSupport"],
            path: "Demos/SimulatedBank"
        ),

        .testTarget(name: "ConclaveTests", dependencies: ["Conclave"]),
        .testTarget(name: "ConclaveNetTests", dependencies: ["Conclave", "ConclaveNet"]),
        .testTarget(
            name: "RaftCoreTests",
            dependencies: ["PlantedBugs", "RaftCore", "RaftScenario"],
            exclude: ["Scenarios"]
        ),
        .testTarget(name: "RaftLogTests", dependencies: ["RaftLog"], exclude: ["Formats"]),
        .testTarget(name: "ConclaveRaftTests", dependencies: ["ConclaveRaft"]),
        .testTarget(
            name: "ConclaveSimulationTests",
            dependencies: [
                "Conclave", "ConclaveNet", "ConclaveRaft", "ConclaveSimulation", "PlantedBugs", "RaftCore", "RaftLog",
                "RaftScenario",
            ]
        ),
        .testTarget(name: "KeyValueTests", dependencies: ["KeyValue"]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "Conclave", "ConclaveCommand", "ConclaveNet", "ConclaveRaft", "ConclaveSimulation", "KeyValue",
                "PlantedBugs",
                "RaftCore",
                "RaftLog",
            ]
        ),
        .testTarget(name: "ActorBenchTests", dependencies: ["ActorBench"]),
        .testTarget(
            name: "DemoTests",
            dependencies: [
                "Bank", "Agents", "WorkQueue", "ParallelSum", "ChatServer", "ReplicatedAgent", "SimulatedBank",
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.name != "ConclavePlatform" {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
        ]
}
