// Frequency filters of f32 planes: the twin's lists of sparse steps, run on lines side by side in
// shared memory. Every line is the same sequence of correctly rounded operations as on the CPU.
//
// Three kernels: columns to frequencies, of which those that some weight keeps go on; rows of these to
// frequencies, weighed, and back; columns back. A block has up to 32 lines, a lane each, and its
// warps share out the steps of a run, which touch no slot twice.
//
// Floor: each plane in once and out once, 8 bytes a value. Between the kernels go the rows that are
// kept, four times: all of them 24 bytes a value in all, a fifth of them 11.
#include "device.cuh"

#define THREADS 256u

// Inputs of one chain of a dense product: decides bits.
#define CHAIN 32u

// Kinds of runs, and of dense matrices.
#define BUTTERFLY 0u
#define REFLECTION 1u
#define STRETCH 2u
#define LAST_TURNS 3u
#define FIRST_TURN 4u
#define NONE_TURNS 5u
#define COSINE 0u
#define QUARTER_WAVE 1u
#define FOURIER 2u

// The root of 2 in f32.
#define ROOT 1.41421356f

// Six words: kind, steps or slots, where the slots begin, where the turns do, kind of the matrix, whether
// it is transposed.
#define RUN_WORDS 6u

struct Network {
    const u32 *runs;
    const u32 *slots;
    const float *turns;
    u32 count;
};

// Lines side by side in shared memory: `[slot][line]`, and room for the outputs of a dense product.
struct Lines {
    float *values;
    float *room;
    u32 stride, line, worker, workers;

    __device__ float &at(u32 slot) const { return values[slot * stride + line]; }
};

// Lines of `slots` values, `side` of them, in the shared memory of a block.
__device__ __forceinline__ Lines lines_of(u32 slots, u32 side) {
    Lines lines;
    lines.values = (float *)shared_memory;
    // One more than there are, so that rows are written across without conflicts.
    lines.stride = side + 1;
    lines.room = lines.values + slots * lines.stride;
    lines.line = threadIdx.x % side;
    lines.worker = threadIdx.x / side;
    lines.workers = THREADS / side;
    return lines;
}

__device__ __forceinline__ void butterfly(float &a, float &b) {
    const float sum = a + b, difference = a - b;
    a = sum;
    b = difference;
}

__device__ __forceinline__ void reflect(float &a, float &b, float cos, float sin) {
    const float x = fmaf(cos, a, sin * b), y = fmaf(sin, a, -cos * b);
    a = x;
    b = y;
}

__device__ __forceinline__ void pairs(const Lines &lines, u32 kind, u32 count, const u32 *slots,
                                      const float *turns) {
    for (u32 step = lines.worker; step < count; step += lines.workers) {
        float &first = lines.at(slots[2 * step]), &second = lines.at(slots[2 * step + 1]);
        float a = first, b = second;
        if (kind == BUTTERFLY) {
            butterfly(a, b);
        } else if (kind == REFLECTION) {
            reflect(a, b, turns[2 * step], turns[2 * step + 1]);
        } else {
            a *= ROOT;
            b *= ROOT;
        }
        first = a;
        second = b;
    }
}

// On ab and cd.
__device__ __forceinline__ void on_neighbours(u32 kind, float *v, const float *turns) {
    if (kind == FIRST_TURN) {
        reflect(v[0], v[1], turns[0], turns[1]);
        reflect(v[2], v[3], turns[2], turns[3]);
    } else {
        butterfly(v[0], v[1]);
        if (kind == NONE_TURNS) {
            butterfly(v[3], v[2]);
        } else {
            butterfly(v[2], v[3]);
        }
    }
}

// On ac and bd.
__device__ __forceinline__ void on_others(u32 kind, float *v, const float *turns) {
    butterfly(v[0], v[2]);
    if (kind == LAST_TURNS) {
        reflect(v[1], v[3], turns[0], turns[1]);
    } else {
        butterfly(v[1], v[3]);
    }
}

__device__ __forceinline__ void quads(const Lines &lines, u32 kind, u32 count, const u32 *slots,
                                      const float *turns, bool backwards) {
    for (u32 step = lines.worker; step < count; step += lines.workers) {
        const u32 *four = slots + 4 * step;
        const float *turn = turns + 4 * step;
        float v[4] = {lines.at(four[0]), lines.at(four[1]), lines.at(four[2]), lines.at(four[3])};
        if (backwards) {
            on_others(kind, v, turn);
            on_neighbours(kind, v, turn);
        } else {
            on_neighbours(kind, v, turn);
            on_others(kind, v, turn);
        }
        for (u32 i = 0; i < 4; ++i) lines.at(four[i]) = v[i];
    }
}

// An entry of the orthonormal matrix of an odd length: the cosine at some part of a turn. `parts` of a
// turn are tabulated, and behind them the constant row.
__device__ __forceinline__ float entry(u32 kind, bool is_transposed, u32 n, u32 row, u32 column,
                                       const float *turn) {
    const u32 parts = kind == QUARTER_WAVE ? 8 * n : 4 * n;
    if (kind == QUARTER_WAVE) {
        return turn[((u64)(2 * row + 1) + (u64)(2 * (2 * row + 1)) * column) % parts];
    }
    // What is constant is the first row of the matrix, so the first column of its transpose.
    if ((is_transposed ? column : row) == 0) return turn[parts];
    if (kind == COSINE) {
        if (is_transposed) return turn[(u64)(2 * row + 1) * column % parts];
        return turn[((u64)row + (u64)(2 * row) * column) % parts];
    }
    // Three quarters of a turn further on, the cosine is the sine.
    const u32 wave = is_transposed ? column : row, place = is_transposed ? row : column;
    const u64 angle = (u64)4 * ((wave + 1) / 2) * place;
    return turn[(angle + (wave % 2 == 1 ? 0 : 3 * n)) % parts];
}

// Each output the sum of chains of fused products and sums, in the order of the inputs.
__device__ void dense(const Lines &lines, u32 kind, bool is_transposed, u32 n, const u32 *slots,
                      const float *turn) {
    for (u32 row = lines.worker; row < n; row += lines.workers) {
        float sum = 0.0f;
        for (u32 first = 0; first < n; first += CHAIN) {
            float part = 0.0f;
            for (u32 p = first; p < least(first + CHAIN, n); ++p) {
                part = fmaf(entry(kind, is_transposed, n, row, p, turn), lines.at(slots[p]), part);
            }
            sum += part;
        }
        lines.room[row * lines.stride + lines.line] = sum;
    }
    __syncthreads();
    for (u32 row = lines.worker; row < n; row += lines.workers) {
        lines.at(slots[row]) = lines.room[row * lines.stride + lines.line];
    }
}

// From values to frequencies or, backwards, by the transpose.
__device__ void transform(const Lines &lines, const Network &network, bool backwards) {
    for (u32 i = 0; i < network.count; ++i) {
        const u32 *run = network.runs + RUN_WORDS * (backwards ? network.count - 1 - i : i);
        const u32 kind = run[0], count = run[1];
        const u32 *slots = network.slots + run[2];
        const float *turns = network.turns + run[3];
        const bool is_transposed = (run[5] != 0) != backwards;
        if (kind <= STRETCH) {
            pairs(lines, kind, count, slots, turns);
        } else if (kind <= NONE_TURNS) {
            quads(lines, kind, count, slots, turns, is_transposed);
        } else {
            dense(lines, run[4], is_transposed, count, slots, turns);
        }
        __syncthreads();
    }
}

// Columns of the planes to frequencies: `[plane][kept frequency][column]`.
KERNEL(256) filter_down(const float *planes, const u32 *runs, const u32 *slots, const float *turns,
                        const u32 *kept, float *out, u32 run_count, u32 kept_count, u32 count,
                        u32 width, u32 height, u32 side) {
    const Network network = {runs, slots, turns, run_count};
    const Lines lines = lines_of(height, side);
    const u32 column = blockIdx.x * side + lines.line;
    const bool is_there = column < width;
    for (u32 plane = blockIdx.y; plane < count; plane += gridDim.y) {
        const float *from = planes + (u64)plane * width * height + column;
        for (u32 row = lines.worker; row < height; row += lines.workers) {
            lines.at(row) = is_there ? from[(u64)row * width] : 0.0f;
        }
        __syncthreads();
        transform(lines, network, false);
        float *to = out + (u64)plane * kept_count * width + column;
        for (u32 i = lines.worker; i < kept_count && is_there; i += lines.workers) {
            to[(u64)i * width] = lines.at(kept[i]);
        }
        __syncthreads();
    }
}

// Rows, in place: to frequencies, times `weights` (`[frequency][row]`), and back.
KERNEL(256) filter_across(float *rows, const u32 *runs, const u32 *slots, const float *turns,
                          const u32 *kept, const u32 *dropped, const float *weights, u32 run_count,
                          u32 kept_count, u32 dropped_count, u32 count, u32 width, u32 row_count,
                          u32 side) {
    const Network network = {runs, slots, turns, run_count};
    const Lines lines = lines_of(width, side);
    const u32 first = blockIdx.x * side, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    for (u32 plane = blockIdx.y; plane < count; plane += gridDim.y) {
        float *from = rows + ((u64)plane * row_count + first) * width;
        for (u32 r = warp; r < side; r += THREADS / WARP) {
            for (u32 x = lane; x < width; x += WARP) {
                const bool is_there = first + r < row_count;
                lines.values[x * lines.stride + r] = is_there ? from[(u64)r * width + x] : 0.0f;
            }
        }
        __syncthreads();
        transform(lines, network, false);
        for (u32 i = lines.worker; i < kept_count; i += lines.workers) {
            const u32 row = least(first + lines.line, row_count - 1);
            lines.at(kept[i]) *= weights[(u64)i * row_count + row];
        }
        for (u32 i = lines.worker; i < dropped_count; i += lines.workers) {
            lines.at(dropped[i]) = 0.0f;
        }
        __syncthreads();
        transform(lines, network, true);
        for (u32 r = warp; r < side && first + r < row_count; r += THREADS / WARP) {
            for (u32 x = lane; x < width; x += WARP) {
                from[(u64)r * width + x] = lines.values[x * lines.stride + r];
            }
        }
        __syncthreads();
    }
}

// Columns back from `[plane][kept frequency][column]`; where `is_high`, what they leave of the planes,
// plus the means.
KERNEL(256) filter_back(const float *planes, const float *rows, const u32 *runs, const u32 *slots,
                        const float *turns, const u32 *kept, const u32 *dropped, const float *means,
                        float *out, u32 run_count, u32 kept_count, u32 dropped_count, u32 count,
                        u32 width, u32 height, u32 side, u32 is_high) {
    const Network network = {runs, slots, turns, run_count};
    const Lines lines = lines_of(height, side);
    const u32 column = blockIdx.x * side + lines.line;
    const bool is_there = column < width;
    for (u32 plane = blockIdx.y; plane < count; plane += gridDim.y) {
        const float *from = rows + (u64)plane * kept_count * width + column;
        for (u32 i = lines.worker; i < kept_count; i += lines.workers) {
            lines.at(kept[i]) = is_there ? from[(u64)i * width] : 0.0f;
        }
        for (u32 i = lines.worker; i < dropped_count; i += lines.workers) {
            lines.at(dropped[i]) = 0.0f;
        }
        __syncthreads();
        transform(lines, network, true);
        const u64 base = (u64)plane * width * height + column;
        for (u32 row = lines.worker; row < height && is_there; row += lines.workers) {
            const u64 at = base + (u64)row * width;
            const float low = lines.at(row);
            out[at] = is_high ? (planes[at] - low) + means[plane] : low;
        }
        __syncthreads();
    }
}

// The mean of each plane, in f64: sixteen sums side by side, then their sum in order.
KERNEL(256) plane_means(const float *planes, float *means, u32 count, u32 area) {
    double *parts = (double *)shared_memory;
    const u32 lane = threadIdx.x % 16;
    for (u32 first = blockIdx.x * 16; first < count; first += gridDim.x * 16) {
        const u32 plane = first + threadIdx.x / 16;
        double part = 0.0;
        if (plane < count) {
            const float *from = planes + (u64)plane * area;
#pragma unroll 8
            for (u32 at = lane; at < area; at += 16) part += (double)from[at];
        }
        parts[threadIdx.x] = part;
        __syncthreads();
        if (plane < count && lane == 0) {
            double total = 0.0;
            for (u32 i = 0; i < 16; ++i) total += parts[threadIdx.x + i];
            means[plane] = (float)(total / (double)area);
        }
        __syncthreads();
    }
}

// A plane of one value each: what is left of a high-pass filter that takes everything away.
KERNEL(256) fill_planes(const float *means, float *out, u32 count, u32 area) {
    for (u32 plane = blockIdx.y; plane < count; plane += gridDim.y) {
        const float mean = means[plane];
        for (u32 at = blockIdx.x * THREADS + threadIdx.x; at < area; at += gridDim.x * THREADS) {
            out[(u64)plane * area + at] = mean;
        }
    }
}
