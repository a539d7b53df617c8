use candle_core::Tensor;
use prismbench_core::{
    Cost, Encoding, FeatureTap, Features, ImageBatch, LatentShape, Latents, StageCost, TextTower,
    Tokenizer, TokenizerError, TokenizerSpec,
};
use prismbench_kernels::nn::{MapShape, NnError, count};
use prismbench_weights::Expected;

use super::Family;
use super::pooling::Pooling;
use super::text::{self, TextEncoder};
use crate::cost::stage;
use crate::error::layer;
use crate::model::Opening;
use crate::vit::{Input, Pixels, Scope, Tapped, Tower, Vision, behind_each_other};

/// An encoder without a decoder.
pub(crate) struct Encoder {
    spec: TokenizerSpec,
    width: usize,
    vision: Vision,
    pooling: Pooling,
    /// Learned numbers of the pooling.
    head_parameters: u64,
    text: Option<Box<dyn TextTower>>,
}

impl Encoder {
    /// Reads the tower of pictures, and makes that of texts ready to be read. How pixels are
    /// normalised is what a processor beside the weights says.
    ///
    /// # Errors
    /// As [`Opening::weights`] and [`prismbench_weights::WeightsFile::tensors`].
    pub(crate) fn open(opening: &Opening<'_>, family: &Family) -> Result<Self, TokenizerError> {
        let beside = Pixels::beside(opening.beside(0, "preprocessor_config.json")?)?;
        let pixels = beside.unwrap_or(family.pixels);
        Self::as_published(opening, &Family { pixels, ..*family })
    }

    /// The same without a look at anything beside the weights.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn as_published(
        opening: &Opening<'_>,
        family: &Family,
    ) -> Result<Self, TokenizerError> {
        let file = opening.weights(0)?;
        let scope = Scope::new(family.prefixes);
        let names = family.layout(&scope, &file);
        let depth = names.depth(&scope, &file);
        let config = &family.tower;
        let mut expected = config.expected(&scope, names, depth);
        let head = family.head.expected(&config.block, &scope);
        let head_parameters = Expected::count(&head);
        expected.extend(head);
        let text = family.text.and_then(|text| Some((text, text.size(&file)?)));
        match &text {
            None => file.check(&expected, family.ignored)?,
            Some((text, size)) => {
                let all = [&*expected, &text.expected(*size)].concat();
                file.check(&all, &text::IGNORED)?;
            }
        }
        let mut tensors = file.load(&expected, opening.device)?;
        let spec = TokenizerSpec {
            id: opening.id.clone(),
            stride: family.side.stride(),
            parameters: Expected::count(&expected),
            weights: vec![file.origin().clone()],
            source: family.source.to_owned(),
        };
        let text: Option<Box<dyn TextTower>> = match text {
            Some((text, size)) => Some(Box::new(TextEncoder::open(opening, text, size, file)?)),
            // What the file takes is free before the layers make their copies.
            None => {
                drop(file);
                None
            }
        };
        let tower = Tower::new(config, &scope, names, depth, &mut tensors)?;
        let pooling = Pooling::new(family.head, &config.block, &scope, &mut tensors)?;
        let input = Input { side: family.side, pixels: family.pixels };
        let vision = Vision { id: spec.id.clone(), input, tower, device: opening.device.clone() };
        let width = config.block.width;
        Ok(Self { spec, width, vision, pooling, head_parameters, text })
    }

    /// What makes one vector of all tokens, of this shape, of a picture; `None` where nothing does.
    fn head(&self, tokens: MapShape) -> Result<Option<StageCost>, NnError> {
        let mut pools = true;
        let (work, _) = count(tokens, |tokens| {
            let first = self.vision.tower.prefix_len();
            let patches = tokens.tokens(first..tokens.shape().width)?;
            let class = (first > 0).then(|| tokens.tokens(0..1)).transpose()?;
            let class = class.map(|class| self.pooling.class(class)).transpose()?;
            let pooled = self.pooling.pool(&patches, class.as_ref())?;
            pools = pooled.is_some();
            Ok::<_, NnError>(pooled.unwrap_or(tokens))
        })?;
        Ok(pools.then(|| stage(work, self.head_parameters)))
    }
}

impl Tokenizer for Encoder {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    /// Of a picture that it does not take, without a position.
    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        let (rows, columns) = self.vision.grid((height, width)).unwrap_or((0, 0));
        LatentShape::Tensor(vec![self.width, rows, columns])
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_extras(&self.spec.id)?;
        Ok(Latents::Tensor(self.vision.latents(images)?))
    }

    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        let (work, tokens) = self.vision.work((height, width))?;
        let encoder = stage(work, self.spec.parameters - self.head_parameters);
        Ok(Cost { encoder, decoder: None, head: self.head(tokens).map_err(layer)? })
    }

    fn decode(&self, _: &Latents) -> Result<ImageBatch, TokenizerError> {
        let tokenizer = self.spec.id.clone();
        Err(TokenizerError::Unsupported { tokenizer, capability: "decoder" })
    }

    fn features(&self, images: &ImageBatch, tap: FeatureTap) -> Result<Features, TokenizerError> {
        self.vision.check(tap)?;
        let (_, height, width) = images.dims();
        let grid = self.vision.grid((height, width))?;
        let (mut patches, mut classes, mut pooled) = (Vec::new(), Vec::new(), Vec::new());
        self.vision.each(images, tap, |Tapped { tokens, earlier }| {
            let few = self.vision.patches(&tokens)?;
            patches.push(few.to_token_tensor().map_err(layer)?);
            // Where there are tokens before the patches, the first is the class token.
            let mut of_blocks = earlier;
            if self.vision.tower.prefix_len() > 0 {
                of_blocks.push(tokens.tokens(0..1).map_err(layer)?);
            }
            if !matches!(tap, FeatureTap::Block(_)) {
                let normed = of_blocks.into_iter().map(|class| self.pooling.class(class));
                of_blocks = normed.collect::<Result<_, _>>().map_err(layer)?;
                let one = self.pooling.pool(&few, of_blocks.last()).map_err(layer)?;
                if let Some(one) = one {
                    pooled.push(behind_each_other(&[one])?);
                }
            }
            if !of_blocks.is_empty() {
                classes.push(behind_each_other(&of_blocks)?);
            }
            Ok(())
        })?;
        let all = |parts: &[Tensor]| match parts {
            [] => Ok(None),
            parts => Tensor::cat(parts, 0).map(Some),
        };
        let (class_token, pooled) = (all(&classes)?, all(&pooled)?);
        Ok(Features { patch_tokens: Tensor::cat(&patches, 0)?, grid, class_token, pooled })
    }

    fn text_tower(&self) -> Option<&dyn TextTower> {
        self.text.as_deref()
    }
}
