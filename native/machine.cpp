// What the machine can do at most, measured. Compiled once for each instruction set.
#include <chrono>

#include "kernels.h"

namespace gatework::GW_ISA {
namespace {

// Runs f, which does so much, again and again for so long: how much a second.
template <class F>
double rate(double seconds, double amount, F f) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    double done = 0, passed = 0;
    while (passed < seconds) {
        f();
        done += amount;
        passed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return done / passed;
}

template <int MANY>
void use(const V (&sums)[MANY]) {
    V total = sums[0];
    for (int n = 1; n < MANY; ++n) total += sums[n];
    asm volatile("" : : "m"(total));
}

}  // namespace

double ceiling(double seconds) {
    constexpr int MANY = GW_VL >= 16 ? 24 : 12, TIMES = 100000;
    V sum[MANY];
    for (V& each : sum) each = all(1.0f);
    V factor = all(0.999f), term = all(0.001f);
    asm volatile("" : "+m"(factor), "+m"(term));  // numbers that the compiler does not know
    const V by = factor, plus = term;
    const double found = rate(seconds, 2.0 * TIMES * MANY * VL, [&] {
        for (int i = 0; i < TIMES; ++i)
#pragma GCC unroll 24
            for (int n = 0; n < MANY; ++n) sum[n] = sum[n] * by + plus;
    });
    use(sum);
    return found;
}

double bandwidth(const float* from, int64_t many, double seconds) {
    constexpr int MANY = 8;
    constexpr int64_t LEAST = 1 << 20;  // numbers between two looks at the clock
    V sum[MANY] = {};
    const int64_t times = ceiling(LEAST, many);
    const double found = rate(seconds, static_cast<double>(sizeof(float) * many * times), [&] {
        for (int64_t i = 0; i < times; ++i)
            for (int64_t k = 0; k < many; k += MANY * VL)
#pragma GCC unroll 8
                for (int n = 0; n < MANY; ++n) sum[n] += get(from + k + n * VL);
    });
    use(sum);
    return found;
}

}  // namespace gatework::GW_ISA
