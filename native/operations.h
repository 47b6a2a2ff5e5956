// What the core can do, a line each: Python reads these names and their numbers from the compiled module.
//
// A new pointwise operation is a line here: its name, and what it makes of the registers x and y. What takes many
// instructions is a curve: several registers at once where that pays ("over"), else one by one ("alone").
#pragma once

#define GW_MEMORY(ROW)                              \
    ROW(load) ROW(spread) ROW(constant) /* in: a tile, a vector over rows, a number */ \
    ROW(store) ROW(total)               /* out: a tile, its sum over rows */

#define GW_BINARY(ROW)        \
    ROW(add, x + y)           \
    ROW(sub, x - y)           \
    ROW(mul, x * y)           \
    ROW(div, x / y)           \
    ROW(max, larger(x, y))    \
    ROW(min, smaller(x, y))   \
    ROW(sigmoid_back, x * (y - y * y)) /* g y (1 - y) */ \
    ROW(tanh_back, x - x * (y * y))    /* g (1 - y^2) */

#define GW_UNARY(ROW)                          \
    ROW(neg, -x)                               \
    ROW(relu, pick(x < 0.0f, all(0), x))       \
    ROW(abs, magnitude(x))                     \
    ROW(sign, pick(x > 0.0f, all(1), pick(x < 0.0f, all(-1), x))) \
    ROW(sqrt, root(x))

#define GW_CURVES(ROW)            \
    ROW(sigmoid, over, sigmoid(x)) \
    ROW(tanh, over, tanh(x))      \
    ROW(exp, over, exp(x))        \
    ROW(log, alone, log(x))       \
    ROW(softplus, alone, softplus(x)) \
    ROW(logsigmoid, alone, -softplus(-x))

// Over a whole row of units; the loops stand in rows.h.
#define GW_ROWS(ROW) ROW(norm) ROW(softmax) ROW(cumsum) ROW(cumsum_back) ROW(sum) ROW(mean) ROW(rstd)

// What a store does in rows whose sequence has ended, or starts again at the next step.
#define GW_MODES(ROW)                                           \
    ROW(plain)  /* stores all rows */                           \
    ROW(ended0) /* 0 after the end of a sequence */             \
    ROW(state)  /* the old value after the end; the start value where the next step resets */ \
    ROW(flow)   /* the gradient by a state: passes where ended, goes to the start where this step reset */

#define GW_KINDS(ROW) ROW(series) ROW(vector) ROW(matrix) ROW(total)

// What a buffer holds; all arithmetic is in float32.
#define GW_ELEMENTS(ROW) ROW(float32) ROW(bfloat16)

// How packed weights lie, if not as they are: narrower ones are widened as they are read, those of 8 bits times a scale.
#define GW_STORAGES(ROW) ROW(float32) ROW(bfloat16) ROW(int8)
