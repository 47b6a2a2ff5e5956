// Large products by the register blocks of the scan. Compiled once for each instruction set.
#include "product.h"

#include "packing.h"

namespace gatework::GW_ISA {
namespace {

constexpr int64_t TALL = 8 * ROWS;            // rows of a that are packed at once
constexpr int64_t SHALLOW = 128, DEEP = 256;  // steps of K that are packed at once, at least and at most
constexpr int64_t NEAR = 64 * 1024;           // numbers of b that stay in the second cache

// One thread's columns n0..n1 of one of the products, and where they are packed.
struct Columns {
    const Right& right;
    int64_t n0, n1, vectors, strips;
};

// One thread's part of the products: rows m0..m1 and some columns, as sums of E.
template <class E>
struct Part {
    const Product& p;
    int64_t m0, m1;
    std::vector<Columns> parts;
    int64_t deep;
    Aligned strips_of_b, rows_of_a, edge;

    Part(const Product& product, Grid grid, int thread) : p(product) {
        const int64_t band = thread / grid.columns, column = thread % grid.columns;
        m0 = p.M * band / grid.rows;
        m1 = p.M * (band + 1) / grid.rows;
        int64_t vectors = 0;
        for (const Right& right : p.right) {
            const int64_t wide = ceiling(right.N, MOST * VL);
            const int64_t n0 = wide * column / grid.columns * MOST * VL, n1 = std::min(wide * (column + 1) / grid.columns * MOST * VL, right.N);
            parts.push_back({right, n0, n1, ceiling(n1 - n0, VL), vectors});
            vectors += parts.back().vectors;
        }
        deep = std::clamp<int64_t>(NEAR / std::max<int64_t>(vectors * VL, 1) / VL * VL, SHALLOW, DEEP);
        strips_of_b.make(words<E>(deep) * vectors * VL);
        rows_of_a.make(TALL * words<E>(deep));
        edge.make(ROWS * MOST * VL);
        for (Columns& part : parts) part.strips *= words<E>(deep) * VL;
    }

    void run() {
        if (p.K == 0) clear(m0, m1);
        for (int64_t k0 = 0; k0 < p.K; k0 += deep) {
            const int64_t K = std::min(deep, p.K - k0);
            for (const Columns& part : parts) pack_b(part, k0, K);
            for (int64_t m = m0; m < m1; m += TALL) {
                if (k0 == 0) clear(m, std::min(m + TALL, m1));
                rows(m, std::min(TALL, m1 - m), k0, K);
            }
        }
    }

    void clear(int64_t from, int64_t to) {
        if (p.add) return;
        for (const Columns& part : parts)
            for (int64_t m = from; m < to; ++m) std::fill_n(part.right.to + m * part.right.row + part.n0, std::max<int64_t>(part.n1 - part.n0, 0), 0.0f);
    }

    void pack_b(const Columns& part, int64_t k0, int64_t K) {
        const Matrix& b = part.right.b;
        const bool transposed = b.column == 1;
        const int64_t row = transposed ? b.row : b.column;
        float* out = strips_of_b.data + part.strips;
        strips(part.vectors, MOST, [&](int64_t first, int64_t wide) {
            for (int64_t i = 0; i < wide; ++i) {
                const int64_t from = part.n0 + (first + i) * VL, width = part.n1 - from;
                float* to = out + i * VL;
                if constexpr (std::is_same_v<E, Half>) pack_pairs(static_cast<const Half*>(b.data), row, transposed, from, width, k0, K, to, wide * VL);
                else if (b.element == Element::bfloat16) pack_column(static_cast<const Half*>(b.data), row, transposed, from, width, k0, K, to, wide * VL);
                else pack_column(static_cast<const float*>(b.data), row, transposed, from, width, k0, K, to, wide * VL);
            }
            out += words<E>(K) * wide * VL;
        });
    }

    void rows(int64_t m, int64_t height, int64_t k0, int64_t K) {
        const E* a = reinterpret_cast<const E*>(rows_of_a.data);
        int64_t stride = K;
        if (p.a.element == Element::bfloat16 && std::is_same_v<E, float>) {
            pack_a(static_cast<const Half*>(p.a.data), m, height, k0, K);
        } else if (p.a.column != 1) {
            pack_a(static_cast<const E*>(p.a.data), m, height, k0, K);
        } else {
            a = static_cast<const E*>(p.a.data) + m * p.a.row + k0;
            stride = p.a.row;
        }
        // what is packed after this, a column of lines at a time
        const bool more = p.a.column != 1 && p.a.element == Element::float32 && m + TALL < m1;
        const float* soon = more ? static_cast<const float*>(p.a.data) + (m + TALL) * p.a.row + k0 * p.a.column : nullptr;
        for (int64_t first = 0; first < height; first += ROWS, soon = soon && first < TALL / 2 ? soon + LINE : nullptr)
            block(a + first * stride, stride, K, m + first, std::min<int64_t>(ROWS, height - first), soon);
    }

    // Rows m..m+height of a, K steps from k0, a row after the other.
    template <class A>
    void pack_a(const A* a, int64_t m, int64_t height, int64_t k0, int64_t K) {
        E* out = reinterpret_cast<E*>(rows_of_a.data);
        a += m * p.a.row + k0 * p.a.column;
        int64_t done = 0;  // rows
        if constexpr (std::is_same_v<E, float>) {
            if (p.a.column == 1)
                for (; done < height; ++done) copy(a + done * p.a.row, out + done * K, K);
            else if (p.a.row == 1)
                for (; done + VL <= height; done += VL) {
                    int64_t k = 0;
                    for (; k + VL <= K; k += VL) transpose(a + k * p.a.column + done, p.a.column, out + done * K + k, K);
                    for (; k < K; ++k)
                        for (int64_t i = done; i < done + VL; ++i) out[i * K + k] = number(a[k * p.a.column + i]);
                }
        }
        for (int64_t k = 0; k < K; ++k)
            for (int64_t i = done; i < height; ++i) {
                const A value = a[i * p.a.row + k * p.a.column];
                if constexpr (std::is_same_v<A, E>) out[i * K + k] = value;
                else out[i * K + k] = number(value);
            }
    }

    // A register block of rows, from column to column; on the way it asks for the column of lines at `soon`.
    void block(const E* a, int64_t stride, int64_t K, int64_t m, int64_t height, const float* soon) {
        for (const Columns& part : parts) {
            const int64_t row = part.right.row;
            const float* strip = strips_of_b.data + part.strips;
            strips(part.vectors, MOST, [&](int64_t first, int64_t wide) {
                const int64_t from = part.n0 + first * VL, W = wide * VL, width = std::min(W, part.n1 - from);
                float* to = part.right.to + m * row + from;
                const bool whole = width == W;
                float* lanes[MOST];
                for (int64_t n = 0; n < wide; ++n) lanes[n] = (whole ? to : edge.data) + n * VL;
                if (!whole)
                    for (int64_t i = 0; i < height; ++i) copy(to + i * row, edge.data + i * W, width);
                KERNELS<E>[wide - 1][height - 1](a, stride, K, strip, lanes, whole ? row : W, soon ? soon : strip, soon ? p.a.column : 0);
                if (!whole)
                    for (int64_t i = 0; i < height; ++i) copy(edge.data + i * W, to + i * row, width);
                strip += words<E>(K) * W;
                soon = nullptr;
            });
        }
    }
};

}  // namespace

void multiply(const Product& p, Grid grid, int thread) {
    bool pairs = GW_PAIRS && p.a.element == Element::bfloat16;
    for (const Right& right : p.right) pairs = pairs && right.b.element == Element::bfloat16;
    if (pairs) Part<Half>(p, grid, thread).run();
    else Part<float>(p, grid, thread).run();
}

}  // namespace gatework::GW_ISA
