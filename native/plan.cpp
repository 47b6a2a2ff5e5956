#include "plan.h"

#include <algorithm>
#include <cstdlib>

namespace gatework {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument("native plan: " + what); }

struct Reader {
    const std::vector<int32_t>& stream;
    size_t place = 0;

    int32_t number() {
        if (place >= stream.size()) refuse("ends too early");
        return stream[place++];
    }
    int32_t below(int32_t limit, const char* what) {
        int32_t value = number();
        if (value < 0 || value >= limit) refuse(std::string(what) + " " + std::to_string(value) + " is not below " + std::to_string(limit));
        return value;
    }
    bool flag() { return below(2, "flag") == 1; }
    int32_t count(const char* what) {  // of things that each take a number at least
        const int32_t many = number();
        if (many < 0 || static_cast<size_t>(many) > stream.size() - place) refuse(std::string(what) + " that go beyond its end");
        return many;
    }
    template <class T>
    T kind(const char* what) {
        return static_cast<T>(below(static_cast<int32_t>(T::count), what));
    }
};

void expect(const Plan& plan, int32_t buffer, Kind kind, int32_t size, const char* what) {
    const BufferType& type = plan.buffers[buffer];
    if (type.kind != kind) refuse(std::string(what) + ": wrong kind of buffer");
    if (type.columns != size) refuse(std::string(what) + ": buffer of another size");
}

// What a slot holds.
enum class Filled { nothing, one_row, all_rows };

Instruction instruction(Reader& read, const Plan& plan, const Block& block, std::vector<Filled>& slots) {
    Instruction one{};
    const int32_t buffers = static_cast<int32_t>(plan.buffers.size());
    one.op = read.kind<Op>("operation");
    one.target = read.below(block.slots, "slot");
    const int32_t bits = [&] {
        int32_t a = read.number(), b = read.number();
        one.a = a;
        one.b = b;
        return read.number();
    }();
    one.mode = read.kind<Mode>("mode");
    static_assert(sizeof(float) == sizeof(int32_t));
    __builtin_memcpy(&one.number, &bits, sizeof bits);
    const auto is_one_row = [&](int32_t index) {
        if (index < 0 || index >= block.slots || slots[index] == Filled::nothing) refuse("reads a slot that holds nothing");
        return slots[index] == Filled::one_row;
    };
    if (is_memory(one.op)) {
        if (one.op != Op::constant && (one.a < 0 || one.a >= buffers)) refuse("buffer out of range");
        if (one.b < -1 || one.b > 1) refuse("step offset out of range");
        switch (one.op) {
            case Op::load: expect(plan, one.a, Kind::series, block.size, "load"); break;
            case Op::spread: expect(plan, one.a, Kind::vector, block.size, "spread"); break;
            case Op::store:
                expect(plan, one.a, Kind::series, block.size, "store");
                if (!plan.buffers[one.a].written) refuse("writes an input");
                break;
            case Op::total:
                expect(plan, one.a, Kind::total, block.size, "total");
                if (!plan.buffers[one.a].written) refuse("writes an input");
                break;
            default: break;
        }
        if (one.op == Op::store || one.op == Op::total) {
            one.one_row = is_one_row(one.target);
            return one;
        }
        one.one_row = one.op != Op::load;
    } else {
        if (!has_two(one.op)) one.b = one.a;
        one.a_one_row = is_one_row(one.a);
        one.b_one_row = is_one_row(one.b);
        one.one_row = one.a_one_row && one.b_one_row;
    }
    slots[one.target] = one.one_row ? Filled::one_row : Filled::all_rows;
    return one;
}

Block block(Reader& read, const Plan& plan) {
    Block one{};
    const int32_t buffers = static_cast<int32_t>(plan.buffers.size());
    one.waits = read.flag();
    one.size = read.below(plan.sizes, "size");
    one.row = read.below(static_cast<int32_t>(Row::count) + 1, "row operation") - 1;
    if (one.row >= 0) {
        one.source = read.below(buffers, "buffer");
        one.target = read.below(buffers, "buffer");
        expect(plan, one.source, Kind::series, one.size, "row operation");
        expect(plan, one.target, Kind::series, one.size, "row operation");
        if (!plan.buffers[one.target].written) refuse("a row operation writes an input");
        return one;
    }
    one.lanes = read.count("lanes");
    one.slots = read.count("slots");
    if (one.slots < one.lanes) refuse("fewer slots than lanes");
    for (int32_t lane = 0; lane < one.lanes; ++lane) {
        const int32_t start = read.below(buffers + 1, "buffer") - 1;
        const bool vector = start >= 0 && plan.buffers[start].kind == Kind::vector;
        if (start >= 0) expect(plan, start, vector ? Kind::vector : Kind::series, one.size, "start of a lane");
        one.begin.push_back({start < 0 ? Op::constant : vector ? Op::spread : Op::load, lane, std::max(start, 0), 0, Mode::plain, 0.0f});
    }
    one.groups.resize(read.count("groups"));
    for (Group& group : one.groups) {
        group.operand = read.below(buffers, "buffer");
        group.offset = read.below(3, "step offset") - 1;
        if (plan.buffers[group.operand].kind != Kind::series) refuse("an operand that is no series");
        group.terms.resize(read.count("terms"));
        int32_t last = -1;
        for (Term& term : group.terms) {
            term.lane = read.below(one.lanes, "lane");
            if (term.lane <= last) refuse("lanes of a group out of order");
            last = term.lane;
            term.matrix = read.below(buffers, "buffer");
            term.transposed = read.flag();
            const BufferType& matrix = plan.buffers[term.matrix];
            if (matrix.kind != Kind::matrix) refuse("a product without a matrix");
            const int32_t out = term.transposed ? matrix.columns : matrix.rows;
            const int32_t in = term.transposed ? matrix.rows : matrix.columns;
            if (out != one.size || in != plan.buffers[group.operand].columns) refuse("a product of unequal sizes");
        }
    }
    one.code.resize(read.count("instructions"));
    if (static_cast<size_t>(one.slots - one.lanes) > one.code.size()) refuse("slots that nothing fills");
    std::vector<Filled> slots(one.slots, Filled::nothing);
    std::fill_n(slots.begin(), one.lanes, Filled::all_rows);
    for (Instruction& each : one.code) each = instruction(read, plan, one, slots);
    return one;
}

// Numbers from the first to the last of a buffer; wide enough not to overflow.
__int128 reach(int64_t steps, int64_t step, int64_t rows, int64_t row, int64_t units) {
    return static_cast<__int128>(steps - 1) * step + static_cast<__int128>(rows - 1) * row + units;
}

}  // namespace

Plan::Plan(const std::vector<int32_t>& stream) {
    Reader read{stream};
    if (read.number() != MAGIC) refuse("not a plan");
    backwards = read.flag();
    fused = read.flag();
    sizes = read.below(16, "sizes");
    buffers.resize(read.count("buffers"));
    for (BufferType& type : buffers) {
        type.kind = read.kind<Kind>("kind");
        type.rows = read.below(sizes, "size");
        type.columns = read.below(sizes, "size");
        type.written = read.flag();
        type.element = read.kind<Element>("element");
        if (type.kind == Kind::total && type.element != Element::float32) refuse("a total that is no float32");
    }
    const int32_t many = read.count("blocks");
    for (int32_t index = 0; index < many; ++index) blocks.push_back(block(read, *this));
    if (fused && (blocks.size() < 2 || blocks.front().row >= 0 || blocks.back().row >= 0 || blocks.front().size != blocks.back().size))
        refuse("fuses blocks that do not fit");
    if (read.place != stream.size()) refuse("goes on after its end");
}

namespace {

// How far before and after a step each buffer is read or written.
std::vector<std::pair<int64_t, int64_t>> offsets_of(const Plan& plan) {
    auto offsets = std::vector<std::pair<int64_t, int64_t>>(plan.buffers.size(), {0, 0});
    const auto seen = [&](int32_t buffer, int32_t offset) {
        offsets[buffer].first = std::min<int64_t>(offsets[buffer].first, offset);
        offsets[buffer].second = std::max<int64_t>(offsets[buffer].second, offset);
    };
    for (const Block& block : plan.blocks) {
        for (const Group& group : block.groups) seen(group.operand, group.offset);
        for (const Instruction& one : block.code)
            if (one.op == Op::load || one.op == Op::store) {
                seen(one.a, one.b);
                if (one.op == Op::store && one.mode == Mode::state) seen(one.a, one.b - 1);  // the old value
                if (one.op == Op::store && one.mode == Mode::flow) seen(one.a, one.b + 1);
            }
    }
    return offsets;
}

// What holds of a buffer whatever the sizes are.
void verify_buffer(const Buffer& buffer) {
    constexpr int64_t MOST = 1LL << 40;
    if (buffer.numbers < 0) refuse("a buffer without memory");
    if (buffer.step > MOST || buffer.step < -MOST || buffer.row > MOST || buffer.period > MOST || buffer.numbers > MOST) refuse("a buffer of absurd sizes");
    if (buffer.row < 0 || buffer.period < 1) refuse("a buffer without order");
}

// Where rows start again, for each buffer and for what is stored in it.
void verify_starts(const Job& job) {
    const Plan& plan = *job.plan;
    for (size_t index = 0; index < job.starts.size(); ++index) {
        const int32_t start = job.starts[index];
        if (start < -1 || start >= static_cast<int64_t>(plan.buffers.size())) refuse("a start that is not there");
        if (start < 0) continue;
        const BufferType &own = plan.buffers[index], &other = plan.buffers[start];
        if (own.kind != Kind::series || other.kind != Kind::series || own.columns != other.columns) refuse("a start of another size");
    }
}

// That every state which resets may set has a place to start again from.
void verify_resets(const Job& job) {
    const Plan& plan = *job.plan;
    for (const Block& block : plan.blocks)
        for (const Instruction& one : block.code) {
            if (one.op != Op::store || (one.mode != Mode::state && one.mode != Mode::flow)) continue;
            const int32_t start = job.starts[one.a];
            if (start < 0) refuse("resets without a start");
            if (one.mode == Mode::flow && !plan.buffers[start].written) refuse("writes an input");
        }
}

// That all which the steps reach of a series lies in its memory; of other buffers, all there is.
void verify_reach(const Job& job, const Buffer& buffer, const BufferType& type, std::pair<int64_t, int64_t> offsets) {
    const int64_t units = job.sizes[type.columns];
    if (type.kind != Kind::series) {
        const int64_t rows = type.kind == Kind::matrix ? job.sizes[type.rows] : 1;
        if (rows > 0 && units > 0 && (buffer.row < units || reach(1, 0, rows, buffer.row, units) > buffer.numbers)) refuse("a buffer too small");
        return;
    }
    if (offsets.first < 0) refuse("a step before the first");
    if (job.T == 0 || job.B == 0 || units == 0) return;
    if (type.written && job.B > 1 && buffer.row < units) refuse("rows that overlap");
    const int64_t last = buffer.step < 0 ? buffer.period - 1 : std::min(buffer.period - 1, job.T - 1 + offsets.second);
    if (reach(last + 1, std::abs(buffer.step), job.B, buffer.row, units) > buffer.numbers) refuse("a buffer too small");
}

}  // namespace

void verify_sizes(const Job& job) {
    const Plan& plan = *job.plan;
    if (job.T < 0 || job.B < 0 || job.T > MOST_STEPS || job.B > (1LL << 40)) refuse("negative or absurd sizes");
    if (job.sizes.size() != static_cast<size_t>(plan.sizes)) refuse("wrong number of sizes");
    for (int64_t size : job.sizes)
        if (size < 0 || size > (1LL << 31)) refuse("size out of range");
    if (job.buffers.size() != plan.buffers.size() || job.starts.size() != plan.buffers.size()) refuse("wrong number of buffers");
    for (const Buffer& buffer : job.buffers) verify_buffer(buffer);
    verify_starts(job);
    const auto offsets = offsets_of(plan);
    for (size_t index = 0; index < job.buffers.size(); ++index) verify_reach(job, job.buffers[index], plan.buffers[index], offsets[index]);
}

void verify_addresses(const Job& job) {
    for (size_t index = 0; index < job.buffers.size(); ++index) {
        const Buffer& buffer = job.buffers[index];
        if (buffer.numbers > 0 && buffer.data == nullptr) refuse("a buffer without memory");
        if (reinterpret_cast<uintptr_t>(buffer.data) % job.plan->buffers[index].bytes()) refuse("a buffer out of alignment");
    }
    if (job.resets) verify_resets(job);
    if (job.lengths)
        for (int64_t b = 0; b < job.B; ++b)
            if (job.lengths[b] < 0 || job.lengths[b] > job.T) refuse("a length out of range");
}

void verify(const Job& job) {
    verify_sizes(job);
    verify_addresses(job);
}

}  // namespace gatework
