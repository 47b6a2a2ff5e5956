// A call of the engine: what it does to arrays, in order. Bound once for its sizes, and run on addresses.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "arrays.h"
#include "product.h"
#include "runner.h"

namespace gatework {

// Part of one of a call's memories, `offset` numbers from where that begins; the array's own data is set at each run.
struct Place {
    int64_t memory, offset;
    Array array;
};

class Call {
public:
    // reversed: its first step is the last in time, and what its plans reset and skip counts from there.
    // storage: of its plans' weights. frozen: these never change: they are packed at the first run and kept.
    explicit Call(bool reversed, bool frozen = false, Storage storage = Storage::float32) : reversed_(reversed), frozen_(frozen), storage_(storage) {}

    // The number of one more memory: one whose address each run is given; or the call's own, without values at first.
    int64_t add_memory(int64_t bytes);
    int64_t add_own_memory(int64_t bytes);
    // What was added as its own after `used()` was `bytes` is done with: what is added next may lie there too.
    int64_t used() const { return used_; }
    void free_to(int64_t bytes);

    // What it does, in this order. Each raises unless its arrays fit one another and lie in their memories.
    void clear(const Place& to);
    void copy(const Place& to, const Place& from, bool add);
    void multiply(const Place& a, const std::vector<Place>& right, const std::vector<Place>& results, bool add, Grid grid);
    // Runs a plan. places: its buffers' memories and offsets; the job's have no data. first, steps: of the call's steps,
    // the one that is the plan's first, and how many there are; 0 where the call's lengths and resets do not count.
    void scan(Job job, std::vector<Place> places, int64_t first, int64_t steps, Grid grid);
    // Where the call resets before a step: gradients by states [B,size] go to those by starts, and no further.
    void restart(const Place& by_state, const Place& by_start, int64_t step, int64_t steps);

    // Does all of it. addresses: of the memories that are not its own. lengths [B], resets [T,B]: or null.
    void run(const std::vector<uintptr_t>& addresses, const int64_t* lengths, const uint8_t* resets) const;

    struct Run {
        const Call* call;
        std::vector<uintptr_t> addresses;
        const int64_t* lengths;
        const uint8_t* resets;
    };
    // Runs calls at once, a thread each: of calls that take one.
    static void run_together(const std::vector<Run>& runs);

private:
    struct Memory {
        int64_t bytes;
        int64_t alignment;
        int64_t place;  // of the call's own, in bytes; or -1
    };
    struct Running {
        std::vector<char*> memories;
        const int64_t* lengths;
        const uint8_t* resets;
        Array at(const Place& place) const;
    };

    void check(const Place& place);
    void check_matrix(Place& place);

    bool resets_before(const Running& now, int64_t step, int64_t row, int64_t steps, int64_t B) const;

    // What a scan reads beside its job: see `scan`.
    struct Scanned {
        std::vector<Place> places;
        int64_t first, steps;
    };
    // The lengths and resets of a part of a call's steps, where they are not those of the call.
    struct Cut {
        std::vector<int64_t> lengths;
        std::vector<uint8_t> resets;
    };
    void aim(Job& job, const Scanned& scanned, const Running& now, Cut& cut) const;

    // A frozen call's scan between its runs: it reads the job.
    struct Kept {
        Job job;
        Runner runner;
        std::mutex one_run;

        Kept(Job own, Grid grid) : job(std::move(own)), runner(job, grid) {}
    };

    const bool reversed_, frozen_;
    const Storage storage_;
    std::vector<Memory> memories_;
    int64_t used_ = 0, most_ = 0;  // bytes of its own
    int threads_ = 1;              // at most, of its steps
    std::vector<std::function<void(const Running&)>> steps_;
};

}  // namespace gatework
