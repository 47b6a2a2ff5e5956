// Register-blocked products of packed weights (packing.h). Compiled once for each instruction set.
#pragma once

#include <cstring>

#include "memory.h"
#include "vectors.h"

namespace gatework::GW_ISA {

constexpr int MOST = GW_VL >= 16 ? 4 : 2;  // vectors side by side in registers
constexpr int WIDE = 8;                    // the same for so few rows that a sum would wait for the one before it
constexpr int ROWS = 6;                    // rows of a register block
constexpr int LINE = 16;                   // numbers that memory hands over at once

inline int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Memory that begins at a cache line.
struct Aligned {
    float* data = nullptr;
    Aligned() = default;
    Aligned(const Aligned&) = delete;
    ~Aligned() {
        if (data) give_memory(data);
    }
    void make(int64_t floats) { data = static_cast<float*>(take_memory(floats * sizeof(float))); }
};

// lanes += a . strip for M rows and N vectors, K steps. On the way it asks for memory that is needed
// soon: a line a step, `ahead` numbers apart.
template <class E>
using Kernel = void (*)(const E* a, int64_t row, int64_t K, const float* strip, float* const* lanes, int64_t W, const float* next, int64_t ahead);

template <int M, int N>
GW_INLINE void get_sums(V (&sum)[M][N], float* const* lanes, int64_t W) {
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) sum[m][n] = get(lanes[n] + m * W);
}

template <int M, int N>
GW_INLINE void put_sums(const V (&sum)[M][N], float* const* lanes, int64_t W) {
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) put(lanes[n] + m * W, sum[m][n]);
}

template <int M, int N>
void kernel(const float* a, int64_t row, int64_t K, const float* strip, float* const* lanes, int64_t W, const float* next, int64_t ahead) {
    V sum[M][N];
    get_sums(sum, lanes, W);
#pragma GCC unroll 2
    for (int64_t k = 0; k < K; ++k) {
        V weights[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) weights[n] = get(strip + k * N * VL + n * VL);
        if (M > 2) __builtin_prefetch(next + k * ahead, 0, 2);  // with few rows the memory is busy as it is
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            const V value = all(a[m * row + k]);
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) sum[m][n] += value * weights[n];
        }
    }
    put_sums(sum, lanes, W);
}

// A pair is two bfloat16 of neighbouring k, the first in the lower half of 32 bits.
inline uint32_t pair_at(const Half* a) {
    uint32_t pair;
    std::memcpy(&pair, a, sizeof pair);
    return pair;
}

// sum + both products of a pair with pairs of weights
inline V dot_pairs(V sum, VU weights, uint32_t pair) {
#if defined(__AVX512BF16__)
    return _mm512_dpbf16_ps(sum, (__m512bh)weights, (__m512bh)_mm512_set1_epi32(static_cast<int>(pair)));
#else
    sum += bits(weights << 16) * number(static_cast<Half>(pair));
    return sum + bits(weights & 0xffff0000u) * number(static_cast<Half>(pair >> 16));
#endif
}

// The same over pairs; where K is odd the last one has a 0.
template <int M, int N>
void kernel(const Half* a, int64_t row, int64_t K, const float* strip, float* const* lanes, int64_t W, const float* next, int64_t ahead) {
    const auto weights_at = [&](int64_t i, int n) { return *reinterpret_cast<const VU*>(strip + (i * N + n) * VL); };
    V sum[M][N];
    get_sums(sum, lanes, W);
#pragma GCC unroll 2
    for (int64_t i = 0; i < K / 2; ++i) {
        VU weights[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) weights[n] = weights_at(i, n);
        if (M > 2) __builtin_prefetch(next + i * ahead, 0, 2);
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            const uint32_t pair = pair_at(a + m * row + 2 * i);
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) sum[m][n] = dot_pairs(sum[m][n], weights[n], pair);
        }
    }
    if (K % 2)
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) sum[m][n] = dot_pairs(sum[m][n], weights_at(K / 2, n), a[m * row + K - 1]);
    put_sums(sum, lanes, W);
}

// lanes += a . strip for few rows, of weights that are narrower than their products: widened in registers.
template <int M, int N, class T>
void narrow_kernel(const float* a, int64_t row, int64_t K, const float* strip, float* const* lanes, int64_t W) {
    constexpr bool scaled = sizeof(T) == 1;
    const T* weights = reinterpret_cast<const T*>(strip + (scaled ? N * VL : 0));
    V sum[M][N] = {};
#pragma GCC unroll 2
    for (int64_t k = 0; k < K; ++k) {
        V wide[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) wide[n] = get(weights + (k * N + n) * VL);
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            const V value = all(a[m * row + k]);
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) sum[m][n] += value * wide[n];
        }
    }
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
        const V scale = scaled ? get(strip + n * VL) : all(1.0f);
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) put(lanes[n] + m * W, get(lanes[n] + m * W) + sum[m][n] * scale);
    }
}

using NarrowKernel = void (*)(const float* a, int64_t row, int64_t K, const float* strip, float* const* lanes, int64_t W);
constexpr int FEW = 3;  // rows that take narrow weights as they are
#define GW_NARROW(N) {narrow_kernel<1, N, T>, narrow_kernel<2, N, T>, narrow_kernel<3, N, T>}
template <class T>
constexpr NarrowKernel NARROW_KERNELS[WIDE][FEW] = {GW_NARROW(1), GW_NARROW(2), GW_NARROW(3), GW_NARROW(4),
                                                    GW_NARROW(5), GW_NARROW(6), GW_NARROW(7), GW_NARROW(8)};
#undef GW_NARROW

#define GW_ROW(N) {kernel<1, N>, kernel<2, N>, kernel<3, N>, kernel<4, N>, kernel<5, N>, kernel<6, N>}
#define GW_FEW(N) {kernel<1, N>, kernel<2, N>, kernel<3, N>}
template <class E>
constexpr Kernel<E> KERNELS[WIDE][ROWS] = {GW_ROW(1), GW_ROW(2), GW_ROW(3), GW_ROW(4), GW_FEW(5), GW_FEW(6), GW_FEW(7), GW_FEW(8)};
#undef GW_ROW
#undef GW_FEW

// Vectors side by side for blocks of at most so many rows: as many sums as there are registers for.
constexpr int widest(int64_t rows) {
    if (rows > FEW) return MOST;
    return rows == 1 || GW_VL >= 16 ? WIDE : 2 * MOST;
}

}  // namespace gatework::GW_ISA
