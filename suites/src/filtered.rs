use candle_core::{Device, Tensor};
use prismbench_core::{FilterPass, FilterShape, FrequencyFilter, ImageBatch, TokenizerError};
use prismbench_kernels::Size;
use prismbench_kernels::device_pictures;
use prismbench_kernels::filters::{Cutoff, Pass, PlaneFilter, Shape};
use rayon::prelude::*;

/// Pictures as a tokenizer sees them under a filter: each channel filtered, then clamped to `[0, 1]`.
///
/// The same tensor where there is nothing to filter; a filter that keeps every frequency changes no
/// bit of a picture in `[0, 1]`. A picture's result does not depend on the others of its batch.
///
/// # Errors
/// [`TokenizerError::Tensor`] when a copy from or to the device fails.
pub fn filtered(
    images: &ImageBatch,
    filter: FrequencyFilter,
) -> Result<ImageBatch, TokenizerError> {
    let FrequencyFilter::Band { shape, pass, cutoff } = filter else {
        return Ok(images.clone());
    };
    let shape = match shape {
        FilterShape::DctRadialAxis => Shape::DctRadialAxis,
        FilterShape::DctRadialCorner => Shape::DctRadialCorner,
        FilterShape::DctSquare => Shape::DctSquare,
        FilterShape::DctZigzag => Shape::DctZigzag,
        FilterShape::FftIdeal => Shape::FftIdeal,
        FilterShape::FftCosine => Shape::FftCosine,
    };
    let pass = match pass {
        FilterPass::Low => Pass::Low,
        FilterPass::High => Pass::High,
    };
    // Both kinds of cutoff are 1 to 1000 thousandths.
    let Some(cutoff) = Cutoff::from_thousandths(cutoff.thousandths()) else {
        return Ok(images.clone());
    };
    apply(images, &PlaneFilter::new(size(images), shape, pass, cutoff))
}

/// Pictures of which one of `bands` bands of DCT coefficients in zigzag order is left, from band 0,
/// clamped to `[0, 1]`: what the response of features is measured with.
///
/// Source: `compute_input_response_curves` of WeichenFan/UAE main, prelim_analysis/energy_exp.py.
///
/// # Errors
/// [`TokenizerError::Tensor`] when a copy from or to the device fails.
pub fn band_limited(
    images: &ImageBatch,
    band: usize,
    bands: usize,
) -> Result<ImageBatch, TokenizerError> {
    apply(images, &PlaneFilter::zigzag_band(size(images), band, bands))
}

fn size(images: &ImageBatch) -> Size {
    let (_, height, width) = images.dims();
    Size::new(width, height)
}

fn apply(images: &ImageBatch, filter: &PlaneFilter) -> Result<ImageBatch, TokenizerError> {
    let tensor = images.tensor();
    if let Some(filtered) = device_pictures::filtered(tensor, filter)? {
        return ImageBatch::new(filtered.clamp(0.0_f32, 1.0_f32)?);
    }
    let planes: Vec<f32> = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?;
    let mut out = vec![0.0; planes.len()];
    filter.apply(&planes, &mut out);
    out.par_iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
    ImageBatch::new(Tensor::from_vec(out, tensor.shape(), tensor.device())?)
}

#[cfg(test)]
mod tests {
    use prismbench_core::RgbImage;

    use super::*;

    fn images(count: usize) -> ImageBatch {
        let picture = |number: usize| {
            let level = |at: usize| ((at * at * 31 + at * number * 7) % 256) as u8;
            RgbImage::new(24, 18, (0..24 * 18 * 3).map(level).collect()).unwrap()
        };
        let pictures: Vec<RgbImage> = (0..count).map(picture).collect();
        ImageBatch::from_images(&pictures.iter().collect::<Vec<_>>(), &Device::Cpu).unwrap()
    }

    fn values(images: &ImageBatch) -> Vec<f32> {
        images.tensor().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn filter(text: &str) -> FrequencyFilter {
        text.parse().unwrap()
    }

    #[test]
    fn no_filter_and_one_that_keeps_everything_change_nothing() {
        let images = images(3);
        for text in ["none", "dct-square:low:1", "dct-zigzag:low:1", "dct-radial-corner:low:1"] {
            let found = values(&filtered(&images, filter(text)).unwrap());
            assert!(found.iter().zip(values(&images)).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn filtered_pictures_stay_in_range_and_do_not_see_each_other() {
        let (three, one) = (images(3), images(1));
        for shape in prismbench_core::Choice::ALL as &[FilterShape] {
            for pass in ["low", "high"] {
                let filter = filter(&format!("{shape}:{pass}:0.1"));
                let found = values(&filtered(&three, filter).unwrap());
                assert!(found.iter().all(|value| (0.0..=1.0).contains(value)));
                assert_ne!(found, values(&three));
                let alone = values(&filtered(&one, filter).unwrap());
                assert_eq!(found[..alone.len()], alone);
            }
        }
    }

    #[test]
    fn the_first_band_holds_the_mean_and_no_other_does() {
        let images = images(1);
        let mean = |images: &ImageBatch| {
            let values = values(images);
            values.iter().sum::<f32>() / values.len() as f32
        };
        let first = mean(&band_limited(&images, 0, 10).unwrap());
        assert!((first - mean(&images)).abs() < 0.05);
        // What is left of a wave about 0 is its upper half.
        for band in 1..10 {
            assert!(mean(&band_limited(&images, band, 10).unwrap()) < 0.2);
        }
    }
}
