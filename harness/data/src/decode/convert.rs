//! Pillow's conversions from other modes to RGB, on bytes.

/// Grey levels to RGB.
pub(crate) fn grey_to_rgb(levels: impl IntoIterator<Item = u8>) -> Vec<u8> {
    levels.into_iter().flat_map(|level| [level; 3]).collect()
}

/// The first three of every `channels` values.
pub(super) fn drop_alpha(pixels: &[u8], channels: usize) -> Vec<u8> {
    pixels.chunks_exact(channels).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// 16-bit samples to 8 bits, as Pillow reads colour.
pub(super) fn high_bytes(samples: &[u16]) -> Vec<u8> {
    samples.iter().map(|&sample| (sample >> 8) as u8).collect()
}

/// 16-bit grey to 8 bits, as Pillow converts its mode `I;16`: clipped, not scaled.
pub(super) fn clip_16(sample: u16) -> u8 {
    sample.min(255) as u8
}

/// CMYK (0 is no ink) to RGB with Pillow's rounding of `a * b / 255`.
pub(super) fn cmyk_to_rgb(pixels: &[u8]) -> Vec<u8> {
    let channel = |ink: u8, light: u32| {
        let product = u32::from(ink) * light + 128;
        (light - (((product >> 8) + product) >> 8)) as u8
    };
    pixels
        .chunks_exact(4)
        .flat_map(|pixel| {
            let light = 255 - u32::from(pixel[3]);
            [channel(pixel[0], light), channel(pixel[1], light), channel(pixel[2], light)]
        })
        .collect()
}

/// RGBA with colours multiplied by alpha to plain RGB: `colour * 255 / alpha`, truncated.
pub(super) fn unmultiply(pixels: &[u8]) -> Vec<u8> {
    pixels
        .chunks_exact(4)
        .flat_map(|pixel| {
            let alpha = u32::from(pixel[3]);
            [pixel[0], pixel[1], pixel[2]].map(|colour| {
                (u32::from(colour) * 255).checked_div(alpha).map_or(0, |value| value.min(255) as u8)
            })
        })
        .collect()
}

/// Indices to RGB through a palette of 3 bytes a colour; an index beyond its end is black.
pub(super) fn palette_to_rgb(indices: &[u8], palette: &[u8]) -> Vec<u8> {
    let colours: Vec<[u8; 3]> =
        palette.chunks_exact(3).map(|colour| [colour[0], colour[1], colour[2]]).collect();
    indices
        .iter()
        .flat_map(|&index| colours.get(usize::from(index)).copied().unwrap_or_default())
        .collect()
}

/// Samples of 1, 2 or 4 bits, packed from the most significant bit, rows padded to whole bytes.
pub(super) fn unpack_bits(packed: &[u8], width: usize, bits: u32) -> Vec<u8> {
    let per_byte = 8 / bits as usize;
    packed
        .chunks_exact(width.div_ceil(per_byte).max(1))
        .flat_map(|row| {
            (0..width).map(move |x| {
                let shift = 8 - bits * (x % per_byte + 1) as u32;
                (row[x / per_byte] >> shift) & ((1 << bits) - 1)
            })
        })
        .collect()
}
