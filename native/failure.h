// What the C library refuses, with the code that its caller sees.
#pragma once

#include <stdexcept>
#include <string>

#include "include/gatework.h"

namespace gatework {

struct Failure : std::runtime_error {
    gatework_status status;
    Failure(gatework_status code, const std::string& text) : std::runtime_error(text), status(code) {}
};

[[noreturn]] inline void damaged(const std::string& what) { throw Failure(GATEWORK_DAMAGED, "not a model, or a damaged one: " + what); }

}  // namespace gatework
