// What the machine can do at most, as loops that are measured.
#pragma once

#include <cstdint>

namespace gatework {

// An LSTM over one sequence: x [T,I], W [I,4H], U [H,4H], b [4H] -> h [T,H]. The gates lie in the order i, f, g, o.
struct Lstm {
    int64_t T, I, H;  // H a multiple of 32
    const float *x, *W, *U, *b;
    float* h;
};

}  // namespace gatework
