// Squared distances of all pairs of points, of which only what is asked for is kept: the k-th smallest
// of each point, or whether it lies in a ball.
//
// As on the CPU: 64 x 64 pairs get their inner products in f32, one fused chain each; bounds follow
// that hold whatever the rounding, and only pairs that they leave undecided are computed from their
// differences in f64, eight lanes a pair. So every result is that of f64 distances, to the last bit.
// Distances must be finite.
//
// Floor: not memory but one fused product and sum for each pair and column: 50,000 x 50,000 x 2,048
// 5.1e12. A block reads all points once, 64 rows of them a time, through the second-level cache.
#include "device.cuh"

#define THREADS 256u
#define WARPS (THREADS / WARP)
// Points of a tile along each side, columns of the points between two visits to memory.
#define TILE 64u
#define DEPTH 16u
// Values between two steps: a multiple of 4, so that four values are one load.
#define PADDED (TILE + 4)
#define LINE (TILE + 1)

// What underflow can hide in products and sums.
#define TINY 1e-30f

// Words of shared memory before what the kernels keep.
#define PRODUCTS (2 * DEPTH * PADDED)
#define KEPT (PRODUCTS + TILE * LINE)

struct Points {
    const float *rows;
    const float *lower;
    const float *upper;
    u32 count;
};

// Four columns of a point; zeros beyond the last.
__device__ __forceinline__ float4 four(const float *rows, u32 count, u32 columns, u32 row,
                                       u32 column) {
    float4 values = {0.0f, 0.0f, 0.0f, 0.0f};
    if (row >= count || column >= columns) return values;
    const float *from = rows + (u64)row * columns + column;
    if (columns % 4 == 0) return *(const float4 *)from;
    values.x = from[0];
    if (column + 1 < columns) values.y = from[1];
    if (column + 2 < columns) values.z = from[2];
    if (column + 3 < columns) values.w = from[3];
    return values;
}

// Turned: `[column][point]`.
__device__ __forceinline__ void put(float *tile, u32 row, u32 column, float4 values) {
    tile[column * PADDED + row] = values.x;
    tile[(column + 1) * PADDED + row] = values.y;
    tile[(column + 2) * PADDED + row] = values.z;
    tile[(column + 3) * PADDED + row] = values.w;
}

// Inner products of 64 points with 64 others, `[point][other]`, in shared memory.
__device__ void multiply(const Points &down, u32 top, const Points &across, u32 left, u32 columns) {
    float *a = (float *)shared_memory, *b = a + DEPTH * PADDED, *products = a + PRODUCTS;
    const u32 row = threadIdx.x / 4, column = threadIdx.x % 4 * 4;
    const u32 ty = threadIdx.x / 16 * 4, tx = threadIdx.x % 16 * 4;
    float sums[4][4] = {};
    float4 next_a = four(down.rows, down.count, columns, top + row, column);
    float4 next_b = four(across.rows, across.count, columns, left + row, column);
    for (u32 k = 0; k < columns; k += DEPTH) {
        put(a, row, column, next_a);
        put(b, row, column, next_b);
        __syncthreads();
        // The next columns are on their way while these are computed.
        next_a = four(down.rows, down.count, columns, top + row, k + DEPTH + column);
        next_b = four(across.rows, across.count, columns, left + row, k + DEPTH + column);
#pragma unroll
        for (u32 step = 0; step < DEPTH; ++step) {
            const float4 va = *(const float4 *)(a + step * PADDED + ty);
            const float4 vb = *(const float4 *)(b + step * PADDED + tx);
            const float left_values[4] = {va.x, va.y, va.z, va.w};
            const float right_values[4] = {vb.x, vb.y, vb.z, vb.w};
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
#pragma unroll
                for (u32 j = 0; j < 4; ++j) {
                    sums[i][j] = fmaf(left_values[i], right_values[j], sums[i][j]);
                }
            }
        }
        __syncthreads();
    }
    for (u32 i = 0; i < 4; ++i) {
        for (u32 j = 0; j < 4; ++j) products[(ty + i) * LINE + tx + j] = sums[i][j];
    }
    __syncthreads();
}

// `sum (a - b)^2` in f64 of the pair that the eight lanes of a quarter of a warp are given: 8 sums of
// every eighth column, then their sum in order. Each of the lanes has it.
__device__ __forceinline__ double squared_distance(const float *a, const float *b, u32 columns) {
    double sum = 0.0;
    for (u32 column = threadIdx.x % 8; column < columns; column += 8) {
        const double difference = (double)a[column] - (double)b[column];
        sum += difference * difference;
    }
    double total = __shfl_sync(EVERY_LANE, sum, 0, 8);
    for (u32 lane = 1; lane < 8; ++lane) total += __shfl_sync(EVERY_LANE, sum, lane, 8);
    return total;
}

// The place of the bit that this quarter of a warp takes of those set: the first takes the lowest.
// Whoever finds none takes the lowest of all, which changes nothing.
__device__ __forceinline__ u32 my_bit(u32 bits) {
    u32 rest = bits;
    for (u32 quarter = 0; quarter < threadIdx.x % WARP / 8; ++quarter) rest &= rest - 1;
    return __ffs(rest ? rest : bits) - 1;
}

// The bits without the four lowest of those set.
__device__ __forceinline__ u32 without_four(u32 bits) {
    for (u32 quarter = 0; quarter < 4; ++quarter) bits &= bits - 1;
    return bits;
}

// The least f32 above a distance that is rounded to nearest.
__device__ __forceinline__ float above(double distance) {
    const float rounded = (float)distance;
    const u32 bits = __float_as_uint(rounded);
    return bits >= 0x7f800000u ? rounded : __uint_as_float(bits + 1);
}

// Puts a distance in its place among the smallest, which ascend.
__device__ void insert(double *smallest, u32 neighbours, double distance) {
    if (!(distance < smallest[neighbours - 1])) return;
    u32 at = neighbours - 1;
    for (; at > 0 && smallest[at - 1] > distance; --at) smallest[at] = smallest[at - 1];
    smallest[at] = distance;
}

// Looks for nearer neighbours of a point among those of a tile. A warp does one point.
__device__ void nearer(const Points &points, u32 row, u32 top, u32 left, u32 columns, u32 neighbours,
                       double *smallest) {
    const float *line = (float *)shared_memory + PRODUCTS + (row - top) * LINE;
    const u32 lane = threadIdx.x % WARP;
    for (u32 start = 0; start < TILE; start += WARP) {
        const u32 other = left + start + lane;
        const bool is_other = other < points.count && other != row;
        float limit = above(smallest[neighbours - 1]) - points.lower[row] + TINY;
        // Written so that NaN, of infinities, is not far.
        const float bound = is_other ? points.lower[other] - 2.0f * line[start + lane] : 0.0f;
        u32 near = __ballot_sync(EVERY_LANE, is_other && !(bound >= limit));
        while (near) {
            const u32 mine = my_bit(near);
            const double distance = squared_distance(
                points.rows + (u64)row * columns,
                points.rows + (u64)(left + start + mine) * columns, columns);
            const u32 taken = least(4u, (u32)__popc(near));
            for (u32 quarter = 0; quarter < taken; ++quarter) {
                const double found = __shfl_sync(EVERY_LANE, distance, quarter * 8);
                if (lane == 0) insert(smallest, neighbours, found);
            }
            __syncwarp();
            // What was found leaves less to look for.
            limit = above(smallest[neighbours - 1]) - points.lower[row] + TINY;
            near = without_four(near) & __ballot_sync(EVERY_LANE, !(bound >= limit));
        }
    }
}

// The smallest squared distances of each point to others of the set: `[part][point][neighbour]`, each
// part those to every so manieth tile. Filled up with infinity.
KERNEL(256) nearest(const float *rows, const float *lower, double *smallest, u32 count, u32 columns,
                    u32 neighbours) {
    const Points points = {rows, lower, lower, count};
    double *lists = (double *)(shared_memory + KEPT / 4);
    const u32 warp = threadIdx.x / WARP, parts = gridDim.y;
    for (u32 top = blockIdx.x * TILE; top < count; top += gridDim.x * TILE) {
        for (u32 at = threadIdx.x; at < TILE * neighbours; at += THREADS) {
            lists[at] = __longlong_as_double(0x7ff0000000000000ll);
        }
        for (u32 left = blockIdx.y * TILE; left < count; left += parts * TILE) {
            multiply(points, top, points, left, columns);
            for (u32 r = warp; r < TILE && top + r < count; r += WARPS) {
                nearer(points, top + r, top, left, columns, neighbours, lists + r * neighbours);
            }
            __syncthreads();
        }
        const u64 first = ((u64)blockIdx.y * count + top) * neighbours;
        const u32 here = least(TILE, count - top) * neighbours;
        for (u32 at = threadIdx.x; at < here; at += THREADS) smallest[first + at] = lists[at];
        __syncthreads();
    }
}

// The last of the smallest distances of all parts.
KERNEL(256) radii(const double *smallest, double *out, u32 count, u32 neighbours, u32 parts) {
    double *mine = (double *)shared_memory + threadIdx.x * neighbours;
    for (u32 row = blockIdx.x * THREADS + threadIdx.x; row < count; row += gridDim.x * THREADS) {
        for (u32 i = 0; i < neighbours; ++i) mine[i] = smallest[(u64)row * neighbours + i];
        for (u32 part = 1; part < parts; ++part) {
            const double *others = smallest + ((u64)part * count + row) * neighbours;
            for (u32 i = 0; i < neighbours; ++i) insert(mine, neighbours, others[i]);
        }
        out[row] = mine[neighbours - 1];
    }
}

// Whether a point lies in a ball around some centre of a tile. A warp does one point.
__device__ bool is_inside(const Points &points, const Points &centres, const double *radii, u32 row,
                          u32 top, u32 left, u32 columns, bool is_closed) {
    const float *line = (float *)shared_memory + PRODUCTS + (row - top) * LINE;
    const u32 lane = threadIdx.x % WARP;
    for (u32 start = 0; start < TILE; start += WARP) {
        const u32 centre = left + start + lane;
        bool may_be = false, is = false;
        if (centre < centres.count) {
            const double twice = 2.0 * (double)line[start + lane], radius = radii[centre];
            const double lower = (double)points.lower[row] + (double)centres.lower[centre] - twice;
            const double upper = (double)points.upper[row] + (double)centres.upper[centre] - twice;
            may_be = !(lower - (double)TINY > radius);
            is = may_be && upper + (double)TINY < radius;
        }
        if (__ballot_sync(EVERY_LANE, is)) return true;
        for (u32 open = __ballot_sync(EVERY_LANE, may_be); open; open = without_four(open)) {
            const u32 other = left + start + my_bit(open);
            const double distance = squared_distance(points.rows + (u64)row * columns,
                                                     centres.rows + (u64)other * columns, columns);
            const double radius = radii[other];
            const bool holds = is_closed ? distance <= radius : distance < radius;
            if (__ballot_sync(EVERY_LANE, holds)) return true;
        }
    }
    return false;
}

// 1 for each point that lies in some ball of squared radius `radii` around a centre. `out` is 0 at
// first; every block that finds a point inside writes the same 1.
KERNEL(256) inside(const float *point_rows, const float *point_lower, const float *point_upper,
                   const float *centre_rows, const float *centre_lower, const float *centre_upper,
                   const double *radii, u8 *out, u32 count, u32 centre_count, u32 columns,
                   u32 is_closed) {
    const Points points = {point_rows, point_lower, point_upper, count};
    const Points centres = {centre_rows, centre_lower, centre_upper, centre_count};
    const u32 warp = threadIdx.x / WARP;
    for (u32 top = blockIdx.x * TILE; top < count; top += gridDim.x * TILE) {
        // A bit for each of the points of this warp.
        u32 found = 0;
        for (u32 left = blockIdx.y * TILE; left < centre_count; left += gridDim.y * TILE) {
            multiply(points, top, centres, left, columns);
            for (u32 i = 0; i < TILE / WARPS; ++i) {
                const u32 row = top + i * WARPS + warp;
                if (row >= count || (found >> i & 1)) continue;
                if (is_inside(points, centres, radii, row, top, left, columns, is_closed)) {
                    found |= 1u << i;
                }
            }
            // The next tile's products come behind barriers of their own.
        }
        for (u32 i = 0; i < TILE / WARPS; ++i) {
            const u32 row = top + i * WARPS + warp;
            if (row < count && (found >> i & 1) && threadIdx.x % WARP == 0) out[row] = 1;
        }
    }
}

// Bounds of the squared lengths: times `below` and `beyond` 1, which allows for what rounding can do to
// twice the product. A warp per point.
KERNEL(256) length_bounds(const float *rows, float *lower, float *upper, u32 count, u32 columns,
                          double below, double beyond) {
    const u32 lane = threadIdx.x % WARP, warps = gridDim.x * WARPS;
    for (u32 row = blockIdx.x * WARPS + threadIdx.x / WARP; row < count; row += warps) {
        double sum = 0.0;
        for (u32 column = lane; column < columns; column += WARP) {
            const double value = (double)rows[(u64)row * columns + column];
            sum += value * value;
        }
        for (u32 step = WARP / 2; step > 0; step /= 2) {
            sum += __shfl_sync(EVERY_LANE, sum, (lane + step) % WARP);
        }
        if (lane == 0) {
            lower[row] = (float)(sum * below);
            upper[row] = (float)(sum * beyond);
        }
    }
}
