/* How long a step of a model takes, in processor time: the best of several runs.
 *
 *     time_steps MODEL.gw [BATCH [STEPS]] */
#include <gatework.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 7

/* Microseconds a step, or below 0 where one failed. */
static double best(gatework_model* model, const void* input, long steps, float* output) {
    double least = -1;
    int run;
    for (run = 0; run < RUNS; ++run) {
        const clock_t begin = clock();
        double took;
        long step;
        for (step = 0; step < steps; ++step)
            if (gatework_step(model, input, output)) return -1;
        took = 1e6 * (double)(clock() - begin) / CLOCKS_PER_SEC / (double)steps;
        if (run == 0 || took < least) least = took;
    }
    return least;
}

int main(int many, char** words) {
    const long batch = many > 2 ? atol(words[2]) : 1, steps = many > 3 ? atol(words[3]) : 2000;
    gatework_model* model = NULL;
    gatework_size size = {0};
    gatework_status failed;
    void* input;
    float* output;
    double took = -1;
    if (many < 2 || steps < 1) {
        fprintf(stderr, "usage: time_steps MODEL.gw [BATCH [STEPS]]\n");
        return 2;
    }
    failed = gatework_open(words[1], batch, &model);
    if (!failed) failed = gatework_sizes(model, &size);
    input = calloc((size_t)(size.batch * (size.input + 2)), sizeof(float)); /* ids of 0, or numbers */
    output = malloc((size_t)(size.batch * size.output + 1) * sizeof(float));
    if (!failed && input && output) took = best(model, input, steps, output);
    if (took < 0) fprintf(stderr, "%s\n", gatework_error(model));
    else printf("%.2f us a step of %ld\n", took, batch);
    free(input);
    free(output);
    gatework_close(model);
    return took < 0 ? 2 : 0;
}
