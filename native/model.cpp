#include "model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "failure.h"
#include "threads.h"

namespace gatework {
namespace {

constexpr int64_t MOST = 1LL << 40;           // numbers in one piece of memory
constexpr int64_t SLACK = 1 << 20, ROOM = 8;  // numbers that any file may ask for, and more for each of its bytes
constexpr int64_t PADDED = 16;                // units of the narrowest tile; the widest is twice as wide as need be, at most
constexpr int64_t VECTOR = 16;                // numbers of the widest vector
constexpr const char* ONE_FORMAT = "gatework model 1";

// The core's operations in the order of their numbers, which a file's plans are made of.
constexpr char OPERATIONS[] =
#define GW_TEXT(name, ...) #name ","
    GW_MEMORY(GW_TEXT) GW_BINARY(GW_TEXT) GW_UNARY(GW_TEXT)
        GW_CURVES(GW_TEXT) ";" GW_ROWS(GW_TEXT) ";" GW_MODES(GW_TEXT) ";" GW_KINDS(GW_TEXT) ";" GW_ELEMENTS(GW_TEXT) ";";
#undef GW_TEXT

// FNV-1a in 32 bits (Fowler, Noll, Vo 1991).
constexpr int64_t numbering() {
    uint32_t hash = 2166136261u;
    for (const char* c = OPERATIONS; *c; ++c) hash = (hash ^ static_cast<unsigned char>(*c)) * 16777619u;
    return hash;
}

using Work = void (*)(int thread, void* context);

// A step's work is done in the thread that asks for it.
void alone(int threads, Work work, void* context) {
    for (int thread = 0; thread < threads; ++thread) work(thread, context);
}

// Threads share it; notes how long the one that asks waits for the others.
void shared(int threads, Work work, void* context) {
    struct Timed {
        Work work;
        void* context;
        double done;
    } timed{work, context, 0};
    const double begin = seconds();
    parallel(
        threads,
        [](int thread, void* given) {
            Timed& own = *static_cast<Timed*>(given);
            own.work(thread, own.context);
            if (thread == 0) own.done = seconds();
        },
        &timed);
    const double end = seconds();
    note_waiting(end - timed.done, end - begin, threads);
}

// exp(x - the largest) of a row, and its sum.
double exponentials(const Isa& isa, const float* x, int64_t width, float largest, float* out) {
    const int64_t padded = (width + VECTOR - 1) / VECTOR * VECTOR;
    for (int64_t i = 0; i < width; ++i) out[i] = x[i] - largest;
    std::fill(out + width, out + padded, 0.0f);
    isa.map(static_cast<int>(Op::exp), out, out, padded);
    return std::accumulate(out, out + width, 0.0);
}

}  // namespace

// The integers of a network, read one after another.
class Code {
public:
    explicit Code(const Tensor& tensor) : tensor_(tensor), many_(tensor.data.size() / sizeof(int64_t)) {}

    int64_t number() {
        if (place_ == many_) damaged("its code ends too early");
        return tensor_.integer(place_++);
    }
    int64_t below(int64_t limit, const char* what) {
        const int64_t value = number();
        if (value < 0 || value >= limit) damaged("no " + std::string(what) + ' ' + std::to_string(value));
        return value;
    }
    // Of things that each take a number at least.
    int64_t many(const char* what) {
        const int64_t value = number();
        if (value < 0 || static_cast<uint64_t>(value) > many_ - place_) damaged(std::string(what) + " that go beyond the end of its code");
        return value;
    }
    float real() { return std::bit_cast<float>(static_cast<uint32_t>(below(1LL << 32, "float32 of the bits"))); }
    void end() const {
        if (place_ != many_) damaged("its code goes on after its end");
    }

private:
    const Tensor& tensor_;
    const size_t many_;
    size_t place_ = 0;
};

// -- memory

// Takes from the room that a file has for what it asks for.
void Model::claim(int64_t numbers) {
    if (numbers < 0 || numbers > room_) damaged("it asks for more memory than files of its size need");
    room_ -= numbers;
}

// Zeros.
Memory Model::take(int64_t rows, int64_t numbers) {
    claim(numbers);
    if (numbers > MOST / rows) throw std::bad_alloc();
    const size_t all = static_cast<size_t>(rows * numbers);
    Memory memory(static_cast<float*>(::operator new(all * sizeof(float), FreeMemory::LINE)));
    std::fill_n(memory.get(), all, 0.0f);
    return memory;
}

const float* Model::filled(int64_t numbers, float value) {
    copies_.push_back(take(1, numbers));
    std::fill_n(copies_.back().get(), numbers, value);
    return copies_.back().get();
}

// -- reading

Model::Model(std::string_view bytes, int64_t B, Storage storage, int threads)
    : isa_(chosen()), B_(B), rows_(B), storage_(storage), threads_(threads), room_(SLACK + ROOM * static_cast<int64_t>(bytes.size())) {
    const Safetensors file(bytes);
    const auto format = file.metadata.find("format");
    if (format == file.metadata.end()) damaged("its header names no format");
    if (format->second != ONE_FORMAT) throw Failure(GATEWORK_UNSUPPORTED, "a file of the format '" + format->second + "'; expected '" + ONE_FORMAT + "'");
    const Tensor* integers = file.find("gatework.code", Dtype::int64);
    if (!integers) throw Failure(GATEWORK_UNSUPPORTED, "the network of this file does not run in C, step by step: use gatework.runtime, or ONNX");
    read_weights(file);
    Code code(*integers);
    try {
        read_code(code);
    } catch (const std::invalid_argument& refused) {  // by the core
        damaged(refused.what());
    }
    code.end();
    read_tokens(file);
    size_.batch = B;
    set_state(nullptr);
}

void Model::read_weights(const Safetensors& file) {
    for (const Tensor& tensor : file.tensors) {
        if (tensor.dtype != Dtype::float32) continue;
        const int64_t numbers = static_cast<int64_t>(tensor.data.size() / sizeof(float));
        const float* data = reinterpret_cast<const float*>(tensor.data.data());
        if (reinterpret_cast<uintptr_t>(data) % alignof(float)) {
            copies_.push_back(take(1, numbers));
            std::memcpy(copies_.back().get(), tensor.data.data(), tensor.data.size());
            data = copies_.back().get();
        }
        weights_.push_back({tensor.shape, data, numbers});
    }
}

void Model::read_code(Code& code) {
    const int64_t format = code.number(), numbers = code.number();
    if (format != FORMAT || numbers != numbering())
        throw Failure(GATEWORK_UNSUPPORTED, "its code is of another version of gatework: export the model again by the version of this library");
    if (code.number() != static_cast<int64_t>(weights_.size())) damaged("its code is of other weights");
    size_.ids = code.below(MOST, "number of ids");
    read_arrays(code);
    read_states(code);
    output_ = &array(code);
    size_.output = output_->width;
    for (int64_t steps = code.many("steps"); steps > 0; --steps) read_step(code);
}

void Model::read_arrays(Code& code) {
    for (int64_t many = code.many("arrays"); many > 0; --many) {
        const int64_t width = code.below(MOST, "width");
        arrays_.push_back({width, take(B_, width)});
    }
    if (arrays_.empty()) damaged("no arrays");
    size_.input = size_.ids ? 0 : arrays_.front().width;
}

void Model::read_states(Code& code) {
    for (int64_t many = code.many("states"); many > 0; --many) {
        State& state = states_.emplace_back(State{code.below(MOST, "size of a state"), {}});
        for (int64_t slots = code.many("slots"); slots > 0; --slots) {
            const int64_t tensor = code.below(static_cast<int64_t>(weights_.size()) + 1, "start");
            const float value = code.real();
            const Weight* weight = tensor ? &weights_[tensor - 1] : nullptr;
            if (weight && weight->shape != Shape{state.size}) damaged("a start of another size");
            const float* start = weight ? weight->data : filled(state.size, value);
            state.slots.push_back({start, take(B_, 2 * state.size)});
        }
        size_.state += static_cast<int64_t>(state.slots.size()) * B_ * state.size;
    }
}

void Model::read_step(Code& code) {
    switch (static_cast<StepKind>(code.below(static_cast<int64_t>(StepKind::count), "step"))) {
        case StepKind::scan: return read_scan(code);
        case StepKind::embedding: return read_embedding(code);
        case StepKind::one_hot: return read_one_hot(code);
        case StepKind::add: return read_add(code);
        case StepKind::join: return read_join(code);
        case StepKind::softmax: return read_softmax(code, false);
        case StepKind::log_softmax: return read_softmax(code, true);
        case StepKind::affine: return read_affine(code);
        case StepKind::count: break;
    }
}

const Model::Weight& Model::weight(Code& code) const { return weights_[code.below(static_cast<int64_t>(weights_.size()), "weight")]; }
const Model::Array& Model::array(Code& code) const { return arrays_[code.below(static_cast<int64_t>(arrays_.size()), "array")]; }

std::vector<const Model::Array*> Model::arrays(Code& code) const {
    std::vector<const Array*> all(static_cast<size_t>(code.many("arrays")));
    for (const Array*& each : all) each = &array(code);
    return all;
}

// -- scans

void Model::read_scan(Code& code) {
    std::vector<int64_t> sizes;
    for (int i = 0; i < 3; ++i) sizes.push_back(code.below(room_ + 1, "size"));
    std::vector<int32_t> stream(static_cast<size_t>(code.many("integers of a plan")));
    for (int32_t& each : stream) {
        const int64_t number = code.number();
        if (number != static_cast<int32_t>(number)) damaged("a plan of numbers beyond 32 bits");
        each = static_cast<int32_t>(number);
    }
    Scanned& scanned = *scans_.emplace_back(std::make_unique<Scanned>(stream));
    const Plan& plan = scanned.plan;
    if (plan.backwards) damaged("a plan that runs backwards");
    scanned.job = {&plan, sizes, MOST_STEPS, B_, {}, nullptr, nullptr, std::vector<int32_t>(plan.buffers.size(), -1)};
    scanned.job.storage = storage_;
    if (plan.sizes != static_cast<int32_t>(sizes.size())) damaged("a plan of other sizes");
    for (const BufferType& type : plan.buffers) scanned.job.buffers.push_back(buffer_of(code, type, sizes));
    verify(scanned.job);  // for as many steps as there may be, so that all of every buffer is seen
    scanned.job.T = 1;
    claim_scan(scanned);
    scanned.scan = isa_.prepare(scanned.job, {threads_, 1});
    steps_.push_back([this, &scanned] {
        const bool by_one = threads_ == 1 || (scanned.packed && !worth_waiting());  // threads wait for one another to pack
        scanned.scan->run(slot_, rows_, by_one ? alone : shared);
        scanned.packed = true;
    });
}

// Where a buffer lies. What a plan writes is memory of the model's own, never the file's.
Buffer Model::buffer_of(Code& code, const BufferType& type, const std::vector<int64_t>& sizes) {
    const auto role = static_cast<BufferRole>(code.below(static_cast<int64_t>(BufferRole::count), "role"));
    const int64_t what = code.number(), which = code.number(), units = sizes[type.columns];
    const auto series = [&](const float* data, int64_t row, int64_t period) {
        return Buffer{const_cast<float*>(data), period > 1 ? B_ * row : 0, row, period, period * (row ? B_ * row : units)};
    };
    const auto expect = [](bool holds) {
        if (!holds) damaged("a plan whose buffers do not fit");
    };
    expect(type.element == Element::float32 && type.kind != Kind::total);
    expect((type.kind == Kind::series) == (role != BufferRole::weight));
    expect(!type.written || role == BufferRole::array || role == BufferRole::state || role == BufferRole::between);
    switch (role) {
        case BufferRole::weight: {
            expect(what >= 0 && what < static_cast<int64_t>(weights_.size()));
            const Weight& weight = weights_[what];
            expect(weight.shape == (type.kind == Kind::matrix ? Shape{sizes[type.rows], units} : Shape{units}));
            return {const_cast<float*>(weight.data), 0, units, 1, weight.numbers};
        }
        case BufferRole::array: {
            expect(what >= 0 && what < static_cast<int64_t>(arrays_.size()) && arrays_[what].width == units);
            return series(arrays_[what].data.get(), units, 1);
        }
        case BufferRole::state:
        case BufferRole::start: {
            expect(what >= 0 && what < static_cast<int64_t>(states_.size()) && states_[what].size == units);
            const State& state = states_[what];
            expect(which >= 0 && which < static_cast<int64_t>(state.slots.size()));
            const Slot& slot = state.slots[which];
            return role == BufferRole::start ? series(slot.start, 0, 1) : series(slot.steps.get(), units, 2);
        }
        case BufferRole::constant: {
            expect(what >= 0 && what < (1LL << 32));
            return series(filled(units, std::bit_cast<float>(static_cast<uint32_t>(what))), 0, 1);
        }
        default: between_.push_back(take(B_, 2 * units)); return series(between_.back().get(), units, 2);
    }
}

// What the core takes for a plan: packed weights, and what is worked out for each instruction on each tile.
void Model::claim_scan(const Scanned& scanned) {
    const std::vector<int64_t>& sizes = scanned.job.sizes;
    for (const Block& block : scanned.plan.blocks) {
        const int64_t units = sizes[block.size] + PADDED;
        int64_t parts = block.row >= 0 ? 1 : block.lanes + static_cast<int64_t>(block.code.size());
        for (const Group& group : block.groups) {
            parts += static_cast<int64_t>(group.terms.size()) + 1;
            for (size_t term = 0; term < group.terms.size(); ++term) claim_product(2 * units, sizes[scanned.plan.buffers[group.operand].columns]);
        }
        claim_product(2 * units, parts);
    }
}

// Both are not negative.
void Model::claim_product(int64_t a, int64_t b) {
    if (b && a > room_ / b) damaged("it asks for more memory than files of its size need");
    claim(a * b);
}

// -- other steps

void Model::read_embedding(Code& code) {
    const Weight& table = weight(code);
    const Array& y = array(code);
    if (table.shape.size() != 2 || table.shape[1] != y.width || size_.ids == 0 || size_.ids > table.shape[0]) damaged("an embedding that does not fit");
    steps_.push_back([this, &table, &y] {
        for (int64_t b = 0; b < rows_; ++b) std::copy_n(table.data + ids_[b] * y.width, y.width, y.data.get() + b * y.width);
    });
}

void Model::read_one_hot(Code& code) {
    const Array& y = array(code);
    if (size_.ids == 0 || size_.ids > y.width) damaged("more ids than classes");
    steps_.push_back([this, &y] {
        std::fill_n(y.data.get(), rows_ * y.width, 0.0f);
        for (int64_t b = 0; b < rows_; ++b) y.data.get()[b * y.width + ids_[b]] = 1.0f;
    });
}

void Model::read_add(Code& code) {
    const std::vector<const Array*> xs = arrays(code);
    const Array& y = array(code);
    for (const Array* x : xs)
        if (x->width != y.width || x == &y) damaged("a sum of unequal widths");
    steps_.push_back([this, xs, &y] {
        const int64_t many = rows_ * y.width;
        float* to = y.data.get();
        std::fill_n(to, many, 0.0f);
        for (const Array* x : xs)
            for (int64_t i = 0; i < many; ++i) to[i] += x->data.get()[i];
    });
}

void Model::read_join(Code& code) {
    const std::vector<const Array*> xs = arrays(code);
    const Array& y = array(code);
    int64_t width = 0;
    for (const Array* x : xs) {
        width += x->width;
        if (width > y.width || x == &y) damaged("arrays that are wider than all of them together");
    }
    if (width != y.width) damaged("arrays that are narrower than all of them together");
    steps_.push_back([this, xs, &y] {
        float* to = y.data.get();
        for (int64_t b = 0; b < rows_; ++b)
            for (const Array* x : xs) to = std::copy_n(x->data.get() + b * x->width, x->width, to);
    });
}

void Model::read_softmax(Code& code, bool logarithm) {
    const Array &x = array(code), &y = array(code);
    if (x.width != y.width || x.width == 0) damaged("a softmax of unequal widths");
    copies_.push_back(take(1, x.width + VECTOR));
    float* row = copies_.back().get();
    steps_.push_back([this, &x, &y, row, logarithm] {
        for (int64_t b = 0; b < rows_; ++b) {
            const float* from = x.data.get() + b * x.width;
            float* to = y.data.get() + b * x.width;
            const float largest = *std::max_element(from, from + x.width);
            const double sum = exponentials(isa_, from, x.width, largest, row);
            const float before = static_cast<float>(largest + std::log(sum)), scale = static_cast<float>(1 / sum);
            for (int64_t i = 0; i < x.width; ++i) to[i] = logarithm ? from[i] - before : row[i] * scale;
        }
    });
}

void Model::read_affine(Code& code) {
    const Array &x = array(code), &y = array(code);
    const float scale = code.real(), shift = code.real();
    if (x.width != y.width) damaged("a scale of unequal widths");
    steps_.push_back([this, &x, &y, scale, shift] {
        for (int64_t i = 0; i < rows_ * x.width; ++i) y.data.get()[i] = scale * x.data.get()[i] + shift;
    });
}

// -- running

void Model::run(const void* input, int64_t T, float* output) {
    check_ids(input, T * B_);
    for (int64_t t = 0; t < T; ++t) step(input, t * B_, output);
}

void Model::step_some(const void* input, const int64_t* places, int64_t K, const std::vector<States>& states, float* output) {
    check_ids(input, K);
    const int64_t parts = (K + B_ - 1) / B_;
    for (int64_t part = 0; part < parts; ++part) {
        const int64_t first = K * part / parts;
        rows_ = K * (part + 1) / parts - first;
        exchange(states, places + first, [](float* theirs, float* own, int64_t many) { std::copy_n(theirs, many, own); });
        step(input, first, output);
        exchange(states, places + first, [](float* theirs, float* own, int64_t many) { std::copy_n(own, many, theirs); });
    }
    rows_ = B_;
}

// One step; input and output: of all rows of a call, whose rows from `first` on it takes.
void Model::step(const void* input, int64_t first, float* output) {
    if (size_.ids) ids_ = static_cast<const int64_t*>(input) + first;
    else std::copy_n(static_cast<const float*>(input) + first * size_.input, rows_ * size_.input, arrays_.front().data.get());
    for (const auto& each : steps_) each();
    slot_ = 1 - slot_;
    std::copy_n(output_->data.get(), rows_ * size_.output, output + first * size_.output);
}

void Model::check_ids(const void* input, int64_t many) const {
    if (!size_.ids) return;
    const int64_t* ids = static_cast<const int64_t*>(input);
    for (int64_t i = 0; i < many; ++i)
        if (ids[i] < 0 || ids[i] >= size_.ids)
            throw Failure(GATEWORK_ARGUMENT, "the id " + std::to_string(ids[i]) + " is not among 0 to " + std::to_string(size_.ids - 1));
}

// Calls move(theirs, own, numbers) for the state of each row, in each slot.
template <class F>
void Model::exchange(const std::vector<States>& states, const int64_t* places, F move) {
    for (size_t i = 0; i < states_.size(); ++i) {
        const int64_t size = states_[i].size;
        float* theirs = states[i].data;
        for (const Slot& slot : states_[i].slots) {
            float* own = slot.steps.get() + slot_ * B_ * size;
            for (int64_t row = 0; row < rows_; ++row) move(theirs + places[row] * size, own + row * size, size);
            theirs += states[i].many * size;
        }
    }
}

std::vector<std::pair<int64_t, int64_t>> Model::shapes() const {
    std::vector<std::pair<int64_t, int64_t>> all;
    for (const State& state : states_) all.emplace_back(state.slots.size(), state.size);
    return all;
}

bool Model::fits(const std::vector<States>& states) const {
    const auto own = shapes();
    const auto alike = [](const States& theirs, const auto& shape) { return std::pair(theirs.slots, theirs.size) == shape; };
    return std::equal(states.begin(), states.end(), own.begin(), own.end(), alike);
}

void Model::get_state(float* to) const {
    for (const State& state : states_)
        for (const Slot& slot : state.slots) to = std::copy_n(slot.steps.get() + slot_ * B_ * state.size, B_ * state.size, to);
}

void Model::set_state(const float* from) {
    for (const State& state : states_)
        for (const Slot& slot : state.slots)
            for (int64_t b = 0; b < B_; ++b) {
                std::copy_n(from ? from : slot.start, state.size, slot.steps.get() + (slot_ * B_ + b) * state.size);
                if (from) from += state.size;
            }
}

// -- text

void Model::read_tokens(const Safetensors& file) {
    const Tensor *bytes = file.find("vocabulary.bytes", Dtype::uint8), *offsets = file.find("vocabulary.offsets", Dtype::int64);
    if (!bytes && !offsets) return;
    const size_t places = offsets ? offsets->data.size() / sizeof(int64_t) : 0;
    if (!bytes || places == 0 || offsets->integer(0) != 0) damaged("half a vocabulary");
    claim(static_cast<int64_t>(4 * places));
    for (size_t i = 1; i < places; ++i) {
        const int64_t first = offsets->integer(i - 1), last = offsets->integer(i);
        if (last < first || static_cast<uint64_t>(last) > bytes->data.size()) damaged("a token that ends outside its vocabulary");
        tokens_.push_back(bytes->data.substr(static_cast<size_t>(first), static_cast<size_t>(last - first)));
    }
    by_text_.resize(tokens_.size());
    std::iota(by_text_.begin(), by_text_.end(), 0);
    std::stable_sort(by_text_.begin(), by_text_.end(), [&](int64_t a, int64_t b) { return tokens_[a] < tokens_[b]; });
    size_.tokens = static_cast<int64_t>(tokens_.size());
}

std::string_view Model::token(int64_t id) const {
    if (id < 0 || id >= size_.tokens)
        throw Failure(GATEWORK_ARGUMENT, "the token " + std::to_string(id) + " is not among the " + std::to_string(size_.tokens) + " of the vocabulary");
    return tokens_[id];
}

int64_t Model::find(std::string_view text) const {
    const auto found = std::lower_bound(by_text_.begin(), by_text_.end(), text, [&](int64_t id, std::string_view other) { return tokens_[id] < other; });
    return found != by_text_.end() && tokens_[*found] == text ? *found : -1;
}

}  // namespace gatework
