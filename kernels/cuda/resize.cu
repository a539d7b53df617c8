// Pillow's two-pass resizes, both passes in one kernel: 8-bit RGB to the last bit, with a crop, and to
// the numbers that a network takes; and float planes (mode F).
//
// A block makes a tile of 32 columns. Rows of the source come through shared memory a few at a time,
// a pixel per word, are filtered across and stay there, rounded as Pillow rounds them; the pass down
// reads them from there. Weights are computed on the host in f64, as on the CPU.
//
// Floor: the window's source rows once and the result once. 500x375 to 256x256 as f32: 0.56 MB + 0.79
// MB a picture. What tiles share is read again from the second-level cache: a tile of 32 rows that
// shrinks by 2 reads 72 for 64.
#include "device.cuh"

#define COLUMNS 32u
#define ROWS 8u

// Pillow: 32 bits less 8 for the pixel and 2 for the overshoot; half a level rounds to nearest.
#define FRACTION_BITS 22
#define HALF (1 << (FRACTION_BITS - 1))

// Bits of `passes`.
#define DOWN_FIRST 1u
#define COPIES_ACROSS 2u
#define COPIES_DOWN 4u

// Which inputs make each output of an axis: first and count in turn, and weights `[tap][output]`.
template <class Weight> struct Axis {
    const u32 *inputs;
    const Weight *weights;
    u32 outputs;
    bool copies;

    __device__ u32 first(u32 output) const { return inputs[2 * output]; }
    __device__ u32 count(u32 output) const { return inputs[2 * output + 1]; }
    __device__ u32 end(u32 output) const { return first(output) + count(output); }
};

struct Sizes {
    u32 images, from_width, from_height, width, height, tile_rows, stage_rows, passes;
};

// Values that lie a step apart in shared memory.
template <class Word> struct Strided {
    const Word *values;
    u32 step;

    __device__ Word operator()(u32 tap) const { return values[tap * step]; }
};

// Values of a column of the source.
template <class Pixels> struct Column {
    const typename Pixels::Value *source;
    u64 top;
    u32 step;

    __device__ typename Pixels::Word operator()(u32 tap) const {
        return Pixels::load(source, top + (u64)tap * step);
    }
};

// 8-bit RGB, packed into a word, with weights in fixed point.
struct Rgb8 {
    typedef u8 Value;
    typedef u32 Word;
    typedef int Weight;

    static __device__ Word load(const u8 *source, u64 at) {
        const u8 *pixel = source + 3 * at;
        return pixel[0] | (u32)pixel[1] << 8 | (u32)pixel[2] << 16;
    }

    static __device__ u32 level(int sum) {
        int level = sum >> FRACTION_BITS;
        return level < 0 ? 0 : level > 255 ? 255 : level;
    }

    template <class From> static __device__ Word weigh(From from, Axis<int> axis, u32 output) {
        int red = HALF, green = HALF, blue = HALF;
        const u32 count = axis.count(output);
        for (u32 tap = 0; tap < count; ++tap) {
            const int weight = axis.weights[(u64)tap * axis.outputs + output];
            const u32 pixel = from(tap);
            red += (int)(pixel & 255) * weight;
            green += (int)(pixel >> 8 & 255) * weight;
            blue += (int)(pixel >> 16) * weight;
        }
        return level(red) | level(green) << 8 | level(blue) << 16;
    }
};

// Floats, with weights and sums in f64, rounded after each pass.
struct Float {
    typedef float Value;
    typedef float Word;
    typedef double Weight;

    static __device__ Word load(const float *source, u64 at) { return source[at]; }

    template <class From> static __device__ Word weigh(From from, Axis<double> axis, u32 output) {
        if (axis.copies) return from(0);
        double sum = 0.0;
        const u32 count = axis.count(output);
        for (u32 tap = 0; tap < count; ++tap) {
            sum += (double)from(tap) * axis.weights[(u64)tap * axis.outputs + output];
        }
        return (float)sum;
    }
};

// Interleaved bytes.
struct Bytes {
    u8 *out;

    __device__ void operator()(Sizes sizes, u32 image, u32 row, u32 column, u32 pixel) const {
        u8 *to = out + 3 * (((u64)image * sizes.height + row) * sizes.width + column);
        to[0] = pixel & 255;
        to[1] = pixel >> 8 & 255;
        to[2] = pixel >> 16;
    }
};

// A plane for each channel, each level looked up.
struct LevelPlanes {
    float *out;
    const float *table;

    __device__ void operator()(Sizes sizes, u32 image, u32 row, u32 column, u32 pixel) const {
        const u64 area = (u64)sizes.height * sizes.width;
        float *to = out + 3 * area * image + (u64)row * sizes.width + column;
        to[0] = table[pixel & 255];
        to[area] = table[256 + (pixel >> 8 & 255)];
        to[2 * area] = table[512 + (pixel >> 16)];
    }
};

struct Floats {
    float *out;

    __device__ void operator()(Sizes sizes, u32 image, u32 row, u32 column, float value) const {
        out[((u64)image * sizes.height + row) * sizes.width + column] = value;
    }
};

// Across, then down.
template <class Pixels, class Out>
__device__ void across_first(const typename Pixels::Value *source, u64 base,
                             Axis<typename Pixels::Weight> across,
                             Axis<typename Pixels::Weight> down, Sizes sizes, u32 image,
                             u32 row0, Out out, typename Pixels::Word *room) {
    const u32 lane = threadIdx.x % COLUMNS, warp = threadIdx.x / COLUMNS;
    const u32 column0 = blockIdx.x * COLUMNS;
    const u32 column = column0 + lane, columns = least(column0 + COLUMNS, sizes.width);
    const u32 rows = least(row0 + sizes.tile_rows, sizes.height);
    const u32 left = across.first(column0), span = across.end(columns - 1) - left;
    const u32 top = down.first(row0), bottom = down.end(rows - 1);
    typename Pixels::Word *stage = room, *middle = room + sizes.stage_rows * span;
    for (u32 start = top; start < bottom; start += sizes.stage_rows) {
        const u32 here = least(sizes.stage_rows, bottom - start);
        for (u32 r = warp; r < here; r += ROWS) {
            for (u32 s = lane; s < span; s += COLUMNS) {
                const u64 at = base + (u64)(start + r) * sizes.from_width + left + s;
                stage[r * span + s] = Pixels::load(source, at);
            }
        }
        __syncthreads();
        for (u32 r = warp; r < here && column < columns; r += ROWS) {
            const typename Pixels::Word *first = stage + r * span + (across.first(column) - left);
            const Strided<typename Pixels::Word> from = {first, 1};
            middle[(start - top + r) * COLUMNS + lane] = Pixels::weigh(from, across, column);
        }
        __syncthreads();
    }
    for (u32 row = row0 + warp; row < rows && column < columns; row += ROWS) {
        const typename Pixels::Word *first = middle + (down.first(row) - top) * COLUMNS + lane;
        const Strided<typename Pixels::Word> from = {first, COLUMNS};
        out(sizes, image, row, column, Pixels::weigh(from, down, row));
    }
}

// Down, then across: for pictures much taller than wide. Columns are read where they lie.
template <class Pixels, class Out>
__device__ void down_first(const typename Pixels::Value *source, u64 base,
                           Axis<typename Pixels::Weight> across,
                           Axis<typename Pixels::Weight> down, Sizes sizes, u32 image, u32 row0,
                           Out out, typename Pixels::Word *middle) {
    const u32 lane = threadIdx.x % COLUMNS, warp = threadIdx.x / COLUMNS;
    const u32 column0 = blockIdx.x * COLUMNS;
    const u32 column = column0 + lane, columns = least(column0 + COLUMNS, sizes.width);
    const u32 rows = least(row0 + sizes.tile_rows, sizes.height);
    const u32 left = across.first(column0), span = across.end(columns - 1) - left;
    for (u32 row = row0 + warp; row < rows; row += ROWS) {
        const u64 top = base + (u64)down.first(row) * sizes.from_width + left;
        for (u32 s = lane; s < span; s += COLUMNS) {
            const Column<Pixels> from = {source, top + s, sizes.from_width};
            middle[(row - row0) * span + s] = Pixels::weigh(from, down, row);
        }
    }
    __syncthreads();
    for (u32 row = row0 + warp; row < rows && column < columns; row += ROWS) {
        const typename Pixels::Word *first =
            middle + (row - row0) * span + (across.first(column) - left);
        const Strided<typename Pixels::Word> from = {first, 1};
        out(sizes, image, row, column, Pixels::weigh(from, across, column));
    }
}

template <class Pixels, class Out>
__device__ void resize(const typename Pixels::Value *source, Axis<typename Pixels::Weight> across,
                       Axis<typename Pixels::Weight> down, Sizes sizes, Out out,
                       typename Pixels::Word *room) {
    across.copies = sizes.passes & COPIES_ACROSS;
    down.copies = sizes.passes & COPIES_DOWN;
    for (u32 image = blockIdx.z; image < sizes.images; image += gridDim.z) {
        const u64 base = (u64)image * sizes.from_height * sizes.from_width;
        const u32 step = gridDim.y * sizes.tile_rows;
        for (u32 row0 = blockIdx.y * sizes.tile_rows; row0 < sizes.height; row0 += step) {
            if (sizes.passes & DOWN_FIRST) {
                down_first<Pixels>(source, base, across, down, sizes, image, row0, out, room);
            } else {
                across_first<Pixels>(source, base, across, down, sizes, image, row0, out, room);
            }
            // The next tile takes the same room.
            __syncthreads();
        }
    }
}

// u8 `[image][row][column][channel]` to the same, a window of it.
KERNEL(256) resize_rgb8(const u8 *pictures, const u32 *across_inputs, const int *across_weights,
                        const u32 *down_inputs, const int *down_weights, u8 *out, u32 images,
                        u32 from_width, u32 from_height, u32 width, u32 height, u32 tile_rows,
                        u32 stage_rows, u32 passes) {
    const Sizes sizes = {images, from_width, from_height, width,
                         height, tile_rows,  stage_rows,  passes};
    const Axis<int> across = {across_inputs, across_weights, width, false};
    const Axis<int> down = {down_inputs, down_weights, height, false};
    resize<Rgb8>(pictures, across, down, sizes, Bytes{out}, (u32 *)shared_memory);
}

// u8 `[image][row][column][channel]` to f32 `[image][channel][row][column]`; `levels` has what each
// level of each channel becomes.
KERNEL(256) network_input(const u8 *pictures, const u32 *across_inputs, const int *across_weights,
                          const u32 *down_inputs, const int *down_weights, const float *levels,
                          float *out, u32 images, u32 from_width, u32 from_height, u32 width,
                          u32 height, u32 tile_rows, u32 stage_rows, u32 passes) {
    float *table = (float *)shared_memory;
    // The resize has a barrier before the first look-up.
    for (u32 at = threadIdx.x; at < 768; at += blockDim.x) table[at] = levels[at];
    const Sizes sizes = {images, from_width, from_height, width,
                         height, tile_rows,  stage_rows,  passes};
    const Axis<int> across = {across_inputs, across_weights, width, false};
    const Axis<int> down = {down_inputs, down_weights, height, false};
    u32 *room = (u32 *)shared_memory + 768;
    resize<Rgb8>(pictures, across, down, sizes, LevelPlanes{out, table}, room);
}

// f32 planes to f32 planes.
KERNEL(256) resize_planes(const float *planes, const u32 *across_inputs,
                          const double *across_weights, const u32 *down_inputs,
                          const double *down_weights, float *out, u32 images, u32 from_width,
                          u32 from_height, u32 width, u32 height, u32 tile_rows, u32 stage_rows,
                          u32 passes) {
    const Sizes sizes = {images, from_width, from_height, width,
                         height, tile_rows,  stage_rows,  passes};
    const Axis<double> across = {across_inputs, across_weights, width, false};
    const Axis<double> down = {down_inputs, down_weights, height, false};
    resize<Float>(planes, across, down, sizes, Floats{out}, (float *)shared_memory);
}
