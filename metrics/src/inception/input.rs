use prismbench_core::{InceptionResize, RgbImage};
use prismbench_kernels::Size;
use prismbench_kernels::resample::{
    Filter, bilinear_antialiased, bilinear_half_pixel, bilinear_tf1, resize_plane,
};

/// Side of the pictures that the network sees.
pub const INCEPTION_SIDE: usize = 299;

/// A picture as the network sees it: 299x299x3 values, interleaved, nominally in `[-1, 1]`.
#[must_use]
pub fn inception_input(image: &RgbImage, resize: InceptionResize) -> Vec<f32> {
    let from = Size::new(image.width(), image.height());
    let to = Size::new(INCEPTION_SIDE, INCEPTION_SIDE);
    let mut input = vec![0.0; 3 * to.area()];
    for channel in 0..3 {
        let levels = image.pixels()[channel..].iter().step_by(3).map(|&level| f32::from(level));
        let plane = resized(levels, from, to, resize);
        let slots = input[channel..].iter_mut().step_by(3);
        slots.zip(plane).for_each(|(slot, value)| *slot = value);
    }
    input
}

fn resized(
    levels: impl Iterator<Item = f32>,
    from: Size,
    to: Size,
    resize: InceptionResize,
) -> Vec<f32> {
    let centred = |level: f32| (level - 128.0) / 128.0;
    let plane: Vec<f32> = levels.collect();
    let mut plane = match resize {
        InceptionResize::Tf1 => bilinear_tf1(&plane, from, to),
        InceptionResize::Antialias => bilinear_antialiased(&plane, from, to),
        InceptionResize::PilBicubic => {
            let mut plane = resize_plane(&plane, from, to, Filter::Bicubic);
            plane.iter_mut().for_each(|level| *level = level.clamp(0.0, 255.0));
            plane
        }
        InceptionResize::HalfPixel => {
            let shares: Vec<f32> = plane.iter().map(|level| level / 255.0).collect();
            let mut plane = bilinear_half_pixel(&shares, from, to);
            plane.iter_mut().for_each(|share| *share = 2.0 * *share - 1.0);
            return plane;
        }
    };
    plane.iter_mut().for_each(|level| *level = centred(*level));
    plane
}
