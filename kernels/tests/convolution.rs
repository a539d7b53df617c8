//! Convolutions against the definition in f64, on every instruction set and through candle.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use candle_core::{Device, Tensor};
use prismbench_kernels::InstructionSet;
use prismbench_kernels::nn::{
    Activation, Arithmetic, Conv2d, ConvOptions, MapShape, Maps, Padding, Window,
};
use proptest::prelude::*;

/// One random convolution with its data.
#[derive(Clone, Debug)]
struct Case {
    maps: MapShape,
    outputs: usize,
    options: ConvOptions,
    residual: bool,
    seed: u64,
}

fn values(seed: u64, len: usize) -> Vec<f32> {
    let mix = |i: u64| {
        let z = (i + 1 + (seed << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)) >> 40
    };
    (0..len as u64).map(|i| mix(i) as f32 / (1 << 23) as f32 - 1.0).collect()
}

impl Case {
    fn inputs(&self) -> Vec<f32> {
        values(self.seed, self.maps.len())
    }

    fn weights(&self) -> (Vec<f32>, Vec<f32>) {
        let taps = self.options.window.kernel.0 * self.options.window.kernel.1;
        let fan_in = self.maps.channels / self.options.groups * taps;
        let mut weight = values(self.seed + 1, self.outputs * fan_in);
        weight.iter_mut().for_each(|weight| *weight /= (fan_in as f32).sqrt());
        (weight, values(self.seed + 2, self.outputs))
    }

    fn output(&self) -> Option<MapShape> {
        let (height, width) = self.options.window.output(self.maps.height, self.maps.width)?;
        Some(MapShape { height, width, channels: self.outputs, ..self.maps })
    }

    fn residual(&self, output: MapShape) -> Option<Vec<f32>> {
        self.residual.then(|| values(self.seed + 3, output.len()))
    }

    /// The definition, in f64.
    fn expected(&self) -> Vec<f64> {
        let (inputs, (weight, bias)) = (self.inputs(), self.weights());
        let output = self.output().unwrap();
        let residual = self.residual(output);
        let Window { kernel, stride, dilation, padding } = self.options.window;
        let (groups, channels) = (self.options.groups, self.maps.channels);
        let mut sums = Vec::with_capacity(output.len());
        for place in 0..output.len() {
            let (rest, o) = (place / self.outputs, place % self.outputs);
            let (rest, x) = (rest / output.width, rest % output.width);
            let (image, y) = (rest / output.height, rest % output.height);
            let mut sum = f64::from(bias[o]);
            let first = o / (self.outputs / groups) * (channels / groups);
            for i in 0..channels / groups {
                for (ky, kx) in (0..kernel.0).flat_map(|y| (0..kernel.1).map(move |x| (y, x))) {
                    let row = (y * stride.0 + ky * dilation.0).checked_sub(padding.top);
                    let column = (x * stride.1 + kx * dilation.1).checked_sub(padding.left);
                    let (Some(row), Some(column)) = (row, column) else { continue };
                    if row < self.maps.height && column < self.maps.width {
                        let at = ((image * self.maps.height + row) * self.maps.width + column)
                            * channels;
                        let tap = ((o * (channels / groups) + i) * kernel.0 + ky) * kernel.1 + kx;
                        sum += f64::from(inputs[at + first + i]) * f64::from(weight[tap]);
                    }
                }
            }
            if let Some(residual) = &residual {
                sum += f64::from(residual[place]);
            }
            sums.push(if self.options.activation == Activation::Relu { sum.max(0.0) } else { sum });
        }
        sums
    }

    fn layer(&self, set: Option<InstructionSet>) -> Conv2d {
        let (weight, bias) = self.weights();
        let kernel = self.options.window.kernel;
        let dims = (self.outputs, self.maps.channels / self.options.groups, kernel.0, kernel.1);
        let weight = Tensor::from_vec(weight, dims, &Device::Cpu).unwrap();
        let bias = Tensor::from_vec(bias, self.outputs, &Device::Cpu).unwrap();
        match set {
            Some(set) => Conv2d::for_set(set, &weight, Some(&bias), self.options).unwrap(),
            None => Conv2d::on_device(&weight, Some(&bias), self.options).unwrap(),
        }
    }

    fn with(&self, arithmetic: Arithmetic) -> Self {
        Self { options: ConvOptions { arithmetic, ..self.options }, ..self.clone() }
    }

    fn run(&self, set: Option<InstructionSet>) -> Vec<f32> {
        let host = |shape, values| Maps::from_rows(shape, values).unwrap();
        let place = |maps: Maps| match set {
            Some(_) => maps,
            None => Maps::on_device(&maps.to_tensor().unwrap()).unwrap(),
        };
        let maps = place(host(self.maps, self.inputs()));
        let layer = self.layer(set);
        let output = self.output().unwrap();
        let out = match self.residual(output) {
            Some(residual) => layer.forward_add(&maps, &place(host(output, residual))),
            None => layer.forward(&maps),
        };
        let out = out.unwrap();
        assert_eq!(out.shape(), output);
        out.to_rows().unwrap()
    }
}

/// Largest error over the largest value.
fn error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    let errors = found.iter().zip(expected).map(|(&a, b)| (f64::from(a) - b).abs());
    errors.fold(0.0, f64::max) / largest
}

fn any_case() -> impl Strategy<Value = Case> {
    let window = (1..5_usize, 1..8_usize, 1..3_usize, 1..3_usize, 1..3_usize, 1..3_usize);
    let window = (window, [0..4_usize, 0..4, 0..4, 0..4]).prop_map(|(w, p)| {
        let padding = Padding { top: p[0], bottom: p[1], left: p[2], right: p[3] };
        Window { padding, ..Window::new(w.0, w.1).stride(w.2, w.3).dilation(w.4, w.5) }
    });
    let groups = prop_oneof![3 => Just(1_usize), 1 => 2..4_usize];
    let extent = (1..3_usize, 1..20_usize, 1..20_usize, 1..24_usize, 1..24_usize);
    (extent, window, groups, any::<bool>(), any::<bool>(), 0..1000_u64)
        .prop_map(|(extent, window, groups, relu, residual, seed)| Case {
            maps: MapShape {
                images: extent.0,
                height: extent.1,
                width: extent.2,
                channels: extent.3 * groups,
            },
            outputs: extent.4 * groups,
            options: ConvOptions {
                groups,
                activation: if relu { Activation::Relu } else { Activation::Identity },
                ..ConvOptions::new(window)
            },
            residual,
            seed,
        })
        .prop_filter("the window fits", |case| case.output().is_some())
}

/// The kernels that Winograd's algorithm knows.
const FAST: [(usize, usize); 6] = [(3, 3), (5, 5), (1, 3), (3, 1), (1, 7), (7, 1)];

/// Of the largest value: four times the worst of 2000 cases. A sum in order is off by 5e-7.
fn fast_tolerance(kernel: (usize, usize)) -> f64 {
    match kernel {
        (1, 3) | (3, 1) => 2.5e-6,
        (3, 3) => 5e-6,
        (1, 7) | (7, 1) => 1.5e-5,
        _ => 3e-5,
    }
}

fn fast_case() -> impl Strategy<Value = Case> {
    let kernel = prop::sample::select(&FAST[..]);
    let window = (kernel, [0..5_usize, 0..5, 0..5, 0..5]).prop_map(|(kernel, p)| {
        let padding = Padding { top: p[0], bottom: p[1], left: p[2], right: p[3] };
        Window { padding, ..Window::new(kernel.0, kernel.1) }
    });
    let extent = (1..3_usize, 1..40_usize, 1..40_usize, 1..5_usize, 1..5_usize);
    (extent, window, any::<bool>(), any::<bool>(), 0..1000_u64)
        .prop_map(|(extent, window, relu, residual, seed)| Case {
            maps: MapShape {
                images: extent.0,
                height: extent.1,
                width: extent.2,
                channels: 16 * extent.3,
            },
            outputs: 16 * extent.4,
            options: ConvOptions {
                activation: if relu { Activation::Relu } else { Activation::Identity },
                arithmetic: Arithmetic::Fast,
                ..ConvOptions::new(window)
            },
            residual,
            seed,
        })
        .prop_filter("the window fits", |case| case.output().is_some())
}

fn sets() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// 2e-6 of the largest value: at most 24 x 28 rounded steps of 6e-8 each, and they average out.
    #[test]
    fn any_convolution_is_the_definition_and_the_same_bits_on_every_instruction_set(
        case in any_case(),
    ) {
        let expected = case.expected();
        let best = case.run(Some(InstructionSet::Best));
        prop_assert!(error(&best, &expected) < 2e-6, "{}", error(&best, &expected));
        for set in sets() {
            prop_assert_eq!(&case.run(Some(set)), &best, "{:?}", set);
        }
    }

    /// candle's steps and dilations are the same for rows and columns; ours need not be.
    #[test]
    fn candles_path_gives_the_same_convolution(case in any_case()) {
        let Window { stride, dilation, .. } = case.options.window;
        let unequal = stride.0.max(stride.1) % stride.0.min(stride.1) != 0;
        prop_assume!(dilation.0 == dilation.1 && !unequal);
        prop_assert!(error(&case.run(None), &case.expected()) < 2e-6);
    }

    /// Winograd's transforms amplify rounding, those of more points more.
    #[test]
    fn fast_arithmetic_is_close_and_the_same_bits_on_every_instruction_set(case in fast_case()) {
        let best = case.run(Some(InstructionSet::Best));
        let tolerance = fast_tolerance(case.options.window.kernel);
        let expected = case.expected();
        prop_assert!(error(&best, &expected) < tolerance, "{}", error(&best, &expected));
        let strict = case.with(Arithmetic::Strict).run(Some(InstructionSet::Best));
        let strict: Vec<f64> = strict.into_iter().map(f64::from).collect();
        prop_assert!(error(&best, &strict) < tolerance, "{}", error(&best, &strict));
        for set in sets() {
            prop_assert_eq!(&case.run(Some(set)), &best, "{:?}", set);
        }
    }
}

fn fast_kernel(kernel: (usize, usize), maps: MapShape) -> Case {
    let window = Window::new(kernel.0, kernel.1).padding(kernel.0 / 2, kernel.1 / 2);
    let arithmetic = Arithmetic::Fast;
    let options = ConvOptions { arithmetic, ..ConvOptions::new(window) };
    Case { maps, outputs: 48, options, residual: true, seed: 9 }
}

#[test]
fn fast_arithmetic_is_used_where_it_may_be() {
    for kernel in FAST {
        let maps = MapShape { images: 1, height: 17, width: 17, channels: 64 };
        let case = fast_kernel(kernel, maps);
        let run = |arithmetic| case.with(arithmetic).run(Some(InstructionSet::Best));
        let (fast, strict) = (run(Arithmetic::Fast), run(Arithmetic::Strict));
        assert_ne!(fast, strict, "{kernel:?}: else it is not Winograd's");
    }
}

#[test]
fn neither_threads_nor_other_images_move_a_bit() {
    let maps = MapShape { images: 3, height: 50, width: 33, channels: 32 };
    for case in FAST.map(|kernel| fast_kernel(kernel, maps)) {
        images_are_alone(&case);
        images_are_alone(&case.with(Arithmetic::Strict));
    }
}

fn images_are_alone(case: &Case) {
    let together = case.run(Some(InstructionSet::Best));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| case.run(Some(InstructionSet::Best))), together);
    let one = MapShape { images: 1, ..case.maps };
    let image = case.inputs()[..one.len()].to_vec();
    let output = MapShape { images: 1, ..case.output().unwrap() };
    let residual = case.residual(case.output().unwrap()).unwrap()[..output.len()].to_vec();
    let alone = case
        .layer(Some(InstructionSet::Best))
        .forward_add(
            &Maps::from_rows(one, image).unwrap(),
            &Maps::from_rows(output, residual).unwrap(),
        )
        .unwrap();
    assert_eq!(alone.to_rows().unwrap(), together[..output.len()]);
}

#[test]
fn maps_that_do_not_fit_are_errors_that_say_what_would() {
    let window = Window::new(3, 3);
    let case = Case {
        maps: MapShape { images: 1, height: 4, width: 4, channels: 8 },
        outputs: 4,
        options: ConvOptions::new(window),
        residual: false,
        seed: 1,
    };
    let layer = case.layer(Some(InstructionSet::Best));
    let maps = |height, channels| {
        let shape = MapShape { images: 1, height, width: 4, channels };
        Maps::from_rows(shape, vec![0.0; shape.len()]).unwrap()
    };
    let error = layer.forward(&maps(4, 3)).unwrap_err().to_string();
    assert_eq!(error, "convolution needs maps of 8 channels, found 3 in 1 x 4 x 4 x 3");
    let error = layer.forward(&maps(2, 8)).unwrap_err().to_string();
    assert!(error.contains("no place for its window in maps of 2x4"), "{error}");
    let device = Maps::on_device(&maps(4, 8).to_tensor().unwrap()).unwrap();
    assert!(layer.forward(&device).unwrap_err().to_string().contains("different devices"));
    let wrong = Tensor::zeros((4, 8, 2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(Conv2d::new(&wrong, None, ConvOptions::new(window)).is_err());
}
