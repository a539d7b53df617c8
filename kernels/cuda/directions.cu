// LPIPS's distance of two taps: each place's vector of unit length, squared differences weighted and
// summed, mean over places.
//
// Half a warp takes a place: its 16 lanes are the twin's 16 interleaved sums. Where the channels are
// those of LPIPS's trunks, both vectors stay in registers between the two passes over them, so that
// memory is read once; with any other number they are read again, mostly from the caches.
//
// Floor: both taps once, 8 bytes a value; 64 x 256 x 256 33.6 MB a pair of pictures.
#include "device.cuh"

#define LANES 16u
#define THREADS 256u
#define WARPS (THREADS / WARP)

// The sum over the 16 lanes of half a warp, in their order, for each of them.
__device__ __forceinline__ float in_order(float part) {
    float sum = __shfl_sync(EVERY_LANE, part, 0, LANES);
#pragma unroll
    for (u32 lane = 1; lane < LANES; ++lane) {
        sum += __shfl_sync(EVERY_LANE, part, lane, LANES);
    }
    return sum;
}

// The same of 16 sums that one thread has.
__device__ __forceinline__ float one_after_another(const float *parts) {
    float sum = parts[0];
#pragma unroll
    for (u32 lane = 1; lane < LANES; ++lane) sum += parts[lane];
    return sum;
}

// Vectors of CHUNKS times 16 values.
template <u32 CHUNKS>
__device__ void in_registers(const float *weights, const float *a, const float *b, float *sums,
                             u64 places, float epsilon) {
    const u32 part = threadIdx.x % LANES, half = threadIdx.x % WARP / LANES;
    const u64 warps = (u64)gridDim.x * WARPS;
    for (u64 pair = (u64)blockIdx.x * WARPS + threadIdx.x / WARP; 2 * pair < places; pair += warps) {
        // The last place may have nobody beside it: both halves take it then.
        const u64 place = least(2 * pair + half, places - 1);
        const u64 from = place * (CHUNKS * LANES) + part;
        float left[CHUNKS], right[CHUNKS];
#pragma unroll
        for (u32 i = 0; i < CHUNKS; ++i) left[i] = a[from + i * LANES];
#pragma unroll
        for (u32 i = 0; i < CHUNKS; ++i) right[i] = b[from + i * LANES];
        float left_square = 0.0f, right_square = 0.0f;
#pragma unroll
        for (u32 i = 0; i < CHUNKS; ++i) {
            left_square += left[i] * left[i];
            right_square += right[i] * right[i];
        }
        const float left_length = sqrtf(in_order(left_square)) + epsilon;
        const float right_length = sqrtf(in_order(right_square)) + epsilon;
        float sum = 0.0f;
#pragma unroll
        for (u32 i = 0; i < CHUNKS; ++i) {
            const float difference = left[i] / left_length - right[i] / right_length;
            sum += weights[i * LANES + part] * (difference * difference);
        }
        sum = in_order(sum);
        if (part == 0) sums[place] = sum;
    }
}

// The length of a vector of any number of values: 16 sums, then those left over.
__device__ __forceinline__ float length_of(const float *vector, u32 part, u32 channels) {
    const u32 whole = channels / LANES * LANES;
    float square = 0.0f, rest = 0.0f;
    for (u32 i = part; i < whole; i += LANES) square += vector[i] * vector[i];
    for (u32 i = whole; i < channels; ++i) rest += vector[i] * vector[i];
    return sqrtf(in_order(square) + rest);
}

KERNEL(256) normalised_differences(const float *weights, const float *a, const float *b, float *sums,
                                   u64 places, u32 channels, float epsilon) {
    const u32 part = threadIdx.x % LANES, half = threadIdx.x % WARP / LANES;
    const u32 whole = channels / LANES * LANES;
    const u64 warps = (u64)gridDim.x * WARPS;
    for (u64 pair = (u64)blockIdx.x * WARPS + threadIdx.x / WARP; 2 * pair < places; pair += warps) {
        const u64 place = least(2 * pair + half, places - 1);
        const float *left = a + place * channels, *right = b + place * channels;
        const float left_length = length_of(left, part, channels) + epsilon;
        const float right_length = length_of(right, part, channels) + epsilon;
        float sum = 0.0f, rest = 0.0f;
        for (u32 i = part; i < whole; i += LANES) {
            const float difference = left[i] / left_length - right[i] / right_length;
            sum += weights[i] * (difference * difference);
        }
        for (u32 i = whole; i < channels; ++i) {
            const float difference = left[i] / left_length - right[i] / right_length;
            rest += weights[i] * (difference * difference);
        }
        sum = in_order(sum) + rest;
        if (part == 0) sums[place] = sum;
    }
}

KERNEL(256) normalised_differences_64(const float *weights, const float *a, const float *b,
                                      float *sums, u64 places, float epsilon) {
    in_registers<4>(weights, a, b, sums, places, epsilon);
}

KERNEL(256) normalised_differences_128(const float *weights, const float *a, const float *b,
                                       float *sums, u64 places, float epsilon) {
    in_registers<8>(weights, a, b, sums, places, epsilon);
}

KERNEL(256) normalised_differences_192(const float *weights, const float *a, const float *b,
                                       float *sums, u64 places, float epsilon) {
    in_registers<12>(weights, a, b, sums, places, epsilon);
}

KERNEL(256) normalised_differences_256(const float *weights, const float *a, const float *b,
                                       float *sums, u64 places, float epsilon) {
    in_registers<16>(weights, a, b, sums, places, epsilon);
}

KERNEL(256) normalised_differences_384(const float *weights, const float *a, const float *b,
                                       float *sums, u64 places, float epsilon) {
    in_registers<24>(weights, a, b, sums, places, epsilon);
}

KERNEL(256) normalised_differences_512(const float *weights, const float *a, const float *b,
                                       float *sums, u64 places, float epsilon) {
    in_registers<32>(weights, a, b, sums, places, epsilon);
}

// The same of planes, a channel's places side by side: a thread takes a place, its neighbours the next ones,
// and keeps the 16 sums itself. Both taps are read twice; the second time mostly from the caches, as a block's
// 256 places of a channel are 1 KB.
KERNEL(256) normalised_differences_planes(const float *weights, const float *a, const float *b,
                                          float *sums, u64 images, u64 places, u32 channels,
                                          float epsilon) {
    const u32 whole = channels / LANES * LANES;
    const u64 all = images * places, step = (u64)gridDim.x * THREADS;
    for (u64 at = (u64)blockIdx.x * THREADS + threadIdx.x; at < all; at += step) {
        const u64 from = at / places * channels * places + at % places;
        const float *left = a + from, *right = b + from;
        float left_parts[LANES], right_parts[LANES];
#pragma unroll
        for (u32 lane = 0; lane < LANES; ++lane) left_parts[lane] = right_parts[lane] = 0.0f;
        for (u32 i = 0; i < whole; i += LANES) {
#pragma unroll
            for (u32 lane = 0; lane < LANES; ++lane) {
                const float x = left[(i + lane) * places], y = right[(i + lane) * places];
                left_parts[lane] += x * x;
                right_parts[lane] += y * y;
            }
        }
        float left_rest = 0.0f, right_rest = 0.0f;
        for (u32 i = whole; i < channels; ++i) {
            const float x = left[i * places], y = right[i * places];
            left_rest += x * x;
            right_rest += y * y;
        }
        const float left_length = sqrtf(one_after_another(left_parts) + left_rest) + epsilon;
        const float right_length = sqrtf(one_after_another(right_parts) + right_rest) + epsilon;
        float parts[LANES], rest = 0.0f;
#pragma unroll
        for (u32 lane = 0; lane < LANES; ++lane) parts[lane] = 0.0f;
        for (u32 i = 0; i < whole; i += LANES) {
#pragma unroll
            for (u32 lane = 0; lane < LANES; ++lane) {
                const float difference = left[(i + lane) * places] / left_length -
                                         right[(i + lane) * places] / right_length;
                parts[lane] += weights[i + lane] * (difference * difference);
            }
        }
        for (u32 i = whole; i < channels; ++i) {
            const float difference =
                left[i * places] / left_length - right[i * places] / right_length;
            rest += weights[i] * (difference * difference);
        }
        sums[at] = one_after_another(parts) + rest;
    }
}

// The mean over the places of each picture, in f64: 256 interleaved sums, then their sum in order. A
// block per picture.
KERNEL(256) place_means(const float *sums, double *means, u32 images, u64 places) {
    double *parts = (double *)shared_memory;
    for (u32 image = blockIdx.x; image < images; image += gridDim.x) {
        const float *from = sums + image * places;
        double part = 0.0;
#pragma unroll 8
        for (u64 place = threadIdx.x; place < places; place += THREADS) part += (double)from[place];
        parts[threadIdx.x] = part;
        __syncthreads();
        if (threadIdx.x == 0) {
            double total = 0.0;
            for (u32 i = 0; i < THREADS; ++i) total += parts[i];
            means[image] = total / (double)places;
        }
        __syncthreads();
    }
}
