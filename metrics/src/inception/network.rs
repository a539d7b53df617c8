use prismbench_kernels::nn::{
    Activation, Arithmetic, BatchNorm, Conv2d, ConvOptions, Maps, NnError, Pool, Window,
};
use prismbench_weights::{Tensors, WeightsError};

use super::ID;
use super::layout::{Step, full_name, stages};
use crate::NetworkError;

/// Of TensorFlow's batch normalisation.
const EPSILON: f64 = 1e-3;

/// The stages up to the global mean.
pub(super) struct Network(Vec<Vec<Layer>>);

#[expect(clippy::large_enum_variant, reason = "a network has a hundred of them")]
enum Layer {
    Conv(Conv2d),
    Pool(Pool),
    Branches(Vec<Vec<Layer>>),
}

impl Network {
    pub(super) fn new(tensors: &Tensors, arithmetic: Arithmetic) -> Result<Self, NetworkError> {
        let source = Source { tensors, arithmetic };
        let stage = stages().into_iter().map(|stage| source.layers(&stage.steps, stage.name));
        stage.collect::<Result<_, _>>().map(Self)
    }

    /// Runs the stages from `from` up to, not including, `to`.
    pub(super) fn run(&self, maps: &Maps, from: usize, to: usize) -> Result<Maps, NnError> {
        self.0[from..to].iter().try_fold(maps.clone(), |maps, layers| sequence(layers, &maps))
    }
}

struct Source<'a> {
    tensors: &'a Tensors,
    arithmetic: Arithmetic,
}

impl Source<'_> {
    fn layers(&self, steps: &[Step], prefix: &str) -> Result<Vec<Layer>, NetworkError> {
        let layer = |step: &Step| {
            Ok(match *step {
                Step::Pool(pool) => Layer::Pool(pool),
                Step::Conv { name, window, .. } => {
                    Layer::Conv(self.conv(&full_name(prefix, name), window)?)
                }
                Step::Branches(ref branches) => {
                    let branches = branches.iter().map(|steps| self.layers(steps, prefix));
                    Layer::Branches(branches.collect::<Result<_, NetworkError>>()?)
                }
            })
        };
        steps.iter().map(layer).collect()
    }

    fn conv(&self, name: &str, window: Window) -> Result<Conv2d, NetworkError> {
        let get = |part: &str| self.tensors.get(&format!("{name}.{part}"));
        let norm = || -> Result<BatchNorm, WeightsError> {
            Ok(BatchNorm {
                weight: get("bn.weight")?,
                bias: get("bn.bias")?,
                mean: get("bn.running_mean")?,
                variance: get("bn.running_var")?,
                epsilon: EPSILON,
            })
        };
        let options = ConvOptions {
            activation: Activation::Relu,
            arithmetic: self.arithmetic,
            ..ConvOptions::new(window)
        };
        let (weight, norm) = (get("conv.weight")?, norm()?);
        let conv = norm
            .fold(&weight)
            .and_then(|(weight, bias)| Conv2d::new(&weight, Some(&bias), options));
        conv.map_err(NetworkError::layer(ID))
    }
}

fn sequence(layers: &[Layer], maps: &Maps) -> Result<Maps, NnError> {
    let Some((first, rest)) = layers.split_first() else { return Ok(maps.clone()) };
    rest.iter().try_fold(first.forward(maps)?, |maps, layer| layer.forward(&maps))
}

impl Layer {
    fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        match self {
            Self::Conv(conv) => conv.forward(maps),
            Self::Pool(pool) => pool.forward(maps),
            Self::Branches(branches) => {
                let outputs = branches.iter().map(|layers| sequence(layers, maps));
                let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
                Maps::concat(&outputs.iter().collect::<Vec<_>>())
            }
        }
    }
}
