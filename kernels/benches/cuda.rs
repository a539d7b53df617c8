//! The kernels on a GPU beside their twins on the CPU, and the fraction of the GPU's own copy bandwidth
//! that they reach.
//!
//! `cargo bench -p prismbench-kernels --features cuda --bench cuda` runs criterion. With
//! `PRISMBENCH_RECORD_SECONDS=1` a plain timed loop per kernel prints the rows of the table in
//! `kernels/RESULTS.md` instead. Without a device it says so and measures nothing.
//!
//! Inputs lie on the device, results stay there, and a call ends when the device is done.
//!
//! # Floors
//!
//! Bytes are those that must come from memory and go there, once each; where arithmetic and not memory
//! is the floor, its operations are counted. The heads of the sources in `kernels/cuda` derive both.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::print_stdout, reason = "the record is read from there")]

#[expect(dead_code, reason = "other benches print other figures")]
#[path = "../../tests/oracle/record.rs"]
mod record;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use prismbench_kernels::cuda::{self, Buffer, Device};
use prismbench_kernels::distances::{self, Ball};
use prismbench_kernels::filters::{Cutoff, Pass, PlaneFilter, Shape};
use prismbench_kernels::network_input::{Levels, ResizedWindow, network_input};
use prismbench_kernels::resample::{self, Filter, Window};
use prismbench_kernels::similarity::{self, Border, Similarity, Stabilisers, Term};
use prismbench_kernels::{Size, directions, gram};

/// What a call cannot do without.
#[derive(Clone, Copy)]
enum Floor {
    Bytes(usize),
    /// Fused products and sums, or other operations where the comment says so.
    Operations(usize),
}

struct Case<'a> {
    name: &'static str,
    floor: Floor,
    on_device: Box<dyn Fn() + 'a>,
    on_host: Box<dyn Fn() + 'a>,
}

const PICTURE: Size = Size::new(256, 256);
const PICTURES: usize = 64;
const POINTS: usize = 10_000;
const COLUMNS: usize = 2_048;

fn hash(i: usize) -> u64 {
    (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| hash(i) as u8).collect()
}

fn floats(len: usize) -> Vec<f32> {
    (0..len).map(|i| hash(i) as f32 / (1 << 24) as f32).collect()
}

fn case<'a, T>(
    name: &'static str,
    floor: Floor,
    on_device: impl Fn() -> T + 'a,
    on_host: impl Fn() + 'a,
) -> Case<'a> {
    let on_device = Box::new(move || drop(on_device()));
    Case { name, floor, on_device, on_host: Box::new(on_host) }
}

/// Pictures in, pictures or numbers out.
fn resizes(device: &Device) -> Vec<Case<'_>> {
    let (from, to) = (Size::new(500, 375), Size::new(341, 256));
    let window = Window { left: 42, top: 0, size: PICTURE };
    let resized = ResizedWindow { to, method: Filter::Bicubic.into(), window };
    let levels = Levels::normalised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    // Of the source, the columns that the window needs.
    let source = PICTURES * 3 * 376 * from.height;
    let pictures = bytes(PICTURES * 3 * from.area());
    let on_device = device.upload(&pictures).unwrap();
    let (wide, side) = (PICTURES * 3, Size::new(299, 299));
    let planes = floats(wide * PICTURE.area());
    let planes_there = device.upload(&planes).unwrap();
    let plane_bytes = 4 * wide * (PICTURE.area() + side.area());
    let planes_again = device.copy(&planes_there).unwrap();
    let (pictures_too, planes_too) = (pictures.clone(), planes.clone());
    let levels_too = levels.clone();
    vec![
        case(
            "network_input 500x375 to 256x256",
            Floor::Bytes(source + 4 * 3 * PICTURES * PICTURE.area()),
            move || device.network_input(&on_device, from, &resized, &levels).unwrap(),
            move || drop(network_input(&pictures_too, from, &resized, &levels_too)),
        ),
        case(
            "resize_rgb8_window 500x375 to 256x256",
            Floor::Bytes(source + 3 * PICTURES * PICTURE.area()),
            {
                let pictures = device.upload(&pictures).unwrap();
                let method = Filter::Bicubic;
                move || device.resize_rgb8_window(&pictures, from, to, method, window).unwrap()
            },
            move || {
                for picture in pictures.chunks_exact(3 * from.area()) {
                    let method = Filter::Bicubic;
                    drop(resample::resize_rgb8_window(picture, from, to, method, window));
                }
            },
        ),
        case(
            "resize_plane 256 to 299, bicubic",
            Floor::Bytes(plane_bytes),
            move || device.resize_plane(&planes_there, PICTURE, side, Filter::Bicubic).unwrap(),
            move || {
                for plane in planes.chunks_exact(PICTURE.area()) {
                    drop(resample::resize_plane(plane, PICTURE, side, Filter::Bicubic));
                }
            },
        ),
        case(
            "bilinear_tf1 256 to 299",
            Floor::Bytes(plane_bytes),
            move || device.bilinear_tf1(&planes_again, PICTURE, side).unwrap(),
            move || {
                for plane in planes_too.chunks_exact(PICTURE.area()) {
                    drop(resample::bilinear_tf1(plane, PICTURE, side));
                }
            },
        ),
    ]
}

/// Two pictures in, a number out.
fn fidelity(device: &Device) -> Vec<Case<'_>> {
    let pair = [0, 1].map(|shift| {
        let mut pictures = bytes(PICTURES * 3 * PICTURE.area() + shift);
        pictures.drain(..shift);
        pictures
    });
    let there: [Buffer<u8>; 2] = [0, 1].map(|i: usize| device.upload(&pair[i]).unwrap());
    let stabilisers = Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.0 };
    let (window, border) = (similarity::Window::Gaussian, Border::Reflect);
    let similarity = Similarity { window, border, stabilisers, term: Term::Similarity };
    let (channels, places, images) = (64, PICTURE.area(), 8);
    let weights = floats(channels);
    let taps = floats(images * places * channels);
    let others: Vec<f32> = taps.iter().map(|value| 1.0 - value).collect();
    let taps_there = [&taps, &others].map(|taps| device.upload(taps).unwrap());
    let weights_there = device.upload(&weights).unwrap();
    vec![
        case(
            "similarity_means, Gaussian, u8",
            // In f64, not fused: 25 squares and sums, 120 of the windows, 15 of the term.
            Floor::Operations(160 * PICTURES * 3 * PICTURE.area()),
            move || {
                let pair = [(&there[0]).into(), (&there[1]).into()];
                device.similarity_means::<u8>(&similarity, pair, PICTURE, 3).unwrap()
            },
            move || drop(similarity.means([&pair[0], &pair[1]], PICTURE, 3)),
        ),
        case(
            "tap_distances, 64 channels",
            Floor::Bytes(8 * images * places * channels),
            move || {
                let pair = [(&taps_there[0]).into(), (&taps_there[1]).into()];
                device.tap_distances(&weights_there, pair, places, 1e-10).unwrap()
            },
            {
                let (weights, taps, others) = (weights.clone(), taps.clone(), others.clone());
                move || drop(directions::tap_distances(&weights, [&taps, &others], places, 1e-10))
            },
        ),
        case(
            "tap_distances_planes, 64 channels",
            Floor::Bytes(8 * images * places * channels),
            {
                let there = [&taps, &others].map(|taps| device.upload(taps).unwrap());
                let weights = device.upload(&weights).unwrap();
                move || {
                    let pair = [(&there[0]).into(), (&there[1]).into()];
                    device.tap_distances_planes(&weights, pair, places, 1e-10).unwrap()
                }
            },
            move || {
                let pair = [&taps[..], &others[..]];
                drop(directions::tap_distances_planes(&weights, pair, places, 1e-10));
            },
        ),
    ]
}

fn spectra(device: &Device) -> Vec<Case<'_>> {
    let planes = floats(PICTURES * 3 * PICTURE.area());
    let filter = |name, pass, thousandths| {
        let cutoff = Cutoff::from_thousandths(thousandths).unwrap();
        let filter = PlaneFilter::new(PICTURE, Shape::DctRadialAxis, pass, cutoff);
        let there = cuda::PlaneFilter::new(device, &filter).unwrap();
        let (planes, planes_there) = (planes.clone(), device.upload(&planes).unwrap());
        case(
            name,
            Floor::Bytes(8 * planes.len()),
            move || there.apply(&planes_there).unwrap(),
            move || filter.apply(&planes, &mut vec![0.0; planes.len()]),
        )
    };
    vec![
        filter("filter dct-radial-axis:low:0.2", Pass::Low, 200),
        filter("filter dct-radial-axis:low:1", Pass::Low, 1000),
        filter("filter dct-radial-axis:high:0.2", Pass::High, 200),
    ]
}

/// Features in, distances and sums out.
fn features(device: &Device) -> Vec<Case<'_>> {
    let points = floats(POINTS * COLUMNS);
    let there = [(); 3].map(|()| device.upload(&points).unwrap());
    let [first, second, third] = there;
    let radii = distances::radii(&points, COLUMNS, 3);
    let radii_there = device.upload(&radii).unwrap();
    let (points_too, points_again) = (points.clone(), points.clone());
    let products = POINTS * POINTS * COLUMNS;
    vec![
        case(
            "radii 10,000 x 2,048",
            Floor::Operations(products),
            move || device.radii(&first, COLUMNS, 3).unwrap(),
            move || drop(distances::radii(&points, COLUMNS, 3)),
        ),
        case(
            "inside 10,000 x 10,000 x 2,048",
            Floor::Operations(products),
            move || {
                let balls = ((&second).into(), (&radii_there).into());
                device.inside(&second, balls, COLUMNS, Ball::Closed).unwrap()
            },
            move || {
                let balls = (&points_too[..], &radii[..]);
                drop(distances::inside(&points_too, balls, COLUMNS, Ball::Closed));
            },
        ),
        case(
            "Gram::add 10,000 x 2,048",
            // In f64.
            Floor::Operations(POINTS * COLUMNS * (COLUMNS + 1) / 2),
            move || {
                let mut gram = cuda::Gram::new(device, COLUMNS).unwrap();
                gram.add(&third).unwrap();
                gram
            },
            move || gram::Gram::new(COLUMNS).add(&points_again),
        ),
    ]
}

fn cases(device: &Device) -> Vec<Case<'_>> {
    let mut cases = resizes(device);
    cases.extend(fidelity(device));
    cases.extend(spectra(device));
    cases.extend(features(device));
    cases
}

/// Seconds of the fastest of many calls.
fn fastest(limit: Duration, run: impl Fn()) -> f64 {
    run();
    let (start, mut fastest) = (Instant::now(), f64::INFINITY);
    while start.elapsed() < limit {
        let call = Instant::now();
        run();
        fastest = fastest.min(call.elapsed().as_secs_f64());
    }
    fastest
}

/// Bytes per second that a copy of 1 GiB on the device moves, read and written.
fn copy_bandwidth(device: &Device, limit: Duration) -> f64 {
    let values = device.zeros::<f32>(1 << 28).unwrap();
    let seconds = fastest(limit, || {
        drop(device.copy(&values).unwrap());
        device.synchronise().unwrap();
    });
    2.0 * (4_u64 << 28) as f64 / seconds
}

fn print(device: &Device, limit: Duration) {
    let bandwidth = copy_bandwidth(device, limit);
    println!("device: {}; copies {:.0} GB/s", device.name(), bandwidth / 1e9);
    println!("| kernel | device | of the copy bandwidth, or rate | CPU |\n|---|---|---|---|");
    for Case { name, floor, on_device, on_host } in cases(device) {
        let seconds = fastest(limit, || {
            on_device();
            device.synchronise().unwrap();
        });
        let rate = match floor {
            Floor::Bytes(bytes) => format!("{:.2}", bytes as f64 / seconds / bandwidth),
            Floor::Operations(count) => format!("{:.2} T/s", count as f64 / seconds / 1e12),
        };
        let host = fastest(limit, on_host);
        println!("| {name} | {:.3} ms | {rate} | {:.1} ms |", seconds * 1e3, host * 1e3);
    }
}

fn criterion(device: &Device) {
    let mut criterion = Criterion::default().configure_from_args();
    for Case { name, floor, on_device, on_host } in cases(device) {
        let mut group = criterion.benchmark_group(name);
        group.throughput(match floor {
            Floor::Bytes(bytes) => Throughput::Bytes(bytes as u64),
            Floor::Operations(count) => Throughput::Elements(count as u64),
        });
        group.sample_size(10);
        group.bench_function("device", |b| {
            b.iter_custom(|calls| {
                let start = Instant::now();
                (0..calls).for_each(|_| on_device());
                device.synchronise().unwrap();
                start.elapsed()
            });
        });
        group.bench_function("host", |b| b.iter(&on_host));
        group.finish();
    }
}

fn main() {
    match Device::open(0) {
        Ok(device) => record::main(|| criterion(&device), |limit| print(&device, limit)),
        Err(error) => println!("left out: no CUDA device: {error}"),
    }
}
