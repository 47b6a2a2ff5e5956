// What the machine can do at most, measured. Compiled once for each instruction set.
#include "machine.h"

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

// to = from [K,N] in strips of `width` columns, one after the other.
void pack(const float* from, int64_t K, int64_t N, int64_t width, float* to) {
    for (int64_t n = 0; n < N; n += width)
        for (int64_t k = 0; k < K; ++k, to += width) std::copy_n(from + k * N + n, width, to);
}

// to [M,N] += a [M,K] . strips of so many vectors
template <int VECTORS>
void multiply(const float* a, int64_t M, int64_t K, const float* strips, float* to, int64_t N) {
    const auto& kernels = KERNELS<float>[VECTORS - 1];
    for (int64_t n = 0; n < N; n += VECTORS * VL) {
        const float* strip = strips + n * K;
        for (int64_t m = 0; m < M; m += ROWS) {
            float* lanes[VECTORS];
            for (int v = 0; v < VECTORS; ++v) lanes[v] = to + m * N + n + v * VL;
            const int64_t rows = std::min<int64_t>(ROWS, M - m);
            kernels[rows - 1](a + m * K, K, K, strip, lanes, N, strip, 0);
        }
    }
}

// Vectors in step; where fewer than these are left, the last stands for what is missing.
constexpr int64_t TOGETHER = sizeof(Several) / sizeof(float);
#if defined(__AVX512F__)
GW_INLINE int64_t place(int n, int64_t left) { return std::min<int64_t>(n * VL, left - VL); }
GW_INLINE Several get_several(const float* from, int64_t left) {
    Several out;
    for (int n = 0; n < Several::MANY; ++n) out.v[n] = get(from + place(n, left));
    return out;
}
GW_INLINE void put_several(float* to, int64_t left, const Several& value) {
    for (int n = 0; n < Several::MANY; ++n) put(to + place(n, left), value.v[n]);
}
#else
GW_INLINE V get_several(const float* from, int64_t) { return get(from); }
GW_INLINE void put_several(float* to, int64_t, V value) { put(to, value); }
#endif

// c, h [H] of a step whose gates [4H] are summed.
void update(const float* gates, int64_t H, float* c, float* h) {
    for (int64_t u = 0; u < H; u += TOGETHER) {
        const int64_t left = H - u;
        const Several i = sigmoid(get_several(gates + u, left)), f = sigmoid(get_several(gates + H + u, left));
        const Several g = tanh(get_several(gates + 2 * H + u, left)), o = sigmoid(get_several(gates + 3 * H + u, left));
        const Several cell = f * get_several(c + u, left) + i * g;
        put_several(c + u, left, cell);
        put_several(h + u, left, o * tanh(cell));
    }
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

double bare_lstm(const Lstm& lstm, double seconds) {
    const int64_t T = lstm.T, I = lstm.I, H = lstm.H, N = 4 * H;
    Aligned by_input, by_state, gates, states;
    by_input.make(I * N);
    by_state.make(H * N);
    gates.make(T * N);
    states.make(2 * H);
    pack(lstm.W, I, N, MOST * VL, by_input.data);
    pack(lstm.U, H, N, WIDE * VL, by_state.data);
    const auto run = [&] {
        for (int64_t t = 0; t < T; ++t) std::copy_n(lstm.b, N, gates.data + t * N);
        multiply<MOST>(lstm.x, T, I, by_input.data, gates.data, N);
        std::fill_n(states.data, 2 * H, 0.0f);
        const float* h = states.data + H;
        for (int64_t t = 0; t < T; ++t) {
            multiply<WIDE>(h, 1, H, by_state.data, gates.data + t * N, N);
            update(gates.data + t * N, H, states.data, lstm.h + t * H);
            h = lstm.h + t * H;
        }
    };
    return 1 / rate(seconds, 1, run);
}

}  // namespace gatework::GW_ISA
