#include "threads.h"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gatework {
namespace {

using Work = void (*)(int thread, void* context);

// One call of all threads: the work, and the first thing that one of them raises.
struct Call {
    Work work;
    void* context;
    std::mutex door;
    std::exception_ptr failed;

    void attempt(int thread) {
        try {
            work(thread, context);
        } catch (...) {
            std::lock_guard lock(door);
            if (!failed) failed = std::current_exception();
        }
    }
};

// GNU OpenMP, if this process has loaded it, as torch does: its threads wait busily for more work, and would take a
// processor from any others that were woken meanwhile.
struct OpenMp {
    void (*parallel)(void (*)(void*), void*, unsigned threads, unsigned flags) = nullptr;
    int (*threads)() = nullptr;
    int (*number)() = nullptr;

    OpenMp() {
#if defined(__linux__)
        void* library = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_NOLOAD);
        if (library == nullptr) return;
        find(library, "omp_get_num_threads", threads);
        find(library, "omp_get_thread_num", number);
        find(library, "GOMP_parallel", parallel);
#endif
    }

    template <class F>
    static void find(void* library, const char* name, F& function) {
        function = reinterpret_cast<F>(dlsym(library, name));
    }

    // Whether it had as many threads for the call; if not, nothing was done.
    bool run(int many, Call& call) const {
        if (!parallel || !threads || !number) return false;
        struct Team {
            const OpenMp& openmp;
            Call& call;
            int many;
            std::atomic<bool> whole{true};
        } team{*this, call, many};
        parallel(
            [](void* context) {
                Team& of = *static_cast<Team*>(context);
                if (of.openmp.threads() == of.many) of.call.attempt(of.openmp.number());
                else of.whole = false;
            },
            &team, static_cast<unsigned>(many), 0);
        return team.whole;
    }
};

struct Pool {
    const bool shares;  // the threads of OpenMP
    std::mutex one_call;
    std::mutex door;
    std::condition_variable wake, done;
    std::vector<std::thread> workers;
    Call* given = nullptr;
    long turn = 0;
    int wanted = 0, running = 0;

    explicit Pool(bool shares) : shares(shares) {}

    void live(int index) {
        long seen = 0;
        for (;;) {
            std::unique_lock lock(door);
            wake.wait(lock, [&] { return turn != seen; });
            seen = turn;
            if (index >= wanted) continue;
            lock.unlock();
            given->attempt(index);
            lock.lock();
            if (--running == 0) done.notify_one();
        }
    }

    void run(int threads, Call& call) {
        std::lock_guard only(one_call);
        static const OpenMp openmp;
        if (shares && openmp.run(threads, call)) return;
        {
            std::lock_guard lock(door);
            while (static_cast<int>(workers.size()) < threads - 1) {
                const int index = static_cast<int>(workers.size()) + 1;
                workers.emplace_back([this, index] { live(index); });
            }
            given = &call;
            wanted = threads;
            running = threads - 1;
            ++turn;
        }
        wake.notify_all();
        call.attempt(0);
        std::unique_lock lock(door);
        done.wait(lock, [&] { return running == 0; });
    }
};

// Never destroyed: its threads would outlive it. A forked child has none of them, nor those of OpenMP, and starts anew.
std::atomic<Pool*> pool{new Pool(true)};

[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { pool.store(new Pool(false)); });

// Seconds without threads that wait: after the first runs that waited too long, and after many. One such run says nothing,
// nor do those that waited for less than the last of these: a thread may miss its processor now and then.
constexpr double FIRST_PAUSE = 0.25, LONGEST_PAUSE = 4, LEAST_WAITING = 1e-3;
std::atomic<double> pause_until{0}, next_pause{FIRST_PAUSE};
std::atomic<bool> waited_before{false};

}  // namespace

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool worth_waiting() { return seconds() >= pause_until.load(std::memory_order_relaxed); }

// If each of N threads has no processor for a share d of the time, another waits for w = (N - 1) d of it and works for
// 1 - w - d. One thread alone works for 1 - d, and would be as fast where N (1 - w - d) = 1 - d: w = (N - 1) / (N + 1).
void note_waiting(double waited, double total, int threads) {
    if (waited < LEAST_WAITING || waited * (threads + 1) < total * (threads - 1)) {
        pause_until = 0;
        next_pause = FIRST_PAUSE;
        waited_before = false;
        return;
    }
    if (!waited_before.exchange(true)) return;
    const double pause = next_pause;
    pause_until = seconds() + pause;
    next_pause = std::min(2 * pause, LONGEST_PAUSE);
}

void parallel(int threads, Work work, void* context) {
    if (threads == 1) return work(0, context);
    Call call{work, context, {}, nullptr};
    pool.load()->run(threads, call);
    if (call.failed) std::rethrow_exception(call.failed);
}

}  // namespace gatework
