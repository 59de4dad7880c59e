#include "ConclavePlatform.h"

_Thread_local void *conclave_thread_state_slot = 0;
