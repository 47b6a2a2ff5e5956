#pragma once

#include "plan.h"

namespace gatework {

// How the work of a call is shared: `rows` bands of the batch times `columns` bands of units.
struct Grid {
    int rows, columns;
};

using Run = void (*)(const Job& job, Grid grid, void (*parallel)(int threads, void (*work)(int thread, void* context), void* context));

}  // namespace gatework
