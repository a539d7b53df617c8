// Sums of outer products of rows, in f64: what the mean and the covariance are made of.
//
// Every element is one chain of fused products and sums, row after row, that goes on where the last
// call ended: its bits are the twin's, whatever the grid and however rows are divided into calls. A
// block makes 64 x 64 elements on or above the diagonal.
//
// Floor: not memory but the products: rows x columns^2 / 2 in f64, 1.05e11 for 50,000 x 2,048. 256 rows
// of 2,048 are 2 MB, and the 33.6 MB of sums are read and written once a call: give many rows at once.
#include "device.cuh"

#define THREADS 256u
#define TILE 64u
#define DEPTH 16u

// Some rows of the columns of a tile, less the point.
__device__ __forceinline__ void stage(const float *rows, const double *point, u32 first, u32 here,
                                      u32 columns, u32 left, double *tile) {
    for (u32 at = threadIdx.x; at < DEPTH * TILE; at += THREADS) {
        const u32 row = at / TILE, column = left + at % TILE;
        if (row < here && column < columns) {
            tile[at] = (double)rows[(u64)(first + row) * columns + column] - point[column];
        } else {
            tile[at] = 0.0;
        }
    }
}

// Adds `count` rows to `products`, `[column][column]`, on the diagonal and to its right (and, within
// its tiles, left of it).
KERNEL(256) gram_products(const float *rows, const double *point, double *products, u32 count,
                          u32 columns) {
    double *down = (double *)shared_memory, *across = down + DEPTH * TILE;
    const u32 top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    if (left < top) return;
    const u32 ty = threadIdx.x / 16, tx = threadIdx.x % 16;
    double sums[4][4];
#pragma unroll
    for (u32 i = 0; i < 4; ++i) {
#pragma unroll
        for (u32 j = 0; j < 4; ++j) {
            const u32 row = top + ty + 16 * i, column = left + tx + 16 * j;
            const bool is_there = row < columns && column < columns;
            sums[i][j] = is_there ? products[(u64)row * columns + column] : 0.0;
        }
    }
    for (u32 first = 0; first < count; first += DEPTH) {
        const u32 here = least(DEPTH, count - first);
        stage(rows, point, first, here, columns, top, down);
        stage(rows, point, first, here, columns, left, across);
        __syncthreads();
        // Rows that are not there are left out and not added as zeros, which would lose a minus.
        for (u32 k = 0; k < here; ++k) {
            double a[4], b[4];
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
                a[i] = down[k * TILE + ty + 16 * i];
                b[i] = across[k * TILE + tx + 16 * i];
            }
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
#pragma unroll
                for (u32 j = 0; j < 4; ++j) sums[i][j] = fma(a[i], b[j], sums[i][j]);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (u32 i = 0; i < 4; ++i) {
#pragma unroll
        for (u32 j = 0; j < 4; ++j) {
            const u32 row = top + ty + 16 * i, column = left + tx + 16 * j;
            if (row < columns && column < columns) {
                products[(u64)row * columns + column] = sums[i][j];
            }
        }
    }
}

// Adds each column of `count` rows, less the point, row after row. A thread per column.
KERNEL(256) gram_sums(const float *rows, const double *point, double *sums, u32 count, u32 columns) {
    for (u32 column = blockIdx.x * THREADS + threadIdx.x; column < columns;
         column += gridDim.x * THREADS) {
        double sum = sums[column];
        const double centre = point[column];
#pragma unroll 8
        for (u32 row = 0; row < count; ++row) {
            sum += (double)rows[(u64)row * columns + column] - centre;
        }
        sums[column] = sum;
    }
}
