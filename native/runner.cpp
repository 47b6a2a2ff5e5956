#include "runner.h"

#include "dispatch.h"
#include "threads.h"

namespace gatework {

void Runner::run(int64_t from) {
    const bool waits = grid_.columns > 1 && worth_waiting();
    auto& scan = scans_[waits ? 0 : 1];
    if (!scan) scan = chosen().prepare(job_, waits ? grid_ : Grid{grid_.rows, 1});
    const double begin = seconds(), waited = scan->run(from, job_.B, parallel);
    if (waits) note_waiting(waited, seconds() - begin, grid_.columns);
}

}  // namespace gatework
