#include "dispatch.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace gatework {

#define GW_DECLARE(isa)                                                \
    namespace isa {                                                    \
    std::unique_ptr<Scan> prepare(const Job& job, Grid grid);          \
    void multiply(const Product& product, Grid grid, int thread);      \
    void copy(const Array& to, const Array& from, bool add);           \
    void map(int op, const float* from, float* to, int64_t many);      \
    double ceiling(double seconds);                                    \
    double bandwidth(const float* from, int64_t many, double seconds); \
    double bare_lstm(const Lstm& lstm, double seconds);                \
    }
#define GW_ISA_ENTRY(isa) {#isa, isa::prepare, isa::multiply, isa::copy, isa::map, isa::ceiling, isa::bandwidth, isa::bare_lstm}

#ifdef GW_X86
GW_DECLARE(avx512bf16)
GW_DECLARE(avx512)
GW_DECLARE(avx2)
#endif
GW_DECLARE(baseline)

const std::vector<Isa>& available() {
    static const std::vector<Isa> found = [] {
        std::vector<Isa> isas;
#ifdef GW_X86
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512bw")) {
            isas.push_back(GW_ISA_ENTRY(avx512));
            if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni")) {
                // Intel's take products of pairs at two thirds of the speed of float32
                isas.insert(__builtin_cpu_is("intel") ? isas.end() : isas.begin(), GW_ISA_ENTRY(avx512bf16));
            }
        }
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(GW_ISA_ENTRY(avx2));
#endif
        isas.push_back(GW_ISA_ENTRY(baseline));
        return isas;
    }();
    return found;
}

const Isa& chosen() {
    const char* wish = std::getenv("GATEWORK_ISA");
    if (!wish || !*wish) return available().front();
    std::string names;
    for (const Isa& isa : available()) {
        if (std::string(wish) == isa.name) return isa;
        names += (names.empty() ? "" : ", ") + std::string(isa.name);
    }
    throw std::invalid_argument("GATEWORK_ISA=" + std::string(wish) + " does not run here; there are " + names);
}

}  // namespace gatework
