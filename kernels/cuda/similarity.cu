// The structural similarity map of two pictures, summed as it is made: the twin's single pass down a
// strip, with its sums in the same order.
//
// A block goes down 64 neighbouring values of the map's rows, eight rows at a time: x + y and x - y
// come to shared memory, the four moments are filtered across into a ring of rows, filtered down from
// there and turned into the term. Nothing else goes to memory than one sum for each column.
//
// Floor: both pictures once, 2 bytes a value of u8. That is not what limits it: a value takes some 160
// operations in f64, which a GPU with half as many of them as in f32 does in the time of about 15
// bytes, and one with a 64th (every card for graphics) 30 times as slowly.
#include "device.cuh"

#define STRIP 64u
#define THREADS 128u
// Rows between two visits to the source, and those that a thread filters down together.
#define STEP 8u
#define GROUP 4u
#define MOMENTS 4u

// Terms.
#define SIMILARITY 0u
#define CONTRAST 1u

struct Map {
    u32 images, width, height, channels, margin, term;
    double mass, c1, c2;
};

// The row of the plane that stands at `padded`, mirrored without repeating the edge.
__device__ __forceinline__ u32 reflected(u32 padded, u32 margin, u32 length) {
    const u32 at = padded < margin ? margin - padded : padded - margin;
    return padded > margin && at >= length ? 2 * (length - 1) - at : at;
}

__device__ __forceinline__ double term_of(const Map &map, const double *moments) {
    const double s = moments[0], d = moments[1];
    const double s_squared = s * s, d_squared = d * d;
    const double s_variance = map.mass * moments[2] - s_squared;
    const double d_variance = map.mass * moments[3] - d_squared;
    const double light = s_squared + map.c1, spread = s_variance + map.c2;
    const double top = light - d_squared, bottom = light + d_squared;
    const double structure = spread - d_variance, contrast = spread + d_variance;
    if (map.term == CONTRAST) return structure / contrast;
    if (map.term == SIMILARITY) return (top * structure) / (bottom * contrast);
    return (top * (structure > 0.0 ? structure : 0.0)) / (bottom * contrast);
}

// x + y and x - y of some rows, with the margins mirrored; zeros where the strip is beyond the row.
template <u32 R, class T>
__device__ void stage(const T *x, const T *y, const Map &map, u32 start, u32 first, u32 rows,
                      double *sums, double *differences, u32 length) {
    const u32 values = map.width * map.channels, margin = map.margin * map.channels;
    for (u32 at = threadIdx.x; at < length; at += THREADS) {
        const u32 padded = start + at;
        const bool is_there = padded < values + 2 * margin;
        const u32 pixel = reflected(padded / map.channels, map.margin, map.width);
        const u32 from = pixel * map.channels + padded % map.channels;
#pragma unroll
        for (u32 r = 0; r < STEP; ++r) {
            if (r >= rows) break;
            const u64 row = (u64)reflected(first + r, map.margin, map.height) * values;
            const double a = is_there ? (double)x[row + from] : 0.0;
            const double b = is_there ? (double)y[row + from] : 0.0;
            sums[r * length + at] = a + b;
            differences[r * length + at] = a - b;
        }
    }
}

// Weighted sums across of s, d, s^2 and d^2, centre first, then outwards.
template <u32 R>
__device__ __forceinline__ void across(const double *s, const double *d, u32 channels,
                                       const double *weights, double *moments) {
    const double s0 = s[R * channels], d0 = d[R * channels];
    double sum = s0, difference = d0, sum_squared = s0 * s0, difference_squared = d0 * d0;
#pragma unroll
    for (u32 i = 0; i < R; ++i) {
        const u32 before = (R - 1 - i) * channels, after = (R + 1 + i) * channels;
        const double s1 = s[before], s2 = s[after], d1 = d[before], d2 = d[after];
        sum += weights[i] * (s1 + s2);
        difference += weights[i] * (d1 + d2);
        sum_squared += weights[i] * (s1 * s1 + s2 * s2);
        difference_squared += weights[i] * (d1 * d1 + d2 * d2);
    }
    moments[0] = sum;
    moments[STRIP] = difference;
    moments[2 * STRIP] = sum_squared;
    moments[3 * STRIP] = difference_squared;
}

// The terms of up to four rows that end with padded rows `last` and those after it. What stands for a
// row that is not there is not used.
template <u32 R>
__device__ __forceinline__ void down(const double *ring, u32 column, u32 last, const double *weights,
                                     const Map &map, double *terms) {
    const u32 slots = STEP + 2 * R;
    double moments[GROUP][MOMENTS];
#pragma unroll
    for (u32 moment = 0; moment < MOMENTS; ++moment) {
        double rows[GROUP + 2 * R];
#pragma unroll
        for (u32 i = 0; i < GROUP + 2 * R; ++i) {
            const u32 slot = (last + slots - 2 * R + i) % slots;
            rows[i] = ring[(slot * MOMENTS + moment) * STRIP + column];
        }
#pragma unroll
        for (u32 g = 0; g < GROUP; ++g) {
            double sum = rows[g + R];
#pragma unroll
            for (u32 i = 0; i < R; ++i) {
                sum += weights[i] * (rows[g + R - 1 - i] + rows[g + R + 1 + i]);
            }
            moments[g][moment] = sum;
        }
    }
#pragma unroll
    for (u32 g = 0; g < GROUP; ++g) terms[g * STRIP] = term_of(map, moments[g]);
}

// Sums of the term down the columns of a strip, for a window of radius R.
template <u32 R, class T>
__device__ void column_sums(const T *x, const T *y, const double *given_weights, double *out,
                            const Map &map) {
    const u32 values = map.width * map.channels, area = map.height;
    const u32 row = (map.width + 2 * map.margin - 2 * R) * map.channels;
    const u32 padded_rows = area + 2 * map.margin, slots = STEP + 2 * R;
    const u32 start = blockIdx.x * STRIP, length = STRIP + 2 * R * map.channels;
    const u32 column = threadIdx.x % STRIP, part = threadIdx.x / STRIP;
    double *ring = (double *)shared_memory;
    double *sums = ring + slots * MOMENTS * STRIP, *differences = sums + STEP * length;
    // Terms take the place of the staged rows, which nobody reads by then.
    double *terms = sums;
    double weights[R];
#pragma unroll
    for (u32 i = 0; i < R; ++i) weights[i] = given_weights[i];
    for (u32 image = blockIdx.y; image < map.images; image += gridDim.y) {
        const u64 base = (u64)image * values * map.height;
        double total = 0.0;
        for (u32 first = 0; first < padded_rows; first += STEP) {
            const u32 rows = least(STEP, padded_rows - first);
            stage<R>(x + base, y + base, map, start, first, rows, sums, differences, length);
            __syncthreads();
            for (u32 r = part; r < rows; r += THREADS / STRIP) {
                double *to = ring + (first + r) % slots * MOMENTS * STRIP + column;
                const u32 from = r * length + column;
                across<R>(sums + from, differences + from, map.channels, weights, to);
            }
            __syncthreads();
            const u32 group = part * GROUP;
            if (group < rows && first + group + GROUP > 2 * R) {
                down<R>(ring, column, first + group, weights, map, terms + group * STRIP + column);
            }
            __syncthreads();
            if (part == 0) {
                for (u32 r = 0; r < rows; ++r) {
                    if (first + r >= 2 * R) total += terms[r * STRIP + column];
                }
            }
            __syncthreads();
        }
        if (part == 0 && start + column < row) out[(u64)image * row + start + column] = total;
    }
}

// Gaussian windows have radius 5, uniform ones 3.
KERNEL(128) similarity_gaussian_u8(const u8 *x, const u8 *y, const double *weights, double *out,
                                   u32 images, u32 width, u32 height, u32 channels, u32 margin,
                                   u32 term, double mass, double c1, double c2) {
    const Map map = {images, width, height, channels, margin, term, mass, c1, c2};
    column_sums<5>(x, y, weights, out, map);
}

KERNEL(128) similarity_gaussian_f32(const float *x, const float *y, const double *weights,
                                    double *out, u32 images, u32 width, u32 height, u32 channels,
                                    u32 margin, u32 term, double mass, double c1, double c2) {
    const Map map = {images, width, height, channels, margin, term, mass, c1, c2};
    column_sums<5>(x, y, weights, out, map);
}

KERNEL(128) similarity_uniform_u8(const u8 *x, const u8 *y, const double *weights, double *out,
                                  u32 images, u32 width, u32 height, u32 channels, u32 margin,
                                  u32 term, double mass, double c1, double c2) {
    const Map map = {images, width, height, channels, margin, term, mass, c1, c2};
    column_sums<3>(x, y, weights, out, map);
}

KERNEL(128) similarity_uniform_f32(const float *x, const float *y, const double *weights,
                                   double *out, u32 images, u32 width, u32 height, u32 channels,
                                   u32 margin, u32 term, double mass, double c1, double c2) {
    const Map map = {images, width, height, channels, margin, term, mass, c1, c2};
    column_sums<3>(x, y, weights, out, map);
}

// The sums of a picture's columns, strip by strip, over `count`. A block per picture.
KERNEL(128) similarity_means(const double *columns, double *means, u32 images, u32 row,
                             double count) {
    double *strips = (double *)shared_memory;
    const u32 all = (row + STRIP - 1) / STRIP;
    for (u32 image = blockIdx.x; image < images; image += gridDim.x) {
        for (u32 strip = threadIdx.x; strip < all; strip += THREADS) {
            const double *sums = columns + (u64)image * row + strip * STRIP;
            const u32 here = least(STRIP, row - strip * STRIP);
            double sum = sums[0];
            for (u32 i = 1; i < here; ++i) sum += sums[i];
            strips[strip] = sum;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            double total = 0.0;
            for (u32 strip = 0; strip < all; ++strip) total += strips[strip];
            means[image] = total / count;
        }
        __syncthreads();
    }
}
