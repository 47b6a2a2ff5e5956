// How the weights and the slots of a block lie: in tiles of units and rows. Compiled once for each instruction set.
#pragma once

#include <algorithm>
#include <bit>
#include <vector>

#include "packing.h"
#include "scan.h"

namespace gatework::GW_ISA {

constexpr int UNITS = 16;            // of the narrowest tile
constexpr int WIDEST = 8 * UNITS;    // of the widest, for few rows: an instruction then has something to do
constexpr int CHUNK = 512;           // steps of K between two visits to the lanes: a strip stays in the second cache
constexpr int64_t NEAR = 20 * 1024;  // bytes of slots that stay in the nearest cache

// Weights lie in the order in which they are read: tile, group, chunk of K, strip of vectors, k.
struct Layout {
    int64_t N = 0;                // units
    int64_t W = 0;                // units of a tile, a power of two
    int shift = 0;                // its logarithm
    int64_t tiles = 0;            // tiles of units
    int64_t height = 1;           // rows of a tile, at most
    int64_t rows = 1;             // of a thread
    int wide = MOST;              // vectors of a strip, at most
    int64_t weights = 0;          // where its weights start
    int64_t tile_weights = 0;     // how many a tile has
    std::vector<int64_t> groups;  // where a group's start in a tile
};

// Part of a block that is computed at once: `height` rows from `row` on, `width` units from `from` on.
struct Tile {
    int64_t W, slot;  // numbers from row to row and from slot to slot
    int64_t row, height;
    int64_t from, width;
    int most;                  // vectors of a strip of its weights, at most
    Storage storage;           // of its weights, where the operands are floats
    const float *end, *after;  // where its weights end, and those of the next tile begin

    int64_t area() const { return height * W; }
};

inline bool is_half(const Plan& plan, int32_t buffer) { return plan.buffers[buffer].element == Element::bfloat16; }

// Whether products are taken by pairs of bfloat16; elsewhere they widen theirs to float32.
inline bool by_pairs(const Plan& plan, const Group& group) {
    const auto half = [&](const Term& term) { return is_half(plan, term.matrix); };
    return GW_PAIRS && is_half(plan, group.operand) && std::all_of(group.terms.begin(), group.terms.end(), half);
}

// Calls f with what lies at a place of a buffer, as its own kind of number.
template <class F>
void as_numbers(const Plan& plan, int32_t buffer, void* place, F f) {
    if (is_half(plan, buffer)) f(static_cast<Half*>(place));
    else f(static_cast<float*>(place));
}

// How the weights of a group are stored: as the job asks where few rows read floats, else as their own kind of number.
inline Storage stored(const Job& job, const Group& group, int64_t rows) {
    return rows <= FEW && !is_half(*job.plan, group.operand) ? job.storage : Storage::float32;
}

inline int64_t operand_size(const Job& job, const Group& group) { return job.sizes[job.plan->buffers[group.operand].columns]; }

inline Layout laid_out(const Job& job, const Block& block, Grid grid) {
    Layout out;
    out.N = job.sizes[block.size];
    if (block.row >= 0) return out;
    int most = 1;
    for (const Group& group : block.groups) most = std::max<int>(most, group.terms.size());
    int64_t columns = std::max<int64_t>(MOST * VL / (most * UNITS), 1);
    if (job.B <= FEW) columns = WIDEST / UNITS / (job.B == 1 ? 1 : 2);
    columns = std::clamp<int64_t>(columns, 1, ceiling(std::max<int64_t>(out.N, 1), UNITS * grid.columns));
    while (columns & (columns - 1)) --columns;  // a power of two, so that tiles of different blocks nest
    out.W = columns * UNITS;
    out.shift = std::countr_zero(static_cast<uint64_t>(out.W));
    out.tiles = ceiling(out.N, out.W);
    const int64_t fits = NEAR / (std::max(block.slots, 1) * out.W * 4);
    out.height = block.lanes ? std::clamp<int64_t>(fits / ROWS * ROWS, ROWS, 8 * ROWS) : std::clamp<int64_t>(fits, 1, 8 * ROWS);
    const int64_t rows = std::max<int64_t>(ceiling(job.B, grid.rows), 1);  // of a thread
    out.height = std::min(out.height, rows);
    out.rows = rows;
    out.wide = widest(rows);
    for (const Group& group : block.groups) {
        out.groups.push_back(out.tile_weights);
        const int64_t K = operand_size(job, group);
        const int64_t vectors = static_cast<int64_t>(group.terms.size()) * out.W / VL;
        for (int64_t k0 = 0; k0 < K; k0 += CHUNK) {
            const int64_t many = std::min<int64_t>(CHUNK, K - k0);
            out.tile_weights += vectors * (by_pairs(*job.plan, group) ? words<Half>(many) * VL : vector_words(stored(job, group, rows), many));
        }
    }
    return out;
}

inline void pack_tile(const Job& job, const Block& block, const Layout& layout, int64_t tile, float* weights) {
    const int64_t each = layout.W / VL;
    for (size_t g = 0; g < block.groups.size(); ++g) {
        const Group& group = block.groups[g];
        const int64_t n = group.terms.size(), K = operand_size(job, group);
        const bool pairs = by_pairs(*job.plan, group);
        const Storage storage = stored(job, group, layout.rows);
        std::vector<float> column(job.storage == Storage::float32 ? 0 : std::min<int64_t>(CHUNK, K) * VL);
        float* out = weights + layout.weights + tile * layout.tile_weights + layout.groups[g];
        for (int64_t k0 = 0; k0 < K; k0 += CHUNK) {
            const int64_t many = std::min<int64_t>(CHUNK, K - k0);
            strips(n * each, layout.wide, [&](int64_t first, int64_t wide) {
                for (int64_t i = 0; i < wide; ++i) {
                    const Term& term = group.terms[(first + i) / each];
                    const int64_t from = tile * layout.W + (first + i) % each * VL;
                    const Buffer& matrix = job.buffers[term.matrix];
                    const auto pack = [&](auto* data) {
                        if (job.storage == Storage::float32 || pairs)
                            return pack_column(data, matrix.row, term.transposed, from, layout.N - from, k0, many, out + i * VL, wide * VL);
                        pack_column(data, matrix.row, term.transposed, from, layout.N - from, k0, many, column.data(), VL);
                        store_column(column.data(), many, job.storage, storage != Storage::float32, out, i, wide);
                    };
                    if (pairs)
                        pack_pairs(static_cast<Half*>(matrix.data), matrix.row, term.transposed, from, layout.N - from, k0, many, out + i * VL, wide * VL);
                    else as_numbers(*job.plan, term.matrix, matrix.data, pack);
                }
                out += wide * (pairs ? words<Half>(many) * VL : vector_words(storage, many));
            });
        }
    }
}

}  // namespace gatework::GW_ISA
