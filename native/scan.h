#pragma once

#include <memory>

#include "plan.h"

namespace gatework {

// How the work of a call is shared: `rows` bands of the batch times `columns` bands of units.
struct Grid {
    int rows, columns;
};

// Calls work(0..threads-1, context) at once and returns when all are done.
using Parallel = void (*)(int threads, void (*work)(int thread, void* context), void* context);

// A verified job, ready to run; the job must outlive it.
class Scan {
public:
    virtual ~Scan() = default;
    // Runs the job's T steps for the first `rows` of its batch; a forward plan may start at any step `from`, its buffers
    // being used in turn. Returns for how many seconds a thread waited for others, on the mean.
    virtual double run(int64_t from, int64_t rows, Parallel parallel) = 0;
};

}  // namespace gatework
