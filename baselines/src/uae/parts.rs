//! What a checkpoint of UAE holds: encoder, decoder and, in the first generation, the modulator.

use std::path::Path;

use prismbench_core::TokenizerError;
use prismbench_weights::{Expected, WeightsFile};

use super::autoencoder::Bands;
use super::low_pass::LowPass;
use super::modulator::Modulator;
use super::variant::{Generation, Variant};
use crate::model::Opening;
use crate::rae::{
    Decoder, DecoderConfig, EncoderPart, NATIVE_STATISTICS, Parts, PositionSource, Statistics,
    borrowed,
};
use crate::vit::{Pixels, Scope};

/// What training and the published repository call a checkpoint.
const NAMES: [&str; 4] = ["ep-last.pt", "stage_1.pt", "model.pt", "model.safetensors"];

/// What the statistics of latents are called beside it: those of a generator are for a checkpoint of
/// its own, and most checkpoints have none.
const STATISTICS: [&str; 2] = ["normalization_stats.pt", "stat.pt"];

/// Reads all of a model; beside it what is done to frequencies, and whether the statistics of its latents are
/// known.
pub(super) fn open(
    opening: &Opening<'_>,
    variant: &Variant,
) -> Result<(Parts, (Bands, bool)), TokenizerError> {
    let path = opening.find_named(0, &NAMES)?;
    let file = WeightsFile::open_one_of(&path, &opening.remedy(), variant.dictionaries())?;
    let file = opening.prepared(file);
    let scope = Scope::new(&["decoder."]);
    let encoder = EncoderPart::find(&variant.family, &Scope::new(variant.encoder), &file);
    let (channels, grid) = (variant.family.tower.block.width, variant.grid());
    let config = DecoderConfig::read(&file, &scope, (channels, grid), PositionSource::File)?;
    let mut expected = encoder.expected();
    expected.extend(config.expected(&scope));
    if variant.generation == Generation::Rings {
        expected.extend(Modulator::expected(channels));
    }
    let mut tensors = file.tensors(&expected, &borrowed(&encoder.ignored()), opening.device)?;
    let mut weights = vec![file.origin().clone()];
    // What the file takes is free before the layers make their copies.
    drop(file);
    let bands = match variant.generation {
        Generation::Cosine => Bands::Cosine(LowPass::new(grid)),
        Generation::Rings => {
            Bands::Rings(Box::new(Modulator::new(grid, &mut tensors, opening.arithmetic)?))
        }
    };
    let tower = encoder.make(&mut tensors)?;
    let decoder = Decoder::new(&config, &scope, &mut tensors)?;
    let beside = |name: &str| Some(path.with_file_name(name)).filter(|path| path.is_file());
    let pixels = Pixels::beside(beside("preprocessor_config.json"))?;
    let statistics = match STATISTICS.into_iter().find_map(beside) {
        None if variant.of_generator => return Err(no_statistics(opening, &path)),
        None => None,
        Some(path) => {
            let file = WeightsFile::open(&path, "")?;
            let expected = Statistics::expected(&file, NATIVE_STATISTICS, [channels, grid, grid]);
            let mut tensors = file.tensors(&expected, &[], opening.device)?;
            weights.push(file.origin().clone());
            Some(Statistics::of_variance(&file, &mut tensors, NATIVE_STATISTICS)?)
        }
    };
    let bands = (bands, statistics.is_some());
    let statistics = statistics.map_or_else(|| Statistics::none(opening.device), Ok)?;
    let pixels = pixels.unwrap_or(variant.family.pixels);
    let (parameters, decoder_parameters) = (Expected::count(&expected), config.parameters(&scope));
    let parts =
        Parts { tower, decoder, statistics, pixels, parameters, decoder_parameters, weights };
    Ok((parts, bands))
}

fn no_statistics(opening: &Opening<'_>, checkpoint: &Path) -> TokenizerError {
    TokenizerError::WeightsMissing {
        path: checkpoint.with_file_name(STATISTICS[0]),
        remedy: opening.remedy(),
    }
}
