// The functions of include/gatework.h: no exception leaves them.
#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "failure.h"
#include "model.h"

using namespace gatework;

namespace {

constexpr int64_t MOST_ROWS = 1 << 20, MOST_STEPS_AT_ONCE = int64_t{1} << 40;
constexpr const char* NO_MODEL = "there is no model: it was not opened, or there was no memory for it";

// The model of an open file.
struct Opened {
    Mapping file;
    Model model;
    Opened(const char* path, int64_t batch) : file(path), model(file.bytes, batch) {}
};

void check(bool holds, const char* what) {
    if (!holds) throw Failure(GATEWORK_ARGUMENT, what);
}

}  // namespace

struct gatework_model {
    char error[1024] = "";  // in place, so that it takes no memory to say that there is none
    std::optional<Opened> opened;

    gatework_status fail(gatework_status status, const char* text) noexcept {
        const size_t many = std::min(std::strlen(text), sizeof error - 1);
        std::transform(text, text + many, error, [](char c) { return static_cast<unsigned char>(c) < ' ' ? ' ' : c; });  // names of a file are in it
        error[many] = 0;
        return status;
    }
};

namespace {

// What `work` returns in words and codes.
template <class F>
gatework_status guarded(gatework_model* handle, F work) noexcept {
    try {
        work();
        return GATEWORK_OK;
    } catch (const Failure& failure) {
        return handle->fail(failure.status, failure.what());
    } catch (const std::bad_alloc&) {
        return handle->fail(GATEWORK_MEMORY, "not enough memory");
    } catch (const std::length_error&) {
        return handle->fail(GATEWORK_MEMORY, "not enough memory");
    } catch (const std::exception& error) {
        return handle->fail(GATEWORK_INTERNAL, error.what());
    } catch (...) {
        return handle->fail(GATEWORK_INTERNAL, "an unknown error");
    }
}

// The same with the model of an open handle.
template <class F>
gatework_status with_model(gatework_model* handle, F work) noexcept {
    if (!handle || !handle->opened) return GATEWORK_ARGUMENT;  // its error says why it is not open
    return guarded(handle, [&] { work(handle->opened->model); });
}

void open(const char* path, int64_t batch, gatework_model* handle) {
    check(path, "the path is NULL");
    check(batch >= 1 && batch <= MOST_ROWS, "the batch is not among 1 to 2^20");
    try {
        chosen();
    } catch (const std::invalid_argument& error) {
        throw Failure(GATEWORK_ARGUMENT, error.what());
    }
    handle->opened.emplace(path, batch);
}

}  // namespace

gatework_status gatework_open(const char* path, int64_t batch, gatework_model** model) {
    if (!model) return GATEWORK_ARGUMENT;
    *model = new (std::nothrow) gatework_model;
    if (!*model) return GATEWORK_MEMORY;
    return guarded(*model, [&] { open(path, batch, *model); });
}

gatework_status gatework_sizes(gatework_model* model, gatework_size* size) {
    return with_model(model, [&](Model& own) {
        check(size, "size is NULL");
        *size = own.size();
    });
}

gatework_status gatework_step(gatework_model* model, const void* input, float* output) { return gatework_run(model, input, 1, output); }

gatework_status gatework_run(gatework_model* model, const void* input, int64_t steps, float* output) {
    return with_model(model, [&](Model& own) {
        check(steps >= 0 && steps <= MOST_STEPS_AT_ONCE, "the steps are not among 0 to 2^40");
        check(input && output, "the input or the output is NULL");
        own.run(input, steps, output);
    });
}

gatework_status gatework_state_get(gatework_model* model, float* state) {
    return with_model(model, [&](Model& own) {
        check(state, "the state is NULL");
        own.get_state(state);
    });
}

gatework_status gatework_state_set(gatework_model* model, const float* state) {
    return with_model(model, [&](Model& own) { own.set_state(state); });
}

gatework_status gatework_token(gatework_model* model, int64_t id, const char** text, size_t* bytes) {
    return with_model(model, [&](Model& own) {
        check(text && bytes, "the text or its size is NULL");
        const std::string_view token = own.token(id);
        *text = token.data();
        *bytes = token.size();
    });
}

gatework_status gatework_find(gatework_model* model, const char* text, size_t bytes, int64_t* id) {
    return with_model(model, [&](Model& own) {
        check(text && id, "the text or the id is NULL");
        *id = own.find({text, bytes});
    });
}

const char* gatework_error(const gatework_model* model) { return model ? model->error : NO_MODEL; }

void gatework_close(gatework_model* model) { delete model; }
