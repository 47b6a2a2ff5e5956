// A plan: what to run at every step, read from a stream of integers and verified before anything runs.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "operations.h"

namespace gatework {

#define GW_NAME(name, ...) name,
enum class Op : int32_t { GW_MEMORY(GW_NAME) GW_BINARY(GW_NAME) GW_UNARY(GW_NAME) GW_CURVES(GW_NAME) count };
enum class Row : int32_t { GW_ROWS(GW_NAME) count };
enum class Mode : int32_t { GW_MODES(GW_NAME) count };
enum class Kind : int32_t { GW_KINDS(GW_NAME) count };
enum class Element : int32_t { GW_ELEMENTS(GW_NAME) count };
enum class Storage : int32_t { GW_STORAGES(GW_NAME) count };
#undef GW_NAME

constexpr bool is_memory(Op op) { return op <= Op::total; }
constexpr bool has_two(Op op) {  // slots that it reads
#define GW_IS(name, ...) op == Op::name ||
    return GW_BINARY(GW_IS) false;
#undef GW_IS
}

constexpr int32_t MAGIC = 0x67617465;  // the first number of a plan

struct Instruction {
    Op op;
    int32_t target, a, b;  // slots; for memory, `a` is a buffer and `b` its step offset
    Mode mode;
    float number;
    bool one_row = false;                       // the result, or what is stored, is alike in all rows and there once
    bool a_one_row = false, b_one_row = false;  // the same of what is read
};

struct Term {  // lane += matrix . operand
    int32_t lane, matrix;
    bool transposed;
};

struct Group {  // all terms that read one operand: one run of K
    int32_t operand, offset;
    std::vector<Term> terms;
};

struct Block {
    bool waits;        // for all threads to have done what came before
    int32_t row = -1;  // a row operation, or -1 for products and pointwise work
    int32_t size;      // which size: the units it computes
    int32_t lanes, slots;
    int32_t source = 0, target = 0;  // of a row operation: buffers
    std::vector<Instruction> begin;  // what each lane starts from: a vector for all rows, a series at this step, or 0
    std::vector<Group> groups;
    std::vector<Instruction> code;
};

using Half = uint16_t;  // a bfloat16: the upper half of a float32

inline int64_t bytes_of(Element element) { return element == Element::bfloat16 ? sizeof(Half) : sizeof(float); }

struct BufferType {
    Kind kind;
    int32_t rows, columns;  // sizes: of a matrix; for the others `columns` counts the units
    bool written;
    Element element;
    int64_t bytes() const { return bytes_of(element); }
};

struct Plan {
    bool backwards;
    bool fused;  // the last block of a step and the first of the next run on the same tile
    int32_t sizes;
    std::vector<BufferType> buffers;
    std::vector<Block> blocks;
    explicit Plan(const std::vector<int32_t>& stream);
};

struct Buffer {
    void* data;
    int64_t step, row;  // numbers from one step, one row to the next; with a step below 0 the last lies first
    int64_t period;     // steps before it is used again
    int64_t numbers;    // what `data` holds
};

struct Job {
    const Plan* plan;
    std::vector<int64_t> sizes;
    int64_t T, B;
    std::vector<Buffer> buffers;
    const int64_t* lengths;       // [B] or null
    const uint8_t* resets;        // [T,B] or null
    std::vector<int32_t> starts;  // buffer -> the buffer [B,size] its rows start from (state) or give to (flow), or -1
    Storage storage = Storage::float32;
    bool from_end = false;  // lengths count a sequence's last steps, not its first
};

constexpr int64_t MOST_STEPS = 1LL << 40;

// Raises unless all that the job's steps may read or write is there: nothing is skipped for a size of 0.
void verify(const Job& job);

// The two parts of it: what can be known before there are addresses, and what is left then.
void verify_sizes(const Job& job);
void verify_addresses(const Job& job);

}  // namespace gatework
