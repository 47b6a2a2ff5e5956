// The core by itself, under sanitizers: replays calls that the engine made, with memory of exactly the sizes it
// asked for; from several threads at once; and mutated, which must be refused or run without harm.
//
// core_tests FILE replay|callers|places|products
// core_tests FILE mutants [HOW_MANY [SEED]]
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "../dispatch.h"
#include "../threads.h"

using namespace gatework;

namespace {

using Numbers = std::vector<int64_t>;
using Random = std::mt19937;

constexpr int64_t MEMORY = 1 << 22;  // numbers that a mutant may have
constexpr int64_t WORK = 10000;      // rows times steps that a mutant may run

// As tests/core_calls.py writes it, a line each: every sequence with its length before it.
struct Call {
    Numbers stream, sizes, steps_and_rows, buffers, starts, lengths, resets;

    std::vector<Numbers*> parts() { return {&stream, &sizes, &steps_and_rows, &buffers, &starts, &lengths, &resets}; }
};

std::vector<Call> read(const char* path) {
    std::ifstream file(path);
    std::vector<Call> calls;
    for (std::string line; std::getline(file, line);) {
        std::istringstream numbers(line);
        for (Numbers* part : calls.emplace_back().parts()) {
            size_t many = 0;
            numbers >> many;
            part->resize(many);
            for (int64_t& number : *part) numbers >> number;
        }
    }
    return calls;
}

template <class T>
std::vector<T> narrowed(const Numbers& numbers) {
    return {numbers.begin(), numbers.end()};
}

template <class T>
std::unique_ptr<T[]> copied(const Numbers& numbers) {
    auto memory = std::make_unique<T[]>(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i) memory[i] = static_cast<T>(numbers[i]);
    return memory;
}

bool accepted(const Job& job) {
    try {
        verify(job);
        return true;
    } catch (const std::invalid_argument&) {
        return false;
    }
}

// A call as the core takes it; raises where its plan is none. Its buffers have sizes, and no memory of their own yet.
struct Task {
    Plan plan;
    std::unique_ptr<int64_t[]> lengths;
    std::unique_ptr<uint8_t[]> resets;
    Job job;

    explicit Task(const Call& call) : plan(narrowed<int32_t>(call.stream)), lengths(copied<int64_t>(call.lengths)), resets(copied<uint8_t>(call.resets)) {
        static float somewhere;
        job = {&plan, call.sizes, call.steps_and_rows[0], call.steps_and_rows[1], {}, nullptr, nullptr, narrowed<int32_t>(call.starts)};
        if (!call.lengths.empty()) job.lengths = lengths.get();
        if (!call.resets.empty()) job.resets = resets.get();
        for (size_t i = 0; i < call.buffers.size(); i += 4) {
            const int64_t* one = &call.buffers[i];
            job.buffers.push_back({&somewhere, one[0], one[1], one[2], one[3]});
        }
    }

    bool is_small() const {
        for (const Buffer& buffer : job.buffers)
            if (buffer.numbers > MEMORY) return false;
        for (const int64_t size : job.sizes)
            if (size > WORK) return false;
        return job.T < WORK && job.B < WORK && job.T * job.B < WORK;
    }
};

// The same call with the fewest numbers in each buffer that the verifier accepts.
Call least(Call call) {
    Task task(call);
    for (size_t i = 0; i < task.job.buffers.size(); ++i) {
        int64_t& numbers = task.job.buffers[i].numbers;
        int64_t refused = -1, enough = numbers;
        while (enough - refused > 1) {
            numbers = refused + (enough - refused) / 2;
            (accepted(task.job) ? enough : refused) = numbers;
        }
        numbers = call.buffers[4 * i + 3] = enough;
    }
    return call;
}

// A task with memory: each buffer in an allocation of its own, exactly as large as it says, full of random numbers.
struct Ready : Task {
    std::vector<std::unique_ptr<char[]>> memory;

    explicit Ready(const Call& call) : Task(call) {
        Random random(20);
        for (size_t index = 0; index < job.buffers.size(); ++index) {
            const int64_t each = plan.buffers[index].bytes();
            memory.push_back(std::make_unique<char[]>(bytes(index)));
            for (int64_t i = 0; i < job.buffers[index].numbers; ++i) {
                const float number = 0.1f + 0.9e-3f * static_cast<float>(random() % 1000);
                const char* last = reinterpret_cast<const char*>(&number + 1);  // a bfloat16 is the upper half of a float
                std::memcpy(memory.back().get() + i * each, last - each, each);
            }
            job.buffers[index].data = memory.back().get();
        }
    }

    int64_t bytes(size_t index) const { return job.buffers[index].numbers * plan.buffers[index].bytes(); }
    void run(const Isa& isa, Grid grid) { isa.prepare(job, grid)->run(0, job.B, parallel); }

    bool operator==(const Ready& other) const {
        for (size_t i = 0; i < memory.size(); ++i)
            if (std::memcmp(memory[i].get(), other.memory[i].get(), bytes(i)) != 0) return false;
        return true;
    }
};

void expect(bool holds, const char* what) {
    if (holds) return;
    std::cerr << "core_tests: " << what << '\n';
    std::exit(1);
}

// -- replay

// Every call on every instruction set, by one thread and by several; a second run gives the same numbers.
void replay(const std::vector<Call>& calls) {
    for (const Call& given : calls) {
        expect(accepted(Task(given).job), "a call of the engine was refused");
        const Call call = least(given);
        for (const Isa& isa : available()) {
            Ready alone(call), first(call), second(call);
            alone.run(isa, {1, 1});
            first.run(isa, {2, 2});
            second.run(isa, {2, 2});
            expect(first == second, "a second run gave other numbers");
        }
    }
    std::cout << calls.size() << " calls replayed on " << available().size() << " instruction sets\n";
}

// -- callers

// Two callers at once, each with several threads: the numbers are those of each alone.
void callers(const std::vector<Call>& calls) {
    int pairs = 0;
    for (size_t i = 0; i + 1 < calls.size(); i += 10) {
        for (const Grid grid : {Grid{1, 1}, Grid{1, 2}, Grid{3, 1}, Grid{2, 2}}) {
            const Isa& isa = available()[i / 10 % available().size()];
            Ready alone[] = {Ready(calls[i]), Ready(calls[i + 1])}, together[] = {Ready(calls[i]), Ready(calls[i + 1])};
            for (Ready& each : alone) each.run(isa, grid);
            std::thread other([&] { together[0].run(isa, grid); });
            together[1].run(isa, grid);
            other.join();
            expect(alone[0] == together[0] && alone[1] == together[1], "two callers at once gave other numbers");
            ++pairs;
        }
    }
    std::cout << pairs << " pairs of callers\n";
}

// -- mutants

constexpr int64_t ODD[] = {-1, 0, 1, 2, 3, 5, 16, 17, 64, 1000, 4096, 1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};

int64_t odd_number(Random& random) { return ODD[random() % std::size(ODD)]; }

// Changes, drops, repeats or adds a number.
void mutate(Numbers& numbers, Random& random) {
    if (numbers.empty()) return numbers.push_back(odd_number(random));
    const size_t place = random() % numbers.size();
    switch (random() % 8) {
        case 0: numbers[place] = odd_number(random); break;
        case 1: numbers[place] ^= 1; break;
        case 2: numbers[place] ^= 2; break;
        case 3: numbers[place] = numbers[random() % numbers.size()]; break;
        case 4: numbers[place] = static_cast<int64_t>(random() % 20); break;
        case 5: std::swap(numbers[place], numbers[random() % numbers.size()]); break;
        case 6: numbers.insert(numbers.begin() + place, numbers[place]); break;
        default: numbers.erase(numbers.begin() + place);
    }
}

// No units of a size, no steps, or no rows.
void empty(Call& call, size_t which) { (which < call.sizes.size() ? call.sizes[which] : call.steps_and_rows[which % 2]) = 0; }

// The call with as much of each part as there is where it is read.
Call fitted(Call call) {
    call.steps_and_rows.resize(2);
    call.buffers.resize(call.buffers.size() / 4 * 4);
    // lengths and resets are addresses to the core: theirs is the one size that the caller answers for
    const int64_t T = call.steps_and_rows[0], B = call.steps_and_rows[1];
    const bool small = T >= 0 && B >= 0 && T < WORK && B < WORK && T * B < WORK;
    if (!call.lengths.empty()) call.lengths.resize(small ? B : 0);
    if (!call.resets.empty()) call.resets.resize(small ? T * B : 0);
    return call;
}

// A call with one to four faults, in its plan or in what it runs on; one of four with nothing of some size.
Call mutant(Call call, Random& random) {
    const std::vector<Numbers*> parts = call.parts();
    if (random() % 4 == 0) empty(call, random() % (call.sizes.size() + 2));
    for (unsigned faults = 1 + random() % 4; faults > 0; --faults) mutate(random() % 2 ? call.stream : *parts[random() % parts.size()], random);
    return fitted(call);
}

// How many calls were tried, and how far they came.
struct Tried {
    int64_t all = 0, plans = 0, jobs = 0, ran = 0;

    // Runs a call on memory of exactly the sizes that the verifier asks for, unless it is refused.
    void run(const Call& call) {
        const int64_t number = all++;
        try {
            const Task task(call);
            ++plans;
            if (!accepted(task.job)) return;
            ++jobs;
            if (!task.is_small()) return;
        } catch (const std::invalid_argument&) {
            return;
        }
        ++ran;
        Ready(least(call)).run(available()[number % available().size()], number % 4 ? Grid{1, 1} : Grid{2, 2});
    }

    void show(const char* what) const {
        std::cout << all << ' ' << what << ": " << plans << " plans accepted, " << jobs << " calls accepted, " << ran << " run\n";
        expect(ran > all / 100 && jobs < all, "the mutants test nothing: all were refused, or none");
    }
};

void mutants(const std::vector<Call>& calls, int64_t many, unsigned seed) {
    Random random(seed);
    Tried tried;
    while (tried.all < many) tried.run(mutant(calls[random() % calls.size()], random));
    tried.show("mutants");
}

// An odd number in every place beside the plan: sizes, buffers, starts; each with nothing of some size, or all.
void places(const std::vector<Call>& calls) {
    Tried tried;
    for (size_t each = 0; each < calls.size(); each += 200)
        for (size_t none = 0; none <= calls[each].sizes.size() + 2; ++none) {
            Call call = calls[each];
            if (none) empty(call, none - 1);
            for (Numbers* part : {&call.sizes, &call.steps_and_rows, &call.buffers, &call.starts})
                for (int64_t& number : *part) {
                    const int64_t own = number;
                    for (const int64_t odd : ODD) {
                        number = odd;
                        tried.run(fitted(call));
                    }
                    number = own;
                }
        }
    tried.show("odd numbers");
}

// -- products

// A matrix in memory of exactly its size, its rows or its columns one after another.
struct Numbered {
    std::unique_ptr<char[]> memory;
    Matrix matrix;

    Numbered(int64_t rows, int64_t columns, Element element, bool by_rows, Random& random) {
        const int64_t each = element == Element::bfloat16 ? sizeof(Half) : sizeof(float);
        memory = std::make_unique<char[]>(rows * columns * each);
        for (int64_t i = 0; i < rows * columns; ++i) {
            const float number = static_cast<float>(random() % 8);  // small enough for sums without rounding
            const char* last = reinterpret_cast<const char*>(&number + 1);
            std::memcpy(memory.get() + i * each, last - each, each);
        }
        matrix = {memory.get(), by_rows ? columns : 1, by_rows ? 1 : rows, element};
    }

    float operator()(int64_t row, int64_t column) const {
        const int64_t place = row * matrix.row + column * matrix.column;
        float number = 0;
        if (matrix.element == Element::float32) std::memcpy(&number, memory.get() + place * 4, 4);
        else std::memcpy(reinterpret_cast<char*>(&number) + 2, memory.get() + place * 2, 2);
        return number;
    }
};

// Products of odd sizes, orders and kinds, on every instruction set and by several threads: exact, and of no other memory.
void products() {
    Random random(20);
    int many = 0;
    for (const Isa& isa : available()) {
        for (int i = 0; i < 200; ++i, ++many) {
            const int64_t M = random() % 70, K = i % 10 ? random() % 40 : 300 + random() % 300,
                          sizes[] = {static_cast<int64_t>(random() % 70), static_cast<int64_t>(random() % 200)};
            const auto element = [&] { return random() % 2 ? Element::bfloat16 : Element::float32; };
            const Numbered a(M, K, element(), random() % 2, random);
            const std::vector<Numbered> right = [&] {
                std::vector<Numbered> made;
                for (const int64_t N : sizes) made.emplace_back(K, N, element(), random() % 2, random);
                return made;
            }();
            std::unique_ptr<float[]> results[2];
            struct Work {
                Product product;
                Grid grid;
                const Isa& isa;
            } work{{M, K, a.matrix, {}, i % 3 == 0}, {1 + static_cast<int>(random() % 3), 1 + static_cast<int>(random() % 3)}, isa};
            for (int n = 0; n < 2; ++n) {
                results[n] = std::make_unique<float[]>(M * sizes[n]);
                std::fill_n(results[n].get(), M * sizes[n], 1.0f);
                work.product.right.push_back({sizes[n], right[n].matrix, results[n].get(), sizes[n]});
            }
            parallel(
                work.grid.rows * work.grid.columns,
                [](int thread, void* context) {
                    auto* own = static_cast<Work*>(context);
                    own->isa.multiply(own->product, own->grid, thread);
                },
                &work);
            for (int n = 0; n < 2; ++n)
                for (int64_t m = 0; m < M; ++m)
                    for (int64_t u = 0; u < sizes[n]; ++u) {
                        float sum = work.product.add ? 1.0f : 0.0f;
                        for (int64_t k = 0; k < K; ++k) sum += a(m, k) * right[n](k, u);
                        expect(results[n][m * sizes[n] + u] == sum, "a product is not the sum of its terms");
                    }
        }
    }
    std::cout << many << " products\n";
}

}  // namespace

int main(int many, char** words) {
    expect(many >= 3 && many <= 5, "expected: core_tests FILE replay|callers|places|products, or FILE mutants [HOW_MANY [SEED]]");
    const std::vector<Call> calls = read(words[1]);
    const std::string what = words[2];
    expect(!calls.empty(), "no calls in the file");
    if (what == "replay") replay(calls);
    else if (what == "callers") callers(calls);
    else if (what == "products") products();
    else if (what == "places") places(calls);
    else mutants(calls, many > 3 ? std::atoll(words[3]) : 10000, many > 4 ? std::atoi(words[4]) : 20);
}
