// What Python sees: Plan, run, and which instruction set was chosen.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "dispatch.h"
#include "memory.h"
#include "plan.h"
#include "threads.h"

namespace nb = nanobind;
using namespace gatework;

namespace {

using Table = nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void run(const Plan& plan, std::vector<int64_t> sizes, int64_t T, int64_t B, Table table, std::vector<int32_t> starts, uintptr_t lengths, uintptr_t resets, int rows, int columns) {
    if (table.shape(1) != 5) throw std::invalid_argument("native plan: a buffer is five numbers");
    Job job{&plan, std::move(sizes), T, B, {}, reinterpret_cast<const int64_t*>(lengths), reinterpret_cast<const uint8_t*>(resets), std::move(starts)};
    for (size_t i = 0; i < table.shape(0); ++i) {
        const int64_t* one = table.data() + 5 * i;
        job.buffers.push_back({reinterpret_cast<float*>(one[0]), one[1], one[2], one[3], one[4]});
    }
    verify(job);
    if (rows < 1 || columns < 1 || rows * columns > 1024) throw std::invalid_argument("native plan: no such grid of threads");
    nb::gil_scoped_release released;
    chosen().run(job, {rows, columns}, parallel);
}

}  // namespace

NB_MODULE(_native, module) {
    nb::set_leak_warnings(false);  // plans live in caches until the process ends
    module.doc() = "The native core: verifies plans and runs them.";
    nb::class_<Plan>(module, "Plan").def(nb::init<const std::vector<int32_t>&>());
    module.def("run", &run);
    module.def("memory", [](size_t floats) {
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
    module.def("map", [](const std::string& isa, int op, nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu> from, nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu> to) {
        if (from.shape(0) != to.shape(0) || from.shape(0) % 16) throw std::invalid_argument("expected two arrays of one length, a multiple of 16");
        for (const Isa& each : available())
            if (each.name == isa) return each.map(op, from.data(), to.data(), static_cast<int64_t>(from.shape(0)));
        throw std::invalid_argument("no such instruction set");
    });
}
