#include "call.h"

#include <algorithm>
#include <cstring>

#include "dispatch.h"
#include "memory.h"
#include "threads.h"

namespace gatework {
namespace {

constexpr int64_t MOST = 1LL << 40, LINE = 64;
constexpr size_t MOST_AT_ONCE = 1024;

[[noreturn]] void refuse(const char* what) { throw std::invalid_argument(std::string("native call: ") + what); }

bool is_empty(const Array& array) { return array.shape[0] == 0 || array.shape[1] == 0 || array.shape[2] == 0; }

// Numbers from the first to the last; wide enough not to overflow.
__int128 reach(const Array& array) {
    __int128 last = 1;
    for (int i = 0; i < 3; ++i) last += static_cast<__int128>(array.shape[i] - 1) * array.strides[i];
    return is_empty(array) ? 0 : last;
}

// A call's own memory during a run.
class OwnMemory {
public:
    explicit OwnMemory(int64_t bytes) : data(bytes ? static_cast<char*>(take_memory(bytes)) : nullptr) {}
    ~OwnMemory() {
        if (data) give_memory(data);
    }
    OwnMemory(const OwnMemory&) = delete;
    char* const data;
};

Matrix matrix_of(const Array& array) { return {array.data, array.strides[1], array.strides[2], array.element}; }

}  // namespace

int64_t Call::add_memory(int64_t bytes) {
    if (bytes < 0 || bytes > MOST) refuse("a memory of absurd size");
    memories_.push_back({bytes, 1, -1});
    return static_cast<int64_t>(memories_.size()) - 1;
}

int64_t Call::add_own_memory(int64_t bytes) {
    const int64_t number = add_memory(bytes);
    memories_.back().place = used_;
    used_ += (bytes + LINE - 1) / LINE * LINE;
    most_ = std::max(most_, used_);
    return number;
}

void Call::free_to(int64_t bytes) {
    if (bytes < 0 || bytes > used_ || bytes % LINE) refuse("frees what is not in use");
    used_ = bytes;
}

void Call::check(const Place& place) {
    const Array& array = place.array;
    if (place.memory < 0 || place.memory >= static_cast<int64_t>(memories_.size())) refuse("no such memory");
    for (int i = 0; i < 3; ++i)
        if (array.shape[i] < 0 || array.strides[i] < 0 || array.shape[i] > MOST || array.strides[i] > MOST) refuse("an array of absurd sizes");
    if (place.offset < 0 || place.offset > MOST) refuse("an array that begins outside its memory");
    Memory& memory = memories_[place.memory];
    if (!is_empty(array) && (place.offset + reach(array)) * bytes_of(array.element) > memory.bytes) refuse("an array that ends outside its memory");
    memory.alignment = std::max(memory.alignment, bytes_of(array.element));
}

Array Call::Running::at(const Place& place) const {
    Array array = place.array;
    array.data = memories[place.memory] + place.offset * bytes_of(array.element);
    return array;
}

void Call::clear(const Place& to) {
    check(to);
    if (to.array.strides[2] != 1 && to.array.shape[2] > 1) refuse("clears an array with gaps");
    steps_.push_back([=](const Running& now) {
        const Array array = now.at(to);
        for (int64_t i = 0; i < array.shape[0]; ++i)
            for (int64_t j = 0; j < array.shape[1]; ++j)
                std::memset(static_cast<char*>(array.data) + (i * array.strides[0] + j * array.strides[1]) * bytes_of(array.element), 0,
                            array.shape[2] * bytes_of(array.element));
    });
}

void Call::copy(const Place& to, const Place& from, bool add) {
    check(to);
    check(from);
    if (to.array.shape != from.array.shape) refuse("copies between arrays of two shapes");
    steps_.push_back([=](const Running& now) { chosen().copy(now.at(to), now.at(from), add); });
}

// A matrix is one step; strides mean something only where there is a second row or column.
void Call::check_matrix(Place& place) {
    check(place);
    Array& array = place.array;
    if (array.shape[0] != 1) refuse("a product of what is no matrix");
    if (array.shape[1] <= 1) array.strides[1] = 1;
    if (array.shape[2] <= 1) array.strides[2] = 1;
    if (!is_empty(array) && array.strides[1] != 1 && array.strides[2] != 1) refuse("a product of a matrix with gaps in rows and in columns");
}

void Call::multiply(const Place& a, const std::vector<Place>& right, const std::vector<Place>& results, bool add, Grid grid) {
    Place left = a;
    check_matrix(left);
    if (right.size() != results.size()) refuse("a product with more or fewer results than matrices");
    std::vector<std::pair<Place, Place>> pairs;
    for (size_t i = 0; i < right.size(); ++i) {
        Place b = right[i], to = results[i];
        check_matrix(b);
        check_matrix(to);
        const auto &A = left.array.shape, &B = b.array.shape, &C = to.array.shape;
        if (A[1] != C[1] || A[2] != B[1] || B[2] != C[2]) refuse("a product of shapes that do not fit");
        if (to.array.element != Element::float32) refuse("a product whose result is not float32");
        if (is_empty(to.array)) continue;
        if (to.array.strides[2] != 1) refuse("a product whose result has gaps between columns");
        if (C[1] > 1 && to.array.strides[1] < C[2]) refuse("a product whose result has rows that overlap");
        pairs.emplace_back(b, to);
    }
    threads_ = std::max(threads_, grid.rows * grid.columns);
    steps_.push_back([=](const Running& now) {
        struct Work {
            Product product;
            Grid grid;
        } work{{left.array.shape[1], left.array.shape[2], matrix_of(now.at(left)), {}, add}, grid};
        for (const auto& [b, to] : pairs) {
            const Array result = now.at(to);
            work.product.right.push_back({result.shape[2], matrix_of(now.at(b)), static_cast<float*>(result.data), result.strides[1]});
        }
        parallel(
            grid.rows * grid.columns,
            [](int thread, void* context) {
                auto* own = static_cast<Work*>(context);
                chosen().multiply(own->product, own->grid, thread);
            },
            &work);
    });
}

// Reversed, a border before a step in time is one before the step that precedes it; at a sequence's end there is none.
bool Call::resets_before(const Running& now, int64_t step, int64_t row, int64_t steps, int64_t B) const {
    if (!reversed_) return now.resets[step * B + row];
    const int64_t after = steps - step;
    return step > 0 && now.resets[after * B + row] && !(now.lengths && after >= now.lengths[row]);
}

// Points a job at the memory of a run, and at what its steps are of the run's lengths and resets.
void Call::aim(Job& job, const Scanned& scanned, const Running& now, Cut& cut) const {
    const auto& [places, first, steps] = scanned;
    for (size_t i = 0; i < places.size(); ++i) job.buffers[i].data = now.at(places[i]).data;
    job.lengths = steps ? now.lengths : nullptr;
    if (job.lengths && job.T < steps) {
        const int64_t before = reversed_ ? steps - first - job.T : first;
        cut.lengths.resize(job.B);
        for (int64_t b = 0; b < job.B; ++b) cut.lengths[b] = std::clamp<int64_t>(now.lengths[b] - before, 0, job.T);
        job.lengths = cut.lengths.data();
    }
    job.resets = steps && now.resets ? now.resets + first * job.B : nullptr;
    if (job.resets && reversed_) {
        cut.resets.resize(job.T * job.B);
        for (int64_t t = 0; t < job.T; ++t)
            for (int64_t b = 0; b < job.B; ++b) cut.resets[t * job.B + b] = resets_before(now, first + t, b, steps, job.B);
        job.resets = cut.resets.data();
    }
    verify_addresses(job);
}

void Call::scan(Job job, std::vector<Place> places, int64_t first, int64_t steps, Grid grid) {
    if (places.size() != job.buffers.size()) refuse("a scan with more or fewer places than buffers");
    for (const Place& place : places) check(place);
    verify_sizes(job);
    if (first < 0 || steps < 0 || first > MOST || steps > MOST || (steps && first + job.T > steps)) refuse("a scan of steps that are not there");
    threads_ = std::max(threads_, grid.rows * grid.columns);
    job.storage = storage_;
    job.from_end = reversed_;
    const Scanned scanned{std::move(places), first, steps};
    if (frozen_) {
        const auto kept = std::make_shared<Kept>(std::move(job), grid);
        steps_.push_back([=, this](const Running& now) {
            std::lock_guard one(kept->one_run);
            Cut cut;
            aim(kept->job, scanned, now, cut);
            kept->runner.run(0);
        });
        return;
    }
    steps_.push_back([=, this](const Running& now) {
        Job own = job;
        Cut cut;
        aim(own, scanned, now, cut);
        Runner(own, grid).run(0);
    });
}

void Call::restart(const Place& by_state, const Place& by_start, int64_t step, int64_t steps) {
    check(by_state);
    check(by_start);
    const auto& shape = by_state.array.shape;
    if (shape != by_start.array.shape || shape[0] != 1 || by_state.array.strides[2] != 1) refuse("a restart between arrays that do not fit");
    if (step < 0 || step >= steps || steps > MOST) refuse("a restart at a step that is not there");
    steps_.push_back([=, this](const Running& now) {
        if (!now.resets) return;
        Array from = now.at(by_state), to = now.at(by_start);
        const int64_t B = from.shape[1];
        from.shape[1] = to.shape[1] = 1;
        for (int64_t b = 0; b < B; ++b) {
            if (resets_before(now, step, b, steps, B)) {
                chosen().copy(to, from, true);
                std::memset(from.data, 0, from.shape[2] * bytes_of(from.element));
            }
            from.data = static_cast<char*>(from.data) + from.strides[1] * bytes_of(from.element);
            to.data = static_cast<char*>(to.data) + to.strides[1] * bytes_of(to.element);
        }
    });
}

void Call::run(const std::vector<uintptr_t>& addresses, const int64_t* lengths, const uint8_t* resets) const {
    const OwnMemory own(most_);
    Running now{{}, lengths, resets};
    size_t given = 0;
    for (const Memory& memory : memories_) {
        if (memory.place >= 0) {
            now.memories.push_back(own.data + memory.place);
            continue;
        }
        if (given == addresses.size()) refuse("fewer addresses than memories");
        const uintptr_t address = addresses[given++];
        if (memory.bytes && !address) refuse("a memory without an address");
        if (address % memory.alignment) refuse("a memory out of alignment");
        now.memories.push_back(reinterpret_cast<char*>(address));
    }
    if (given != addresses.size()) refuse("more addresses than memories");
    for (const auto& step : steps_) step(now);
}

void Call::run_together(const std::vector<Run>& runs) {
    for (const Run& run : runs)
        if (!run.call || run.call->threads_ > 1) refuse("no call, or one of several threads, at once with others");
    if (runs.size() > MOST_AT_ONCE) refuse("more calls at once than threads");
    if (runs.empty()) return;
    parallel(
        static_cast<int>(runs.size()),
        [](int thread, void* context) {
            const Run& own = (*static_cast<const std::vector<Run>*>(context))[thread];
            own.call->run(own.addresses, own.lengths, own.resets);
        },
        const_cast<std::vector<Run>*>(&runs));
}

}  // namespace gatework
