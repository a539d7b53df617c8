//! The cases, by what they are for.

use std::sync::{Arc, Mutex};

#[cfg(feature = "cuda")]
use prismbench_kernels::cuda;
use prismbench_kernels::distances::{self, Ball};
use prismbench_kernels::filters::{Cutoff, Pass, PlaneFilter, Shape};
use prismbench_kernels::network_input::{Levels, ResizedWindow, network_input};
use prismbench_kernels::resample::{self, Filter, Window};
use prismbench_kernels::similarity::{self, Border, Similarity, Stabilisers, Term};
use prismbench_kernels::{Size, directions, gram};
use rayon::prelude::*;

use crate::cases::{Case, Gpu, case};
use crate::measured::Bound;

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

/// A bound of so many bytes.
fn moved(bytes: usize) -> Bound {
    Bound::Bytes(bytes as u64)
}

/// A bound of so many floating-point operations.
fn computed(operations: usize) -> Bound {
    Bound::Operations(operations as u64)
}

/// Pictures in, pictures or numbers out.
pub(crate) fn resizes(gpu: Gpu<'_>) -> Vec<Case<'_>> {
    let (from, to) = (Size::new(500, 375), Size::new(341, 256));
    let window = Window { left: 42, top: 0, size: PICTURE };
    let resized = ResizedWindow { to, method: Filter::Bicubic.into(), window };
    let levels = Arc::new(Levels::normalised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]));
    // Of the source, the columns that the window needs.
    let source = PICTURES * 3 * 376 * from.height;
    let pictures: Arc<[u8]> = bytes(PICTURES * 3 * from.area()).into();
    let (pictures_too, levels_too) = (Arc::clone(&pictures), Arc::clone(&levels));
    let mut cases = vec![
        case!(
            "network_input 500x375 to 256x256",
            moved(source + 4 * 3 * PICTURES * PICTURE.area()),
            move || drop(network_input(&pictures_too, from, &resized, &levels_too)),
            gpu,
            |device| {
                let (pictures, levels) = (device.upload(&pictures).unwrap(), Arc::clone(&levels));
                move || device.network_input(&pictures, from, &resized, &levels).unwrap()
            },
        ),
        case!(
            "resize_rgb8_window 500x375 to 256x256",
            moved(source + 3 * PICTURES * PICTURE.area()),
            {
                let pictures = Arc::clone(&pictures);
                move || {
                    pictures.par_chunks_exact(3 * from.area()).for_each(|picture| {
                        let method = Filter::Bicubic;
                        drop(resample::resize_rgb8_window(picture, from, to, method, window));
                    });
                }
            },
            gpu,
            |device| {
                let pictures = device.upload(&pictures).unwrap();
                let method = Filter::Bicubic;
                move || device.resize_rgb8_window(&pictures, from, to, method, window).unwrap()
            },
        ),
    ];
    cases.extend(resizes_of_planes(gpu));
    cases
}

fn resizes_of_planes(gpu: Gpu<'_>) -> [Case<'_>; 2] {
    let (count, side) = (PICTURES * 3, Size::new(299, 299));
    let planes: Arc<[f32]> = floats(count * PICTURE.area()).into();
    let bound = moved(4 * count * (PICTURE.area() + side.area()));
    let (first, second) = (Arc::clone(&planes), Arc::clone(&planes));
    [
        case!(
            "resize_plane 256 to 299, bicubic",
            bound,
            move || {
                first.par_chunks_exact(PICTURE.area()).for_each(|plane| {
                    drop(resample::resize_plane(plane, PICTURE, side, Filter::Bicubic));
                });
            },
            gpu,
            |device| {
                let planes = device.upload(&planes).unwrap();
                move || device.resize_plane(&planes, PICTURE, side, Filter::Bicubic).unwrap()
            },
        ),
        case!(
            "bilinear_tf1 256 to 299",
            bound,
            move || {
                second.par_chunks_exact(PICTURE.area()).for_each(|plane| {
                    drop(resample::bilinear_tf1(plane, PICTURE, side));
                });
            },
            gpu,
            |device| {
                let planes = device.upload(&planes).unwrap();
                move || device.bilinear_tf1(&planes, PICTURE, side).unwrap()
            },
        ),
    ]
}

/// Two pictures in, a number out.
pub(crate) fn fidelity(gpu: Gpu<'_>) -> Vec<Case<'_>> {
    let pair: Arc<[Vec<u8>; 2]> = Arc::new([0, 1].map(|shift| {
        let mut pictures = bytes(PICTURES * 3 * PICTURE.area() + shift);
        pictures.drain(..shift);
        pictures
    }));
    let stabilisers = Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.0 };
    let (window, border) = (similarity::Window::Gaussian, Border::Reflect);
    let similarity = Similarity { window, border, stabilisers, term: Term::Similarity };
    let mut cases = vec![case!(
        "similarity_means, Gaussian, u8",
        // In f64, not fused: 25 squares and sums, 120 of the windows, 15 of the term.
        computed(160 * PICTURES * 3 * PICTURE.area()),
        {
            let pair = Arc::clone(&pair);
            move || {
                let [left, right] =
                    [0, 1].map(|side: usize| pair[side].par_chunks_exact(3 * PICTURE.area()));
                left.zip(right).for_each(|(left, right)| {
                    std::hint::black_box(similarity.mean(left, right, PICTURE, 3));
                });
            }
        },
        gpu,
        |device| {
            let there = [0, 1].map(|side: usize| device.upload(&pair[side]).unwrap());
            move || {
                let pair = [(&there[0]).into(), (&there[1]).into()];
                device.similarity_means::<u8>(&similarity, pair, PICTURE, 3).unwrap()
            }
        },
    )];
    cases.extend(tap_distances(gpu));
    cases
}

fn tap_distances(gpu: Gpu<'_>) -> [Case<'_>; 2] {
    let (channels, places, images) = (64, PICTURE.area(), 8);
    let weights: Arc<[f32]> = floats(channels).into();
    let taps = floats(images * places * channels);
    let others: Vec<f32> = taps.iter().map(|value| 1.0 - value).collect();
    let taps = Arc::new([taps, others]);
    let bound = moved(8 * images * places * channels);
    let (weights_too, taps_too) = (Arc::clone(&weights), Arc::clone(&taps));
    let (weights_again, taps_again) = (Arc::clone(&weights), Arc::clone(&taps));
    [
        case!(
            "tap_distances, 64 channels",
            bound,
            move || {
                let pair = [&taps_too[0][..], &taps_too[1]];
                drop(directions::tap_distances(&weights_too, pair, places, 1e-10));
            },
            gpu,
            |device| {
                let there = [0, 1].map(|side: usize| device.upload(&taps[side]).unwrap());
                let weights = device.upload(&weights).unwrap();
                move || {
                    let pair = [(&there[0]).into(), (&there[1]).into()];
                    device.tap_distances(&weights, pair, places, 1e-10).unwrap()
                }
            },
        ),
        case!(
            "tap_distances_planes, 64 channels",
            bound,
            move || {
                let pair = [&taps_again[0][..], &taps_again[1]];
                drop(directions::tap_distances_planes(&weights_again, pair, places, 1e-10));
            },
            gpu,
            |device| {
                let there = [0, 1].map(|side: usize| device.upload(&taps[side]).unwrap());
                let weights = device.upload(&weights).unwrap();
                move || {
                    let pair = [(&there[0]).into(), (&there[1]).into()];
                    device.tap_distances_planes(&weights, pair, places, 1e-10).unwrap()
                }
            },
        ),
    ]
}

pub(crate) fn spectra(gpu: Gpu<'_>) -> Vec<Case<'_>> {
    let planes: Arc<[f32]> = floats(PICTURES * 3 * PICTURE.area()).into();
    let out = Arc::new(Mutex::new(vec![0.0; planes.len()]));
    let filter = |name, pass, thousandths| {
        let cutoff = Cutoff::from_thousandths(thousandths).unwrap();
        let filter = Arc::new(PlaneFilter::new(PICTURE, Shape::DctRadialAxis, pass, cutoff));
        let (filter_too, planes_too) = (Arc::clone(&filter), Arc::clone(&planes));
        let out = Arc::clone(&out);
        case!(
            name,
            moved(8 * planes.len()),
            move || filter_too.apply(&planes_too, &mut out.lock().unwrap()),
            gpu,
            |device| {
                let there = cuda::PlaneFilter::new(device, &filter).unwrap();
                let planes = device.upload(&planes).unwrap();
                move || there.apply(&planes).unwrap()
            },
        )
    };
    vec![
        filter("filter dct-radial-axis:low:0.2", Pass::Low, 200),
        filter("filter dct-radial-axis:low:1", Pass::Low, 1000),
        filter("filter dct-radial-axis:high:0.2", Pass::High, 200),
    ]
}

/// Features in, distances and sums out.
pub(crate) fn features(gpu: Gpu<'_>) -> Vec<Case<'_>> {
    let points: Arc<[f32]> = floats(POINTS * COLUMNS).into();
    let radii: Arc<[f64]> = distances::radii(&points, COLUMNS, 3).into();
    let radii_too = Arc::clone(&radii);
    let [first, second, third] = [(); 3].map(|()| Arc::clone(&points));
    let products = POINTS * POINTS * COLUMNS;
    vec![
        case!(
            "radii 10,000 x 2,048",
            computed(2 * products),
            move || drop(distances::radii(&first, COLUMNS, 3)),
            gpu,
            |device| {
                let points = device.upload(&points).unwrap();
                move || device.radii(&points, COLUMNS, 3).unwrap()
            },
        ),
        case!(
            "inside 10,000 x 10,000 x 2,048",
            computed(2 * products),
            move || {
                let balls = (&second[..], &radii_too[..]);
                drop(distances::inside(&second, balls, COLUMNS, Ball::Closed));
            },
            gpu,
            |device| {
                let there = (device.upload(&points).unwrap(), device.upload(&radii).unwrap());
                move || {
                    let (points, radii) = &there;
                    let balls = (points.into(), radii.into());
                    device.inside(points, balls, COLUMNS, Ball::Closed).unwrap()
                }
            },
        ),
        case!(
            "Gram::add 10,000 x 2,048",
            // In f64, half of the table.
            computed(POINTS * COLUMNS * (COLUMNS + 1)),
            move || gram::Gram::new(COLUMNS).add(&third),
            gpu,
            |device| {
                let points = device.upload(&points).unwrap();
                move || {
                    let mut gram = cuda::Gram::new(device, COLUMNS).unwrap();
                    gram.add(&points).unwrap();
                    gram
                }
            },
        ),
    ]
}
