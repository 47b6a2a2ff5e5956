#pragma once

namespace gatework {

// Calls work(0..threads-1) at once, the caller being thread 0, and returns when all are done; raises what
// one of them has raised. Workers sleep between calls. One call runs at a time; another waits. After a fork the child makes workers of its own.
void parallel(int threads, void (*work)(int thread, void* context), void* context);

}  // namespace gatework
