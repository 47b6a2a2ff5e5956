#pragma once

namespace gatework {

// Calls work(0..threads-1) at once, the caller being thread 0, and returns when all are done; raises what one of them
// has raised. One call runs at a time; another waits. The threads are those of torch where it runs on GNU OpenMP, else
// workers that sleep between calls. After a fork the child makes workers of its own.
void parallel(int threads, void (*work)(int thread, void* context), void* context);

// Of a clock that never goes back.
double seconds();

// Whether threads are worth having that wait for one another: not for a while after runs, two on end, of so many threads
// in which one would have been as fast, and for longer each time that this comes again. waited: of the run's seconds,
// those that a thread waited for others, on the mean.
bool worth_waiting();
void note_waiting(double waited, double total, int threads);

}  // namespace gatework
