internal import RaftCore
