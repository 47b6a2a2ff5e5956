// Register-blocked products, and the order in which their weights are packed. Compiled once for each instruction set.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

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

#define GW_ROW(N) {kernel<1, N>, kernel<2, N>, kernel<3, N>, kernel<4, N>, kernel<5, N>, kernel<6, N>}
#define GW_FEW(N) {kernel<1, N>, kernel<2, N>, kernel<3, N>}
template <class E>
constexpr Kernel<E> KERNELS[WIDE][ROWS] = {GW_ROW(1), GW_ROW(2), GW_ROW(3), GW_ROW(4), GW_FEW(5), GW_FEW(6), GW_FEW(7), GW_FEW(8)};
#undef GW_ROW
#undef GW_FEW

// Vectors side by side for blocks of at most so many rows: as many sums as there are registers for.
constexpr int widest(int64_t rows) {
    if (rows > 3) return MOST;
    return rows == 1 || GW_VL >= 16 ? WIDE : 2 * MOST;
}

// 32-bit words of weights over K steps: each holds a number, or a pair of them.
template <class E>
int64_t words(int64_t K) {
    return std::is_same_v<E, Half> ? ceiling(K, 2) : K;
}

// -- packing

// Vectors side by side, cut into strips of at most `most` and of equal width as far as that goes.
template <class F>
void strips(int64_t vectors, int most, F f) {
    if (vectors == 0) return;
    const int64_t many = ceiling(vectors, most), width = vectors / many, wider = vectors % many;
    int64_t first = 0;
    for (int64_t i = 0; i < many; ++i) {
        const int64_t wide = width + (i < wider);
        f(first, wide);
        first += wide;
    }
}

// One vector column of a strip: units from..from+VL of a term, K steps from k0; beyond the units it is 0.
template <class E>
void pack_column(const E* matrix, int64_t row, bool transposed, int64_t from, int64_t width, int64_t k0, int64_t K, float* out, int64_t stride) {
    const int64_t units = std::clamp<int64_t>(width, 0, VL);
    if (transposed) {
        for (int64_t k = 0; k < K; ++k) {
            const E* source = matrix + (k0 + k) * row + from;
            if (units == VL) put(out + k * stride, get(source));
            else
                for (int64_t u = 0; u < VL; ++u) out[k * stride + u] = u < units ? number(source[u]) : 0.0f;
        }
        return;
    }
    constexpr int64_t SQUARE = 16;
    int64_t done = 0;
    if constexpr (std::is_same_v<E, float>)
        if (units == VL)
            for (; done + VL <= K; done += VL) transpose(matrix + from * row + k0 + done, row, out + done * stride, stride);
    for (int64_t first = done; first < K; first += SQUARE) {
        const int64_t last = std::min(first + SQUARE, K);
        for (int64_t u = 0; u < units; ++u) {
            const E* source = matrix + (from + u) * row + k0;
            for (int64_t k = first; k < last; ++k) out[k * stride + u] = number(source[k]);
        }
        for (int64_t u = units; u < VL; ++u)
            for (int64_t k = first; k < last; ++k) out[k * stride + u] = 0.0f;
    }
}

// The same as pairs; beyond K it is 0 too.
inline void pack_pairs(const Half* matrix, int64_t row, bool transposed, int64_t from, int64_t width, int64_t k0, int64_t K, float* out, int64_t stride) {
    const int64_t units = std::clamp<int64_t>(width, 0, VL), unit = transposed ? 1 : row, step = transposed ? row : 1;
    for (int64_t i = 0; i < ceiling(K, 2); ++i) {
        Half* pairs = reinterpret_cast<Half*>(out + i * stride);
        const Half* source = matrix + from * unit + (k0 + 2 * i) * step;
        for (int64_t u = 0; u < VL; ++u) {
            pairs[2 * u] = u < units ? source[u * unit] : 0;
            pairs[2 * u + 1] = u < units && 2 * i + 1 < K ? source[u * unit + step] : 0;
        }
    }
}

}  // namespace gatework::GW_ISA
