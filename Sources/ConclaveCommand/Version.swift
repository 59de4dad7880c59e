/// The version that `conclave --version` prints.
let conclaveVersion = "0.1.0-dev"
