// Just enough of CUDA for g++: the threads of a block as fibers of one thread, barriers that all of them
// must reach, and warps that exchange values.
//
// Not a model of time or of memory: what it finds is wrong indices (buffers end at pages that nobody may
// touch), missing barriers (fibers run in several orders), barriers that some thread never reaches, and
// shared or output memory that is read before it is written (both begin as garbage).
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(threads)

struct uint3 {
    unsigned x, y, z;
};

struct alignas(16) float4 {
    float x, y, z, w;
};

extern uint3 threadIdx, blockIdx, blockDim, gridDim;

// Lets the other threads run, once each.
void yield();
// Ends the program: some barrier is not reached by all.
void fail(const char *what);

struct Barrier {
    unsigned arrived, generation;

    void wait(unsigned threads) {
        const unsigned mine = generation;
        if (++arrived == threads) {
            arrived = 0;
            ++generation;
        }
        while (generation == mine) yield();
    }
};

extern Barrier block_barrier, warp_barriers[32];
extern uint64_t warp_values[32][32];

inline void __syncthreads() { block_barrier.wait(blockDim.x); }

inline void warp_wait(unsigned mask) {
    if (mask != 0xffffffffu) fail("only whole warps exchange values here");
    warp_barriers[threadIdx.x / 32].wait(32);
}

inline void __syncwarp(unsigned mask = 0xffffffffu) { warp_wait(mask); }

// What every lane of the warp has given.
template <class T> inline void exchange(unsigned mask, T value, T *all) {
    static_assert(sizeof(T) <= 8, "a word a lane");
    uint64_t *values = warp_values[threadIdx.x / 32];
    memcpy(&values[threadIdx.x % 32], &value, sizeof(T));
    warp_wait(mask);
    for (unsigned lane = 0; lane < 32; ++lane) memcpy(&all[lane], &values[lane], sizeof(T));
    // Nobody gives the next value before all have read this one.
    warp_wait(mask);
}

template <class T> inline T __shfl_sync(unsigned mask, T value, unsigned from, unsigned width = 32) {
    T all[32];
    exchange(mask, value, all);
    const unsigned lane = threadIdx.x % 32;
    return all[(lane & ~(width - 1)) | (from & (width - 1))];
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
    int all[32];
    exchange(mask, predicate, all);
    unsigned bits = 0;
    for (unsigned lane = 0; lane < 32; ++lane) bits |= (all[lane] != 0 ? 1u : 0u) << lane;
    return bits;
}

inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }

template <class To, class From> inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "as many bits");
    To to;
    memcpy(&to, &from, sizeof(To));
    return to;
}

inline unsigned __float_as_uint(float value) { return bits_as<unsigned>(value); }
inline float __uint_as_float(unsigned bits) { return bits_as<float>(bits); }
inline double __longlong_as_double(long long bits) { return bits_as<double>(bits); }
