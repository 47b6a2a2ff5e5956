// The interpreter: every step of a plan, tile by tile. Compiled once for each instruction set.
#include "scan.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <iterator>
#include <memory>
#include <thread>

#include "layout.h"
#include "pointwise.h"
#include "rows.h"
#include "threads.h"

namespace gatework::GW_ISA {
namespace {

class Barrier {
public:
    explicit Barrier(int many) : many_(many) {}
    // Returns for how many seconds it waited, beyond a few microseconds.
    double wait() {
        const uint32_t turn = turn_.load(std::memory_order_acquire);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == many_) {
            arrived_.store(0, std::memory_order_relaxed);
            turn_.store(turn + 1, std::memory_order_release);
            return 0;
        }
        if (passes(turn, SOON)) return 0;
        const double late = seconds();
        if (!passes(turn, SPINS))
            while (turn_.load(std::memory_order_acquire) == turn) std::this_thread::yield();
        return seconds() - late;
    }

private:
    static constexpr int SOON = 64, SPINS = 4000;

    // Whether it opens within so many looks at it.
    bool passes(uint32_t turn, int looks) const {
        for (; looks > 0; --looks) {
            if (turn_.load(std::memory_order_acquire) != turn) return true;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
        return false;
    }

    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<uint32_t> turn_{0};
    int many_;
};

struct Worker;

// A plan on buffers of known sizes, its weights packed at the first run.
struct Shared : Scan {
    const Job& job;
    Grid grid;
    std::vector<Layout> layouts;
    Aligned weights;
    std::vector<std::unique_ptr<Barrier>> barriers;
    std::vector<std::vector<float>> totals;  // thread -> all totals
    std::vector<int64_t> total_at;           // buffer -> where its total starts
    std::vector<std::unique_ptr<Worker>> workers;
    Barrier everyone;
    bool packed = false;
    int64_t first = 0;

    Shared(const Job& j, Grid g);
    double run(int64_t from, int64_t rows, Parallel parallel) override;
};

// -- one thread's work

// A thread's part of the units, in columns, and of the rows, in bands of a height or one less.
struct Areas {
    int64_t N, W, first, last;    // columns of W units, the last of N as many as are left
    int64_t bands, height, tall;  // `tall` bands have one row more than `height`
};

// What a kernel adds to a strip of lanes: an operand times weights, over `many` steps of K from `first` on.
struct Product {
    Kernel<float> kernel;
    const Group* group;
    int64_t first, many;
    const float* weights;
};

// A strip of lanes and all that is added to it, in order.
struct Strip {
    std::array<float*, WIDE> lanes;
    std::vector<Product> products;
};

// A pointwise operation, or a move to or from memory.
struct Action {
    Pointwise operation;  // or null
    Slots slots;
    const Instruction* step;
    bool direct;  // whole rows of floats are loaded or stored
};

// A tile of few rows and what it does, its slots and weights known beforehand: finding them anew at each step would take
// longer than the arithmetic.
struct Resolved {
    Tile tile;
    std::vector<Action> begin;
    std::vector<Strip> strips;         // of all products; or, where these are not of floats alone,
    std::vector<const float*> groups;  // the weights of each group
    std::vector<Action> code;
    bool apart = true;  // whether the strips may be taken in any order
};

struct Worker {
    Shared& shared;
    const Job& job;
    const Plan& plan;
    int band, column, thread;
    int64_t row0, row1;
    Aligned scratch;
    Aligned widened;                              // bfloat16 operands of row functions and of products, as float32
    std::vector<std::vector<float*>> operands;    // of each block's groups, where those are, row after row; or null
    std::vector<Areas> shares;                    // of each block
    Areas both{};                                 // of the first and the last block, where they are fused
    std::vector<std::vector<Resolved>> resolved;  // of each block, if its tiles have few rows
    int64_t t = 0;
    double waited = 0;  // seconds, in this run, for threads that were late

    Worker(Shared& s, int index) : shared(s), job(s.job), plan(*s.job.plan), band(index / s.grid.columns), column(index % s.grid.columns), thread(index) {
        row0 = job.B * band / shared.grid.rows;
        row1 = job.B * (band + 1) / shared.grid.rows;
        int64_t most = 0, wide = 0;
        for (size_t b = 0; b < plan.blocks.size(); ++b) {
            const Block& block = plan.blocks[b];
            const Layout& layout = shared.layouts[b];
            if (block.row >= 0) wide = std::max(wide, 2 * layout.N);
            else most = std::max(most, block.slots * layout.W * layout.height);
        }
        scratch.make(most);
        make_widened(wide);
        share_out();
        for (size_t b = 0; b < plan.blocks.size(); ++b) resolved.push_back(resolve(plan.blocks[b], shared.layouts[b]));
    }

    void share_out() {
        shares.clear();
        for (size_t b = 0; b < plan.blocks.size(); ++b) shares.push_back(share(shared.layouts[b].N, shared_width(plan.blocks[b]), shared.layouts[b].height));
        if (!plan.fused) return;
        const size_t last = plan.blocks.size() - 1;
        both = share(shared.layouts[0].N, shared_width(plan.blocks[0]), std::max(shared.layouts[0].height, shared.layouts[last].height));
    }

    // Takes its part of the first `rows` of the batch, from now on.
    void take_rows(int64_t rows) {
        const int64_t first = rows * band / shared.grid.rows, last = rows * (band + 1) / shared.grid.rows;
        if (first == row0 && last == row1) return;
        row0 = first;
        row1 = last;
        share_out();
    }

    // Room for so many numbers, and after them for the operands of products that are bfloat16 and not taken by pairs.
    void make_widened(int64_t room) {
        std::vector<int64_t> places;
        for (const Block& block : plan.blocks)
            for (const Group& group : block.groups) {
                const bool wide = is_half(plan, group.operand) && !by_pairs(plan, group);
                places.push_back(wide ? room : -1);
                if (wide) room += (row1 - row0) * operand_size(job, group);
            }
        widened.make(room);
        auto place = places.begin();
        for (const Block& block : plan.blocks) {
            operands.emplace_back();
            for (size_t g = 0; g < block.groups.size(); ++g, ++place) operands.back().push_back(*place < 0 ? nullptr : widened.data + *place);
        }
    }

    // Which number of a buffer is the first of a row.
    int64_t index(int32_t buffer, int64_t offset, int64_t row) const {
        const Buffer& place = job.buffers[buffer];
        int64_t step = t + offset;
        if (step >= place.period) step = place.period == 1 ? 0 : place.period == 2 ? step & 1 : step % place.period;
        if (place.step < 0) step -= place.period - 1;
        return step * place.step + row * place.row;
    }
    template <class E>
    E* at(int32_t buffer, int64_t offset, int64_t row) const {
        return static_cast<E*>(job.buffers[buffer].data) + index(buffer, offset, row);
    }
    // Calls f with the place of a row's unit, as the buffer's own kind of number.
    template <class F>
    void at_place(int32_t buffer, int64_t offset, int64_t row, int64_t unit, F f) const {
        const int64_t first = index(buffer, offset, row) + unit;
        as_numbers(plan, buffer, job.buffers[buffer].data, [&](auto* data) { f(data + first); });
    }
    bool ended(int64_t row) const { return ended(row, t); }
    bool ended(int64_t row, int64_t step) const {
        if (!job.lengths) return false;
        return job.from_end ? step < job.T - job.lengths[row] : step >= job.lengths[row];
    }
    void wait() {
        if (shared.grid.columns > 1) waited += shared.barriers[band]->wait();
    }

    void run() {
        waited = 0;
        if (!shared.packed) {
            for (size_t b = 0; b < plan.blocks.size(); ++b)
                for (int64_t tile = thread; tile < shared.layouts[b].tiles; tile += shared.grid.rows * shared.grid.columns)
                    pack_tile(job, plan.blocks[b], shared.layouts[b], tile, shared.weights.data);
            if (shared.grid.rows * shared.grid.columns > 1) waited += shared.everyone.wait();
        }
        if (plan.fused && job.T > 0) return run_fused();
        for (int64_t step = 0; step < job.T; ++step) {
            t = plan.backwards ? job.T - 1 - step : shared.first + step;
            for (size_t b = 0; b < plan.blocks.size(); ++b) block(b);
        }
    }

    // The last block of a step and the first of the next on the same tile: nothing to wait for in between.
    void run_fused() {
        const int64_t by = plan.backwards ? -1 : 1;
        const size_t last = plan.blocks.size() - 1;
        t = plan.backwards ? job.T - 1 : shared.first;
        block(0);
        for (int64_t left = job.T; left > 0; --left) {
            for (size_t b = 1; b < last; ++b) block(b);
            if (plan.blocks[last].waits) wait();
            widen(last);
            if (left > 1) {
                t += by;
                widen(0);
                t -= by;
            }
            each(both, [&](int64_t from, int64_t to, int64_t row, int64_t end) {
                area(last, from, to, row, end);
                if (left == 1) return;
                t += by;
                area(0, from, to, row, end);
                t -= by;
            });
            t += by;
        }
    }

    void block(size_t b) {
        const Block& block = plan.blocks[b];
        const Layout& layout = shared.layouts[b];
        if (block.waits) wait();
        if (block.row >= 0) return rows(block, layout.N);
        widen(b);
        each(shares[b], [&](int64_t from, int64_t to, int64_t row, int64_t end) { area(b, from, to, row, end); });
    }

    // Has the operands of a block's products at this step as float32, once for all tiles.
    void widen(size_t b) {
        for (size_t g = 0; g < operands[b].size(); ++g) {
            if (!operands[b][g]) continue;
            const Group& group = plan.blocks[b].groups[g];
            const int64_t K = operand_size(job, group);
            for (int64_t row = row0; row < row1; ++row) copy(at<Half>(group.operand, group.offset, row), operands[b][g] + (row - row0) * K, K);
        }
    }

    // All blocks of a size share the units out alike: what a thread stores for one it may read in another.
    int64_t shared_width(const Block& block) const {
        int64_t W = UNITS;
        for (size_t b = 0; b < plan.blocks.size(); ++b)
            if (plan.blocks[b].row < 0 && plan.blocks[b].size == block.size) W = std::max(W, shared.layouts[b].W);
        return W;
    }

    Areas share(int64_t N, int64_t W, int64_t height) const {
        const int64_t many = ceiling(N, W), rows = row1 - row0, bands = ceiling(rows, height);
        const int64_t tall = rows % std::max<int64_t>(bands, 1), low = rows / std::max<int64_t>(bands, 1);
        return {N, W, many * column / shared.grid.columns, many * (column + 1) / shared.grid.columns, bands, low, tall};
    }

    // There and back in turn, from step to step: what was read last is still near.
    template <class F>
    void each(const Areas& areas, F f) const {
        for (int64_t i = areas.first; i < areas.last; ++i) {
            const int64_t column = t & 1 ? areas.first + areas.last - 1 - i : i;
            int64_t row = row0;
            for (int64_t band = 0; band < areas.bands; ++band) {
                const int64_t end = row + areas.height + (band < areas.tall);
                f(column * areas.W, std::min((column + 1) * areas.W, areas.N), row, end);
                row = end;
            }
        }
    }

    // A block over an area that may hold several of its tiles.
    void area(size_t b, int64_t from, int64_t to, int64_t row, int64_t end) {
        const Layout& layout = shared.layouts[b];
        if (!resolved[b].empty() && row1 - row0 == resolved[b].front().tile.height) {
            for (int64_t tile = from >> layout.shift; tile * layout.W < to; ++tile) run(resolved[b][tile], b);
            return;
        }
        for (int64_t tile = from >> layout.shift; tile * layout.W < to; ++tile)
            for (int64_t first = row; first < end; first += layout.height) one(b, layout, tile, first, std::min(layout.height, end - first));
    }

    Tile tile_of(const Layout& layout, int64_t number, int64_t row, int64_t height) const {
        const int64_t W = layout.W, from = number * W;
        const float* weights = weights_of(layout, number);
        const float* end = weights + layout.tile_weights;
        const float* after = t & 1 ? weights - layout.tile_weights : end;  // of the tile that comes next
        const Storage storage = layout.rows <= FEW ? job.storage : Storage::float32;
        return {W, layout.height * W, row, height, from, std::min(W, layout.N - from), layout.wide, storage, end, after};
    }
    const float* weights_of(const Layout& layout, int64_t tile) const { return shared.weights.data + layout.weights + tile * layout.tile_weights; }

    void one(size_t b, const Layout& layout, int64_t number, int64_t row, int64_t height) {
        const Block& block = plan.blocks[b];
        const Tile tile = tile_of(layout, number, row, height);
        const float* weights = weights_of(layout, number);
        for (const Instruction& step : block.begin) execute(step, tile);
        for (size_t g = 0; g < block.groups.size(); ++g) product(b, g, weights + layout.groups[g], tile);
        for (const Instruction& step : block.code) execute(step, tile);
    }

    // -- few rows

    std::vector<Resolved> resolve(const Block& block, const Layout& layout) {
        std::vector<Resolved> tiles;
        const int64_t height = row1 - row0;
        if (block.row >= 0 || height < 1 || height > std::min<int64_t>(FEW, layout.height)) return tiles;
        for (int64_t number = 0; number < layout.tiles; ++number) {
            const Tile tile = tile_of(layout, number, row0, height);
            Resolved one{tile, resolve(block.begin, tile), {}, {}, resolve(block.code, tile)};
            const bool floats = std::none_of(block.groups.begin(), block.groups.end(), [&](const Group& group) { return is_half(plan, group.operand); });
            for (size_t g = 0; g < block.groups.size(); ++g) {
                const float* weights = weights_of(layout, number) + layout.groups[g];
                if (floats && tile.storage == Storage::float32) resolve(block.groups[g], weights, tile, one.strips);
                else one.groups.push_back(weights);
            }
            one.apart = apart(one.strips);
            tiles.push_back(std::move(one));
        }
        return tiles;
    }

    void resolve(const Group& group, const float* weights, const Tile& tile, std::vector<Strip>& out) {
        const int64_t K = operand_size(job, group);
        for (int64_t k0 = 0; k0 < K; k0 += CHUNK) {
            const int64_t many = std::min<int64_t>(CHUNK, K - k0);
            weights = by_strips(group, many * VL, weights, tile, [&](int64_t wide, float* const* lanes, const float* from) {
                std::array<float*, WIDE> own{};
                std::copy(lanes, lanes + wide, own.begin());
                auto strip = std::find_if(out.begin(), out.end(), [&](const Strip& each) { return each.lanes == own; });
                if (strip == out.end()) strip = out.insert(out.end(), Strip{own, {}});
                strip->products.push_back({KERNELS<float>[wide - 1][tile.height - 1], &group, k0, many, from});
            });
        }
    }

    // Whether no lane is part of two strips, so that their order changes nothing.
    static bool apart(const std::vector<Strip>& strips) {
        std::vector<float*> lanes;
        for (const Strip& strip : strips) std::copy_if(strip.lanes.begin(), strip.lanes.end(), std::back_inserter(lanes), [](float* lane) { return lane; });
        std::sort(lanes.begin(), lanes.end());
        return std::adjacent_find(lanes.begin(), lanes.end()) == lanes.end();
    }

    // What is done alike to slots side by side is done at once.
    std::vector<Action> resolve(const std::vector<Instruction>& code, const Tile& tile) {
        std::vector<Action> out;
        out.reserve(code.size());
        for (const Instruction& step : code) {
            const bool direct = (step.op == Op::load || step.op == Op::store) && tile.width == tile.W && !is_half(plan, step.a);
            const Action action{pointwise(step.op), slots_of(step, tile), &step, direct};
            if (!out.empty() && action.operation && !has_two(step.op) && continues(out.back(), action)) out.back().slots.many += action.slots.many;
            else out.push_back(action);
        }
        return out;
    }

    static bool continues(const Action& first, const Action& next) {
        const Slots &x = first.slots, &y = next.slots;
        return first.operation == next.operation && x.to == x.a && y.to == y.a && y.to == x.to + x.many;
    }

    void run(const Resolved& one, size_t b) {
        const Tile& tile = one.tile;
        for (const Action& action : one.begin) run(action, tile);
        // there and back in turn, as in `each`
        if (t & 1 && one.apart) std::for_each(one.strips.rbegin(), one.strips.rend(), [&](const Strip& strip) { run(strip, tile); });
        else std::for_each(one.strips.begin(), one.strips.end(), [&](const Strip& strip) { run(strip, tile); });
        for (size_t g = 0; g < one.groups.size(); ++g) product(b, g, one.groups[g], tile);
        for (const Action& action : one.code) run(action, tile);
    }

    void run(const Strip& strip, const Tile& tile) {
        for (const Product& product : strip.products) {
            const float* from = at<float>(product.group->operand, product.group->offset, tile.row) + product.first;
            product.kernel(from, job.buffers[product.group->operand].row, product.many, product.weights, strip.lanes.data(), tile.W, product.weights, 0);
        }
    }

    void run(const Action& action, const Tile& tile) {
        if (action.operation) return action.operation(action.slots);
        const Instruction& step = *action.step;
        float* slot = action.slots.to;
        if (!action.direct || (step.op == Op::store && !stores_all(step.mode))) return memory(step, slot, tile);
        float* place = at<float>(step.a, step.b, tile.row) + tile.from;
        const int64_t stride = job.buffers[step.a].row;
        if (step.op == Op::load) rectangle(place, stride, slot, tile.W, tile.height, tile.W);
        else rectangle(slot, step.one_row ? 0 : tile.W, place, stride, tile.height, tile.W);
    }

    // -- products

    void product(size_t b, size_t g, const float* strip, const Tile& tile) {
        const Group& group = plan.blocks[b].groups[g];
        const int64_t K = operand_size(job, group), stride = job.buffers[group.operand].row;
        if (const float* wide = operands[b][g]) by_chunks(group, wide + (tile.row - row0) * K, K, strip, tile);
        else if (is_half(plan, group.operand)) by_chunks(group, at<Half>(group.operand, group.offset, tile.row), stride, strip, tile);
        else by_chunks(group, at<float>(group.operand, group.offset, tile.row), stride, strip, tile);
    }

    template <class E>
    void by_chunks(const Group& group, const E* a, int64_t stride, const float* strip, const Tile& tile) {
        const int64_t K = operand_size(job, group);
        const Storage storage = is_half(plan, group.operand) ? Storage::float32 : tile.storage;
        for (int64_t k0 = 0; k0 < K; k0 += CHUNK) {
            const int64_t many = std::min<int64_t>(CHUNK, K - k0);
            if constexpr (std::is_same_v<E, float>) {
                if (storage != Storage::float32) {
                    strip = multiply_narrow(group, a + k0, stride, many, strip, tile);
                    continue;
                }
            }
            strip = multiply(group, a + k0, stride, many, strip, tile);
        }
    }

    // `many` steps of K for all terms of a group; returns where the weights of the next steps lie.
    template <class E>
    const float* multiply(const Group& group, const E* a, int64_t stride, int64_t many, const float* strip, const Tile& tile) {
        const uint32_t height = static_cast<uint32_t>(tile.height), blocks = (height + ROWS - 1) / ROWS;
        const uint32_t rows = height / blocks, more = height % blocks;
        return by_strips(group, words<E>(many) * VL, strip, tile, [&](int64_t wide, float** lanes, const float* weights) {
            const float* next = weights + words<E>(many) * wide * VL;
            const float* soon = next == tile.end ? tile.after : next;
            const E* from = a;
            for (uint32_t i = 0; i < blocks; ++i) {
                const uint32_t tall = rows + (i < more);
                const float* ahead = soon + (i % wide) * words<E>(many) * LINE;
                KERNELS<E>[wide - 1][tall - 1](from, stride, many, weights, lanes, tile.W, ahead, LINE);
                from += tall * stride;
                for (int64_t n = 0; n < wide; ++n) lanes[n] += tall * tile.W;
            }
        });
    }

    // Calls f(vectors, lanes, weights) for each strip of a group; `vector` numbers of weights stand for a vector of it.
    // Returns where the weights of the next steps lie.
    template <class F>
    const float* by_strips(const Group& group, int64_t vector, const float* strip, const Tile& tile, F f) {
        const int64_t each = tile.W / VL;
        const int shift = std::countr_zero(static_cast<uint64_t>(each));
        strips(static_cast<int64_t>(group.terms.size()) * each, tile.most, [&](int64_t first, int64_t wide) {
            float* lanes[WIDE];
            for (int64_t n = 0; n < wide; ++n) lanes[n] = scratch.data + group.terms[(first + n) >> shift].lane * tile.slot + ((first + n) & (each - 1)) * VL;
            f(wide, lanes, strip);
            strip += wide * vector;
        });
        return strip;
    }

    // The same with weights that are stored in fewer bits.
    const float* multiply_narrow(const Group& group, const float* a, int64_t stride, int64_t many, const float* strip, const Tile& tile) {
        const int64_t vector = vector_words(tile.storage, many);
        if (tile.storage == Storage::bfloat16)
            return by_strips(group, vector, strip, tile, [&](int64_t wide, float* const* lanes, const float* weights) {
                NARROW_KERNELS[wide - 1][tile.height - 1](a, stride, many, weights, lanes, tile.W);
            });
        int16_t rounded[FEW][CHUNK + 2];
        float scales[FEW];
        for (int64_t m = 0; m < tile.height; ++m) scales[m] = in_sixteen_bits(a + m * stride, many, rounded[m]);
        return by_strips(group, vector, strip, tile, [&](int64_t wide, float* const* lanes, const float* weights) {
            EIGHT_BIT_KERNELS[wide - 1][tile.height - 1](rounded[0], CHUNK + 2, scales, many, weights, lanes, tile.W);
        });
    }

    // -- instructions

    Slots slots_of(const Instruction& step, const Tile& tile) const {
        const auto slot = [&](int32_t number) { return scratch.data + number * tile.slot; };
        if (is_memory(step.op)) return {slot(step.target), nullptr, nullptr, 1, 0};
        const int64_t many = step.one_row ? tile.W : tile.area();
        if (step.a_one_row == step.b_one_row) return {slot(step.target), slot(step.a), slot(step.b), 1, many};
        const int64_t a_row = step.a_one_row ? 0 : tile.W, b_row = step.b_one_row ? 0 : tile.W;
        return {slot(step.target), slot(step.a), slot(step.b), tile.height, tile.W, a_row, b_row};
    }

    void execute(const Instruction& step, const Tile& tile) {
        const Slots slots = slots_of(step, tile);
        if (const Pointwise operation = pointwise(step.op)) operation(slots);
        else memory(step, slots.to, tile);
    }

    void memory(const Instruction& step, float* to, const Tile& tile) {
        switch (step.op) {
            case Op::load: return load(step.a, step.b, to, tile);
            case Op::spread: return spread(step.a, to, step.one_row ? 1 : tile.height, tile);
            case Op::constant: std::fill_n(to, step.one_row ? tile.W : tile.area(), step.number); return;
            case Op::total: return total(step, to, tile);
            default: return store(step, to, tile);
        }
    }

    void load(int32_t buffer, int64_t offset, float* to, const Tile& tile) {
        const int64_t stride = job.buffers[buffer].row;
        at_place(buffer, offset, tile.row, tile.from, [&](auto* source) {
            if (tile.width == tile.W) return rectangle(source, stride, to, tile.W, tile.height, tile.W);
            for (int64_t m = 0; m < tile.height; ++m) {
                copy(source + m * stride, to + m * tile.W, tile.width);
                for (int64_t u = tile.width; u < tile.W; ++u) to[m * tile.W + u] = 0;
            }
        });
    }

    // Copies rows of whole vectors.
    template <class A, class B>
    static void rectangle(const A* from, int64_t from_stride, B* to, int64_t to_stride, int64_t height, int64_t width) {
        for (int64_t m = 0; m < height; ++m)
            for (int64_t u = 0; u < width; u += VL) put(to + m * to_stride + u, get(from + m * from_stride + u));
    }

    void spread(int32_t buffer, float* to, int64_t rows, const Tile& tile) {
        as_numbers(plan, buffer, job.buffers[buffer].data, [&](auto* source) { copy(source + tile.from, to, tile.width); });
        std::fill(to + tile.width, to + tile.W, 0.0f);
        for (int64_t u = 0; u < tile.W; u += VL) {
            const V value = get(to + u);
            for (int64_t m = 1; m < rows; ++m) put(to + m * tile.W + u, value);
        }
    }

    void total(const Instruction& step, const float* value, const Tile& tile) {
        float* sum = shared.totals[thread].data() + shared.total_at[step.a] + tile.from;
        const int64_t row = step.one_row ? 0 : tile.W;
        for (int64_t first = 0; first < tile.width; first += VL) {
            V rows = all(0);
            for (int64_t m = 0; m < tile.height; ++m)
                if (!ended(tile.row + m)) rows += get(value + m * row + first);
            for (int64_t u = 0; u < std::min<int64_t>(VL, tile.width - first); ++u) sum[first + u] += rows[u];
        }
    }

    // Whether a store takes the values of all rows as they are.
    bool stores_all(Mode mode) const { return mode == Mode::plain || (!job.lengths && (!job.resets || mode == Mode::ended0)); }

    void store(const Instruction& step, const float* value, const Tile& tile) {
        const int64_t stride = job.buffers[step.a].row, row = step.one_row ? 0 : tile.W;
        const bool all_rows = stores_all(step.mode);
        at_place(step.a, step.b, tile.row, tile.from, [&](auto* out) {
            if (all_rows && tile.width == tile.W) return rectangle(value, row, out, stride, tile.height, tile.W);
            float other[WIDEST];
            for (int64_t m = 0; m < tile.height; ++m) {
                const float* own = value + m * row;
                copy(all_rows ? own : stored(step, tile.row + m, own, other, tile), out + m * stride, tile.width);
            }
        });
    }

    // What is stored of a row whose sequence may have ended, or starts again at the next step: its value, or another.
    const float* stored(const Instruction& step, int64_t row, const float* value, float* other, const Tile& tile) const {
        const bool over = ended(row);
        if (step.mode == Mode::state) {
            const bool again = job.resets && t + 1 < job.T && job.resets[(t + 1) * job.B + row] && !ended(row, t + 1);
            if (!again && !over) return value;
            if (again) take(job.starts[step.a], 0, row, tile.from, tile.width, other);
            else take(step.a, step.b - 1, row, tile.from, tile.width, other);
            return other;
        }
        if (!over) {
            const bool again = step.mode == Mode::flow && t > 0 && job.resets && job.resets[t * job.B + row];
            if (!again) return value;
            add(job.starts[step.a], row, tile.from, tile.width, value);
        } else if (step.mode == Mode::flow) {
            take(step.a, step.b + 1, row, tile.from, tile.width, other);
            return other;
        }
        std::fill_n(other, tile.width, 0.0f);
        return other;
    }

    void take(int32_t buffer, int64_t offset, int64_t row, int64_t from, int64_t width, float* to) const {
        at_place(buffer, offset, row, from, [&](auto* source) { copy(source, to, width); });
    }
    void give(const float* value, int32_t buffer, int64_t offset, int64_t row, int64_t from, int64_t width) const {
        at_place(buffer, offset, row, from, [&](auto* to) { copy(value, to, width); });
    }
    void add(int32_t buffer, int64_t row, int64_t from, int64_t width, const float* value) const {
        float sum[WIDEST];
        take(buffer, 0, row, from, width, sum);
        for (int64_t u = 0; u < width; ++u) sum[u] += value[u];
        give(sum, buffer, 0, row, from, width);
    }

    // -- functions over a whole row

    void rows(const Block& block, int64_t N) {
        if (N == 0) return;
        const int64_t many = row1 - row0;
        const int64_t first = row0 + many * column / shared.grid.columns, last = row0 + many * (column + 1) / shared.grid.columns;
        float *source = widened.data, *target = source + N;
        for (int64_t row = first; row < last; ++row) {
            if (is_half(plan, block.source)) take(block.source, 0, row, 0, N, source);
            else source = at<float>(block.source, 0, row);
            if (!is_half(plan, block.target)) target = at<float>(block.target, 0, row);
            whole_row(static_cast<Row>(block.row), source, target, N);
            if (is_half(plan, block.target)) give(target, block.target, 0, row, 0, N);
        }
    }
};

Shared::Shared(const Job& j, Grid g) : job(j), grid(g), everyone(g.rows * g.columns) {
    const Plan& plan = *job.plan;
    int64_t floats = 0;
    for (const Block& block : plan.blocks) {
        Layout layout = laid_out(job, block, grid);
        layout.weights = floats;
        floats += layout.tiles * layout.tile_weights;
        layouts.push_back(std::move(layout));
    }
    weights.make(floats);
    for (int band = 0; band < grid.rows; ++band) barriers.push_back(std::make_unique<Barrier>(grid.columns));
    int64_t size = 0;
    for (size_t index = 0; index < plan.buffers.size(); ++index) {
        total_at.push_back(size);
        if (plan.buffers[index].kind == Kind::total) size += job.sizes[plan.buffers[index].columns];
    }
    totals.assign(grid.rows * grid.columns, std::vector<float>(size, 0.0f));
    for (int thread = 0; thread < grid.rows * grid.columns; ++thread) workers.push_back(std::make_unique<Worker>(*this, thread));
}

double Shared::run(int64_t from, int64_t rows, Parallel parallel) {
    first = from;
    for (const auto& worker : workers) worker->take_rows(rows);
    parallel(static_cast<int>(workers.size()), [](int thread, void* self) { static_cast<Shared*>(self)->workers[thread]->run(); }, this);
    packed = true;
    const Plan& plan = *job.plan;
    for (size_t index = 0; index < plan.buffers.size(); ++index) {
        if (plan.buffers[index].kind != Kind::total) continue;
        for (int64_t u = 0; u < job.sizes[plan.buffers[index].columns]; ++u) {
            double sum = 0;
            for (const auto& own : totals) sum += own[total_at[index] + u];
            static_cast<float*>(job.buffers[index].data)[u] = static_cast<float>(sum);
        }
    }
    double waited = 0;
    for (const auto& worker : workers) waited += worker->waited;
    return waited / static_cast<double>(workers.size());
}

}  // namespace

// One function over an array, for the tests of its error bound.
void map(int op, const float* from, float* to, int64_t many) {
    const Pointwise operation = pointwise(static_cast<Op>(op));
    if (!operation || has_two(static_cast<Op>(op))) throw std::invalid_argument("no function of one number");
    operation({to, from, nullptr, 1, many});
}

std::unique_ptr<Scan> prepare(const Job& job, Grid grid) { return std::make_unique<Shared>(job, grid); }

}  // namespace gatework::GW_ISA
