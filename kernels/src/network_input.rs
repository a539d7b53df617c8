//! 8-bit pictures as networks take them: resized and cropped with Pillow's bits, rounded to levels as
//! Pillow rounds them, each level turned into a number, a plane for each channel.

use rayon::prelude::*;

use crate::Size;
use crate::resample::{Method, Window, resize_rgb8_window};

/// The number that each of the 256 levels becomes, for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels(Vec<f32>);

impl Levels {
    /// `(level / 255 - mean) / deviation` in f32: torchvision's `ToTensor` and `Normalize`.
    #[must_use]
    pub fn normalised(mean: [f32; 3], deviation: [f32; 3]) -> Self {
        Self::of(|channel, level| (f32::from(level) / 255.0 - mean[channel]) / deviation[channel])
    }

    /// Any function of channel and level.
    #[must_use]
    pub fn of(number: impl Fn(usize, u8) -> f32) -> Self {
        let levels = |channel| (0..=255).map(move |level| (channel, level));
        Self((0..3).flat_map(levels).map(|(channel, level)| number(channel, level)).collect())
    }

    /// 256 numbers for each channel.
    #[must_use]
    pub fn table(&self) -> &[f32] {
        &self.0
    }
}

/// A resize, and the rectangle of its result that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizedWindow {
    /// Size of the whole result.
    pub to: Size,
    /// How it is made.
    pub method: Method,
    /// What is kept of it.
    pub window: Window,
}

/// Pictures of one size, `from.area() * 3` interleaved bytes each, as `[picture][channel][row][column]`.
///
/// A picture that is not whole is left out; so is what lies outside of `resized.to`.
#[must_use]
pub fn network_input(
    pictures: &[u8],
    from: Size,
    resized: &ResizedWindow,
    levels: &Levels,
) -> Vec<f32> {
    let ResizedWindow { to, method, window } = *resized;
    let picture = |pixels: &[u8]| -> Vec<f32> {
        let pixels = resize_rgb8_window(pixels, from, to, method, window);
        let plane = |channel: usize| {
            let table = &levels.0[256 * channel..][..256];
            pixels[channel.min(pixels.len())..].iter().step_by(3).map(|&l| table[usize::from(l)])
        };
        (0..3).flat_map(plane).collect()
    };
    pictures.par_chunks_exact((3 * from.area()).max(1)).flat_map_iter(picture).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::{Filter, Passes};

    #[test]
    fn each_channel_has_a_plane_of_its_levels() {
        let from = Size::new(2, 2);
        let method = Method { filter: Filter::Bicubic, passes: Passes::Pillow12 };
        let window = Window { left: 1, top: 0, size: Size::new(1, 2) };
        let resized = ResizedWindow { to: from, method, window };
        let pixels: Vec<u8> = (0..24).collect();
        let levels = Levels::of(|channel, level| channel as f32 * 100.0 + f32::from(level));
        let found = network_input(&pixels, from, &resized, &levels);
        assert_eq!(
            found,
            [3.0, 9.0, 104.0, 110.0, 205.0, 211.0, 15.0, 21.0, 116.0, 122.0, 217.0, 223.0]
        );
        assert!(network_input(&pixels, Size::new(0, 2), &resized, &levels).is_empty());
    }

    #[test]
    fn levels_are_normalised_as_torchvision_does() {
        let levels = Levels::normalised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        // torch: ((torch.tensor(77.) / 255 - 0.456) / 0.224), in f32.
        let expected = (77.0_f32 / 255.0 - 0.456) / 0.224;
        assert_eq!(levels.table()[256 + 77].to_bits(), expected.to_bits());
        assert_eq!(levels.table().len(), 768);
    }
}
