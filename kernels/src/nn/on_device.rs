//! The layers as they run on a device, here on the CPU: beside this project's kernels in f32, in half
//! precision, and a small network of them.

use candle_core::{DType, Device, Tensor};

use crate::nn::maps::Values;
use crate::nn::{
    Activation, Antialiasing, Attention, Conv2d, ConvOptions, GroupNorm, LayerNorm, Linear,
    MapShape, Maps, Mask, Modulation, NnError, Padding, Pool, RmsNorm, Rotary, Window,
    global_average, resize_bicubic, softmax, swiglu, testing, upsample_bilinear, upsample_nearest,
};

const SHAPE: MapShape = MapShape { images: 2, height: 5, width: 4, channels: 6 };

/// Values that both types of half precision hold without rounding: multiples of 1/16 below 4.
fn tensor(shape: &[usize], seed: u64) -> Tensor {
    let values = testing::values(shape.iter().product(), seed);
    let values: Vec<f32> = values.into_iter().map(|x| (x * 16.0).round() / 16.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn maps(shape: MapShape, seed: u64) -> Maps {
    let MapShape { images, height, width, channels } = shape;
    Maps::from_tensor(&tensor(&[images, channels, height, width], seed)).unwrap()
}

fn on_device(maps: &Maps, element: DType) -> Maps {
    Maps::on_device(&maps.to_tensor().unwrap().to_dtype(element).unwrap()).unwrap()
}

fn element(maps: &Maps) -> DType {
    match maps.values() {
        Values::Device(tensor) => tensor.dtype(),
        other => panic!("{other:?}"),
    }
}

type Layer = (&'static str, Box<dyn Fn(&Maps) -> Result<Maps, NnError>>);

/// A layer by its name. What it has beside the maps lies on the host.
fn layer(name: &'static str, run: impl Fn(&Maps) -> Result<Maps, NnError> + 'static) -> Layer {
    (name, Box::new(run))
}

/// Layers that have no products of matrices.
fn plain() -> Vec<Layer> {
    let (weight, bias) = (tensor(&[6], 1), tensor(&[6], 2));
    let layer_norm = LayerNorm::new(&weight, Some(&bias), 1e-5).unwrap();
    let group_norm = GroupNorm::new(3, &weight, Some(&bias), 1e-5).unwrap();
    let group_norm = group_norm.activation(Activation::Silu);
    let rms_norm = RmsNorm::new(&tensor(&[2], 3), 1e-5).unwrap();
    let rotary = Rotary::new(&tensor(&[20, 2], 4), &tensor(&[20, 2], 5)).unwrap();
    let window = Window::new(3, 3).stride(2, 2).padding(1, 1);
    let table = maps(MapShape { images: 1, ..SHAPE }, 6);
    let prefix = maps(MapShape { images: 1, height: 1, width: 3, channels: 6 }, 7);
    let vectors = maps(MapShape { height: 1, width: 1, channels: 18, ..SHAPE }, 8);
    let modulation = Modulation::new(vectors, 3).unwrap();
    let mut all = vec![
        layer("layer norm", move |x| layer_norm.forward(x)),
        layer("group norm", move |x| group_norm.forward(x)),
        layer("RMS norm", move |x| rms_norm.forward_parts(x.clone(), 0..4)),
        layer("rotary", move |x| rotary.forward_parts(x.clone(), 2..6)),
        layer("softmax", softmax),
        layer("SwiGLU", swiglu),
        layer("largest", move |x| Pool::max(window).forward(x)),
        layer("average", move |x| Pool::average(window).ceil().forward(x)),
        layer("mean", global_average),
        layer("bicubic", |x| resize_bicubic(x, (7, 3), Antialiasing::On)),
        layer("bilinear", |x| upsample_bilinear(x, 7, 9)),
        layer("nearest", |x| upsample_nearest(x, 2)),
        layer("table", move |x| x.add_to_each(&table)),
        layer("prefix", move |x| x.clone().into_tokens()?.with_prefix(&prefix)),
        layer("beside", |x| Maps::concat(&[x, &maps(SHAPE, 9)])),
        layer("modulation", move |x| {
            let x = modulation.shift_and_scale(x.clone(), 0, 1)?;
            let y = maps(SHAPE, 10);
            modulation.add(modulation.add_gated(x, &y, 2)?, 0)
        }),
    ];
    for function in [
        Activation::Relu,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
    ] {
        all.push(layer("activation", move |x| function.forward(x)));
    }
    all
}

/// Layers that are products of matrices, with weights of a type.
fn products(weights: DType) -> Vec<Layer> {
    let weight = |shape: &[usize], seed| {
        let scaled = (tensor(shape, seed) * 0.25).unwrap();
        scaled.to_dtype(weights).unwrap()
    };
    let bias = tensor(&[9], 21);
    let window = Window::new(3, 2).stride(2, 1);
    let uneven = Padding { top: 0, bottom: 1, left: 1, right: 0 };
    let options = ConvOptions {
        activation: Activation::Silu,
        ..ConvOptions::new(Window { padding: uneven, ..window })
    };
    let conv = Conv2d::new(&weight(&[9, 6, 3, 2], 22), Some(&bias), options).unwrap();
    let grouped = ConvOptions { groups: 3, ..ConvOptions::new(Window::new(3, 3).padding(1, 1)) };
    let grouped = Conv2d::new(&weight(&[6, 2, 3, 3], 23), None, grouped).unwrap();
    let linear = weight(&[9, 6], 24);
    let linear = Linear::new(&linear, Some(&bias), Activation::Gelu).unwrap();
    let joint = Linear::new(&weight(&[18, 6], 25), None, Activation::Identity).unwrap();
    let attention = Attention::new(3).mask(Mask::Causal);
    vec![
        layer("convolution", move |x| conv.forward(x)),
        layer("groups", move |x| grouped.forward_add(x, &maps(SHAPE, 26))),
        layer("linear", move |x| linear.forward(x)),
        layer("attention", move |x| attention.forward_joint(&joint.forward(x)?)),
        layer("host's queries", move |x| Attention::new(2).forward(&maps(SHAPE, 27), x, x)),
    ]
}

/// Every value within `units` roundings of `unit` of the largest.
#[track_caller]
fn assert_close(name: &str, found: &Maps, expected: &Maps, tolerance: f32) {
    assert_eq!(found.shape(), expected.shape(), "{name}");
    let (found, expected) = (found.to_rows().unwrap(), expected.to_rows().unwrap());
    let largest = expected.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        let error = (found - expected).abs();
        assert!(error <= tolerance * largest, "{name}: {found} and {expected}, of {largest}");
    }
}

#[test]
fn half_precision_stays_what_it_is_and_rounds_what_f32_gives() {
    let x = maps(SHAPE, 11);
    // Values are rounded where a layer ends: by half a unit, 2^-9 and 2^-12 of the value; modulation
    // has four ends, and what it adds to is larger than what is left.
    for (element_type, tolerance) in [(DType::BF16, 1.0 / 128.0), (DType::F16, 1.0 / 1024.0)] {
        for (name, layer) in plain() {
            let expected = layer(&x).unwrap();
            let found = layer(&on_device(&x, element_type)).unwrap();
            assert_eq!(element(&found), element_type, "{name}");
            assert_close(name, &found, &expected, tolerance);
        }
    }
}

#[test]
fn products_take_the_type_of_their_weights_wherever_the_maps_begin() {
    let x = maps(SHAPE, 12);
    let expected: Vec<Maps> =
        products(DType::F32).iter().map(|(_, layer)| layer(&x).unwrap()).collect();
    // bf16 has no products on the CPU.
    let (f32, half) = (on_device(&x, DType::F32), on_device(&x, DType::F16));
    for start in [&x, &f32, &half] {
        for ((name, layer), expected) in products(DType::F16).iter().zip(&expected) {
            let found = match layer(start) {
                // No weight says that the maps on the host are to go to the others.
                Err(NnError::Devices { .. }) if *name == "host's queries" => {
                    assert!(std::ptr::eq(start, &raw const f32));
                    continue;
                }
                found => found.unwrap(),
            };
            // Queries and keys are rounded by 2^-12 of the value, and scores are in an exponential.
            assert_close(name, &found, expected, 1.0 / 128.0);
        }
    }
    let (_, conv) = &products(DType::F16)[0];
    assert_eq!(element(&conv(&x).unwrap()), DType::F16);
}

/// A residual block, a resize and a transformer's block: `conv` and `linear` say for where.
struct Network {
    convs: [Conv2d; 2],
    norm: GroupNorm,
    before: LayerNorm,
    joint: Linear,
    output: Linear,
}

type MakeConv = fn(&Tensor, Option<&Tensor>, ConvOptions) -> Result<Conv2d, NnError>;
type MakeLinear = fn(&Tensor, Option<&Tensor>, Activation) -> Result<Linear, NnError>;

impl Network {
    fn new(conv: MakeConv, linear: MakeLinear) -> Self {
        let weight = |shape: &[usize], seed| (tensor(shape, seed) * 0.125).unwrap();
        let ones = tensor(&[6], 31);
        let options = ConvOptions::new(Window::new(3, 3).padding(1, 1));
        let conv = |seed| conv(&weight(&[6, 6, 3, 3], seed), Some(&ones), options).unwrap();
        let linear = |outputs: usize, seed| {
            linear(&weight(&[outputs, 6], seed), None, Activation::Identity).unwrap()
        };
        Self {
            convs: [conv(32), conv(33)],
            norm: GroupNorm::new(2, &ones, None, 1e-5).unwrap().activation(Activation::Silu),
            before: LayerNorm::new(&ones, None, 1e-5).unwrap(),
            joint: linear(18, 34),
            output: linear(6, 35),
        }
    }

    fn run(&self, x: &Maps) -> Maps {
        let [first, second] = &self.convs;
        let y = self.norm.forward(&first.forward(x).unwrap()).unwrap();
        let x = second.forward_add(&y, x).unwrap();
        let x = upsample_nearest(&x, 2).unwrap().into_tokens().unwrap();
        let joint = self.joint.forward(&self.before.forward(&x).unwrap()).unwrap();
        let seen = Attention::new(2).forward_joint(&joint).unwrap();
        self.output.forward_add(&seen, &x).unwrap()
    }
}

#[test]
fn a_network_on_a_device_gives_what_it_gives_on_the_host() {
    let x = maps(SHAPE, 13);
    let expected = Network::new(Conv2d::new, Linear::new).run(&x);
    let network = Network::new(Conv2d::on_device, Linear::on_device);
    let found = network.run(&on_device(&x, DType::F32));
    assert_eq!(element(&found), DType::F32);
    // Four layers of sums of up to 54 products, in other orders: 30 roundings of 2^-24 each.
    assert_close("network", &found, &expected, 1e-5);
    let tokens = found.to_token_tensor().unwrap().to_vec3::<f32>().unwrap();
    assert_eq!(tokens.concat().concat(), found.to_rows().unwrap());
}
