// The interpreter: every step of a plan, tile by tile. Compiled once for each instruction set.
#include "scan.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>

#include "vectors.h"

namespace gatework::GW_ISA {
namespace {

constexpr int UNITS = 16;               // of a column of a tile
constexpr int MOST = GW_VL >= 16 ? 4 : 2;  // vectors side by side in registers
constexpr int ROWS = 6;                 // rows of a register block
constexpr int64_t NEAR = 20 * 1024;     // bytes of slots that stay in the nearest cache, beside the weights

int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Aligned {
    std::unique_ptr<float[]> memory;
    float* data = nullptr;
    void make(int64_t floats) {
        memory.reset(new float[floats + 16]);
        data = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory.get()) + 63) / 64 * 64);
    }
};

class Barrier {
public:
    explicit Barrier(int many) : many_(many) {}
    void wait() {
        const uint32_t turn = turn_.load(std::memory_order_acquire);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == many_) {
            arrived_.store(0, std::memory_order_relaxed);
            turn_.store(turn + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; turn_.load(std::memory_order_acquire) == turn; ++spins) {
            if (spins < 4000) {
#if defined(__x86_64__)
                __builtin_ia32_pause();
#endif
            } else {
                std::this_thread::yield();
            }
        }
    }

private:
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<uint32_t> turn_{0};
    int many_;
};

// -- products

using Kernel = void (*)(const float* a, int64_t row, int64_t K, const float* panel, int64_t width, float* const* lanes, int64_t W);

template <int M, int N>
void kernel(const float* a, int64_t row, int64_t K, const float* panel, int64_t width, float* const* lanes, int64_t W) {
    V sum[M][N];
    for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) sum[m][n] = get(lanes[n] + m * W);
    for (int64_t k = 0; k < K; ++k) {
        V weights[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) weights[n] = get(panel + k * width + n * VL);
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            const V value = all(a[m * row + k]);
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) sum[m][n] += value * weights[n];
        }
    }
    for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) put(lanes[n] + m * W, sum[m][n]);
}

#define GW_ROW(N) {kernel<1, N>, kernel<2, N>, kernel<3, N>, kernel<4, N>, kernel<5, N>, kernel<6, N>}
constexpr Kernel KERNELS[4][ROWS] = {GW_ROW(1), GW_ROW(2), GW_ROW(3), GW_ROW(4)};

// -- the layout of a block

struct Layout {
    int64_t N = 0;        // units
    int64_t W = 0;        // units of a tile
    int64_t tiles = 0;    // tiles of units
    int64_t height = 0;   // rows of a tile
    std::vector<std::vector<int64_t>> panels;  // group -> tile -> where its panel starts
};

struct Shared {
    const Job& job;
    Grid grid;
    std::vector<Layout> layouts;
    Aligned weights;
    std::vector<std::unique_ptr<Barrier>> barriers;
    std::vector<std::vector<float>> totals;  // thread -> all totals
    std::vector<int64_t> total_at;           // buffer -> where its total starts
    Barrier packed;

    Shared(const Job& j, Grid g) : job(j), grid(g), packed(g.rows * g.columns) {}
};

Layout laid_out(const Job& job, const Block& block) {
    Layout out;
    out.N = job.sizes[block.size];
    if (block.row >= 0) return out;
    int most = 1;
    for (const Group& group : block.groups) most = std::max<int>(most, group.terms.size());
    const int64_t columns = std::clamp<int64_t>(MOST * VL / (most * UNITS), 1, ceiling(std::max<int64_t>(out.N, 1), UNITS));
    out.W = columns * UNITS;
    out.tiles = ceiling(out.N, out.W);
    const int64_t fits = NEAR / (std::max(block.slots, 1) * out.W * 4);
    out.height = std::clamp<int64_t>(fits / ROWS * ROWS, ROWS, 8 * ROWS);
    return out;
}

void pack(const Job& job, const Block& block, const Layout& layout, float* weights, int64_t first, int64_t step) {
    for (size_t g = 0; g < block.groups.size(); ++g) {
        const Group& group = block.groups[g];
        const int64_t n = group.terms.size(), K = job.sizes[job.plan->buffers[group.operand].columns];
        for (int64_t tile = first; tile < layout.tiles; tile += step) {
            float* panel = weights + layout.panels[g][tile];
            const int64_t from = tile * layout.W, width = std::min(layout.W, layout.N - from);
            for (int64_t i = 0; i < n; ++i) {
                const Term& term = group.terms[i];
                const Buffer& matrix = job.buffers[term.matrix];
                float* out = panel + i * layout.W;
                if (term.transposed) {
                    for (int64_t k = 0; k < K; ++k) {
                        std::memcpy(out + k * n * layout.W, matrix.data + k * matrix.row + from, width * 4);
                        std::fill(out + k * n * layout.W + width, out + k * n * layout.W + layout.W, 0.0f);
                    }
                } else {
                    constexpr int64_t SQUARE = 16;
                    for (int64_t k0 = 0; k0 < K; k0 += SQUARE)
                        for (int64_t u = 0; u < layout.W; ++u)
                            for (int64_t k = k0; k < std::min(k0 + SQUARE, K); ++k)
                                out[k * n * layout.W + u] = u < width ? matrix.data[(from + u) * matrix.row + k] : 0.0f;
                }
            }
        }
    }
}

// -- one thread's work

struct Worker {
    Shared& shared;
    const Job& job;
    const Plan& plan;
    int band, column, thread;
    int64_t row0, row1;
    Aligned scratch;
    int64_t t = 0;

    Worker(Shared& s, int index)
        : shared(s), job(s.job), plan(*s.job.plan), band(index / s.grid.columns), column(index % s.grid.columns), thread(index) {
        row0 = job.B * band / shared.grid.rows;
        row1 = job.B * (band + 1) / shared.grid.rows;
        int64_t most = 0;
        for (size_t b = 0; b < plan.blocks.size(); ++b)
            if (plan.blocks[b].row < 0)
                most = std::max(most, plan.blocks[b].slots * shared.layouts[b].W * shared.layouts[b].height);
        scratch.make(most);
    }

    float* at(int32_t buffer, int64_t offset, int64_t row) const {
        const Buffer& place = job.buffers[buffer];
        return place.data + (t + offset) % place.period * place.step + row * place.row;
    }
    bool ended(int64_t row) const { return job.lengths && t >= job.lengths[row]; }

    void run() {
        for (size_t b = 0; b < plan.blocks.size(); ++b)
            pack(job, plan.blocks[b], shared.layouts[b], shared.weights.data, thread, shared.grid.rows * shared.grid.columns);
        shared.packed.wait();
        for (int64_t step = 0; step < job.T; ++step) {
            t = plan.backwards ? job.T - 1 - step : step;
            for (size_t b = 0; b < plan.blocks.size(); ++b) {
                const Block& block = plan.blocks[b];
                if (block.waits && shared.grid.columns > 1) shared.barriers[band]->wait();
                if (block.row >= 0) rows(block, shared.layouts[b].N);
                else tiles(block, shared.layouts[b]);
            }
        }
    }

    void tiles(const Block& block, const Layout& layout) {
        const int64_t first = layout.tiles * column / shared.grid.columns;
        const int64_t last = layout.tiles * (column + 1) / shared.grid.columns;
        for (int64_t tile = first; tile < last; ++tile)
            for (int64_t row = row0; row < row1; row += layout.height)
                one(block, layout, tile, row, std::min(layout.height, row1 - row));
    }

    void one(const Block& block, const Layout& layout, int64_t tile, int64_t row, int64_t height) {
        const int64_t W = layout.W, area = height * W;
        const int64_t slot = layout.height * W;
        if (block.lanes) std::memset(scratch.data, 0, block.lanes * slot * 4);
        for (size_t g = 0; g < block.groups.size(); ++g) {
            const Group& group = block.groups[g];
            product(group, shared.weights.data + layout.panels[g][tile], W, slot, row, height);
        }
        const int64_t from = tile * W, width = std::min(W, layout.N - from);
        for (const Instruction& step : block.code) execute(step, slot, W, area, row, height, from, width);
    }

    void product(const Group& group, const float* panel, int64_t W, int64_t slot, int64_t row, int64_t height) {
        const Buffer& operand = job.buffers[group.operand];
        const int64_t n = group.terms.size(), K = job.sizes[plan.buffers[group.operand].columns];
        const int64_t each = W / VL, vectors = n * each;
        const float* a = at(group.operand, group.offset, row);
        for (int64_t v = 0; v < vectors; v += MOST) {
            const int many = std::min<int64_t>(MOST, vectors - v);
            for (int64_t m = 0; m < height; m += ROWS) {
                float* lanes[MOST];
                for (int i = 0; i < many; ++i)
                    lanes[i] = scratch.data + group.terms[(v + i) / each].lane * slot + (v + i) % each * VL + m * W;
                const int64_t rows = std::min<int64_t>(ROWS, height - m);
                KERNELS[many - 1][rows - 1](a + m * operand.row, operand.row, K, panel + v * VL, n * W, lanes, W);
            }
        }
    }

    template <class F>
    static void each(float* to, const float* a, int64_t area, F f) {
        for (int64_t i = 0; i < area; i += VL) put(to + i, f(get(a + i)));
    }
    template <class F>
    static void each(float* to, const float* a, const float* b, int64_t area, F f) {
        for (int64_t i = 0; i < area; i += VL) put(to + i, f(get(a + i), get(b + i)));
    }

    void execute(const Instruction& step, int64_t slot, int64_t W, int64_t area, int64_t row, int64_t height, int64_t from, int64_t width) {
        float* to = scratch.data + step.target * slot;
        if (step.op <= Op::total) return memory(step, to, W, area, row, height, from, width);
        const float* a = scratch.data + step.a * slot;
        const float* b = scratch.data + step.b * slot;
        switch (step.op) {
            case Op::add: return each(to, a, b, area, [](V x, V y) { return x + y; });
            case Op::sub: return each(to, a, b, area, [](V x, V y) { return x - y; });
            case Op::mul: return each(to, a, b, area, [](V x, V y) { return x * y; });
            case Op::div: return each(to, a, b, area, [](V x, V y) { return x / y; });
            case Op::max: return each(to, a, b, area, [](V x, V y) { return larger(x, y); });
            case Op::min: return each(to, a, b, area, [](V x, V y) { return smaller(x, y); });
            case Op::neg: return each(to, a, area, [](V x) { return -x; });
            case Op::relu: return each(to, a, area, [](V x) { return pick(x < 0.0f, all(0), x); });
            case Op::abs: return each(to, a, area, [](V x) { return magnitude(x); });
            case Op::sign:
                return each(to, a, area, [](V x) { return pick(x > 0.0f, all(1), pick(x < 0.0f, all(-1), x)); });
            case Op::sigmoid: return each(to, a, area, [](V x) { return sigmoid(x); });
            case Op::tanh: return each(to, a, area, [](V x) { return tanh(x); });
            case Op::exp: return each(to, a, area, [](V x) { return pick(x != x, x, exp(x)); });
            case Op::log: return each(to, a, area, [](V x) { return log(x); });
            case Op::sqrt:
                for (int64_t i = 0; i < area; ++i) to[i] = std::sqrt(a[i]);
                return;
            case Op::softplus: return each(to, a, area, [](V x) { return softplus(x); });
            case Op::logsigmoid: return each(to, a, area, [](V x) { return -softplus(-x); });
            default: return;
        }
    }

    void memory(const Instruction& step, float* to, int64_t W, int64_t area, int64_t row, int64_t height, int64_t from, int64_t width) {
        switch (step.op) {
            case Op::load: {
                const float* source = at(step.a, step.b, row) + from;
                const int64_t stride = job.buffers[step.a].row;
                for (int64_t m = 0; m < height; ++m) {
                    std::memcpy(to + m * W, source + m * stride, width * 4);
                    for (int64_t u = width; u < W; ++u) to[m * W + u] = 0;
                }
                return;
            }
            case Op::spread: {
                const float* source = job.buffers[step.a].data + from;
                for (int64_t u = 0; u < W; ++u) to[u] = u < width ? source[u] : 0;
                for (int64_t m = 1; m < height; ++m) std::memcpy(to + m * W, to, W * 4);
                return;
            }
            case Op::constant:
                for (int64_t i = 0; i < area; i += VL) put(to + i, all(step.number));
                return;
            case Op::total: {
                float* sum = shared.totals[thread].data() + shared.total_at[step.a] + from;
                for (int64_t m = 0; m < height; ++m)
                    if (!ended(row + m))
                        for (int64_t u = 0; u < width; ++u) sum[u] += to[m * W + u];
                return;
            }
            default: return store(step, to, W, row, height, from, width);
        }
    }

    void store(const Instruction& step, const float* value, int64_t W, int64_t row, int64_t height, int64_t from, int64_t width) {
        float* out = at(step.a, step.b, row) + from;
        const int64_t stride = job.buffers[step.a].row;
        const bool simple = step.mode == Mode::plain || (!job.lengths && (!job.resets || step.mode == Mode::ended0));
        if (simple) {
            for (int64_t m = 0; m < height; ++m) std::memcpy(out + m * stride, value + m * W, width * 4);
            return;
        }
        for (int64_t m = 0; m < height; ++m) {
            const float* source = value + m * W;
            float* to = out + m * stride;
            const int64_t b = row + m;
            const bool over = ended(b);
            if (step.mode == Mode::ended0) {
                if (over) std::memset(to, 0, width * 4);
                else std::memcpy(to, source, width * 4);
            } else if (step.mode == Mode::state) {
                const bool again = job.resets && t + 1 < job.T && job.resets[(t + 1) * job.B + b] && !(job.lengths && t + 1 >= job.lengths[b]);
                if (again) source = job.buffers[job.starts[step.a]].data + b * job.buffers[job.starts[step.a]].row + from;
                else if (over) source = at(step.a, step.b - 1, b) + from;
                std::memmove(to, source, width * 4);
            } else {
                const bool again = !over && t > 0 && job.resets && job.resets[t * job.B + b];
                if (over) {
                    std::memmove(to, at(step.a, step.b + 1, b) + from, width * 4);
                } else if (again) {
                    const Buffer& start = job.buffers[job.starts[step.a]];
                    float* gives = start.data + b * start.row + from;
                    for (int64_t u = 0; u < width; ++u) gives[u] += source[u];
                    std::memset(to, 0, width * 4);
                } else {
                    std::memcpy(to, source, width * 4);
                }
            }
        }
    }

    // -- functions over a whole row

    void rows(const Block& block, int64_t N) {
        const int64_t many = row1 - row0;
        const int64_t first = row0 + many * column / shared.grid.columns, last = row0 + many * (column + 1) / shared.grid.columns;
        for (int64_t row = first; row < last; ++row)
            whole(static_cast<Row>(block.row), at(block.source, 0, row), at(block.target, 0, row), N);
    }

    static double mean(const float* a, int64_t N) {
        double sum = 0;
        for (int64_t i = 0; i < N; ++i) sum += a[i];
        return sum / static_cast<double>(N);
    }

    static double scale(const float* a, int64_t N, double centre) {
        double sum = 0;
        for (int64_t i = 0; i < N; ++i) sum += (a[i] - centre) * (a[i] - centre);
        return 1 / std::sqrt(sum / static_cast<double>(N) + 1e-5);
    }

    static void whole(Row op, const float* a, float* to, int64_t N) {
        switch (op) {
            case Row::norm: {
                const double centre = mean(a, N), by = scale(a, N, centre);
                for (int64_t i = 0; i < N; ++i) to[i] = static_cast<float>((a[i] - centre) * by);
                return;
            }
            case Row::rstd: std::fill(to, to + N, static_cast<float>(scale(a, N, mean(a, N)))); return;
            case Row::mean: std::fill(to, to + N, static_cast<float>(mean(a, N))); return;
            case Row::sum: std::fill(to, to + N, static_cast<float>(mean(a, N) * static_cast<double>(N))); return;
            case Row::softmax: {
                float most = a[0];
                for (int64_t i = 1; i < N; ++i) most = std::max(most, a[i]);
                double sum = 0;
                for (int64_t i = 0; i < N; ++i) sum += to[i] = std::exp(a[i] - most);
                for (int64_t i = 0; i < N; ++i) to[i] = static_cast<float>(to[i] / sum);
                return;
            }
            case Row::cumsum: {
                double sum = 0;
                for (int64_t i = 0; i < N; ++i) to[i] = static_cast<float>(sum += a[i]);
                return;
            }
            case Row::cumsum_back: {
                double sum = 0;
                for (int64_t i = N; i-- > 0;) to[i] = static_cast<float>(sum += a[i]);
                return;
            }
            default: return;
        }
    }
};

}  // namespace

// One function over an array, for the tests of its error bound.
void map(int op, const float* from, float* to, int64_t many) {
    for (int64_t i = 0; i < many; i += VL) {
        const V x = get(from + i);
        switch (static_cast<Op>(op)) {
            case Op::sigmoid: put(to + i, sigmoid(x)); break;
            case Op::tanh: put(to + i, tanh(x)); break;
            case Op::exp: put(to + i, pick(x != x, x, exp(x))); break;
            case Op::log: put(to + i, log(x)); break;
            case Op::softplus: put(to + i, softplus(x)); break;
            case Op::logsigmoid: put(to + i, -softplus(-x)); break;
            default: throw std::invalid_argument("no function of one number");
        }
    }
}

void run(const Job& job, Grid grid, void (*parallel)(int, void (*)(int, void*), void*)) {
    const Plan& plan = *job.plan;
    Shared shared(job, grid);
    int64_t floats = 0;
    for (const Block& block : plan.blocks) {
        Layout layout = laid_out(job, block);
        for (const Group& group : block.groups) {
            const int64_t K = job.sizes[plan.buffers[group.operand].columns];
            std::vector<int64_t> starts;
            for (int64_t tile = 0; tile < layout.tiles; ++tile) {
                starts.push_back(floats);
                floats += K * static_cast<int64_t>(group.terms.size()) * layout.W;
            }
            layout.panels.push_back(std::move(starts));
        }
        shared.layouts.push_back(std::move(layout));
    }
    shared.weights.make(floats);
    for (int band = 0; band < grid.rows; ++band) shared.barriers.push_back(std::make_unique<Barrier>(grid.columns));
    int64_t totals = 0;
    for (size_t index = 0; index < plan.buffers.size(); ++index) {
        shared.total_at.push_back(totals);
        if (plan.buffers[index].kind == Kind::total) totals += job.sizes[plan.buffers[index].columns];
    }
    const int threads = grid.rows * grid.columns;
    shared.totals.assign(threads, std::vector<float>(totals, 0.0f));
    parallel(threads, [](int thread, void* context) { Worker(*static_cast<Shared*>(context), thread).run(); }, &shared);
    for (size_t index = 0; index < plan.buffers.size(); ++index) {
        if (plan.buffers[index].kind != Kind::total) continue;
        for (int64_t u = 0; u < job.sizes[plan.buffers[index].columns]; ++u) {
            double sum = 0;
            for (const auto& own : shared.totals) sum += own[shared.total_at[index] + u];
            job.buffers[index].data[u] = static_cast<float>(sum);
        }
    }
}

}  // namespace gatework::GW_ISA
