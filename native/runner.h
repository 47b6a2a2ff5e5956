// A job's scan by threads, or by fewer of them where other processes want the processors.
#pragma once

#include <array>
#include <memory>

#include "scan.h"

namespace gatework {

// Threads that take bands of units wait for one another at each step, and where one of them has no processor all do.
// While they are not `worth_waiting`, the bands of rows run by themselves: the numbers are the same.
class Runner {
public:
    // The job must outlive it.
    Runner(const Job& job, Grid grid) : job_(job), grid_(grid) {}
    // As Scan::run. What is packed at the first run is kept.
    void run(int64_t from);

private:
    const Job& job_;
    const Grid grid_;
    std::array<std::unique_ptr<Scan>, 2> scans_;  // of all its threads, and of bands of rows alone
};

}  // namespace gatework
