mod layout;
mod models;
mod names;
mod network;

use candle_core::{Device, Tensor};
use prismbench_core::{ImageBatch, StageCost, TokenizerError, TokenizerSpec};
use prismbench_weights::{Expected, WeightsFile};

use crate::cost::{counted, picture};
use crate::grid::{GridMap, GridTokenizer};
use crate::layers::{Layers, in_pieces};
use crate::model::Opening;
use layout::{Form, Half};
pub(crate) use models::MODELS;
use names::Names;
use network::Network;

const STRIDE: usize = 8;

/// Pixels of pictures that are run at once: 16 of 256x256, whose maps are 16 MB each.
const PIXELS: usize = 16 * 256 * 256;

/// TAESD and its sisters (madebyollin/taesd, MIT): residual convolutions of 64 channels, pictures
/// in `[0, 1]`, latents of an eighth of the side in the space that generators see.
///
/// No layer's sums depend on the other images of the batch.
pub(crate) struct TinyAutoencoder {
    spec: TokenizerSpec,
    /// Learned numbers of encoder and decoder.
    halves: [u64; 2],
    channels: usize,
    encoder: Network,
    decoder: Network,
    device: Device,
}

impl TinyAutoencoder {
    /// Reads both halves, of two files or of one.
    ///
    /// # Errors
    /// As [`Opening::weights`] and [`WeightsFile::tensors`]; [`TokenizerError::WeightsMismatch`]
    /// for the halves of two models or a whole other one.
    fn open(opening: &Opening<'_>, form: Form) -> Result<GridTokenizer<Self>, TokenizerError> {
        let encoder = read(opening, (0, Half::Encoder), form)?;
        let decoder = read(opening, (1, Half::Decoder), form)?;
        for (half, name) in [(&encoder, "encoder"), (&decoder, "decoder")] {
            if half.form != form {
                let (path, id) = (half.file.path().to_owned(), &opening.id);
                let found = format!("the {name} is of {}, and `{id}` has {form}", half.form);
                return Err(TokenizerError::WeightsMismatch { path, problems: vec![found] });
            }
        }
        let mut weights = vec![encoder.file.origin().clone(), decoder.file.origin().clone()];
        weights.dedup();
        let source = "madebyollin/taesd".to_owned();
        let id = opening.id.clone();
        Ok(GridTokenizer(Self {
            spec: TokenizerSpec {
                id,
                stride: STRIDE,
                parameters: encoder.parameters + decoder.parameters,
                weights,
                source,
            },
            halves: [encoder.parameters, decoder.parameters],
            channels: form.channels,
            encoder: encoder.network,
            decoder: decoder.network,
            device: opening.device.clone(),
        }))
    }
}

/// One half as it was read.
struct Read {
    network: Network,
    form: Form,
    file: WeightsFile,
    parameters: u64,
}

/// Reads a half of the form that its weights say; of `form` where they are of none.
fn read(
    opening: &Opening<'_>,
    (part, half): (usize, Half),
    form: Form,
) -> Result<Read, TokenizerError> {
    let file = opening.weights(part)?;
    let names = Names::of(&file, half);
    let form = Form::of(&file, half, names).unwrap_or(form);
    let layout = form.layout(half);
    let expected: Vec<Expected> = layout::tensors(&layout)
        .into_iter()
        .map(|(name, shape)| Expected::new(names.of_file(&name), shape))
        .collect();
    let tensors = file.tensors(&expected, names.other_half(), opening.device)?;
    let rename = |name: &str| names.of_file(name);
    let layers = Layers { tensors: &tensors, rename: &rename, arithmetic: opening.arithmetic };
    let network = Network::new(&layout, &layers)?;
    let parameters = Expected::count(&expected);
    Ok(Read { network, form, file, parameters })
}

impl GridMap for TinyAutoencoder {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn latents(&self, images: &ImageBatch) -> Result<Tensor, TokenizerError> {
        let (_, height, width) = images.dims();
        let images = images.tensor().to_device(&self.device)?;
        in_pieces(&images, at_once(height * width), |images| self.encoder.forward(images))
    }

    fn pictures(&self, latents: &Tensor) -> Result<Tensor, TokenizerError> {
        let (_, _, height, width) = latents.dims4()?;
        let latents = latents.to_device(&self.device)?;
        let pixels = height * width * STRIDE * STRIDE;
        in_pieces(&latents, at_once(pixels), |latents| self.decoder.forward(latents))
    }

    fn cost(&self, height: usize, width: usize) -> Result<Option<[StageCost; 2]>, TokenizerError> {
        let [encoder, decoder] = self.halves;
        let encode = |maps| self.encoder.run(maps);
        let (encoder, latents) = counted(encoder, picture(height, width), encode)?;
        let (decoder, _) = counted(decoder, latents, |maps| self.decoder.run(maps))?;
        Ok(Some([encoder, decoder]))
    }
}

/// How many pictures of so many pixels are run at once.
fn at_once(pixels: usize) -> usize {
    PIXELS / pixels.max(1)
}
