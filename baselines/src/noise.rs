use candle_core::{Device, Tensor};
use prismbench_core::{Encoding, LatentNoise, TokenizerError};

/// `s n` for each of the pictures of a batch, as [`Encoding::noise`] says, in the order
/// `[channel, row, column]`; `None` without noise.
///
/// # Errors
/// As [`Encoding::streams`].
pub(crate) fn latent_noise(
    encoding: &Encoding<'_>,
    dims: [usize; 4],
    device: &Device,
) -> Result<Option<Tensor>, TokenizerError> {
    if encoding.noise == LatentNoise::None {
        return Ok(None);
    }
    let [images, channels, rows, columns] = dims;
    let length = channels * rows * columns;
    let mut noise = Vec::with_capacity(images * length);
    for mut stream in encoding.streams("latent noise", images)? {
        let scale = encoding.noise.scale(&mut stream).unwrap_or_default();
        noise.extend((0..length).map(|_| (scale * stream.normal()) as f32));
    }
    Ok(Some(Tensor::from_vec(noise, &dims[..], device)?))
}

/// `latents + noise`, where there is noise.
pub(crate) fn with_noise(latents: Tensor, noise: Option<Tensor>) -> Result<Tensor, TokenizerError> {
    match noise {
        Some(noise) => Ok((latents + noise)?),
        None => Ok(latents),
    }
}
