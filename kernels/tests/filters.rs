//! Frequency filters against SciPy and numpy in f64 (`tests/oracle/filters.py`), and their laws.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/hashed.rs"]
mod hashed;

use prismbench_kernels::filters::{Cutoff, Pass, PlaneFilter, Shape};
use prismbench_kernels::{InstructionSet, Size};
use proptest::prelude::*;
use serde::Deserialize;

/// Largest difference from f64 where values are in `[0, 1]`: some 20 roundings of sums of that size.
const TOLERANCE: f64 = 1e-6;

const SHAPES: [(&str, Shape); 6] = [
    ("dct-radial-axis", Shape::DctRadialAxis),
    ("dct-radial-corner", Shape::DctRadialCorner),
    ("dct-square", Shape::DctSquare),
    ("dct-zigzag", Shape::DctZigzag),
    ("fft-ideal", Shape::FftIdeal),
    ("fft-cosine", Shape::FftCosine),
];

#[derive(Deserialize)]
struct Case {
    width: usize,
    height: usize,
    seed: u64,
    shape: String,
    pass: String,
    /// The number of the band for `zigzag-band`.
    thousandths: u32,
    values: Vec<f64>,
    mean: f64,
    square: f64,
    least: f64,
    largest: f64,
}

fn golden<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/");
    serde_json::from_slice(&std::fs::read(format!("{folder}{name}")).unwrap()).unwrap()
}

/// Three planes of `byte / 255`.
fn planes(size: Size, seed: u64, amplitude: i64) -> Vec<f32> {
    let pixels = hashed::picture(size.width, size.height, seed, amplitude);
    let plane = |channel: usize| pixels[channel..].iter().step_by(3).map(|&b| f32::from(b) / 255.0);
    (0..3).flat_map(plane).collect()
}

fn filter(size: Size, shape: Shape, pass: Pass, thousandths: u32) -> PlaneFilter {
    PlaneFilter::new(size, shape, pass, Cutoff::from_thousandths(thousandths).unwrap())
}

fn filtered(filter: &PlaneFilter, planes: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NAN; planes.len()];
    filter.apply(planes, &mut out);
    out
}

impl Case {
    fn filter(&self) -> PlaneFilter {
        let size = Size::new(self.width, self.height);
        if self.shape == "zigzag-band" {
            return PlaneFilter::zigzag_band(size, self.thousandths as usize, 10);
        }
        let shape = SHAPES.into_iter().find(|(name, _)| *name == self.shape).unwrap().1;
        let pass = if self.pass == "low" { Pass::Low } else { Pass::High };
        filter(size, shape, pass, self.thousandths)
    }

    fn check(&self) -> f64 {
        let size = Size::new(self.width, self.height);
        let found = filtered(&self.filter(), &planes(size, self.seed, 60));
        let n = found.len();
        let at = |i: usize| f64::from(found[i * (n - 1) / (self.values.len() - 1)]);
        let wide = || found.iter().map(|&value| f64::from(value));
        let summary = [
            (wide().sum::<f64>() / n as f64, self.mean),
            (wide().map(|value| value * value).sum::<f64>() / n as f64, self.square),
            (wide().fold(f64::INFINITY, f64::min), self.least),
            (wide().fold(f64::NEG_INFINITY, f64::max), self.largest),
        ];
        let values = self.values.iter().enumerate().map(|(i, &expected)| (at(i), expected));
        let gaps = values.chain(summary).map(|(found, expected)| (found - expected).abs());
        gaps.fold(0.0, f64::max)
    }
}

#[test]
fn every_filter_gives_what_its_definition_gives_in_f64() {
    let cases: Vec<Case> = golden("filters/filters.json");
    assert!(cases.len() > 300);
    for case in cases {
        let gap = case.check();
        let Case { width, height, shape, pass, thousandths, .. } = case;
        assert!(gap < TOLERANCE, "{shape}:{pass}:{thousandths} at {width}x{height}: {gap:e}");
    }
}

/// The values that came with the specification, clamped as the experiment clamps.
#[test]
fn the_reference_values_of_the_specification_are_reproduced() {
    let reference: serde_json::Value = golden("reference.json");
    let size = Size::new(256, 256);
    let first = planes(size, 1, 4)[..size.area()].to_vec();
    for (cutoff, expected) in reference["dct_lowpass_ch0"].as_object().unwrap() {
        let thousandths = (1000.0 * cutoff.parse::<f64>().unwrap()).round() as u32;
        let filter = filter(size, Shape::DctRadialAxis, Pass::Low, thousandths);
        let mut low = filtered(&filter, &first);
        low.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
        let mean = low.iter().map(|&value| f64::from(value)).sum::<f64>() / low.len() as f64;
        let at = |row: usize, column: usize| f64::from(low[256 * row + column]);
        let found = [at(0, 0), at(10, 200), at(150, 37), mean];
        for (found, expected) in found.iter().zip(expected.as_array().unwrap()) {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() < TOLERANCE, "{cutoff}: {found} {expected}");
        }
    }
}

#[test]
fn low_and_high_give_the_picture_back_with_its_mean_counted_once() {
    for (seed, size) in (0..).zip([Size::new(256, 256), Size::new(45, 64), Size::new(33, 7)]) {
        let picture = planes(size, seed, 60);
        for (_, shape) in SHAPES {
            for thousandths in [50, 400, 1000] {
                let pass = |pass| filtered(&filter(size, shape, pass, thousandths), &picture);
                let (low, high) = (pass(Pass::Low), pass(Pass::High));
                for (plane, (low, high)) in picture
                    .chunks(size.area())
                    .zip(low.chunks(size.area()).zip(high.chunks(size.area())))
                {
                    let mean =
                        plane.iter().map(|&x| f64::from(x)).sum::<f64>() / plane.len() as f64;
                    for ((&x, &low), &high) in plane.iter().zip(low).zip(high) {
                        let sum = f64::from(low) + f64::from(high) - mean;
                        assert!((sum - f64::from(x)).abs() < 1e-6, "{shape:?} {thousandths}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_filter_that_keeps_everything_changes_no_bit() {
    for size in [Size::new(256, 256), Size::new(45, 64), Size::new(1, 1)] {
        let picture = planes(size, 3, 60);
        for shape in [Shape::DctRadialCorner, Shape::DctSquare, Shape::DctZigzag] {
            let found = filtered(&filter(size, shape, Pass::Low, 1000), &picture);
            assert!(found.iter().zip(&picture).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}

#[test]
fn bands_add_up_to_the_picture() {
    let size = Size::new(48, 31);
    let picture = planes(size, 5, 60);
    let mut sum = vec![0.0; picture.len()];
    for band in 0..11 {
        let part = filtered(&PlaneFilter::zigzag_band(size, band, 10), &picture);
        // There is no eleventh.
        assert!(band < 10 || part.iter().all(|&value| value.abs() < 1e-30));
        sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += f64::from(value));
    }
    let gaps = sum.iter().zip(&picture).map(|(sum, &value)| (sum - f64::from(value)).abs());
    assert!(gaps.fold(0.0, f64::max) < TOLERANCE);
}

#[test]
fn planes_without_pixels_are_no_planes() {
    for size in [Size::new(0, 0), Size::new(0, 4), Size::new(4, 0)] {
        for (_, shape) in SHAPES {
            assert!(filtered(&filter(size, shape, Pass::High, 500), &[]).is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn neither_instructions_nor_threads_nor_other_planes_decide_a_bit(
        width in 1..70_usize, height in 1..70_usize, shape in 0..6_usize, is_low: bool,
        thousandths in 1..=1000_u32, seed in 0..50_u64,
    ) {
        let size = Size::new(width, height);
        let pass = if is_low { Pass::Low } else { Pass::High };
        let cutoff = Cutoff::from_thousandths(thousandths).unwrap();
        let shape = SHAPES[shape].1;
        let filter = PlaneFilter::new(size, shape, pass, cutoff);
        let picture = planes(size, seed, 60);
        let expected = filtered(&filter, &picture);
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            let filter = PlaneFilter::for_set(set, size, shape, pass, cutoff);
            prop_assert_eq!(&filtered(&filter, &picture), &expected, "{:?}", set);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let twice = [picture.clone(), picture.clone()].concat();
        let twice = pool.install(|| filtered(&filter, &twice));
        prop_assert_eq!(&twice[picture.len()..], &expected[..]);
        let second = size.area()..2 * size.area();
        prop_assert_eq!(&filtered(&filter, &picture[second.clone()])[..], &expected[second]);
    }
}
