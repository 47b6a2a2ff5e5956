/* Reads a language model and writes text after a prompt.
 *
 *     write_text MODEL.gw PROMPT [LENGTH [TEMPERATURE [SEED]]]
 *
 * LENGTH: tokens, 200 by default. TEMPERATURE: 0, the default, writes the likeliest token each time; 1 draws from the
 * model's own probabilities, less makes the text safer. One seed writes one text. */
#include <gatework.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 100 /* bytes of a token that a prompt is searched for */

/* xorshift64* (Vigna 2016): a number from 0 to 1. */
static double uniform(uint64_t* seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (double)(*seed * 2685821657736338717ULL >> 11) / 9007199254740992.0;
}

/* The likeliest id of n, or one that is drawn. */
static int64_t chosen(const float* log_p, int64_t n, double temperature, uint64_t* seed) {
    int64_t best = 0, id;
    double sum = 0, point;
    for (id = 1; id < n; ++id)
        if (log_p[id] > log_p[best]) best = id;
    if (temperature <= 0) return best;
    for (id = 0; id < n; ++id) sum += exp((log_p[id] - log_p[best]) / temperature);
    point = sum * uniform(seed);
    for (id = 0; id < n; ++id) {
        point -= exp((log_p[id] - log_p[best]) / temperature);
        if (point < 0) return id;
    }
    return best;
}

/* The longest token that a text begins with: its bytes, or 0 where there is none. */
static size_t longest(gatework_model* model, const char* text, size_t rest, int64_t* id) {
    size_t bytes = rest < LONGEST ? rest : LONGEST;
    for (; bytes > 0; --bytes)
        if (gatework_find(model, text, bytes, id) == GATEWORK_OK && *id >= 0) return bytes;
    return 0;
}

/* Has the model read a prompt, token by token; the output is what may come next. */
static gatework_status read_prompt(gatework_model* model, const char* prompt, int64_t unknown, float* log_p) {
    gatework_status failed = GATEWORK_OK;
    while (*prompt && !failed) {
        int64_t id;
        size_t bytes = longest(model, prompt, strlen(prompt), &id);
        if (bytes == 0) {
            id = unknown;
            do ++bytes;
            while ((prompt[bytes] & 0xc0) == 0x80); /* the rest of a character */
        }
        failed = gatework_step(model, &id, log_p);
        prompt += bytes;
    }
    return failed;
}

static gatework_status write_text(gatework_model* model, const char* prompt, long length, double temperature, uint64_t seed, const gatework_size* size,
                                  float* log_p) {
    int64_t unknown; /* stands for what is not listed, and is never written; bytes have none, since all are listed */
    gatework_status failed = gatework_find(model, "<unk>", 5, &unknown);
    if (!failed) failed = read_prompt(model, prompt, unknown, log_p);
    while (length-- > 0 && !failed) {
        const char* text;
        size_t bytes;
        int64_t id;
        if (unknown >= 0) log_p[unknown] = -INFINITY;
        id = chosen(log_p, size->output, temperature, &seed);
        if (id >= size->tokens) break; /* the end of a document */
        failed = gatework_token(model, id, &text, &bytes);
        if (!failed) fwrite(text, 1, bytes, stdout);
        if (!failed) failed = gatework_step(model, &id, log_p);
    }
    return failed;
}

int main(int many, char** words) {
    const long length = many > 3 ? atol(words[3]) : 200;
    const double temperature = many > 4 ? atof(words[4]) : 0;
    const uint64_t seed = many > 5 ? 2 * strtoull(words[5], NULL, 10) + 1 : 1; /* odd, since 0 stays 0 */
    gatework_model* model;
    gatework_size size = {0};
    gatework_status failed;
    float* log_p = NULL;
    if (many < 3 || many > 6 || !*words[2]) {
        fprintf(stderr, "usage: write_text MODEL.gw PROMPT [LENGTH [TEMPERATURE [SEED]]]\n");
        return 2;
    }
    failed = gatework_open(words[1], 1, &model);
    if (!failed) failed = gatework_sizes(model, &size);
    if (!failed) log_p = malloc((size_t)size.output * sizeof *log_p);
    if (!failed && size.ids && size.tokens && log_p) {
        failed = write_text(model, words[2], length, temperature, seed, &size, log_p);
    } else if (!failed) {
        fprintf(stderr, "%s: no language model, or no memory for it\n", words[1]);
        failed = GATEWORK_ARGUMENT;
    }
    if (failed) fprintf(stderr, "%s\n", gatework_error(model));
    free(log_p);
    gatework_close(model);
    return failed ? 2 : 0;
}
