//! Where the parts of an RAE are: in one file of diffusers', or in three of RAE's own.

use candle_core::Tensor;
use prismbench_core::{TokenizerError, Weights};
use prismbench_weights::{Expected, WeightsFile};

use super::decoder::{Decoder, DecoderConfig, PositionSource};
use super::statistics::Statistics;
use super::variant::Variant;
use crate::encoders::Family;
use crate::model::Opening;
use crate::vit::{FinalNorm, Pixels, Scope, Tower, TowerConfig, TowerNames};

const DIFFUSERS_STATISTICS: [&str; 2] = ["_latents_mean", "_latents_std"];
pub(crate) const NATIVE_STATISTICS: [&str; 2] = ["mean", "var"];
const DIFFUSERS_PIXELS: [&str; 2] = ["encoder_mean", "encoder_std"];

/// Everything that an autoencoder is made of.
pub(crate) struct Parts {
    pub(crate) tower: Tower,
    pub(crate) decoder: Decoder,
    pub(crate) statistics: Statistics,
    pub(crate) pixels: Pixels,
    pub(crate) parameters: u64,
    /// Those of them that are the decoder's.
    pub(crate) decoder_parameters: u64,
    pub(crate) weights: Vec<Weights>,
}

impl Parts {
    /// Reads the file or the files.
    ///
    /// # Errors
    /// As [`Opening::weights`] and [`WeightsFile::tensors`].
    pub(super) fn open(opening: &Opening<'_>, variant: &Variant) -> Result<Self, TokenizerError> {
        let file = opening.weights(0)?;
        match file.shape(DIFFUSERS_STATISTICS[0]) {
            Some(_) => Self::of_diffusers(opening, variant, file),
            None => Self::of_rae(opening, variant, file),
        }
    }

    fn of_diffusers(
        opening: &Opening<'_>,
        variant: &Variant,
        file: WeightsFile,
    ) -> Result<Self, TokenizerError> {
        let family = &variant.family;
        let encoder = EncoderPart::find(family, &Scope::new(&["encoder."]), &file);
        let scope = Scope::new(&["decoder."]);
        let size = (family.tower.block.width, variant.grid());
        let config = DecoderConfig::read(&file, &scope, size, PositionSource::Formula)?;
        let (mut expected, decoder) = (encoder.expected(), config.expected(&scope));
        let decoder_parameters = config.parameters(&scope);
        let parameters = Expected::count(&expected) + decoder_parameters;
        expected.extend(decoder);
        expected.extend(DIFFUSERS_PIXELS.map(|name| Expected::new(name, [1, 3, 1, 1])));
        let latent = [size.0, size.1, size.1];
        expected.extend(Statistics::expected(&file, DIFFUSERS_STATISTICS, latent));
        let mut ignored = encoder.ignored();
        ignored.push("decoder.decoder_pos_embed".to_owned());
        let mut tensors = file.tensors(&expected, &borrowed(&ignored), opening.device)?;
        let statistics = Statistics::of_deviation(&file, &mut tensors, DIFFUSERS_STATISTICS)?;
        let [mean, std] = DIFFUSERS_PIXELS;
        let pixels =
            Pixels { mean: three(&tensors.take(mean)?)?, std: three(&tensors.take(std)?)? };
        let weights = vec![file.origin().clone()];
        drop(file);
        let tower = encoder.make(&mut tensors)?;
        let decoder = Decoder::new(&config, &scope, &mut tensors)?;
        Ok(Self { tower, decoder, statistics, pixels, parameters, decoder_parameters, weights })
    }

    fn of_rae(
        opening: &Opening<'_>,
        variant: &Variant,
        file: WeightsFile,
    ) -> Result<Self, TokenizerError> {
        let family = &variant.family;
        let scope = Scope::new(&["", "module.", "decoder.", "module.decoder."]);
        let size = (family.tower.block.width, variant.grid());
        let config = DecoderConfig::read(&file, &scope, size, PositionSource::File)?;
        let expected = config.expected(&scope);
        let decoder_parameters = Expected::count(&expected);
        let mut tensors = file.tensors(&expected, &[], opening.device)?;
        let mut weights = vec![file.origin().clone()];
        drop(file);
        let decoder = Decoder::new(&config, &scope, &mut tensors)?;

        let file = opening.other(variant.statistics)?;
        let latent = [size.0, size.1, size.1];
        let expected = Statistics::expected(&file, NATIVE_STATISTICS, latent);
        let mut tensors = file.tensors(&expected, &[], opening.device)?;
        let statistics = Statistics::of_variance(&file, &mut tensors, NATIVE_STATISTICS)?;
        weights.push(file.origin().clone());

        let file = opening.other(variant.encoder)?;
        let encoder = EncoderPart::find(family, &Scope::new(&[""]), &file);
        let expected = encoder.expected();
        let parameters = decoder_parameters + Expected::count(&expected);
        let ignored = encoder.ignored();
        let mut tensors = file.tensors(&expected, &borrowed(&ignored), opening.device)?;
        weights.push(file.origin().clone());
        let beside = file.path().with_file_name("preprocessor_config.json");
        drop(file);
        let pixels = Pixels::beside(beside.is_file().then_some(beside))?.unwrap_or(family.pixels);
        let tower = encoder.make(&mut tensors)?;
        Ok(Self { tower, decoder, statistics, pixels, parameters, decoder_parameters, weights })
    }
}

/// The encoder within a file. Its last norm is without weight and bias, whatever the file has.
pub(crate) struct EncoderPart {
    config: TowerConfig,
    scope: Scope,
    names: &'static TowerNames,
    depth: usize,
    ignored: &'static [&'static str],
}

impl EncoderPart {
    pub(crate) fn find(family: &Family, before: &Scope, file: &WeightsFile) -> Self {
        let scope = before.under(family.prefixes);
        let names = family.layout(&scope, file);
        let depth = names.depth(&scope, file);
        // CLIP's last norm is of the class token alone: patch tokens have none to be replaced.
        let after = match family.tower.after {
            FinalNorm::None => FinalNorm::None,
            FinalNorm::Learned | FinalNorm::Plain => FinalNorm::Plain,
        };
        let config = TowerConfig { after, ..family.tower };
        Self { config, scope, names, depth, ignored: family.ignored }
    }

    pub(crate) fn expected(&self) -> Vec<Expected> {
        self.config.expected(&self.scope, self.names, self.depth)
    }

    /// Beginnings of the names of what is not used: the last norm, heads, other towers.
    pub(crate) fn ignored(&self) -> Vec<String> {
        let unused = self.scope.under(self.names.after).under(&["."]);
        let heads = self.scope.under(&["head.", "embeddings.position_ids"]);
        let all = unused.all().chain(heads.all()).chain(self.ignored.iter().copied());
        all.map(str::to_owned).collect()
    }

    pub(crate) fn make(
        &self,
        tensors: &mut prismbench_weights::Tensors,
    ) -> Result<Tower, TokenizerError> {
        Tower::new(&self.config, &self.scope, self.names, self.depth, tensors)
    }
}

pub(crate) fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// One number for each channel.
fn three(tensor: &Tensor) -> Result<[f32; 3], TokenizerError> {
    let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
    Ok([0, 1, 2].map(|channel| values.get(channel).copied().unwrap_or_default()))
}
