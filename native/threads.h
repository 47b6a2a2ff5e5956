#pragma once

namespace gatework {

// Calls work(0..threads-1) at once, the caller being thread 0, and returns when all are done; raises what one of them
// has raised. One call runs at a time; another waits. The threads are those of torch where it runs on GNU OpenMP, else
// workers that sleep between calls. After a fork the child makes workers of its own.
void parallel(int threads, void (*work)(int thread, void* context), void* context);

}  // namespace gatework
