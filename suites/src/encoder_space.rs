use candle_core::{Device, Tensor};
use prismbench_core::{
    Choice, Cost, Dinov2Resize, FeatureTap, ImageBatch, RgbImage, StageCost, Tokenizer,
    TokenizerError, Weights,
};
use prismbench_kernels::nn::Work;
use prismbench_metrics::{
    CLIP_SIDE, DINOV2_SIDE, FeatureNetwork, FeatureRows, NetworkCost, NetworkError, Tap,
    clip_input, dinov2_input,
};
use rayon::prelude::*;

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
}

/// Pictures that go through together: their inputs are 11 MB at most.
const BATCH: usize = 8;

impl EncoderSpace {
    /// The space of an encoder that takes pictures of the rule's size as they are.
    #[must_use]
    pub fn new(encoder: Box<dyn Tokenizer>, rule: EncoderRule) -> Self {
        Self { encoder, rule }
    }

    fn columns(&self) -> usize {
        match self.rule {
            EncoderRule::Dinov2(_) => 1024,
            EncoderRule::Clip => 768,
        }
    }

    /// Height and width of the encoder's input.
    fn side(&self) -> usize {
        match self.rule {
            EncoderRule::Dinov2(_) => DINOV2_SIDE,
            EncoderRule::Clip => CLIP_SIDE,
        }
    }

    fn rows(&self, images: &[&RgbImage]) -> Result<Vec<f32>, TokenizerError> {
        let side = self.side();
        let input = |image: &&RgbImage| match self.rule {
            EncoderRule::Dinov2(resize) => dinov2_input(image, resize),
            EncoderRule::Clip => clip_input(image),
        };
        let inputs = images.par_iter().map(input).collect::<Vec<_>>().concat();
        let batch = Tensor::from_vec(inputs, (images.len(), 3, side, side), &Device::Cpu)?;
        let features = self.encoder.features(&ImageBatch::new(batch)?, FeatureTap::Output)?;
        let summary = match self.rule {
            EncoderRule::Dinov2(_) => features.class_token,
            EncoderRule::Clip => features.pooled,
        };
        let shape = |found: String| {
            let expected = format!("a summary of {} numbers for each picture", self.columns());
            TokenizerError::Shape { expected, found }
        };
        let summary = summary.ok_or_else(|| shape("none".to_owned()))?;
        match summary.dims() {
            [rows, columns] if (*rows, *columns) == (images.len(), self.columns()) => {
                Ok(summary.flatten_all()?.to_vec1()?)
            }
            dims => Err(shape(format!("{dims:?}"))),
        }
    }
}

impl FeatureNetwork for EncoderSpace {
    fn id(&self) -> &'static str {
        match self.rule {
            EncoderRule::Dinov2(_) => "dinov2-vitl14",
            EncoderRule::Clip => "clip-vitl14-336",
        }
    }

    fn weights(&self) -> &[Weights] {
        &self.encoder.spec().weights
    }

    fn resize(&self) -> Option<(&'static str, &'static str)> {
        match self.rule {
            EncoderRule::Dinov2(resize) => Some(("dinov2", resize.id())),
            EncoderRule::Clip => None,
        }
    }

    fn input_side(&self) -> Option<usize> {
        Some(self.side())
    }

    fn taps(&self) -> &'static [Tap] {
        &[Tap::Pooled]
    }

    fn width(&self, tap: Tap) -> Option<usize> {
        (tap == Tap::Pooled).then(|| self.columns())
    }

    fn cost(&self, _: usize, _: usize) -> Result<NetworkCost, NetworkError> {
        let network = self.id();
        let failed =
            |cause: TokenizerError| NetworkError::Encoder { network, cause: Box::new(cause) };
        let Cost { encoder, head, .. } =
            self.encoder.cost(self.side(), self.side()).map_err(failed)?;
        // A class token is there already; a projected summary is the head's.
        let head = head.filter(|_| self.rule == EncoderRule::Clip);
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
        let mut values = Vec::with_capacity(images.len() * self.columns());
        for images in images.chunks(BATCH) {
            values.extend(self.rows(images).map_err(failed)?);
        }
        for (image, row) in values.chunks_exact(self.columns()).enumerate() {
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                return Err(NetworkError::NotFinite { network, value: value.to_string(), image });
            }
        }
        let rows = FeatureRows::new(self.columns(), values);
        let rows = rows.map_err(|error| {
            failed(TokenizerError::Shape {
                expected: format!("whole rows of {}", self.columns()),
                found: error.to_string(),
            })
        })?;
        Ok(vec![rows; taps.len()])
    }
}
