// The instruction sets this build was compiled for, and the one that runs here.
#pragma once

#include <vector>

#include "arrays.h"
#include "machine.h"
#include "product.h"
#include "scan.h"

namespace gatework {

struct Isa {
    const char* name;
    std::unique_ptr<Scan> (*prepare)(const Job& job, Grid grid);
    void (*multiply)(const Product& product, Grid grid, int thread);  // one thread's part
    void (*copy)(const Array& to, const Array& from, bool add);       // shapes alike; adds, or puts in the place of what is there
    void (*map)(int op, const float* from, float* to, int64_t many);
    double (*ceiling)(double seconds);  // operations per second in a bare loop of multiply-adds
    // Bytes per second in a bare loop that reads `many` numbers, a multiple of 128, over and over.
    double (*bandwidth)(const float* from, int64_t many, double seconds);
    double (*bare_lstm)(const Lstm& lstm, double seconds);  // seconds of a run of a bare loop, of so many seconds of runs
};

// Those that this machine can run, the fastest first.
const std::vector<Isa>& available();

// The fastest, or the one that GATEWORK_ISA names.
const Isa& chosen();

}  // namespace gatework
