// Vectors of floats by the compiler's own vector types, and the functions on them.
//
// Error bounds against float64, in units in the last place, as the tests hold them over the whole range:
// exp 2, tanh 3, sigmoid 3, log 2, softplus 4, logsigmoid 4. A result below the smallest normal number may be off by it.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "plan.h"

#ifndef GW_VL
#define GW_VL 4
#endif

// Small functions on several vectors live in registers only where they are inlined.
#define GW_ALWAYS __attribute__((always_inline))
#define GW_INLINE inline GW_ALWAYS

namespace gatework::GW_ISA {

constexpr int VL = GW_VL;
typedef float V __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t VI __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef uint32_t VU __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef Half VH __attribute__((vector_size(VL * 2), aligned(2), may_alias));

inline V get(const float* from) { return *reinterpret_cast<const V*>(from); }
inline void put(float* to, V value) { *reinterpret_cast<V*>(to) = value; }
inline V all(float value) { return value - V{}; }  // a sum with +0 would not be folded: it changes -0
inline V pick(VI which, V a, V b) { return which ? a : b; }
inline V bits(VU value) { return reinterpret_cast<V&>(value); }
inline V bits(VI value) { return reinterpret_cast<V&>(value); }
inline VI bits(V value) { return reinterpret_cast<VI&>(value); }
inline V magnitude(V a) { return bits(bits(a) & 0x7fffffff); }
inline V with_sign(V a, V of) { return bits((bits(a) & 0x7fffffff) | (bits(of) & static_cast<int32_t>(0x80000000))); }
inline V larger(V a, V b) { return pick(a > b, a, pick(b != b, b, pick(a != a, a, b))); }
inline V smaller(V a, V b) { return pick(a < b, a, pick(b != b, b, pick(a != a, a, b))); }

// Narrow numbers widened. The compiler takes its own conversion of vectors apart, number by number.
#if defined(__AVX512F__)
GW_INLINE V get(const Half* from) {
    return bits(reinterpret_cast<VU>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))) << 16);
}
#elif defined(__AVX2__)
GW_INLINE V get(const Half* from) { return bits(reinterpret_cast<VU>(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)))) << 16); }
#else
GW_INLINE V get(const Half* from) { return bits(__builtin_convertvector(*reinterpret_cast<const VH*>(from), VU) << 16); }
#endif

// bfloat16: exact to float32; back it is rounded to the nearest, to even at a tie, and a NaN stays one.
inline void put(Half* to, V value) {
    const VU raw = reinterpret_cast<VU&>(value);
    const VU rounded = raw + 0x7fffu + ((raw >> 16) & 1u);
    *reinterpret_cast<VH*>(to) = __builtin_convertvector((value != value ? raw | 0x400000u : rounded) >> 16, VH);
}

inline float number(float value) { return value; }
inline float number(Half value) {
    const uint32_t raw = static_cast<uint32_t>(value) << 16;
    float result;
    std::memcpy(&result, &raw, sizeof result);
    return result;
}

// Copies numbers of either kind.
template <class A, class B>
void copy(const A* from, B* to, int64_t many) {
    int64_t i = 0;
    for (; i + VL <= many; i += VL) put(to + i, get(from + i));
    if (i == many) return;
    A rest[VL] = {};
    B rounded[VL];
    std::memcpy(rest, from + i, (many - i) * sizeof(A));
    put(rounded, get(rest));
    std::memcpy(to + i, rounded, (many - i) * sizeof(B));
}

constexpr float TO_WHOLE = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, which stands in the last bits

// exp(r) - 1 - r over r^2, |r| <= log(2)/2; the polynomial is that of Cephes' expf, summed in pairs.
template <class T>
GW_INLINE T exp_tail(T r) {
    const T square = r * r;
    const T high = r * 1.9875691500e-4f + 1.3981999507e-3f;
    const T middle = r * 8.3334519073e-3f + 4.1665795894e-2f;
    const T low = r * 1.6666665459e-1f + 5.0000001201e-1f;
    return (high * square + middle) * square + low;
}

#if defined(__AVX512F__)

// Several vectors in step: one chain of dependent operations would leave the units idle.
struct Several {
    static constexpr int MANY = 4;
    V v[MANY];
};

#define GW_EACH(expression)                                                                \
    Several out;                                                                           \
    _Pragma("GCC unroll 4") for (int i = 0; i < Several::MANY; ++i) out.v[i] = expression; \
    return out
GW_INLINE Several operator+(Several a, Several b) { GW_EACH(a.v[i] + b.v[i]); }
GW_INLINE Several operator-(Several a, Several b) { GW_EACH(a.v[i] - b.v[i]); }
GW_INLINE Several operator*(Several a, Several b) { GW_EACH(a.v[i] * b.v[i]); }
GW_INLINE Several operator+(Several a, float b) { GW_EACH(a.v[i] + b); }
GW_INLINE Several operator-(Several a, float b) { GW_EACH(a.v[i] - b); }
GW_INLINE Several operator-(float a, Several b) { GW_EACH(a - b.v[i]); }
GW_INLINE Several operator*(Several a, float b) { GW_EACH(a.v[i] * b); }
GW_INLINE Several operator-(Several a) { GW_EACH(-a.v[i]); }
GW_INLINE Several clamp(Several a, float low, float high) { GW_EACH(_mm512_min_ps(all(high), _mm512_max_ps(all(low), a.v[i]))); }  // NaN stays
GW_INLINE Several times_power(Several a, Several n) { GW_EACH(_mm512_scalef_ps(a.v[i], n.v[i])); }                                 // 2^n a
GW_INLINE Several reciprocal(Several a) { GW_EACH(_mm512_rcp14_ps(a.v[i])); }                                                      // to 14 bits
GW_INLINE Several ones() { GW_EACH(all(1.0f)); }
#undef GW_EACH

GW_INLINE Several inverse(Several a) {  // one step of Newton's for the bits that the estimate lacks
    const Several r = reciprocal(a);
    return r * (1.0f - a * r) + r;
}
GW_INLINE Several quotient(Several a, Several b) {
    const Several r = reciprocal(b), q = a * r;
    return (a - b * q) * r + q;
}

#else

using Several = V;  // the processor finds what is independent in the next vector by itself

#if defined(__AVX2__)
inline V clamp(V a, float low, float high) { return _mm256_min_ps(all(high), _mm256_max_ps(all(low), a)); }  // NaN stays
#else
inline V clamp(V a, float low, float high) { return pick(a < low, all(low), pick(a > high, all(high), a)); }
#endif
inline V times_power(V a, V n) {  // 2^n a, n from -126 to 127, or NaN, whose bits are no number to add to
    const V whole = n + TO_WHOLE;
    return a * bits((reinterpret_cast<const VU&>(whole) << 23) + 0x3f800000u);
}
inline V inverse(V a) { return 1.0f / a; }
inline V quotient(V a, V b) { return a / b; }
inline V ones() { return all(1.0f); }

#endif

// a = n log(2) + r, where a is NaN or within +-110; n is whole.
GW_INLINE Several split(Several a, Several& n) {
    n = (a * 1.44269504088896341f + TO_WHOLE) - TO_WHOLE;
    return a - n * 0.693359375f + n * 2.12194440e-4f;
}

GW_INLINE Several exp_within(Several a) {
    Several n;
    const Several r = split(a, n);
    return times_power(exp_tail(r) * (r * r) + r + 1.0f, n);
}

GW_INLINE Several sigmoid(Several a) { return inverse(exp_within(clamp(-a, -87.0f, 87.33654f)) + 1.0f); }

// e / (e + 2), e = exp(2a) - 1, which keeps its digits near 0
GW_INLINE Several tanh(Several a) {
    Several n;
    const Several r = split(clamp(a + a, -20.0f, 20.0f), n);
    const Several power = times_power(ones(), n);
    const Several e = power * (exp_tail(r) * (r * r) + r) + (power - 1.0f);
    return quotient(e, e + 2.0f);
}

#if defined(__AVX512F__)

GW_INLINE Several exp(Several a) { return exp_within(clamp(a, -105.0f, 89.0f)); }

// One vector, for what is left over.
template <class F>
GW_INLINE V first_of(V a, F f) {
    return f(Several{{a, a, a, a}}).v[0];
}
GW_INLINE V exp(V a) {
    return first_of(a, [](Several x) GW_ALWAYS { return exp(x); });
}
GW_INLINE V sigmoid(V a) {
    return first_of(a, [](Several x) GW_ALWAYS { return sigmoid(x); });
}
GW_INLINE V tanh(V a) {
    return first_of(a, [](Several x) GW_ALWAYS { return tanh(x); });
}

#else

inline V exp(V a) {
    V n;
    const V r = split(clamp(a, -104.0f, 89.0f), n);
    const V p = exp_tail(r) * (r * r) + r + 1.0f;
    // in two halves, so that neither over- nor underflows before the result does
    const VI whole = __builtin_convertvector(pick(n != n, all(0), n), VI);
    const VI half = whole >> 1;
    return p * bits((half + 127) << 23) * bits((whole - half + 127) << 23);
}

#endif

// log of a positive number; the polynomial is that of Cephes' logf.
inline V log(V a) {
    const VI tiny = a < 1.17549435e-38f;
    const V scaled = pick(tiny, a * 8388608.0f, a);
    const VI raw = bits(scaled);
    V e = __builtin_convertvector((raw >> 23) - 126, V) - pick(tiny, all(23.0f), all(0.0f));
    V m = bits((raw & 0x007fffff) | 0x3f000000);  // in [0.5, 1)
    const VI below = m < 0.707106781186547524f;
    e = e - pick(below, all(1.0f), all(0.0f));
    m = pick(below, m + m, m) - 1.0f;
    const V z = m * m;
    V p = all(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    V y = p * m * z;
    y = y - e * 2.12194440e-4f;
    y = y - 0.5f * z;
    V result = m + y + e * 0.693359375f;
    const V infinity = all(__builtin_inff());
    result = pick(a == infinity, infinity, result);
    result = pick(a == 0.0f, -infinity, result);
    return pick((a < 0.0f) | (a != a), all(__builtin_nanf("")), result);
}

// log(1 + u), u >= 0: the rounding of 1 + u is corrected (Goldberg 1991).
inline V log1p(V u) {
    const V w = 1.0f + u;
    return pick(w == 1.0f, u, log(w) * (u / pick(w == 1.0f, all(1.0f), w - 1.0f)));
}

inline V softplus(V a) {
    const V r = larger(a, all(0.0f)) + log1p(exp(-magnitude(a)));
    return pick(a != a, a, r);
}

inline V root(V a) {
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(a);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(a);
#else
    for (int i = 0; i < VL; ++i) a[i] = __builtin_sqrtf(a[i]);
    return a;
#endif
}

// One step of a transposition: changes places between rows and columns whose numbers differ in the bit `step`.
template <int step, int... lane>
GW_INLINE void change_places(V& a, V& b, std::integer_sequence<int, lane...>) {
    const V low = __builtin_shufflevector(a, b, (lane & step ? VL + lane - step : lane)...);
    const V high = __builtin_shufflevector(a, b, (lane & step ? VL + lane : lane + step)...);
    a = low;
    b = high;
}

template <int step>
GW_INLINE void change_all(V* rows) {
#pragma GCC unroll 16
    for (int i = 0; i < VL; ++i)
        if (!(i & step)) change_places<step>(rows[i], rows[i + step], std::make_integer_sequence<int, VL>());
}

// to [VL][to_row] = a square from [VL][from_row], transposed.
template <class E>
void transpose(const E* from, int64_t from_row, float* to, int64_t to_row) {
    V rows[VL];
#pragma GCC unroll 16
    for (int i = 0; i < VL; ++i) rows[i] = get(from + i * from_row);
    change_all<1>(rows);
    change_all<2>(rows);
    if constexpr (VL > 4) change_all<4>(rows);
    if constexpr (VL > 8) change_all<8>(rows);
#pragma GCC unroll 16
    for (int i = 0; i < VL; ++i) put(to + i * to_row, rows[i]);
}

// to = f(from) for a number of floats that vectors divide; one by one, or some in step.
template <class F>
void alone(const float* from, float* to, int64_t many, F f) {
    for (int64_t i = 0; i < many; i += VL) put(to + i, f(get(from + i)));
}

template <class F>
void over(const float* from, float* to, int64_t many, F f) {
    int64_t done = 0;
#if defined(__AVX512F__)
    for (; done + Several::MANY * VL <= many; done += Several::MANY * VL) {
        Several several;
        for (int n = 0; n < Several::MANY; ++n) several.v[n] = get(from + done + n * VL);
        several = f(several);
        for (int n = 0; n < Several::MANY; ++n) put(to + done + n * VL, several.v[n]);
    }
#endif
    alone(from + done, to + done, many - done, f);
}

}  // namespace gatework::GW_ISA
