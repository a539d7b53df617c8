// What every kernel here is written in.
//
// NVRTC, nvcc and, behind `tests/cuda_on_host/shim.h`, g++ compile the same text. So: no header, no
// library, no feature of one compiler alone.
//
// Bits: nothing is contracted (`--fmad=false`), a product and a sum are fused where `fmaf` or `fma`
// stands and nowhere else, sums have one order whatever the grid, and no floating point is atomic. So
// a kernel has the bits of its twin on the CPU unless its head says otherwise.
//
// Indices are u32 and offsets u64. Every thread of a block comes by every barrier. Each kernel loops
// over what its grid does not cover, and each head has its floor: the bytes that must go to memory
// and back.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// Threads that go in step, and all of them as a mask.
#define WARP 32u
#define EVERY_LANE 0xffffffffu

// An entry point, with the threads of a block. The tests read its parameters from this text and
// compare them with those that Rust has written down.
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)

// All shared memory of a block; its size comes with the launch.
extern __shared__ float4 shared_memory[];

__device__ __forceinline__ u32 least(u32 a, u32 b) { return a < b ? a : b; }

__device__ __forceinline__ u64 least(u64 a, u64 b) { return a < b ? a : b; }
