@main struct ConclaveCommand { static func main() {} }
