//! The trunks as data. Positions are those of torchvision's `features`.

use prismbench_core::{Choice as _, LpipsTrunk};
use prismbench_kernels::nn::{
    Activation, Arithmetic, Conv2d, ConvOptions, Maps, NnError, Pool, Window,
};
use prismbench_weights::{Expected, Tensors};

use crate::NetworkError;

/// A part of a trunk.
enum Step {
    /// Convolution, bias, ReLU.
    Conv { position: usize, inputs: usize, outputs: usize, window: Window },
    /// Maximum over 3x3 or 2x2, every second place.
    Pool(Pool),
    /// SqueezeNet's block: 1x1 to `squeeze` channels, then 1x1 and 3x3 side by side.
    Fire { position: usize, inputs: usize, squeeze: usize, expand: usize },
    /// The maps here are compared.
    Tap,
}

use Step::Tap;

fn steps(trunk: LpipsTrunk) -> Vec<Step> {
    match trunk {
        LpipsTrunk::Alex => alex(),
        LpipsTrunk::Vgg => vgg(),
        LpipsTrunk::Squeeze => squeeze(),
    }
}

fn conv(position: usize, inputs: usize, outputs: usize, window: Window) -> Step {
    Step::Conv { position, inputs, outputs, window }
}

fn alex() -> Vec<Step> {
    let pool = || Step::Pool(Pool::max(Window::new(3, 3).stride(2, 2)));
    let same = || Window::new(3, 3).padding(1, 1);
    vec![
        conv(0, 3, 64, Window::new(11, 11).stride(4, 4).padding(2, 2)),
        Tap,
        pool(),
        conv(3, 64, 192, Window::new(5, 5).padding(2, 2)),
        Tap,
        pool(),
        conv(6, 192, 384, same()),
        Tap,
        conv(8, 384, 256, same()),
        Tap,
        conv(10, 256, 256, same()),
        Tap,
    ]
}

fn vgg() -> Vec<Step> {
    let groups: [(usize, &[usize]); 5] = [
        (64, &[0, 2]),
        (128, &[5, 7]),
        (256, &[10, 12, 14]),
        (512, &[17, 19, 21]),
        (512, &[24, 26, 28]),
    ];
    let mut steps = Vec::new();
    let mut inputs = 3;
    for (group, (outputs, positions)) in groups.into_iter().enumerate() {
        if group > 0 {
            steps.push(Step::Pool(Pool::max(Window::new(2, 2).stride(2, 2))));
        }
        for &position in positions {
            steps.push(conv(position, inputs, outputs, Window::new(3, 3).padding(1, 1)));
            inputs = outputs;
        }
        steps.push(Tap);
    }
    steps
}

fn squeeze() -> Vec<Step> {
    let pool = || Step::Pool(Pool::max(Window::new(3, 3).stride(2, 2)).ceil());
    let fire = |position, inputs, squeeze, expand| Step::Fire { position, inputs, squeeze, expand };
    vec![
        conv(0, 3, 64, Window::new(3, 3).stride(2, 2)),
        Tap,
        pool(),
        fire(3, 64, 16, 64),
        fire(4, 128, 16, 64),
        Tap,
        pool(),
        fire(6, 128, 32, 128),
        fire(7, 256, 32, 128),
        Tap,
        pool(),
        fire(9, 256, 48, 192),
        Tap,
        fire(10, 384, 48, 192),
        Tap,
        fire(11, 384, 64, 256),
        Tap,
        fire(12, 512, 64, 256),
        Tap,
    ]
}

/// Convolutions of a step: name behind `features.`, channels in and out, window.
fn convolutions(step: &Step) -> Vec<(String, usize, usize, Window)> {
    match *step {
        Step::Pool(_) | Tap => Vec::new(),
        Step::Conv { position, inputs, outputs, window } => {
            vec![(position.to_string(), inputs, outputs, window)]
        }
        Step::Fire { position, inputs, squeeze, expand } => vec![
            (format!("{position}.squeeze"), inputs, squeeze, Window::new(1, 1)),
            (format!("{position}.expand1x1"), squeeze, expand, Window::new(1, 1)),
            (format!("{position}.expand3x3"), squeeze, expand, Window::new(3, 3).padding(1, 1)),
        ],
    }
}

/// Tensors of the trunk: torchvision's names, or those in a state dictionary of `lpips.LPIPS`.
pub(super) fn tensors(trunk: LpipsTrunk) -> Vec<Expected> {
    let mut expected = Vec::new();
    let mut slice = 1;
    for step in steps(trunk) {
        slice += usize::from(matches!(step, Tap));
        for (name, inputs, outputs, window) in convolutions(&step) {
            let weight = [outputs, inputs, window.kernel.0, window.kernel.1];
            for (part, shape) in [("weight", weight.to_vec()), ("bias", vec![outputs])] {
                let tensor = Expected::new(format!("features.{name}.{part}"), shape);
                expected.push(tensor.or(format!("net.slice{slice}.{name}.{part}")));
            }
        }
    }
    expected
}

/// Channels of each tap.
pub(super) fn channels(trunk: LpipsTrunk) -> Vec<usize> {
    let mut last = 0;
    let mut channels = Vec::new();
    for step in steps(trunk) {
        match step {
            Step::Conv { outputs, .. } => last = outputs,
            Step::Fire { expand, .. } => last = 2 * expand,
            Step::Pool(_) => {}
            Tap => channels.push(last),
        }
    }
    channels
}

/// A trunk with its weights.
pub(super) struct Trunk(Vec<Layer>);

#[expect(clippy::large_enum_variant, reason = "a trunk has a dozen of them")]
enum Layer {
    Conv(Conv2d),
    Pool(Pool),
    Fire(Box<[Conv2d; 3]>),
    Tap,
}

impl Trunk {
    pub(super) fn new(
        trunk: LpipsTrunk,
        tensors: &Tensors,
        arithmetic: Arithmetic,
    ) -> Result<Self, NetworkError> {
        let conv = |(name, _, _, window): (String, usize, usize, Window)| {
            let weight = tensors.get(&format!("features.{name}.weight"))?;
            let bias = tensors.get(&format!("features.{name}.bias"))?;
            let activation = Activation::Relu;
            let options = ConvOptions { activation, arithmetic, ..ConvOptions::new(window) };
            Conv2d::new(&weight, Some(&bias), options).map_err(NetworkError::layer(trunk.id()))
        };
        let layer = |step: &Step| {
            let mut convs = convolutions(step).into_iter().map(conv);
            let mut next = || convs.next().transpose();
            Ok(match *step {
                Tap => Layer::Tap,
                Step::Pool(pool) => Layer::Pool(pool),
                Step::Conv { .. } | Step::Fire { .. } => match (next()?, next()?, next()?) {
                    (Some(squeeze), Some(one), Some(three)) => {
                        Layer::Fire(Box::new([squeeze, one, three]))
                    }
                    (Some(conv), ..) => Layer::Conv(conv),
                    _ => Layer::Tap,
                },
            })
        };
        steps(trunk).iter().map(layer).collect::<Result<_, NetworkError>>().map(Self)
    }

    /// The maps at each tap.
    pub(super) fn forward(&self, pictures: Maps) -> Result<Vec<Maps>, NnError> {
        let mut maps = pictures;
        let mut taps = Vec::new();
        let mut is_tap = false;
        for layer in &self.0 {
            let next = match layer {
                Layer::Conv(conv) => conv.forward(&maps)?,
                Layer::Pool(pool) => pool.forward(&maps)?,
                Layer::Fire(convs) => {
                    let [squeeze, one, three] = &**convs;
                    let narrow = squeeze.forward(&maps)?;
                    Maps::concat(&[&one.forward(&narrow)?, &three.forward(&narrow)?])?
                }
                Layer::Tap => {
                    is_tap = true;
                    continue;
                }
            };
            let done = std::mem::replace(&mut maps, next);
            // Kept once the next layer has read it, so that it need not be copied.
            if std::mem::take(&mut is_tap) {
                taps.push(done);
            }
        }
        if is_tap {
            taps.push(maps);
        }
        Ok(taps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trunks_have_the_parameters_of_torchvisions_features() {
        let count = |trunk| tensors(trunk).iter().map(Expected::len).sum::<usize>();
        assert_eq!(count(LpipsTrunk::Alex), 2_469_696);
        assert_eq!(count(LpipsTrunk::Vgg), 14_714_688);
        assert_eq!(count(LpipsTrunk::Squeeze), 722_496);
    }
}
