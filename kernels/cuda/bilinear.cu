// Bilinear resizes of f32 planes without antialiasing: TensorFlow 1's and PyTorch's.
//
// Which two inputs make an output, and how far it lies between them, comes from the host, computed as
// on the CPU. A thread makes four outputs of a column.
//
// Floor: every plane in once and out once: 4 bytes a value each way, 256x256 to 299x299 0.62 MB. The
// four inputs of neighbouring outputs meet in the first-level cache.
#include "device.cuh"

#define COLUMNS 32u
#define ROWS 8u
#define TILE_ROWS 32u

// `columns` and `rows` have the lower and the upper input of each output in turn.
KERNEL(256) bilinear(const float *planes, const u32 *columns, const float *column_parts,
                     const u32 *rows, const float *row_parts, float *out, u32 count, u32 from_width,
                     u32 from_height, u32 width, u32 height) {
    const u32 x = blockIdx.x * COLUMNS + threadIdx.x % COLUMNS;
    if (x >= width) return;
    const u32 lower = columns[2 * x], upper = columns[2 * x + 1];
    const float part = column_parts[x];
    for (u32 plane = blockIdx.z; plane < count; plane += gridDim.z) {
        const float *from = planes + (u64)plane * from_width * from_height;
        float *to = out + (u64)plane * width * height;
        for (u32 top = blockIdx.y * TILE_ROWS; top < height; top += gridDim.y * TILE_ROWS) {
            const u32 end = least(top + TILE_ROWS, height);
            for (u32 y = top + threadIdx.x / COLUMNS; y < end; y += ROWS) {
                const float *first = from + (u64)rows[2 * y] * from_width;
                const float *second = from + (u64)rows[2 * y + 1] * from_width;
                const float above = first[lower] + (first[upper] - first[lower]) * part;
                const float below = second[lower] + (second[upper] - second[lower]) * part;
                to[(u64)y * width + x] = above + (below - above) * row_parts[y];
            }
        }
    }
}
