// What Python sees: Plan, run, and which instruction set was chosen.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <map>

#include "dispatch.h"
#include "memory.h"
#include "plan.h"
#include "threads.h"

namespace nb = nanobind;
using namespace gatework;

namespace {

using Table = nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Job job_of(const Plan& plan, std::vector<int64_t> sizes, int64_t T, int64_t B, Table table, std::vector<int32_t> starts) {
    if (table.shape(1) != 5) throw std::invalid_argument("native plan: a buffer is five numbers");
    Job job{&plan, std::move(sizes), T, B, {}, nullptr, nullptr, std::move(starts)};
    for (size_t i = 0; i < table.shape(0); ++i) {
        const int64_t* one = table.data() + 5 * i;
        job.buffers.push_back({reinterpret_cast<void*>(one[0]), one[1], one[2], one[3], one[4]});
    }
    return job;
}

// What a plan's numbers stand for: kind of thing -> name -> number.
std::map<std::string, std::map<std::string, int>> codes() {
#define GW_CODE(type, name) {#name, static_cast<int>(type::name)},
#define GW_OP(name, ...) GW_CODE(Op, name)
#define GW_ROW(name) GW_CODE(Row, name)
#define GW_MODE(name) GW_CODE(Mode, name)
#define GW_KIND(name) GW_CODE(Kind, name)
#define GW_ELEMENT(name) GW_CODE(Element, name)
    return {
        {"pointwise", {GW_MEMORY(GW_OP) GW_BINARY(GW_OP) GW_UNARY(GW_OP) GW_CURVES(GW_OP)}},
        {"rows", {GW_ROWS(GW_ROW)}},
        {"modes", {GW_MODES(GW_MODE)}},
        {"kinds", {GW_KINDS(GW_KIND)}},
        {"elements", {GW_ELEMENTS(GW_ELEMENT)}},
    };
}

Grid grid_of(int rows, int columns) {
    if (rows < 1 || columns < 1 || rows > 1024 || columns > 1024 || rows * columns > 1024) throw std::invalid_argument("native plan: no such grid of threads");
    return {rows, columns};
}

void run(const Plan& plan, std::vector<int64_t> sizes, int64_t T, int64_t B, Table table, std::vector<int32_t> starts, uintptr_t lengths, uintptr_t resets,
         int rows, int columns) {
    Job job = job_of(plan, std::move(sizes), T, B, table, std::move(starts));
    job.lengths = reinterpret_cast<const int64_t*>(lengths);
    job.resets = reinterpret_cast<const uint8_t*>(resets);
    verify(job);
    const Grid grid = grid_of(rows, columns);
    nb::gil_scoped_release released;
    chosen().prepare(job, grid)->run(0, parallel);
}

// A matrix as Python describes it: address, rows, columns, numbers from row to row and from column to column, element.
// An address, since what numpy shares of a tensor could never be resized again.
using Described = std::array<int64_t, 6>;

struct Given {
    int64_t rows, columns, row, column;
    Element element;
    void* data;
    bool empty() const { return rows == 0 || columns == 0; }
};

Given given_of(const Described& one) {
    const auto [address, rows, columns, row, column, element] = one;
    if (rows < 0 || columns < 0 || rows > MOST_STEPS || columns > MOST_STEPS)
        throw std::invalid_argument("native product: a matrix of negative or absurd size");
    if (element != 0 && element != 1) throw std::invalid_argument("native product: expected float32 or bfloat16");
    const Element kind = element ? Element::bfloat16 : Element::float32;
    Given given{rows, columns, 1, 1, kind, reinterpret_cast<void*>(address)};
    if (given.empty()) return given;
    if (!address || address % (element ? 2 : 4)) throw std::invalid_argument("native product: a matrix out of alignment");
    if (rows > 1) given.row = row;  // strides mean something only where there is a second row or column
    if (columns > 1) given.column = column;
    if ((given.row != 1 && given.column != 1) || given.row < 0 || given.column < 0)
        throw std::invalid_argument("native product: expected rows or columns without gaps");
    return given;
}

Matrix matrix_of(const Given& given) { return {given.data, given.row, given.column, given.element}; }

void multiply(const Described& left, const std::vector<Described>& right, const std::vector<Described>& results, bool add, int rows, int columns) {
    const Given a = given_of(left);
    struct Work {
        Product product;
        Grid grid;
    } work{{a.rows, a.columns, matrix_of(a), {}, add}, grid_of(rows, columns)};
    if (right.size() != results.size()) throw std::invalid_argument("native product: expected as many results as matrices");
    for (size_t i = 0; i < right.size(); ++i) {
        const Given b = given_of(right[i]), to = given_of(results[i]);
        if (a.rows != to.rows || a.columns != b.rows || b.columns != to.columns) throw std::invalid_argument("native product: shapes do not fit");
        if (to.element != Element::float32) throw std::invalid_argument("native product: expected a result in float32");
        if (to.empty()) continue;
        if (to.columns > 1 && to.column != 1) throw std::invalid_argument("native product: expected a result with its columns next to one another");
        if (to.rows > 1 && to.row < to.columns) throw std::invalid_argument("native product: the rows of the result overlap");
        work.product.right.push_back({to.columns, matrix_of(b), static_cast<float*>(to.data), to.row});
    }
    nb::gil_scoped_release released;
    parallel(
        rows * columns,
        [](int thread, void* context) {
            auto* own = static_cast<Work*>(context);
            chosen().multiply(own->product, own->grid, thread);
        },
        &work);
}

// A forward plan, one step at a time, its weights packed once.
class Stream {
public:
    Stream(const Plan& plan, std::vector<int64_t> sizes, int64_t B, Table table, size_t input, int rows, int columns)
        : job_(job_of(plan, std::move(sizes), MOST_STEPS, B, table, std::vector<int32_t>(table.shape(0), -1))), input_(input) {
        if (plan.backwards) throw std::invalid_argument("native plan: a stream runs forwards");
        if (input_ >= job_.buffers.size() || job_.buffers[input_].period != 1) throw std::invalid_argument("native plan: no such input");
        verify(job_);  // for as many steps as there may be, so that all of every buffer is seen
        job_.T = 1;
        scan_ = chosen().prepare(job_, grid_of(rows, columns));
    }

    void step(uintptr_t input) {
        if (input % job_.plan->buffers[input_].bytes() || !input) throw std::invalid_argument("native plan: a buffer out of alignment");
        job_.buffers[input_].data = reinterpret_cast<void*>(input);
        scan_->run(done_++, parallel);
    }

private:
    Job job_;
    size_t input_;
    int64_t done_ = 0;
    std::unique_ptr<Scan> scan_;
};

}  // namespace

NB_MODULE(_native, module) {
    nb::set_leak_warnings(false);  // plans live in caches until the process ends
    module.doc() = "The native core: verifies plans and runs them.";
    nb::class_<Plan>(module, "Plan").def(nb::init<const std::vector<int32_t>&>());
    module.attr("MAGIC") = MAGIC;
    module.def("codes", &codes);
    module.def("run", &run);
    module.def("multiply", &multiply);
    nb::class_<Stream>(module, "Stream")
        .def(nb::init<const Plan&, std::vector<int64_t>, int64_t, Table, size_t, int, int>(), nb::keep_alive<1, 2>())
        .def("step", &Stream::step);
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
    module.def("map", [](const std::string& isa, int op, nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu> from,
                         nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu> to) {
        if (from.shape(0) != to.shape(0) || from.shape(0) % 16) throw std::invalid_argument("expected two arrays of one length, a multiple of 16");
        for (const Isa& each : available())
            if (each.name == isa) return each.map(op, from.data(), to.data(), static_cast<int64_t>(from.shape(0)));
        throw std::invalid_argument("no such instruction set");
    });
}
