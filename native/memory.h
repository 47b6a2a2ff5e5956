#pragma once

#include <cstddef>

namespace gatework {

// Memory of at least `bytes`, aligned to a cache line. What is given back is kept for the next that asks for about as
// much: fresh memory costs the system more than the arithmetic on it. Of what is kept and in use there is at most a quarter
// more than was ever in use at once.
void* take_memory(size_t bytes);
void give_memory(void* memory);

}  // namespace gatework
