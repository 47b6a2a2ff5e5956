// Large products of matrices: those that no step of a scan waits for.
#pragma once

#include "scan.h"

namespace gatework {

// A matrix in memory that is someone else's: numbers from row to row and from column to column, one of them 1.
struct Matrix {
    const void* data;
    int64_t row, column;
    Element element;
};

// to [M,N] (+)= a [M,K] . b [K,N]; the rows of `to` lie `row` numbers apart.
struct Right {
    int64_t N;
    Matrix b;
    float* to;
    int64_t row;
};

// The products of one matrix with several.
struct Product {
    int64_t M, K;
    Matrix a;
    std::vector<Right> right;
    bool add;
};

}  // namespace gatework
