/* A trained network in C: opens a file that `gatework export RUN --out model.gw` wrote, and runs it step by step.
 *
 * A recurrent network reads one row of input a step, answers with one row of output, and carries a state from step to
 * step. Several sequences, a batch of B, may go side by side: each has its own state, and one step takes a row of each.
 *
 *     gatework_model *model;
 *     gatework_size size;
 *     if (gatework_open("model.gw", 1, &model) || gatework_sizes(model, &size)) {
 *         fprintf(stderr, "%s\n", gatework_error(model));
 *     } else {
 *         float *output = malloc(size.output * sizeof *output);
 *         int64_t token = 65;
 *         if (!gatework_step(model, &token, output)) ...
 *     }
 *     gatework_close(model);
 *
 * Every function but the last two returns GATEWORK_OK, which is 0, or why it failed; gatework_error then says it in
 * words. What fails has changed nothing. Arrays are the caller's, rows of numbers one after another without gaps, in
 * the order of the batch.
 *
 * Threads: a model is used by one thread at a time; different models by different threads at once, without waiting for
 * one another. Nothing is set for the whole process. A step runs in the thread that asks for it.
 *
 * Files: a damaged or a foreign file is refused when it is opened, and runs no code. Memory is a small multiple of the
 * file's size, times the batch. The file is mapped: whoever shortens or overwrites it while a model is open takes the
 * memory away under it. Write a new file beside it and rename it instead.
 *
 * The environment variable GATEWORK_ISA chooses among the instruction sets that the processor has (avx512bf16, avx512,
 * avx2, baseline); without it the fastest is taken. */
#ifndef GATEWORK_H
#define GATEWORK_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GATEWORK_API __attribute__((visibility("default")))
#else
#define GATEWORK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An open model: weights, packed for the processor that runs it, and the state of B sequences. */
typedef struct gatework_model gatework_model;

typedef enum gatework_status {
    GATEWORK_OK = 0,
    GATEWORK_ARGUMENT = 1,    /* an argument that cannot be: a null pointer, a batch of 0, an id that is not there */
    GATEWORK_FILE = 2,        /* the file cannot be read */
    GATEWORK_DAMAGED = 3,     /* what is in the file is no model, or is not whole */
    GATEWORK_UNSUPPORTED = 4, /* a model that C does not run, or one that another version of the library wrote */
    GATEWORK_MEMORY = 5,      /* there is not enough memory */
    GATEWORK_INTERNAL = 6     /* a fault of the library: please report it */
} gatework_status;

/* What a step takes and gives, in numbers. */
typedef struct gatework_size {
    int64_t batch;  /* B, as it was opened */
    int64_t input;  /* I: a step takes float [B,I]; or 0: a step takes ids, int64_t [B] */
    int64_t ids;    /* of a model that takes ids, how many there are: 0, 1, ... ids - 1; else 0 */
    int64_t output; /* N: a step gives float [B,N]; of a language model, log probabilities of the next token */
    int64_t state;  /* numbers of the whole state, of all sequences */
    int64_t tokens; /* tokens of the vocabulary, those of the first ids; 0 of a model without text */
} gatework_size;

/* Opens a model for B = batch sequences, from 1 to 2^20, in their start state. Whatever it returns, *model is to be
 * closed, and says by gatework_error what failed; it is NULL where there was no memory even for that. */
GATEWORK_API gatework_status gatework_open(const char* path, int64_t batch, gatework_model** model);

GATEWORK_API gatework_status gatework_sizes(gatework_model* model, gatework_size* size);

/* One step of every sequence. input: float [B,I], or int64_t [B] of a model that takes ids. output: float [B,N]. */
GATEWORK_API gatework_status gatework_step(gatework_model* model, const void* input, float* output);

/* T steps, one after another: input float [T,B,I] or int64_t [T,B], output float [T,B,N]. */
GATEWORK_API gatework_status gatework_run(gatework_model* model, const void* input, int64_t steps, float* output);

/* The state as it is now, float [size.state]: of each state of the cell, the output first (of an LSTM h, then c),
 * [L,B,size] one after another. */
GATEWORK_API gatework_status gatework_state_get(gatework_model* model, float* state);

/* Goes on from another state, as gatework_state_get gave it; NULL: from the start state. */
GATEWORK_API gatework_status gatework_state_set(gatework_model* model, const float* state);

/* The text of a token, UTF-8, without a 0 at its end; at byte level one byte, which alone may be no character. It stays
 * where it is until the model is closed. */
GATEWORK_API gatework_status gatework_token(gatework_model* model, int64_t id, const char** text, size_t* bytes);

/* The id of the token that is exactly this text, or -1 where there is none. */
GATEWORK_API gatework_status gatework_find(gatework_model* model, const char* text, size_t bytes, int64_t* id);

/* What the last function that failed had to say, one line; "" where none has. NULL is no model. It stays until the next
 * call with this model. */
GATEWORK_API const char* gatework_error(const gatework_model* model);

/* Gives back all that the model has; NULL is nothing. */
GATEWORK_API void gatework_close(gatework_model* model);

#ifdef __cplusplus
}
#endif

#endif
