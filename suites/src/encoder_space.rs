use candle_core::{Device, Tensor};
use prismbench_core::{
    Choice, Cost, Dinov2Resize, FdEncoder, FeatureTap, ImageBatch, Pooling, RgbImage, StageCost,
    Tokenizer, TokenizerError, Weights,
};
use prismbench_kernels::nn::Work;
use prismbench_metrics::{
    CLIP_SIDE, DINOV2_SIDE, FeatureNetwork, FeatureRows, NetworkCost, NetworkError, Tap,
    clip_input, dinov2_input,
};
use rayon::prelude::*;

use crate::extraction::{of_features, pool};

/// The space that an encoder's summaries of pictures lie in, with the rules of the metrics that are
/// defined there.
pub struct EncoderSpace {
    encoder: Box<dyn Tokenizer>,
    rule: EncoderRule,
}

/// How a picture becomes an encoder's input, and what is taken of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderRule {
    /// FD-DINOv2's: 224x224, the class token of ViT-L/14.
    Dinov2(Dinov2Resize),
    /// CMMD's: the centre square at 336x336, the projected summary of ViT-L/14.
    Clip,
    /// Any encoder's: the picture as it is, and the encoder's own summary, else its class token, else the
    /// mean of its patch tokens. [`of`](Self::of) looks which it has.
    AsItIs {
        /// What stands for a picture.
        summary: Pooling,
        /// Its numbers.
        columns: usize,
    },
}

impl EncoderRule {
    /// The rule for an encoder without one of its own, which a grey picture of `side x side` pixels tells.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] for a tokenizer without features besides its latents, and what it has
    /// against a picture of that size.
    pub fn of(encoder: &dyn Tokenizer, side: usize) -> Result<Self, TokenizerError> {
        let grey = RgbImage::new(side, side, vec![128; 3 * side * side])?;
        let batch = ImageBatch::from_images(&[&grey], &Device::Cpu)?;
        let features = encoder.features(&batch, FeatureTap::Output)?;
        let summary = match (&features.pooled, &features.class_token) {
            (Some(_), _) => Pooling::Own,
            (None, Some(_)) => Pooling::Cls,
            (None, None) => Pooling::Mean,
        };
        let columns = pool(&encoder.spec().id, &of_features(features)?, summary)?.width();
        Ok(Self::AsItIs { summary, columns })
    }

    fn summary(self) -> Pooling {
        match self {
            Self::Dinov2(_) => Pooling::Cls,
            Self::Clip => Pooling::Own,
            Self::AsItIs { summary, .. } => summary,
        }
    }

    fn columns(self) -> usize {
        match self {
            Self::Dinov2(_) => 1024,
            Self::Clip => 768,
            Self::AsItIs { columns, .. } => columns,
        }
    }

    /// Height and width of the encoder's input, where the rule fixes them.
    fn side(self) -> Option<usize> {
        match self {
            Self::Dinov2(_) => Some(DINOV2_SIDE),
            Self::Clip => Some(CLIP_SIDE),
            Self::AsItIs { .. } => None,
        }
    }

    /// What the encoder sees of pictures, which are of one size where the rule fixes none.
    fn input(self, images: &[&RgbImage]) -> Result<ImageBatch, TokenizerError> {
        let stretched = |side: usize, input: &(dyn Fn(&RgbImage) -> Vec<f32> + Sync)| {
            let inputs = images.par_iter().map(|image| input(image)).collect::<Vec<_>>().concat();
            ImageBatch::new(Tensor::from_vec(inputs, (images.len(), 3, side, side), &Device::Cpu)?)
        };
        match self {
            Self::Dinov2(resize) => stretched(DINOV2_SIDE, &|image| dinov2_input(image, resize)),
            Self::Clip => stretched(CLIP_SIDE, &clip_input),
            Self::AsItIs { .. } => ImageBatch::from_images(images, &Device::Cpu),
        }
    }
}

/// Pictures that go through together: their inputs are 11 MB at most.
const BATCH: usize = 8;

impl EncoderSpace {
    /// The space of an encoder that takes pictures of the rule's size as they are.
    #[must_use]
    pub fn new(encoder: Box<dyn Tokenizer>, rule: EncoderRule) -> Self {
        Self { encoder, rule }
    }

    /// The summaries of pictures of one size.
    fn rows(&self, images: &[&RgbImage]) -> Result<Vec<f32>, TokenizerError> {
        let features = self.encoder.features(&self.rule.input(images)?, FeatureTap::Output)?;
        let id = &self.encoder.spec().id;
        let rows = pool(id, &of_features(features)?, self.rule.summary())?;
        let (columns, found) = (self.rule.columns(), (rows.rows().len(), rows.width()));
        if found == (images.len(), columns) {
            return Ok(rows.values().to_vec());
        }
        Err(TokenizerError::Shape {
            expected: format!("a summary of {columns} numbers for each picture"),
            found: format!("{} of {}", found.0, found.1),
        })
    }
}

impl FeatureNetwork for EncoderSpace {
    fn id(&self) -> &'static str {
        match self.rule {
            EncoderRule::Dinov2(_) => "dinov2-vitl14",
            EncoderRule::Clip => "clip-vitl14-336",
            EncoderRule::AsItIs { .. } => "encoder",
        }
    }

    fn weights(&self) -> &[Weights] {
        &self.encoder.spec().weights
    }

    fn resize(&self) -> Option<(&'static str, &str)> {
        match self.rule {
            EncoderRule::Dinov2(resize) => Some(("dinov2", resize.id())),
            EncoderRule::Clip => None,
            EncoderRule::AsItIs { .. } => Some((FdEncoder::FIELD, &self.encoder.spec().id)),
        }
    }

    fn input_side(&self) -> Option<usize> {
        self.rule.side()
    }

    fn taps(&self) -> &'static [Tap] {
        &[Tap::Pooled]
    }

    fn width(&self, tap: Tap) -> Option<usize> {
        (tap == Tap::Pooled).then(|| self.rule.columns())
    }

    fn cost(&self, height: usize, width: usize) -> Result<NetworkCost, NetworkError> {
        let network = self.id();
        let failed =
            |cause: TokenizerError| NetworkError::Encoder { network, cause: Box::new(cause) };
        let (height, width) = self.rule.side().map_or((height, width), |side| (side, side));
        let Cost { encoder, head, .. } = self.encoder.cost(height, width).map_err(failed)?;
        // A class token is there already; a projected summary is the head's.
        let head = head.filter(|_| self.rule.summary() == Pooling::Own);
        let all = [Some(encoder), head].into_iter().flatten();
        Ok(all.fold(NetworkCost { parameters: 0, work: Work::default() }, |sum, stage| {
            let StageCost { parameters, convolution, linear, attention, rest, weights, values } =
                stage;
            let work = Work { convolution, linear, attention, rest, weights, values };
            NetworkCost { parameters: sum.parameters + parameters, work: sum.work + work }
        }))
    }

    fn features(
        &self,
        images: &[&RgbImage],
        taps: &[Tap],
    ) -> Result<Vec<FeatureRows>, NetworkError> {
        let network = self.id();
        if let Some(other) = taps.iter().find(|&&tap| tap != Tap::Pooled) {
            let known = vec![Tap::Pooled.id()];
            return Err(NetworkError::NoTap { network, tap: other.id(), known });
        }
        let failed =
            |cause: TokenizerError| NetworkError::Encoder { network, cause: Box::new(cause) };
        let mut values = Vec::with_capacity(images.len() * self.rule.columns());
        let size = |image: &RgbImage| (image.height(), image.width());
        let alike = |a: &&RgbImage, b: &&RgbImage| self.rule.side().is_some() || size(a) == size(b);
        for images in images.chunk_by(alike).flat_map(|images| images.chunks(BATCH)) {
            values.extend(self.rows(images).map_err(failed)?);
        }
        for (image, row) in values.chunks_exact(self.rule.columns()).enumerate() {
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                return Err(NetworkError::NotFinite { network, value: value.to_string(), image });
            }
        }
        let rows = FeatureRows::new(self.rule.columns(), values);
        let rows = rows.map_err(|error| {
            failed(TokenizerError::Shape {
                expected: format!("whole rows of {}", self.rule.columns()),
                found: error.to_string(),
            })
        })?;
        Ok(vec![rows; taps.len()])
    }
}
