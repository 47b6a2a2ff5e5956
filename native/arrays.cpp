// Arrays copied and added up, whatever their order in memory and their elements. Compiled once for each instruction set.
#include "arrays.h"

#include <algorithm>

#include "vectors.h"

namespace gatework::GW_ISA {
namespace {

template <class A, class B>
void row(const A* from, int64_t from_stride, B* to, int64_t to_stride, int64_t many, bool add) {
    if (from_stride == 1 && to_stride == 1 && !add) return copy(from, to, many);
    for (int64_t i = 0; i < many; i += VL, from += VL * from_stride, to += VL * to_stride) {
        const int64_t units = std::min<int64_t>(VL, many - i);
        V value = all(0);
        for (int64_t u = 0; u < units; ++u) value[u] = number(from[u * from_stride]) + (add ? number(to[u * to_stride]) : 0.0f);
        B rounded[VL];
        put(rounded, value);
        for (int64_t u = 0; u < units; ++u) to[u * to_stride] = rounded[u];
    }
}

template <class A, class B>
void rows(const Array& to, const Array& from, bool add) {
    for (int64_t i = 0; i < to.shape[0]; ++i)
        for (int64_t j = 0; j < to.shape[1]; ++j)
            row(static_cast<const A*>(from.data) + i * from.strides[0] + j * from.strides[1], from.strides[2],
                static_cast<B*>(to.data) + i * to.strides[0] + j * to.strides[1], to.strides[2], to.shape[2], add);
}

}  // namespace

void copy(const Array& to, const Array& from, bool add) {
    const bool half = from.element == Element::bfloat16;
    if (to.element == Element::bfloat16) half ? rows<Half, Half>(to, from, add) : rows<float, Half>(to, from, add);
    else half ? rows<Half, float>(to, from, add) : rows<float, float>(to, from, add);
}

}  // namespace gatework::GW_ISA
