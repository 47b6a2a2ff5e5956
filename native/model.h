// A trained network, read from a file and run step by step; what include/gatework.h offers, with exceptions.
//
// A file has, beside its weights (float32), `gatework.code`: the network as integers (int64), which
// src/gatework/runtime/code.py writes and this verifies, all of them, before anything runs:
//
//     FORMAT NUMBERING                   of this list; of the core's operations, which differ between versions
//     weights                            how many tensors of float32 there are; they are numbered in the order of their names
//     ids                                how many ids the input has, or 0: then it is numbers, and lies in the array 0
//     many, width...                     the arrays [B,width]
//     many, (size slots start...)...     the states [slots,B,size]; a start of each slot: 0 and a number, or 1 + a weight, 0
//     output                             the array
//     many, (step ...)...                as `StepKind` says
//
// Numbers stand as the bits of a float32.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "dispatch.h"
#include "include/gatework.h"
#include "plan.h"
#include "safetensors.h"

namespace gatework {

constexpr int64_t FORMAT = 1;

// scan:                  I H R, many, the plan's integers..., (role what which) of each of its buffers
// embedding:             weight, y
// one_hot:               y
// add, join:             many, x..., y
// softmax, log_softmax:  x, y
// affine:                x, y, scale, shift
enum class StepKind : int64_t { scan, embedding, one_hot, add, join, softmax, log_softmax, affine, count };

// What a buffer of a plan is. array, weight: which; state, start: which, and its slot; constant: a number, for all units;
// between: memory of the plan's own.
enum class BufferRole : int64_t { array, weight, state, start, constant, between, count };

struct FreeMemory {
    void operator()(float* memory) const { ::operator delete(memory, LINE); }
    static constexpr std::align_val_t LINE{64};  // of a cache
};
using Memory = std::unique_ptr<float, FreeMemory>;

class Code;

class Model {
public:
    // file: its bytes, which stay where they are. storage: how its packed weights lie. threads: that share the rows of a
    // batch. Raises Failure unless it is a model that runs here.
    Model(std::string_view file, int64_t B, Storage storage = Storage::float32, int threads = 1);

    Model(const Model&) = delete;

    const gatework_size& size() const { return size_; }

    // T steps, as gatework_run says.
    void run(const void* input, int64_t T, float* output);

    // States [slots,many,size] of many sequences.
    struct States {
        float* data;
        int64_t slots, many, size;
    };
    std::vector<std::pair<int64_t, int64_t>> shapes() const;  // slots and size of each of its own
    bool fits(const std::vector<States>& states) const;
    // A step of K sequences by their places, as batches of B at most; replaces their states, which fit. The state of its
    // own is lost.
    void step_some(const void* input, const int64_t* places, int64_t K, const std::vector<States>& states, float* output);
    void get_state(float* to) const;
    void set_state(const float* from);  // null: the start

    std::string_view token(int64_t id) const;
    int64_t find(std::string_view text) const;

private:
    using Shape = std::vector<int64_t>;
    struct Array {
        int64_t width;
        Memory data;
    };
    struct Weight {
        Shape shape;
        const float* data;
        int64_t numbers;
    };
    struct Slot {
        const float* start;  // [size]
        Memory steps;        // [2,B,size], used in turn
    };
    struct State {
        int64_t size;
        std::vector<Slot> slots;
    };
    // A plan and the buffers that it runs on.
    struct Scanned {
        Plan plan;
        Job job;
        std::unique_ptr<Scan> scan;
        bool packed = false;  // its weights, at its first run
        explicit Scanned(const std::vector<int32_t>& stream) : plan(stream) {}
    };

    void claim(int64_t numbers);
    void claim_product(int64_t a, int64_t b);
    void claim_scan(const Scanned& scanned);
    Memory take(int64_t rows, int64_t numbers);
    const float* filled(int64_t numbers, float value);

    void read_weights(const Safetensors& file);
    void read_tokens(const Safetensors& file);
    void read_code(Code& code);
    void read_arrays(Code& code);
    void read_states(Code& code);
    void read_step(Code& code);

    void read_scan(Code& code);
    Buffer buffer_of(Code& code, const BufferType& type, const std::vector<int64_t>& sizes);
    void read_embedding(Code& code);
    void read_one_hot(Code& code);
    void read_add(Code& code);
    void read_join(Code& code);
    void read_softmax(Code& code, bool logarithm);
    void read_affine(Code& code);

    const Weight& weight(Code& code) const;
    const Array& array(Code& code) const;
    std::vector<const Array*> arrays(Code& code) const;

    void step(const void* input, int64_t first, float* output);
    void check_ids(const void* input, int64_t many) const;
    template <class F>
    void exchange(const std::vector<States>& states, const int64_t* places, F move);

    const Isa& isa_;
    const int64_t B_;
    int64_t rows_;  // of the batch, that the next step takes
    const Storage storage_;
    const int threads_;
    gatework_size size_{};
    int64_t room_;  // numbers of memory that a file of its size may still ask for
    std::vector<Weight> weights_;
    std::vector<Memory> copies_;  // of weights out of alignment, and of numbers
    std::vector<Array> arrays_;
    std::vector<State> states_;
    std::vector<Memory> between_;
    std::vector<std::unique_ptr<Scanned>> scans_;
    std::vector<std::function<void()>> steps_;
    const int64_t* ids_ = nullptr;  // of the step that runs
    const Array* output_ = nullptr;
    int64_t slot_ = 0;  // of the states before the next step
    std::vector<std::string_view> tokens_;
    std::vector<int64_t> by_text_;  // the tokens in order
};

}  // namespace gatework
