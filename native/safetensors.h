// A file of tensors (https://github.com/huggingface/safetensors): its header is read, and every number in it is checked
// against what the file holds. Nothing of the tensors themselves is read or copied.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gatework {

enum class Dtype { float32, int64, uint8, other };

struct Tensor {
    std::string name;
    Dtype dtype;
    std::vector<int64_t> shape;
    std::string_view data;  // as many bytes as its shape says; not aligned

    // The number at a place, wherever it lies.
    int64_t integer(size_t place) const;
};

// The header of a file; the file's bytes stay the caller's, and must outlive it.
class Safetensors {
public:
    // Raises Failure unless it is one: no tensor ends outside the file, and together they take no more than there is.
    explicit Safetensors(std::string_view file);

    std::map<std::string, std::string> metadata;
    std::vector<Tensor> tensors;  // in the order of their names

    // The tensor of a name and a type, or null.
    const Tensor* find(std::string_view name, Dtype dtype) const;
};

// A file in memory, as the system reads it when it is looked at.
class Mapping {
public:
    explicit Mapping(const char* path);
    ~Mapping();
    Mapping(const Mapping&) = delete;

    std::string_view bytes;
};

}  // namespace gatework
