// Models by themselves, under sanitizers: files as Python writes them are opened and run; mutated, they are refused or
// run without harm, in little memory.
//
// model_tests MUTANTS SEED FILE...
#include "../model.h"

#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <thread>

#include "../failure.h"

using namespace gatework;

namespace {

using Random = std::mt19937;

constexpr int64_t MEGABYTES = 256;  // that opening and running all of them may take, sanitizers and what they keep aside
constexpr int64_t STEPS = 3;
constexpr int64_t ODD[] = {-1, 0, 1, 2, 3, 5, 16, 17, 64, 1000, 4096, 1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};

void expect(bool holds, const std::string& what) {
    if (holds) return;
    std::cerr << "model_tests: " << what << '\n';
    std::exit(1);
}

std::string read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// A step of one sequence more than a batch has, last to first.
void use_some(Model& model, const void* input, float* output) {
    const int64_t many = model.size().batch + 1;
    std::vector<std::vector<float>> memory;
    std::vector<Model::States> states;
    for (const auto& [slots, size] : model.shapes()) {
        memory.emplace_back(slots * many * size);
        states.push_back({memory.back().data(), slots, many, size});
    }
    std::vector<int64_t> places;
    for (int64_t place = many; place > 0; --place) places.push_back(place - 1);
    expect(model.fits(states), "states of its own shapes do not fit a model");
    model.step_some(input, places.data(), many, states, output);
}

// All that can be asked of a model.
void use(Model& model, Random& random) {
    const gatework_size& size = model.size();
    std::vector<float> numbers(STEPS * size.batch * size.input), output(STEPS * size.batch * size.output), state(size.state);
    std::vector<int64_t> ids(STEPS * size.batch);
    for (float& each : numbers) each = static_cast<float>(random() % 100) / 50 - 1;
    for (int64_t& each : ids) each = size.ids ? static_cast<int64_t>(random() % size.ids) : 0;
    const void* input = size.ids ? static_cast<const void*>(ids.data()) : numbers.data();
    model.run(input, STEPS, output.data());
    model.get_state(state.data());
    model.set_state(state.data());
    model.run(input, 1, output.data());
    model.set_state(nullptr);
    use_some(model, input, output.data());
    for (int64_t id = 0; id < size.tokens; ++id) model.find(model.token(id));
}

// Opens a file in memory of exactly its size, which begins `before` bytes after a place that suits any number.
bool opens(const std::string& file, int64_t B, size_t before, Random& random) {
    const auto memory = std::make_unique<char[]>(file.size() + before);
    std::memcpy(memory.get() + before, file.data(), file.size());
    try {
        Model model({memory.get() + before, file.size()}, B, Storage::float32, static_cast<int>(1 + random() % 2));
        use(model, random);
        expect(std::memcmp(memory.get() + before, file.data(), file.size()) == 0, "the file's own memory was written");
        return true;
    } catch (const Failure&) {
        return false;
    }
}

// A model of each file in several threads at once: the numbers are those of each alone.
void together(const std::vector<std::string>& files) {
    for (const std::string& file : files) {
        std::vector<std::vector<float>> states(4);
        std::vector<std::thread> threads;
        for (std::vector<float>& state : states)
            threads.emplace_back([&] {
                Model model(file, 2, Storage::float32, 2);
                const std::vector<float> zeros(2 * model.size().input + 4);  // ids too
                std::vector<float> output(2 * model.size().output);
                for (int64_t step = 0; step < STEPS; ++step) model.run(zeros.data(), 1, output.data());
                state.resize(model.size().state);
                model.get_state(state.data());
            });
        for (std::thread& each : threads) each.join();
        for (const std::vector<float>& state : states) expect(state == states[0], "models in several threads gave other numbers");
    }
}

// Where a file's integers and its header lie.
struct Parts {
    std::vector<size_t> integers;  // their first bytes
    size_t header;                 // its end

    explicit Parts(const std::string& file) {
        for (const Tensor& tensor : Safetensors(file).tensors)
            if (tensor.dtype == Dtype::int64)
                for (size_t i = 0; i < tensor.data.size(); i += 8) integers.push_back(static_cast<size_t>(tensor.data.data() - file.data()) + i);
        int64_t length;
        std::memcpy(&length, file.data(), sizeof length);
        header = 8 + static_cast<size_t>(length);
    }
};

// Another integer of the network or the vocabulary: odd, or off by one or two, or one from another place.
void change_integer(std::string& file, const Parts& parts, Random& random) {
    const size_t place = parts.integers[random() % parts.integers.size()];
    int64_t number;
    std::memcpy(&number, file.data() + place, sizeof number);
    switch (random() % 5) {
        case 0: number = ODD[random() % std::size(ODD)]; break;
        case 1: number ^= 1; break;
        case 2: number ^= 2; break;
        case 3: std::memcpy(&number, file.data() + parts.integers[random() % parts.integers.size()], sizeof number); break;
        default: number = static_cast<int64_t>(random() % 20);
    }
    std::memcpy(file.data() + place, &number, sizeof number);
}

// Another sign in the header; a digit for a digit now and then, so that it stays one.
void change_header(std::string& file, const Parts& parts, Random& random) {
    const char signs[] = "{}[]\":,0123456789\\ue \n";
    size_t place = 8 + random() % (parts.header - 8);
    if (random() % 2)
        for (int tries = 0; tries < 100 && !std::isdigit(static_cast<unsigned char>(file[place])); ++tries) place = 8 + random() % (parts.header - 8);
    file[place] = random() % 2 ? static_cast<char>('0' + random() % 10) : signs[random() % std::size(signs)];
}

// Some integers more or less: what is behind them moves, and the header with it or not.
void move(std::string& file, const Parts& parts, Random& random) {
    const size_t place = random() % 2 ? parts.header : random() % file.size(), many = std::min<size_t>(1 + random() % 16, file.size() - place);
    if (random() % 2) file.erase(place, many);
    else file.insert(place, many, static_cast<char>(random()));
}

std::string mutant(std::string file, const Parts& parts, Random& random) {
    for (unsigned faults = 1 + random() % 3; faults > 0; --faults) {
        switch (random() % 8) {
            case 0: file[random() % file.size()] = static_cast<char>(random()); break;
            case 1: change_header(file, parts, random); break;
            case 2: file[random() % 8] ^= static_cast<char>(1 << random() % 8); break;  // the header's length
            default: change_integer(file, parts, random);
        }
    }
    if (random() % 16 == 0) move(file, parts, random);
    if (random() % 32 == 0) file.resize(random() % file.size());
    return file;
}

int64_t megabytes() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss / 1024;
}

}  // namespace

int main(int many, char** words) {
    expect(many >= 4, "expected: model_tests MUTANTS SEED FILE...");
    Random random(std::atoi(words[2]));
    std::vector<std::string> files;
    std::vector<Parts> parts;
    for (int i = 3; i < many; ++i) {
        parts.emplace_back(files.emplace_back(read(words[i])));
        for (const int64_t B : {1, 2, 7})
            for (const size_t before : {0, 1, 2, 4}) expect(opens(files.back(), B, before, random), std::string(words[i]) + " was refused");
    }
    together(files);
    const int64_t before = megabytes(), all = std::atoll(words[1]);
    int64_t opened = 0;
    for (int64_t i = 0; i < all; ++i) {
        const size_t which = random() % files.size();
        opened += opens(mutant(files[which], parts[which], random), 1 + random() % 3, random() % 4, random);
    }
    std::cout << all << " mutants of " << files.size() << " files: " << all - opened << " refused, " << opened << " run; " << megabytes() - before
              << " MB more than before\n";
    expect(megabytes() - before < MEGABYTES, "mutants took more memory than files of their size need");
    expect(all == 0 || (opened > all / 100 && opened < all / 2), "the mutants test nothing: all were refused, or none");
}
