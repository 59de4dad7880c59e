#include "ConclavePlatform.h"

_Thread_local void *conclave_thread_state_slot = 0;
_Thread_local int conclave_section_depth = 0;
