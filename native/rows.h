// Functions of a whole row of numbers. Compiled once for each instruction set.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels.h"

namespace gatework::GW_ISA {

// Calls f(vector, first) for all of a row; the last vector is filled up.
template <class F>
GW_INLINE void by_vectors(const float* a, int64_t N, float fill, F f) {
    int64_t i = 0;
    for (; i + VL <= N; i += VL) f(get(a + i), i);
    if (i == N) return;
    V rest = all(fill);
    for (int64_t u = 0; u < N - i; ++u) rest[u] = a[i + u];
    f(rest, i);
}

// to = f(a), vector by vector.
template <class F>
GW_INLINE void map_row(const float* a, float* to, int64_t N, F f) {
    by_vectors(a, N, 0, [&](V value, int64_t i) {
        const V result = f(value);
        if (i + VL <= N) return put(to + i, result);
        for (int64_t u = 0; u < N - i; ++u) to[i + u] = result[u];
    });
}

inline double total(V sums) {
    double sum = 0;
    for (int u = 0; u < VL; ++u) sum += sums[u];
    return sum;
}

// The sum of f(vector) over a row: in float32 over short stretches, several chains at once, and these in float64.
template <class F>
GW_INLINE double sum_of(const float* a, int64_t N, float fill, F f) {
    constexpr int CHAINS = 4, LINKS = 8;
    constexpr int64_t STEP = CHAINS * VL;
    double sum = 0;
    int64_t i = 0;
    while (i + STEP <= N) {
        V chain[CHAINS] = {};
        for (int link = 0; link < LINKS && i + STEP <= N; ++link, i += STEP)
#pragma GCC unroll 4
            for (int n = 0; n < CHAINS; ++n) chain[n] += f(get(a + i + n * VL));
        sum += total((chain[0] + chain[1]) + (chain[2] + chain[3]));
    }
    V rest = all(0);
    by_vectors(a + i, N - i, fill, [&](V value, int64_t) { rest += f(value); });
    return sum + total(rest);
}

inline double row_sum(const float* a, int64_t N) {
    return sum_of(a, N, 0, [](V value) { return value; });
}

// The mean of a row and 1 over its standard deviation, from the sums of what is left of its numbers beside a first mean
// (Chan, Golub & LeVeque 1983).
struct Moments {
    float near, off, scale;  // the mean is near + off

    Moments(const float* a, int64_t N) {
        const double many = static_cast<double>(N);
        near = static_cast<float>(row_sum(a, N) / many);
        const auto left = [this](V value) { return value - near; };
        const double rest = sum_of(a, N, near, left) / many;
        const double squares = sum_of(a, N, near, [&](V value) { return left(value) * left(value); }) / many;
        off = static_cast<float>(rest);
        scale = static_cast<float>(1 / std::sqrt(squares - rest * rest + 1e-5));
    }
};

// The numbers of a vector, `by` places on (up) or back, and 0 where none comes from.
template <bool up, int by, int... lane>
GW_INLINE V moved(V value, std::integer_sequence<int, lane...>) {
    if constexpr (up) return __builtin_shufflevector(V{}, value, (lane < by ? lane : VL + lane - by)...);
    else return __builtin_shufflevector(value, V{}, (lane + by)...);
}

// The sums of a vector's numbers up to each, from its first or from its last.
template <bool up, int by = 1>
GW_INLINE V running_sums(V value) {
    if constexpr (by >= VL) return value;
    else return running_sums<up, 2 * by>(value + moved<up, by>(value, std::make_integer_sequence<int, VL>()));
}

inline void row_cumsum(const float* a, float* to, int64_t N) {
    double before = 0;
    map_row(a, to, N, [&](V value) {
        const V sums = running_sums<true>(value), result = sums + static_cast<float>(before);
        before += sums[VL - 1];
        return result;
    });
}

// The same from the last number to the first.
inline void row_cumsum_back(const float* a, float* to, int64_t N) {
    double after = 0;
    for (int64_t i = (N - 1) / VL * VL; i >= 0; i -= VL)
        map_row(a + i, to + i, std::min<int64_t>(VL, N - i), [&](V value) {
            const V sums = running_sums<false>(value), result = sums + static_cast<float>(after);
            after += sums[0];
            return result;
        });
}

inline void row_softmax(const float* a, float* to, int64_t N) {
    V most = all(a[0]);
    by_vectors(a, N, a[0], [&](V value, int64_t) { most = larger(most, value); });
    float top = most[0];
    for (int u = 1; u < VL; ++u) top = most[u] > top || most[u] != most[u] ? most[u] : top;
    map_row(a, to, N, [top](V value) { return exp(value - top); });
    const float sum = static_cast<float>(row_sum(to, N));
    map_row(to, to, N, [sum](V value) { return value / sum; });
}

inline void whole_row(Row op, const float* a, float* to, int64_t N) {
    switch (op) {
        case Row::norm: {
            const Moments row(a, N);
            return map_row(a, to, N, [row](V value) { return ((value - row.near) - row.off) * row.scale; });
        }
        case Row::rstd: std::fill(to, to + N, Moments(a, N).scale); return;
        case Row::mean: std::fill(to, to + N, static_cast<float>(row_sum(a, N) / static_cast<double>(N))); return;
        case Row::sum: std::fill(to, to + N, static_cast<float>(row_sum(a, N))); return;
        case Row::softmax: return row_softmax(a, to, N);
        case Row::cumsum: return row_cumsum(a, to, N);
        case Row::cumsum_back: return row_cumsum_back(a, to, N);
        default: return;
    }
}

}  // namespace gatework::GW_ISA
