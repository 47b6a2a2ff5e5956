// Weights and operands in the order in which the kernels read them. Compiled once for each instruction set.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels.h"

namespace gatework::GW_ISA {

// 32-bit words of weights over K steps: each holds a number, or a pair of them.
template <class E>
int64_t words(int64_t K) {
    return std::is_same_v<E, Half> ? ceiling(K, 2) : K;
}

// The same where a vector of weights is stored in another way than as its kind of number.
inline int64_t vector_words(Storage storage, int64_t K) {
    switch (storage) {
        case Storage::bfloat16: return ceiling(K, 2) * VL;
        case Storage::int8: return VL + ceiling(K, 2) * VL / 2;
        default: return K * VL;
    }
}

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

// The scale of each unit of a column [K,VL] as 8 bits a number, round(weight / scale): the largest is at 127.
inline V scales_of(const float* column, int64_t K) {
    V most = all(0);
    for (int64_t k = 0; k < K; ++k) most = larger(most, magnitude(get(column + k * VL)));
    return most / 127.0f;
}

inline int8_t in_eight_bits(float weight, float scale) { return static_cast<int8_t>(scale > 0 ? std::nearbyintf(weight / scale) : 0.0f); }

// Puts a column [K,VL] into its place in a strip of `wide` vectors, or its rounded numbers where these are kept as floats.
// Narrow, the numbers of two k stand side by side, as their kernels read them; where K is odd the last has a 0.
inline void store_column(float* column, int64_t K, Storage storage, bool narrow, float* strip, int64_t place, int64_t wide) {
    if (storage == Storage::bfloat16) {
        Half* pairs = reinterpret_cast<Half*>(strip) + place * 2 * VL;
        for (int64_t k = 0; k < K + (narrow ? K % 2 : 0); ++k) {
            Half rounded[VL] = {};
            if (k < K) put(rounded, get(column + k * VL));
            if (!narrow) put(strip + (k * wide + place) * VL, get(rounded));
            else
                for (int64_t u = 0; u < VL; ++u) pairs[k / 2 * wide * 2 * VL + 2 * u + k % 2] = rounded[u];
        }
        return;
    }
    const V scales = scales_of(column, K);
    if (narrow) put(strip + place * VL, scales);
    int8_t* pairs = reinterpret_cast<int8_t*>(strip + wide * VL) + place * 2 * VL;
    for (int64_t k = 0; k < K + (narrow ? K % 2 : 0); ++k)
        for (int64_t u = 0; u < VL; ++u) {
            const int8_t weight = k < K ? in_eight_bits(column[k * VL + u], scales[u]) : 0;
            if (narrow) pairs[k / 2 * wide * 2 * VL + 2 * u + k % 2] = weight;
            else strip[(k * wide + place) * VL + u] = weight * scales[u];
        }
}

}  // namespace gatework::GW_ISA
