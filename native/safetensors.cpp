#include "safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "failure.h"

namespace gatework {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers in files are little-endian");

constexpr int64_t MOST_HEADER = 100'000'000;  // bytes, as the format says
constexpr size_t MOST_SIDES = 8, MOST_DIGITS = 18, LENGTH = 8;

// JSON as far as such headers need it: objects of a known shape, so that nothing is nested any deeper.
class Json {
public:
    explicit Json(std::string_view text) : text_(text) {}

    // Calls member(name) for each; it reads the value.
    template <class F>
    void object(F member) {
        expect('{');
        if (take('}')) return;
        do {
            const std::string name = string();
            expect(':');
            member(name);
        } while (take(','));
        expect('}');
    }

    std::vector<int64_t> numbers() {
        std::vector<int64_t> all;
        expect('[');
        if (take(']')) return all;
        do {
            if (all.size() == MOST_SIDES) damaged("a tensor of too many sides");
            all.push_back(number());
        } while (take(','));
        expect(']');
        return all;
    }

    std::string string() {
        std::string out;
        expect('"');
        for (char c = next(); c != '"'; c = next()) {
            if (static_cast<unsigned char>(c) < ' ') damaged("a control character in its header");
            if (c == '\\') escaped(out);
            else out += c;
        }
        return out;
    }

    void end() {
        space();
        if (place_ != text_.size()) damaged("its header goes on after its end");
    }

private:
    char next() {
        if (place_ == text_.size()) damaged("its header ends too early");
        return text_[place_++];
    }

    void space() {
        while (place_ < text_.size() && std::strchr(" \t\r\n", text_[place_]) && text_[place_]) ++place_;
    }

    bool take(char c) {
        space();
        if (place_ == text_.size() || text_[place_] != c) return false;
        ++place_;
        return true;
    }

    void expect(char c) {
        if (!take(c)) damaged("its header has no '" + std::string(1, c) + "' at byte " + std::to_string(place_));
    }

    int64_t number() {
        space();
        const size_t first = place_;
        int64_t value = 0;
        for (; place_ < text_.size() && text_[place_] >= '0' && text_[place_] <= '9'; ++place_) {
            if (place_ - first == MOST_DIGITS) damaged("an absurd number in its header");
            value = 10 * value + (text_[place_] - '0');
        }
        if (place_ == first) damaged("its header has no number at byte " + std::to_string(place_));
        return value;
    }

    uint32_t unit() {  // of UTF-16
        uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            const char c = next();
            const char* digits = "0123456789abcdef";
            const char* found = c ? std::strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : nullptr;
            if (!found) damaged("an escape in its header that is none");
            value = 16 * value + static_cast<uint32_t>(found - digits);
        }
        return value;
    }

    void escaped(std::string& out) {
        const char c = next();
        if (c != 'u') {
            const char *names = "\"\\/bfnrt", *meant = "\"\\/\b\f\n\r\t", *found = c ? std::strchr(names, c) : nullptr;
            if (!found) damaged("an escape in its header that is none");
            out += meant[found - names];
            return;
        }
        uint32_t code = unit();
        if (code >= 0xd800 && code < 0xdc00) {
            if (next() != '\\' || next() != 'u') damaged("half a character in its header");
            const uint32_t low = unit();
            if (low < 0xdc00 || low >= 0xe000) damaged("half a character in its header");
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        append(out, code);
    }

    // A character in UTF-8.
    static void append(std::string& out, uint32_t code) {
        const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
        if (code < 0x80) {
            out += static_cast<char>(code);
        } else if (code < 0x800) {
            out += static_cast<char>(0xc0 | code >> 6);
            tail(0);
        } else if (code < 0x10000) {
            out += static_cast<char>(0xe0 | code >> 12);
            tail(6), tail(0);
        } else {
            out += static_cast<char>(0xf0 | code >> 18);
            tail(12), tail(6), tail(0);
        }
    }

    std::string_view text_;
    size_t place_ = 0;
};

struct Named {
    const char* name;
    Dtype dtype;
    int64_t bytes;
};
constexpr Named DTYPES[] = {{"F32", Dtype::float32, 4}, {"I64", Dtype::int64, 8}, {"U8", Dtype::uint8, 1}};

// Bytes of a tensor, or -1 where no file has as many.
int64_t bytes_of(const std::vector<int64_t>& shape, int64_t each, int64_t most) {
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
    int64_t bytes = each;
    for (const int64_t side : shape) {
        if (side > most / bytes) return -1;
        bytes *= side;
    }
    return bytes;
}

Tensor tensor_of(Json& json, const std::string& name, std::string_view data) {
    Tensor tensor{name, Dtype::other, {}, {}};
    std::vector<int64_t> offsets;
    int64_t each = 0;
    int seen = 0;
    json.object([&](const std::string& key) {
        if (key == "dtype") {
            const std::string dtype = json.string();
            for (const Named& known : DTYPES)
                if (dtype == known.name) tensor.dtype = known.dtype, each = known.bytes;
        } else if (key == "shape") {
            tensor.shape = json.numbers();
        } else if (key == "data_offsets") {
            offsets = json.numbers();
        } else {
            damaged("the tensor " + name + " has " + key);
        }
        ++seen;
    });
    if (seen != 3 || offsets.size() != 2) damaged("the tensor " + name + " has not its type, shape and place");
    const int64_t all = static_cast<int64_t>(data.size()), first = offsets[0], last = offsets[1];
    if (first > last || last > all) damaged("the tensor " + name + " ends outside the file");
    if (each && bytes_of(tensor.shape, each, all) != last - first) damaged("the tensor " + name + " is not of its shape");
    tensor.data = data.substr(static_cast<size_t>(first), static_cast<size_t>(last - first));
    return tensor;
}

}  // namespace

int64_t Tensor::integer(size_t place) const {
    int64_t value;
    std::memcpy(&value, data.data() + place * sizeof value, sizeof value);
    return value;
}

Safetensors::Safetensors(std::string_view file) {
    int64_t length = 0;
    if (file.size() < LENGTH) damaged("it has no header");
    std::memcpy(&length, file.data(), sizeof length);
    if (length < 0 || length > MOST_HEADER || static_cast<size_t>(length) > file.size() - LENGTH) damaged("its header ends outside the file");
    const std::string_view data = file.substr(LENGTH + static_cast<size_t>(length));
    Json json(file.substr(LENGTH, static_cast<size_t>(length)));
    json.object([&](const std::string& name) {
        if (name == "__metadata__") json.object([&](const std::string& key) { metadata[key] = json.string(); });
        else tensors.push_back(tensor_of(json, name, data));
    });
    json.end();
    size_t together = 0;
    for (const Tensor& tensor : tensors) {
        together += tensor.data.size();
        if (together > data.size()) damaged("its tensors overlap");
    }
    std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
    for (size_t i = 1; i < tensors.size(); ++i)
        if (tensors[i].name == tensors[i - 1].name) damaged("two tensors " + tensors[i].name);
}

const Tensor* Safetensors::find(std::string_view name, Dtype dtype) const {
    for (const Tensor& tensor : tensors)
        if (tensor.name == name && tensor.dtype == dtype) return &tensor;
    return nullptr;
}

Mapping::Mapping(const char* path) {
    const auto fail = [&](int reason) { throw Failure(GATEWORK_FILE, std::string(path) + ": " + std::generic_category().message(reason)); };
    const int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) fail(errno);
    struct stat about{};
    const bool known = ::fstat(file, &about) == 0;
    const int reason = errno;
    const bool regular = known && S_ISREG(about.st_mode);
    const size_t many = regular ? static_cast<size_t>(about.st_size) : 0;
    void* memory = many ? ::mmap(nullptr, many, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
    const int refused = errno;
    ::close(file);
    if (!known) fail(reason);
    if (!regular) throw Failure(GATEWORK_FILE, std::string(path) + ": not a file");
    if (memory == MAP_FAILED) fail(refused);
    bytes = {static_cast<const char*>(memory), many};
}

Mapping::~Mapping() {
    if (!bytes.empty()) ::munmap(const_cast<char*>(bytes.data()), bytes.size());
}

}  // namespace gatework
