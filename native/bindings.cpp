// What Python sees: plans, calls, streams, and which instruction set was chosen.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>

#include "call.h"
#include "dispatch.h"
#include "failure.h"
#include "memory.h"
#include "model.h"
#include "plan.h"
#include "runner.h"
#include "threads.h"

namespace nb = nanobind;
using namespace gatework;

namespace {

// Numbers in memory of Python's, without gaps.
template <class E, int directions>
using Numbers = nb::ndarray<E, nb::ndim<directions>, nb::c_contig, nb::device::cpu>;

// A buffer: memory, numbers before it, from step to step and from row to row, steps before it is used again, numbers in all.
using Table = Numbers<const int64_t, 2>;

Job job_of(const Plan& plan, std::vector<int64_t> sizes, int64_t T, int64_t B, Table table, std::vector<int32_t> starts) {
    if (table.shape(1) != 6) throw std::invalid_argument("native plan: a buffer is six numbers");
    Job job{&plan, std::move(sizes), T, B, {}, nullptr, nullptr, std::move(starts)};
    for (size_t i = 0; i < table.shape(0); ++i) {
        const int64_t* one = table.data() + 6 * i;
        job.buffers.push_back({nullptr, one[2], one[3], one[4], one[5]});
    }
    return job;
}

std::vector<Place> places_of(const Plan& plan, Table table) {
    std::vector<Place> places;
    for (size_t i = 0; i < std::min(table.shape(0), plan.buffers.size()); ++i) {
        const int64_t* one = table.data() + 6 * i;
        places.push_back({one[0], one[1], {nullptr, {1, 1, one[5]}, {1, 1, 1}, plan.buffers[i].element}});
    }
    return places;
}

// An array: memory, numbers before it, its shape, numbers from one to the next in each direction, its element.
using Described = std::array<int64_t, 9>;

Place place_of(const Described& one) {
    if (one[8] < 0 || one[8] >= static_cast<int64_t>(Element::count)) throw std::invalid_argument("native call: no such element");
    return {one[0], one[1], {nullptr, {one[2], one[3], one[4]}, {one[5], one[6], one[7]}, static_cast<Element>(one[8])}};
}

std::vector<Place> places_of(const std::vector<Described>& many) {
    std::vector<Place> places;
    for (const Described& one : many) places.push_back(place_of(one));
    return places;
}

// What a plan's numbers stand for: kind of thing -> name -> number.
std::map<std::string, std::map<std::string, int>> codes() {
#define GW_CODE(type, name) {#name, static_cast<int>(type::name)},
#define GW_OP(name, ...) GW_CODE(Op, name)
#define GW_ROW(name) GW_CODE(Row, name)
#define GW_MODE(name) GW_CODE(Mode, name)
#define GW_KIND(name) GW_CODE(Kind, name)
#define GW_ELEMENT(name) GW_CODE(Element, name)
#define GW_STORAGE(name) GW_CODE(Storage, name)
    return {
        {"pointwise", {GW_MEMORY(GW_OP) GW_BINARY(GW_OP) GW_UNARY(GW_OP) GW_CURVES(GW_OP)}},
        {"rows", {GW_ROWS(GW_ROW)}},
        {"modes", {GW_MODES(GW_MODE)}},
        {"kinds", {GW_KINDS(GW_KIND)}},
        {"elements", {GW_ELEMENTS(GW_ELEMENT)}},
        {"storages", {GW_STORAGES(GW_STORAGE)}},
    };
}

Grid grid_of(int rows, int columns) {
    if (rows < 1 || columns < 1 || rows > 1024 || columns > 1024 || rows * columns > 1024) throw std::invalid_argument("native plan: no such grid of threads");
    return {rows, columns};
}

Storage storage_of(int storage) {
    if (storage < 0 || storage >= static_cast<int>(Storage::count)) throw std::invalid_argument("native call: no such storage of weights");
    return static_cast<Storage>(storage);
}

// A forward plan, one step at a time, its weights packed once.
class Stream {
public:
    Stream(const Plan& plan, std::vector<int64_t> sizes, int64_t B, Table table, const std::vector<uintptr_t>& memories, int storage, size_t input, int rows,
           int columns)
        : job_(job_of(plan, std::move(sizes), MOST_STEPS, B, table, std::vector<int32_t>(table.shape(0), -1))), input_(input) {
        if (plan.backwards) throw std::invalid_argument("native plan: a stream runs forwards");
        if (input_ >= job_.buffers.size() || job_.buffers[input_].period != 1) throw std::invalid_argument("native plan: no such input");
        for (size_t i = 0; i < job_.buffers.size(); ++i) {
            const int64_t memory = table.data()[6 * i], before = table.data()[6 * i + 1];
            if (i >= plan.buffers.size() || memory < 0 || static_cast<size_t>(memory) >= memories.size())
                throw std::invalid_argument("native plan: no such memory");
            job_.buffers[i].data = reinterpret_cast<void*>(memories[memory] + before * plan.buffers[i].bytes());
        }
        job_.storage = storage_of(storage);
        verify(job_);  // for as many steps as there may be, so that all of every buffer is seen
        job_.T = 1;
        runner_.emplace(job_, grid_of(rows, columns));
    }

    void step(uintptr_t input) {
        if (input % job_.plan->buffers[input_].bytes() || !input) throw std::invalid_argument("native plan: a buffer out of alignment");
        job_.buffers[input_].data = reinterpret_cast<void*>(input);
        runner_->run(done_++);
    }

private:
    Job job_;
    size_t input_;
    int64_t done_ = 0;
    std::optional<Runner> runner_;
};

// A step of a network on arrays whose sizes are checked. before: the state, or nothing for the start.
void step_of(Model& model, nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu> input, std::optional<Numbers<const float, 1>> before, Numbers<float, 1> output,
             Numbers<float, 1> after) {
    const gatework_size& size = model.size();
    const bool ids = size.ids > 0;
    if (input.dtype() != (ids ? nb::dtype<int64_t>() : nb::dtype<float>()) || static_cast<int64_t>(input.size()) != size.batch * (ids ? 1 : size.input))
        throw std::invalid_argument("native model: an input of another type or size");
    if (static_cast<int64_t>(output.size()) != size.batch * size.output || static_cast<int64_t>(after.size()) != size.state ||
        (before && static_cast<int64_t>(before->size()) != size.state))
        throw std::invalid_argument("native model: an output or a state of another size");
    nb::gil_scoped_release released;
    try {
        model.set_state(before ? before->data() : nullptr);
        model.run(input.data(), 1, output.data());
    } catch (const Failure& failure) {
        throw std::invalid_argument(failure.what());
    }
    model.get_state(after.data());
}

// Raises unless each place is among those that are there, which have 1, and stands there once.
void check_places(Numbers<const int64_t, 1> places, Numbers<uint8_t, 1> there) {
    constexpr uint8_t NAMED = 2;
    uint8_t* marks = there.data();
    const int64_t* end = places.data() + places.size();
    const auto named = [&](int64_t place) {
        if (place < 0 || place >= static_cast<int64_t>(there.size()) || marks[place] != 1) return false;
        marks[place] = NAMED;
        return true;
    };
    const int64_t* wrong = std::find_if_not(places.data(), end, named);
    std::for_each(static_cast<const int64_t*>(places.data()), wrong, [&](int64_t place) { marks[place] = 1; });
    if (wrong != end) throw std::invalid_argument("native model: no sequence " + std::to_string(*wrong) + ", or it is named twice");
}

// A step of K of N sequences, whose states [slots,N,size] are replaced. there: 1 for each of N that may be among the K.
void step_some(Model& model, nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu> input, const std::vector<Numbers<float, 3>>& states,
               Numbers<const int64_t, 1> places, Numbers<uint8_t, 1> there, Numbers<float, 2> output) {
    const gatework_size& size = model.size();
    const bool ids = size.ids > 0;
    const int64_t K = static_cast<int64_t>(places.size());
    if (input.dtype() != (ids ? nb::dtype<int64_t>() : nb::dtype<float>()) || static_cast<int64_t>(input.size()) != K * (ids ? 1 : size.input))
        throw std::invalid_argument("native model: an input of another type or size");
    if (static_cast<int64_t>(output.shape(0)) != K || static_cast<int64_t>(output.shape(1)) != size.output)
        throw std::invalid_argument("native model: an output of another size");
    std::vector<Model::States> theirs;
    for (const auto& state : states) {
        if (state.shape(1) != there.size()) throw std::invalid_argument("native model: states of other sequences");
        theirs.push_back({state.data(), static_cast<int64_t>(state.shape(0)), static_cast<int64_t>(state.shape(1)), static_cast<int64_t>(state.shape(2))});
    }
    if (!model.fits(theirs)) throw std::invalid_argument("native model: a state of another size");
    check_places(places, there);
    nb::gil_scoped_release released;
    try {
        model.step_some(input.data(), places.data(), K, theirs, output.data());
    } catch (const Failure& failure) {
        throw std::invalid_argument(failure.what());
    }
}

}  // namespace

NB_MODULE(_native, module) {
    nb::set_leak_warnings(false);  // plans live in caches until the process ends
    module.doc() = "The native core: verifies plans and runs them.";
    nb::class_<Plan>(module, "Plan").def(nb::init<const std::vector<int32_t>&>());
    module.attr("MAGIC") = MAGIC;
    module.def("codes", &codes);
    nb::class_<Call>(module, "Call")
        .def(
            "__init__", [](Call* call, bool reversed, bool frozen, int storage) { new (call) Call(reversed, frozen, storage_of(storage)); },
            nb::arg("reversed") = false, nb::arg("frozen") = false, nb::arg("storage") = 0)
        .def("memory", &Call::add_memory)
        .def("own_memory", &Call::add_own_memory)
        .def("used", &Call::used)
        .def("free_to", &Call::free_to)
        .def("clear", [](Call& call, const Described& to) { call.clear(place_of(to)); })
        .def("copy", [](Call& call, const Described& to, const Described& from, bool add) { call.copy(place_of(to), place_of(from), add); })
        .def("multiply", [](Call& call, const Described& a, const std::vector<Described>& right, const std::vector<Described>& results, bool add, int rows,
                            int columns) { call.multiply(place_of(a), places_of(right), places_of(results), add, grid_of(rows, columns)); })
        .def(
            "scan",
            [](Call& call, const Plan& plan, std::vector<int64_t> sizes, int64_t T, int64_t B, Table table, std::vector<int32_t> starts, int64_t first,
               int64_t steps, int rows, int columns) {
                call.scan(job_of(plan, std::move(sizes), T, B, table, std::move(starts)), places_of(plan, table), first, steps, grid_of(rows, columns));
            },
            nb::keep_alive<1, 2>())
        .def("restart", [](Call& call, const Described& by_state, const Described& by_start, int64_t step,
                           int64_t steps) { call.restart(place_of(by_state), place_of(by_start), step, steps); })
        .def("run", [](const Call& call, const std::vector<uintptr_t>& addresses, uintptr_t lengths, uintptr_t resets) {
            nb::gil_scoped_release released;
            call.run(addresses, reinterpret_cast<const int64_t*>(lengths), reinterpret_cast<const uint8_t*>(resets));
        });
    module.def("run_together", [](const std::vector<std::tuple<const Call*, std::vector<uintptr_t>, uintptr_t, uintptr_t>>& given) {
        std::vector<Call::Run> runs;
        for (const auto& [call, addresses, lengths, resets] : given)
            runs.push_back({call, addresses, reinterpret_cast<const int64_t*>(lengths), reinterpret_cast<const uint8_t*>(resets)});
        nb::gil_scoped_release released;
        Call::run_together(runs);
    });
    module.def("worth_waiting", &worth_waiting);
    module.def("note_waiting", &note_waiting);
    nb::class_<Stream>(module, "Stream")
        .def(nb::init<const Plan&, std::vector<int64_t>, int64_t, Table, const std::vector<uintptr_t>&, int, size_t, int, int>(), nb::keep_alive<1, 2>())
        .def("step", &Stream::step);
    nb::class_<Model>(module, "Model")
        .def(
            "__init__",
            [](Model* model, Numbers<const uint8_t, 1> file, int64_t B, int storage, int threads) {
                if (B < 1) throw std::invalid_argument("native model: a batch of less than 1");
                if (threads < 1 || threads > 1024) throw std::invalid_argument("native model: expected 1 to 1024 threads");
                try {
                    new (model) Model({reinterpret_cast<const char*>(file.data()), file.size()}, B, storage_of(storage), threads);
                } catch (const Failure& failure) {
                    throw std::invalid_argument(failure.what());
                }
            },
            nb::keep_alive<1, 2>())
        .def("step", &step_of, nb::arg("input"), nb::arg("before").none(), nb::arg("output"), nb::arg("after"))
        .def("step_some", &step_some)
        .def_prop_ro("state", [](const Model& model) { return model.size().state; })
        .def_prop_ro("output", [](const Model& model) { return model.size().output; });
    module.def("ceiling", [](double seconds, int threads) {
        if (!(seconds > 0 && seconds < 60) || threads < 1 || threads > 1024) throw std::invalid_argument("expected 0 to 60 seconds and 1 to 1024 threads");
        struct Work {
            double seconds;
            std::vector<double> found;
        } work{seconds, std::vector<double>(threads)};
        nb::gil_scoped_release released;
        parallel(
            threads,
            [](int thread, void* context) {
                auto* own = static_cast<Work*>(context);
                own->found[thread] = chosen().ceiling(own->seconds);
            },
            &work);
        double sum = 0;
        for (double each : work.found) sum += each;
        return sum / 1e9;
    });
    module.def("bandwidth", [](size_t bytes, double seconds) {
        constexpr size_t EACH = 512;
        if (!(seconds > 0 && seconds < 60) || bytes < EACH || bytes > (size_t{1} << 32))
            throw std::invalid_argument("expected 0 to 60 seconds and 512 to 2^32 bytes");
        nb::gil_scoped_release released;
        const size_t many = bytes / EACH * EACH;
        const std::unique_ptr<float, void (*)(void*)> data(static_cast<float*>(take_memory(many)), give_memory);
        std::fill_n(data.get(), many / sizeof(float), 0.0f);
        return chosen().bandwidth(data.get(), static_cast<int64_t>(many / sizeof(float)), seconds) / 1e9;
    });
    module.def("bare_lstm", [](Numbers<const float, 2> x, Numbers<const float, 2> W, Numbers<const float, 2> U, Numbers<const float, 1> b, Numbers<float, 2> h,
                               double seconds) {
        const size_t T = x.shape(0), I = x.shape(1), H = U.shape(0), N = 4 * H;
        if (!(seconds > 0 && seconds < 60)) throw std::invalid_argument("expected 0 to 60 seconds");
        if (!T || !I || !H || H % 32) throw std::invalid_argument("expected at least one step, one input, and a multiple of 32 units");
        if (W.shape(0) != I || W.shape(1) != N || U.shape(1) != N || b.shape(0) != N || h.shape(0) != T || h.shape(1) != H)
            throw std::invalid_argument("expected x [T,I], W [I,4H], U [H,4H], b [4H] and h [T,H]");
        const Lstm lstm{static_cast<int64_t>(T), static_cast<int64_t>(I), static_cast<int64_t>(H), x.data(), W.data(), U.data(), b.data(), h.data()};
        nb::gil_scoped_release released;
        return chosen().bare_lstm(lstm, seconds);
    });
    module.def("memory", [](size_t floats) {
        if (floats > PTRDIFF_MAX / sizeof(float)) throw std::bad_alloc();
        float* data = static_cast<float*>(take_memory(floats * sizeof(float)));
        nb::capsule owner(data, [](void* memory) noexcept { give_memory(memory); });
        return nb::ndarray<nb::numpy, float, nb::ndim<1>, nb::c_contig>(data, {floats}, owner);
    });
    module.def("isa", [] { return std::string(chosen().name); });
    module.def("isas", [] {
        std::vector<std::string> names;
        for (const Isa& isa : available()) names.push_back(isa.name);
        return names;
    });
    module.def("map", [](const std::string& isa, int op, Numbers<const float, 1> from, Numbers<float, 1> to) {
        if (from.shape(0) != to.shape(0) || from.shape(0) % 16) throw std::invalid_argument("expected two arrays of one length, a multiple of 16");
        for (const Isa& each : available())
            if (each.name == isa) return each.map(op, from.data(), to.data(), static_cast<int64_t>(from.shape(0)));
        throw std::invalid_argument("no such instruction set");
    });
}
