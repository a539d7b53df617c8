//! The ADM centre crop and a plain bicubic resize beside the `image` and `fast_image_resize` crates.
//!
//! Only `prismbench` gives Pillow's bits; `fast_image_resize` rounds its weights to 16 bits and
//! `image` filters in f32. All run on one thread. Beside each of ours stands its share of what copying reaches
//! on that thread, by the bytes of the source and of the result.
//!
//! Found (x86-64 with AVX2, one run): bicubic 500x375 to 341x256 takes 0.24 of `image`'s time and
//! 3.5 of `fast_image_resize`'s; 4000x3000 to 341x256 0.37 and 8.2. The floor is one 32-bit product
//! per tap and channel, because Pillow's weights have 22 fraction bits: `fast_image_resize` does
//! two 16-bit products in the same instruction. Of what is left, about half is the transposition of
//! eight rows into `[column][row][channel]`, byte by byte. Handing the loops to `pulp` as closures
//! left them without AVX2 and took 1.7 times as long; only the crop's rows and columns are made,
//! which takes 0.65 of the time of the whole resize at 500x375.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the share of the peak is read from there")]

#[expect(dead_code, reason = "other kernels are bound by products")]
#[path = "shared/measured.rs"]
mod measured;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fast_image_resize as fir;
use image::imageops::FilterType;
use measured::{Bound, Peaks};
use prismbench_kernels::resample::{Filter, Passes, resize_rgb8};
use prismbench_kernels::{Size, crop};

/// ImageNet's most frequent size, and a phone photograph.
const SIZES: [Size; 2] = [Size::new(500, 375), Size::new(4000, 3000)];

fn picture(size: Size) -> Vec<u8> {
    (0..size.area() * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// What one thread reaches.
fn peaks() -> (Peaks, rayon::ThreadPool) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    (Peaks::measure(&pool), pool)
}

/// Bytes of an RGB picture of each of these sizes.
fn bytes(sizes: [Size; 2]) -> Bound {
    Bound::Bytes(sizes.map(|size| 3 * size.area() as u64).iter().sum())
}

fn bicubic(c: &mut Criterion) {
    let (peaks, pool) = peaks();
    for from in SIZES {
        let to = Size::new(from.width * 256 / from.height, 256);
        let pixels = picture(from);
        let mut group = c.benchmark_group(format!("bicubic/{}x{}", from.width, from.height));
        peaks.bench(&mut group, ("prismbench", bytes([from, to])), || {
            let resize = || resize_rgb8(black_box(&pixels), from, to, Filter::Bicubic);
            black_box(pool.install(resize));
        });
        group.throughput(Throughput::Elements(1));
        let (width, height) = (from.width as u32, from.height as u32);
        let source = image::RgbImage::from_raw(width, height, pixels.clone()).unwrap();
        let (to_width, to_height) = (to.width as u32, to.height as u32);
        group.bench_function("image", |b| {
            b.iter(|| {
                image::imageops::resize(
                    black_box(&source),
                    to_width,
                    to_height,
                    FilterType::CatmullRom,
                )
            });
        });
        let source =
            fir::images::Image::from_vec_u8(width, height, pixels, fir::PixelType::U8x3).unwrap();
        let options = fir::ResizeOptions::new()
            .resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom));
        group.bench_function("fast_image_resize", |b| {
            b.iter(|| {
                let mut target = fir::images::Image::new(to_width, to_height, fir::PixelType::U8x3);
                let mut resizer = fir::Resizer::new();
                resizer.resize(black_box(&source), &mut target, &options).unwrap();
                target
            });
        });
        group.finish();
    }
}

fn adm(c: &mut Criterion) {
    let (peaks, pool) = peaks();
    let mut group = c.benchmark_group("adm-center-256");
    for from in SIZES {
        let pixels = picture(from);
        let name = format!("prismbench/{}x{}", from.width, from.height);
        peaks.bench(&mut group, (&name, bytes([from, Size::new(256, 256)])), || {
            let crop = || crop::adm_center(black_box(&pixels), from, 256, Passes::Pillow12);
            black_box(pool.install(crop));
        });
    }
    group.finish();
}

criterion_group!(benches, bicubic, adm);
criterion_main!(benches);
