// Vectors of floats by the compiler's own vector types, and the functions on them.
//
// Error bounds against float64, in units in the last place, as the tests hold them over the whole range:
// exp 2, tanh 3, sigmoid 3, log 2, softplus 4, logsigmoid 4. A result below the smallest normal number may be off by it.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#ifndef GW_VL
#define GW_VL 4
#endif

namespace gatework::GW_ISA {

constexpr int VL = GW_VL;
typedef float V __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t VI __attribute__((vector_size(VL * 4), aligned(4), may_alias));

inline V get(const float* from) { return *reinterpret_cast<const V*>(from); }
inline void put(float* to, V value) { *reinterpret_cast<V*>(to) = value; }
inline V all(float value) { return value - V{}; }  // a sum with +0 would not be folded: it changes -0
inline V pick(VI which, V a, V b) { return which ? a : b; }
inline V bits(VI value) { return reinterpret_cast<V&>(value); }
inline VI bits(V value) { return reinterpret_cast<VI&>(value); }
inline V magnitude(V a) { return bits(bits(a) & 0x7fffffff); }
inline V with_sign(V a, V of) { return bits((bits(a) & 0x7fffffff) | (bits(of) & static_cast<int32_t>(0x80000000))); }
inline V larger(V a, V b) { return pick(a > b, a, pick(b != b, b, pick(a != a, a, b))); }
inline V smaller(V a, V b) { return pick(a < b, a, pick(b != b, b, pick(a != a, a, b))); }

// exp(r) - 1 - r over r^2, |r| <= log(2)/2; the polynomial is that of Cephes' expf.
inline V exp_tail(V r) {
    V p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    return p * r + 5.0000001201e-1f;
}

#if defined(__AVX512F__)

// exp(a) = 2^n exp(r), r = a - n log(2) in two parts; a is NaN or within +-110.
inline V split(V a, V& n) {
    n = _mm512_roundscale_ps(a * 1.44269504088896341f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return a - n * 0.693359375f + n * 2.12194440e-4f;
}

inline V clamp(V a, float low, float high) {  // a NaN stays
    return _mm512_min_ps(all(high), _mm512_max_ps(all(low), a));
}

inline V exp(V a) {
    V n;
    const V r = split(clamp(a, -105.0f, 89.0f), n);
    return _mm512_scalef_ps(exp_tail(r) * (r * r) + r + 1.0f, n);
}

inline V sigmoid(V a) {
    const V d = 1.0f + exp(clamp(-a, -105.0f, 87.33654f));
    const V r = _mm512_rcp14_ps(d);  // to 14 bits; one step of Newton's for the others
    return r * (1.0f - d * r) + r;
}

// e / (e + 2), e = exp(2a) - 1, which keeps its digits near 0
inline V tanh(V a) {
    V n;
    const V r = split(clamp(a + a, -20.0f, 20.0f), n);
    const V power = _mm512_scalef_ps(all(1.0f), n);
    const V e = power * (exp_tail(r) * (r * r) + r) + (power - 1.0f);
    const V d = e + 2.0f;
    const V reciprocal = _mm512_rcp14_ps(d);
    const V q = e * reciprocal;
    return (e - d * q) * reciprocal + q;
}

#else

inline V exp(V a) {
    const V low = all(-104.0f), high = all(89.0f);
    V x = pick(a < low, low, pick(a > high, high, a));
    const V magic = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
    const V n = (x * 1.44269504088896341f + magic) - magic;
    V r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    const V p = exp_tail(r) * (r * r) + r + 1.0f;
    // in two halves, so that neither over- nor underflows before the result does
    const VI whole = __builtin_convertvector(pick(n != n, all(0), n), VI);
    const VI half = whole >> 1;
    return p * bits((half + 127) << 23) * bits((whole - half + 127) << 23);
}

inline V sigmoid(V a) {
    const V e = exp(-magnitude(a));  // never overflows
    const V r = 1.0f / (1.0f + e);
    return pick(a < 0.0f, e * r, pick(a != a, a, r));
}

inline V tanh(V a) {
    const V m = magnitude(a);
    const V z = a * a;
    V p = all(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const V small = p * z * a + a;
    const V large = 1.0f - 2.0f / (exp(m + m) + 1.0f);
    return pick(m < 0.625f, small, pick(a != a, a, with_sign(large, a)));
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

}  // namespace gatework::GW_ISA
