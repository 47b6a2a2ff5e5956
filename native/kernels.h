// Register-blocked products of packed weights (packing.h). Compiled once for each instruction set.
#pragma once

#include <algorithm>
#include <cmath>
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

// lanes += a . strip for few rows, of weights in bfloat16: the pairs of two k are widened by a shift and a mask.
template <int M, int N>
void narrow_kernel(const float* a, int64_t row, int64_t K, const float* strip, float* const* lanes, int64_t W) {
    const auto weights_at = [&](int64_t i, int n) GW_ALWAYS { return *reinterpret_cast<const VU*>(strip + (i * N + n) * VL); };
    V sum[M][N];
    get_sums(sum, lanes, W);
    for (int64_t i = 0; i < K / 2; ++i) {
        V first[M], second[M];
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            first[m] = all(a[m * row + 2 * i]);
            second[m] = all(a[m * row + 2 * i + 1]);
        }
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
            const VU pairs = weights_at(i, n);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) sum[m][n] = sum[m][n] + first[m] * bits(pairs << 16) + second[m] * bits(pairs & 0xffff0000u);
        }
    }
    if (K % 2)
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) sum[m][n] += all(a[m * row + K - 1]) * bits(weights_at(K / 2, n) << 16);
    put_sums(sum, lanes, W);
}

// Numbers in 16 bits, round(number / scale), the largest at 32767; where K is odd a 0 follows. Returns the scale; all
// are 0 where that is next to nothing, or not finite as a number is not. Sums of 512 products with 8 bits stay below 2^31.
inline float in_sixteen_bits(const float* a, int64_t K, int16_t* out) {
    V most = all(0);
    float top = 0;
    int64_t k = 0;
    for (; k + VL <= K; k += VL) most = larger(most, magnitude(get(a + k)));
    for (int u = 0; u < VL; ++u) top = most[u] > top || most[u] != most[u] ? most[u] : top;
    for (; k < K; ++k) top = std::fabs(a[k]) > top || a[k] != a[k] ? std::fabs(a[k]) : top;
    const float scale = top / 32767.0f;
    out[K] = 0;
    if (!(scale >= __FLT_MIN__ && scale <= __FLT_MAX__)) {
        std::fill(out, out + K, static_cast<int16_t>(0));
        return scale;
    }
    for (k = 0; k < K; ++k) {
        const float value = a[k] / scale;
        out[k] = static_cast<int16_t>(static_cast<int32_t>(value + std::copysign(0.5f, value)));
    }
    return scale;
}

// sums + both products of pairs of weights with a pair of numbers
GW_INLINE VI dot_pairs(VI sums, const int8_t* weights, const int16_t* pair) {
    int32_t both;
    std::memcpy(&both, pair, sizeof both);
#if defined(__AVX512BW__)
    const __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights)));
#if defined(__AVX512VNNI__)
    return reinterpret_cast<VI>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sums), wide, _mm512_set1_epi32(both)));
#else
    return sums + reinterpret_cast<VI>(_mm512_madd_epi16(wide, _mm512_set1_epi32(both)));
#endif
#elif defined(__AVX2__)
    const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights)));
    return sums + reinterpret_cast<VI>(_mm256_madd_epi16(wide, _mm256_set1_epi32(both)));
#else
    for (int u = 0; u < VL; ++u) sums[u] += weights[2 * u] * pair[0] + weights[2 * u + 1] * pair[1];
    return sums;
#endif
}

// The same of weights in 8 bits, whose products with numbers in 16 bits are summed in 32: `scales`, one of each row.
template <int M, int N>
void eight_bit_kernel(const int16_t* a, int64_t row, const float* scales, int64_t K, const float* strip, float* const* lanes, int64_t W) {
    const int8_t* weights = reinterpret_cast<const int8_t*>(strip + N * VL);
    VI sum[M][N] = {};
#pragma GCC unroll 2
    for (int64_t i = 0; i < ceiling(K, 2); ++i) {
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) sum[m][n] = dot_pairs(sum[m][n], weights + (i * N + n) * 2 * VL, a + m * row + 2 * i);
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
            const V total = __builtin_convertvector(sum[m][n], V) * (get(strip + n * VL) * scales[m]);
            put(lanes[n] + m * W, get(lanes[n] + m * W) + total);
        }
}

using NarrowKernel = void (*)(const float* a, int64_t row, int64_t K, const float* strip, float* const* lanes, int64_t W);
using EightBitKernel = void (*)(const int16_t* a, int64_t row, const float* scales, int64_t K, const float* strip, float* const* lanes, int64_t W);
constexpr int FEW = 3;  // rows that take narrow weights as they are
#define GW_NARROW(kernel, N) {kernel<1, N>, kernel<2, N>, kernel<3, N>}
#define GW_NARROWS(kernel)                                                                   \
    {GW_NARROW(kernel, 1), GW_NARROW(kernel, 2), GW_NARROW(kernel, 3), GW_NARROW(kernel, 4), \
     GW_NARROW(kernel, 5), GW_NARROW(kernel, 6), GW_NARROW(kernel, 7), GW_NARROW(kernel, 8)}
constexpr NarrowKernel NARROW_KERNELS[WIDE][FEW] = GW_NARROWS(narrow_kernel);
constexpr EightBitKernel EIGHT_BIT_KERNELS[WIDE][FEW] = GW_NARROWS(eight_bit_kernel);
#undef GW_NARROW
#undef GW_NARROWS

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
