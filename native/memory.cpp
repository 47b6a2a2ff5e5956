#include "memory.h"

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gatework {
namespace {

constexpr size_t LINE = 64, HUGE = size_t{2} << 20;

void* fresh(size_t bytes) {
    const bool large = bytes >= 2 * HUGE;
    void* memory = std::aligned_alloc(large ? HUGE : LINE, bytes);
    if (!memory) throw std::bad_alloc();
#if defined(__linux__)
    if (large) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

struct Store {
    std::mutex door;
    std::multimap<size_t, void*> kept;        // by size
    std::unordered_map<void*, size_t> sizes;  // of all, kept and in use

    void* take(size_t bytes) {
        const size_t unit = bytes >= 2 * HUGE ? HUGE : LINE;
        bytes = (bytes + unit - 1) / unit * unit + (bytes == 0 ? LINE : 0);
        std::lock_guard only(door);
        if (auto fit = kept.lower_bound(bytes); fit != kept.end() && fit->first <= bytes + bytes / 4) {
            void* memory = fit->second;
            kept.erase(fit);
            return memory;
        }
        size_t freed = 0;  // the largest make room for it
        while (!kept.empty() && freed < bytes) {
            auto last = std::prev(kept.end());
            freed += last->first;
            sizes.erase(last->second);
            std::free(last->second);
            kept.erase(last);
        }
        void* memory = fresh(bytes);
        sizes[memory] = bytes;
        return memory;
    }

    void give(void* memory) {
        std::lock_guard only(door);
        if (auto found = sizes.find(memory); found != sizes.end()) kept.emplace(found->second, memory);
    }
};

// Never destroyed: tensors may outlive it. A forked child starts anew, lest another thread held the door.
std::atomic<Store*> store{new Store};

[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { store.store(new Store); });

}  // namespace

void* take_memory(size_t bytes) { return store.load()->take(bytes); }
void give_memory(void* memory) { store.load()->give(memory); }

}  // namespace gatework
