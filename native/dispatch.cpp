#include "dispatch.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace gatework {

#define GW_DECLARE(isa)                                                                   \
    namespace isa {                                                                       \
    void run(const Job& job, Grid grid, void (*parallel)(int, void (*)(int, void*), void*)); \
    void map(int op, const float* from, float* to, int64_t many);                         \
    }

#ifdef GW_X86
GW_DECLARE(avx512)
GW_DECLARE(avx2)
#endif
GW_DECLARE(baseline)

const std::vector<Isa>& available() {
    static const std::vector<Isa> found = [] {
        std::vector<Isa> isas;
#ifdef GW_X86
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
            isas.push_back({"avx512", avx512::run, avx512::map});
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back({"avx2", avx2::run, avx2::map});
#endif
        isas.push_back({"baseline", baseline::run, baseline::map});
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
