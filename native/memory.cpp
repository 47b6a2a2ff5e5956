#include "memory.h"

#include <pthread.h>

#include <algorithm>
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
    size_t all = 0, used = 0, most = 0;       // bytes, kept and in use; in use now, and at most so far

    void* take(size_t bytes) {
        const size_t unit = bytes >= 2 * HUGE ? HUGE : LINE;
        bytes = (bytes + unit - 1) / unit * unit + (bytes == 0 ? LINE : 0);
        std::lock_guard only(door);
        if (auto fit = kept.lower_bound(bytes); fit != kept.end() && fit->first <= bytes + bytes / 4) {
            void* memory = fit->second;
            use(fit->first);
            kept.erase(fit);
            return memory;
        }
        use(bytes);
        const size_t limit = most + most / 4;
        while (!kept.empty() && all + bytes > limit) drop(all + bytes - limit);
        void* memory = fresh(bytes);
        sizes[memory] = bytes;
        all += bytes;
        return memory;
    }

    void give(void* memory) {
        std::lock_guard only(door);
        if (auto found = sizes.find(memory); found != sizes.end()) {
            kept.emplace(found->second, memory);
            used -= found->second;
        }
    }

    void use(size_t bytes) {
        used += bytes;
        most = std::max(most, used);
    }

    // Gives the system the smallest of those that have as much, or the largest.
    void drop(size_t bytes) {
        auto one = kept.lower_bound(bytes);
        if (one == kept.end()) one = std::prev(one);
        all -= one->first;
        sizes.erase(one->second);
        std::free(one->second);
        kept.erase(one);
    }
};

// Never destroyed: tensors may outlive it. A forked child starts anew, lest another thread held the door.
std::atomic<Store*> store{new Store};

[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { store.store(new Store); });

}  // namespace

void* take_memory(size_t bytes) { return store.load()->take(bytes); }
void give_memory(void* memory) { store.load()->give(memory); }

}  // namespace gatework
