// Arrays in memory, copied and added up. The loops are compiled once for each instruction set.
#pragma once

#include <array>

#include "plan.h"

namespace gatework {

// Numbers in memory, in three directions: how many, and how many numbers lie from one to the next.
struct Array {
    void* data;
    std::array<int64_t, 3> shape, strides;
    Element element;
};

}  // namespace gatework
