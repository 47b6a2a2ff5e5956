#include "threads.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gatework {
namespace {

struct Pool {
    std::mutex one_call;
    std::mutex door;
    std::condition_variable wake, done;
    std::vector<std::thread> workers;
    void (*work)(int, void*) = nullptr;
    void* context = nullptr;
    long turn = 0;
    int wanted = 0, running = 0;
    std::exception_ptr failed;  // the first thing that a thread of this call has raised

    void attempt(int index) {
        try {
            work(index, context);
        } catch (...) {
            std::lock_guard lock(door);
            if (!failed) failed = std::current_exception();
        }
    }

    void live(int index) {
        long seen = 0;
        for (;;) {
            std::unique_lock lock(door);
            wake.wait(lock, [&] { return turn != seen; });
            seen = turn;
            if (index >= wanted) continue;
            lock.unlock();
            attempt(index);
            lock.lock();
            if (--running == 0) done.notify_one();
        }
    }

    void call(int threads, void (*what)(int, void*), void* with) {
        std::lock_guard only(one_call);
        {
            std::lock_guard lock(door);
            while (static_cast<int>(workers.size()) < threads - 1) {
                const int index = static_cast<int>(workers.size()) + 1;
                workers.emplace_back([this, index] { live(index); });
            }
            work = what;
            context = with;
            wanted = threads;
            running = threads - 1;
            failed = nullptr;
            ++turn;
        }
        wake.notify_all();
        attempt(0);
        std::unique_lock lock(door);
        done.wait(lock, [&] { return running == 0; });
        if (failed) std::rethrow_exception(failed);
    }
};

// Never destroyed: its threads would outlive it. A forked child has none of them, and starts anew.
std::atomic<Pool*> pool{new Pool};

[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { pool.store(new Pool); });

}  // namespace

void parallel(int threads, void (*work)(int thread, void* context), void* context) {
    if (threads == 1) work(0, context);
    else pool.load()->call(threads, work, context);
}

}  // namespace gatework
