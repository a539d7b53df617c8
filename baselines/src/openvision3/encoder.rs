use candle_core::{Device, Tensor};
use prismbench_core::{
    Cost, Encoding, FeatureTap, Features, ImageBatch, LatentShape, Latents, StageCost, Tokenizer,
    TokenizerError, TokenizerSpec,
};
use prismbench_kernels::nn::{MapShape, Maps, count};
use prismbench_weights::{Expected, WeightsFile};

use super::config::Config;
use super::decoder::Decoder;
use super::decoder_config::PREFIXES as DECODER_PREFIXES;
use super::models::VAE;
use super::pooling::Pooling;
use super::tower::PREFIXES;
use crate::autoencoder_kl::{FluxDecoder, FluxEncoder, FluxTensors};
use crate::cost::{counted, stage};
use crate::error::layer;
use crate::model::Opening;
use crate::noise::{latent_noise, with_noise};
use crate::vit::{Scope, Tapped, Tower, behind_each_other, few_at_a_time};

/// The tower's file, and what it is called in a folder.
const NAMES: [&str; 2] = ["open_clip_pytorch_model.bin", "open_clip_model.safetensors"];
const CONFIG: &str = "open_clip_config.json";

/// `scaling_factor` of FLUX.1's autoencoder. Its shift is not subtracted: openvision3_test.py
/// multiplies the posterior's mean and does nothing else to it.
const SCALE: f64 = 0.3611;

/// Pixels along the side of one of the autoencoder's latents.
const PIXELS: usize = 8;

/// OpenVision 3, for square pictures of the one side that its positions are for: an encoder, and a
/// decoder where a checkpoint carries one.
///
/// Latents are the patches' tokens as a grid `[N, width, rows, columns]`: behind the last norm, or
/// before it where the configuration puts that behind the pooling.
pub(super) struct OpenVision3 {
    spec: TokenizerSpec,
    config: Config,
    vae: FluxEncoder,
    tower: Tower,
    pooling: Pooling,
    /// Tokens to the autoencoder's latents, and those to pictures.
    decoder: Option<(Decoder, FluxDecoder)>,
    /// Learned numbers of the tower with its projection, and of what makes latents of its tokens.
    parameters: [u64; 2],
    device: Device,
}

impl OpenVision3 {
    /// Reads configuration, tower, decoder and autoencoder.
    ///
    /// # Errors
    /// As [`Opening::find_named`], [`Config::read`] and [`WeightsFile::tensors`].
    pub(super) fn open(opening: &Opening<'_>) -> Result<Self, TokenizerError> {
        let path = opening.find_named(0, &NAMES)?;
        let beside = path.with_file_name(CONFIG);
        if !beside.is_file() {
            let remedy = format!(
                "{CONFIG} says how the tower is built and must lie beside its weights; {}",
                opening.remedy()
            );
            return Err(TokenizerError::WeightsMissing { path: beside, remedy });
        }
        let config = Config::read(&beside)?;
        if config.channels != FluxTensors::CHANNELS {
            let (expected, found) = (FluxTensors::CHANNELS, config.channels);
            let problem = format!("`in_channels` is {found}, FLUX.1's latents have {expected}");
            return Err(TokenizerError::Config { path: beside, problem });
        }
        let file = opening.prepared(WeightsFile::open(&path, &opening.remedy())?);
        let scope = Scope::new(&PREFIXES);
        let depth = config.depth(&scope, &file);
        if depth != config.layers {
            let problem = format!("`layers` is {}, the weights have {depth}", config.layers);
            return Err(TokenizerError::Config { path: beside, problem });
        }
        let decoder_scope = Scope::new(&DECODER_PREFIXES);
        let mut expected = config.expected(&scope);
        expected.extend(config.decoder.iter().flat_map(|decoder| decoder.expected(&decoder_scope)));
        let mut tensors = file.tensors(&expected, &[], opening.device)?;
        let mut weights = vec![file.origin().clone()];
        drop(file);
        let names = config.names();
        let tower = Tower::new(&config.tower(), &scope, names, config.layers, &mut tensors)?;
        let pooling = Pooling::new(&config, &scope, &mut tensors)?;
        let decoder = config.decoder.as_ref();
        let decoder = decoder
            .map(|decoder| Decoder::new(decoder, &decoder_scope, &mut tensors))
            .transpose()?;
        drop(tensors);

        let file = opening.other(&VAE)?;
        weights.push(file.origin().clone());
        let flux = FluxTensors::load(&file, (opening.device, opening.arithmetic))?;
        drop(file);
        let vae = flux.encoder()?;
        let halves = config.parameters(&scope, &expected);
        let mut parameters = vae.parameters() + Expected::count(&expected);
        let decoder = match decoder {
            None => None,
            Some(decoder) => {
                let vae = flux.decoder()?;
                parameters += vae.parameters();
                Some((decoder, vae))
            }
        };
        let spec = TokenizerSpec {
            id: opening.id.clone(),
            stride: PIXELS * config.side,
            parameters,
            weights,
            source: "OpenVision 3, arXiv 2601.15369".to_owned(),
        };
        let (parameters, device) = (halves, opening.device.clone());
        Ok(Self { spec, config, vae, tower, pooling, decoder, parameters, device })
    }

    /// Pictures to tokens and vector.
    fn encoder_cost(&self) -> Result<(StageCost, Option<StageCost>), TokenizerError> {
        let (vae, latents) = self.vae.cost(self.spec.stride, self.spec.stride)?;
        let grid = self.config.grid();
        let positions = self.tower.blank_positions((grid, grid))?;
        let own = self.parameters[0];
        let (tower, tokens) = counted(own, latents, |maps| {
            Ok(self.tower.forward(&maps, &positions, FeatureTap::Output)?.tokens)
        })?;
        let first = self.tower.prefix_len();
        let mut pools = true;
        let (head, _) = count(tokens, |tokens| {
            let (class, patches) =
                (tokens.tokens(0..first)?, tokens.tokens(first..tokens.shape().width)?);
            let pooled = self.pooling.pool(&class, &patches)?;
            pools = pooled.is_some();
            Ok(pooled.unwrap_or(tokens))
        })
        .map_err(layer)?;
        // The projection's numbers stay with the tower, where the file has them.
        Ok((vae + tower, pools.then(|| stage(head, 0))))
    }

    fn decoder_cost(&self) -> Result<Option<StageCost>, TokenizerError> {
        let Some((decoder, vae)) = &self.decoder else { return Ok(None) };
        let (grid, channels) = (self.config.grid(), self.config.width);
        let tokens = MapShape { images: 1, height: grid, width: grid, channels };
        let (work, latents) = decoder.work(tokens)?;
        Ok(Some(stage(work, self.parameters[1]) + vae.cost(latents)?))
    }

    /// Refuses pictures of another side than that of the positions.
    fn check(&self, images: &ImageBatch) -> Result<(), TokenizerError> {
        self.spec.check_size(images, (self.spec.stride, self.spec.stride))
    }

    /// Runs pictures through autoencoder and tower, a few at a time, and gives the class token of
    /// each block that `tap` names and the patches' tokens of each lot to `take`.
    fn each(
        &self,
        images: &ImageBatch,
        tap: FeatureTap,
        mut take: impl FnMut(&[Maps], &Maps) -> Result<(), TokenizerError>,
    ) -> Result<(), TokenizerError> {
        self.check(images)?;
        let grid = self.config.grid();
        let positions = self.tower.positions((grid, grid))?;
        let latents = (self.vae.mean(images)? * SCALE)?;
        let first = self.tower.prefix_len();
        for few in few_at_a_time(&latents, first + grid * grid) {
            let few = Maps::from_tensor(&few?).map_err(layer)?;
            let tapped = self.tower.forward(&few, &positions, tap).map_err(layer)?;
            let Tapped { tokens, earlier: mut classes } = tapped;
            classes.push(tokens.tokens(0..first).map_err(layer)?);
            take(&classes, &tokens.tokens(first..tokens.shape().width).map_err(layer)?)?;
        }
        Ok(())
    }
}

impl Tokenizer for OpenVision3 {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, _: usize, _: usize) -> LatentShape {
        let grid = self.config.grid();
        LatentShape::Tensor(vec![self.config.width, grid, grid])
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_band_mask(&self.spec.id)?;
        let (grid, count) = (self.config.grid(), images.dims().0);
        let dims = [count, self.config.width, grid, grid];
        let noise = latent_noise(encoding, dims, &self.device)?;
        let mut latents = Vec::new();
        self.each(images, FeatureTap::Output, |_, patches| {
            let tokens = patches.to_token_tensor().map_err(layer)?;
            latents.push(tokens.transpose(1, 2)?.contiguous()?);
            Ok(())
        })?;
        let latents = Tensor::cat(&latents, 0)?.reshape(&dims[..])?;
        Ok(Latents::Tensor(with_noise(latents, noise)?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let Some((decoder, vae)) = &self.decoder else {
            return Err(TokenizerError::Unsupported {
                tokenizer: self.spec.id.clone(),
                capability: "decoder: none is published",
            });
        };
        let (width, grid) = (self.config.width, self.config.grid());
        let tokens = latents.grid_of(&self.spec.id, [width, grid, grid])?;
        let latents = decoder.forward(&tokens.to_device(&self.device)?)?;
        vae.pictures(&(latents / SCALE)?)
    }

    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        let side = self.spec.stride;
        self.spec.check_only_size((height, width), (side, side))?;
        let (encoder, head) = self.encoder_cost()?;
        Ok(Cost { encoder, decoder: self.decoder_cost()?, head })
    }

    /// Where the last norm is of the tokens, the class token is behind it.
    fn features(&self, images: &ImageBatch, tap: FeatureTap) -> Result<Features, TokenizerError> {
        self.tower.check(tap, &self.spec.id)?;
        let (mut all, mut classes, mut pooled) = (Vec::new(), Vec::new(), Vec::new());
        self.each(images, tap, |of_blocks, patches| {
            all.push(patches.to_token_tensor().map_err(layer)?);
            classes.push(behind_each_other(of_blocks)?);
            if let (FeatureTap::Output, [class]) = (tap, of_blocks) {
                pooled.extend(self.pooling.forward(class, patches)?);
            }
            Ok(())
        })?;
        let pooled = match &*pooled {
            [] => None,
            pooled => Some(Tensor::cat(pooled, 0)?),
        };
        Ok(Features {
            patch_tokens: Tensor::cat(&all, 0)?,
            grid: (self.config.grid(), self.config.grid()),
            class_token: Some(Tensor::cat(&classes, 0)?),
            pooled,
        })
    }
}
