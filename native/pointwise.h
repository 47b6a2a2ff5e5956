// Pointwise operations on slots. Compiled once for each instruction set.
#pragma once

#include "vectors.h"

namespace gatework::GW_ISA {

// Rows of slots: to = op(a), or to = op(a, b). What is alike in all rows is there once, and its next row is itself.
struct Slots {
    float* to;
    const float *a, *b;
    int64_t rows, many;            // rows, and numbers in each; slots that are read as they lie are one row
    int64_t a_row = 0, b_row = 0;  // numbers from row to row
};
using Pointwise = void (*)(const Slots& slots);

template <class F>
GW_INLINE void each(const Slots& slots, F f) {
    for (int64_t i = 0; i < slots.many; i += VL) put(slots.to + i, f(get(slots.a + i)));
}
template <class F>
GW_INLINE void each_pair(const Slots& slots, F f) {
    for (int64_t m = slots.rows; m-- > 0;) {  // backwards: the result may take the place of what is there once
        float* to = slots.to + m * slots.many;
        const float *a = slots.a + m * slots.a_row, *b = slots.b + m * slots.b_row;
        for (int64_t i = 0; i < slots.many; i += VL) put(to + i, f(get(a + i), get(b + i)));
    }
}

// What runs an operation; null for those of memory.
inline Pointwise pointwise(Op op) {
    switch (op) {
#define GW_ONE(name, value)                                                                             \
    case Op::name: return [](const Slots& slots) { each(slots, [](V x) GW_ALWAYS { return value; }); };
#define GW_TWO(name, value)                                                                                       \
    case Op::name: return [](const Slots& slots) { each_pair(slots, [](V x, V y) GW_ALWAYS { return value; }); };
#define GW_CURVE(name, how, value)                                                                                                \
    case Op::name: return [](const Slots& slots) { how(slots.a, slots.to, slots.many, [](auto x) GW_ALWAYS { return value; }); };
        GW_UNARY(GW_ONE)
        GW_BINARY(GW_TWO)
        GW_CURVES(GW_CURVE)
#undef GW_ONE
#undef GW_TWO
#undef GW_CURVE
        default: return nullptr;
    }
}

}  // namespace gatework::GW_ISA
