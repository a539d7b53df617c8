mod bilinear;
mod tiles;

use super::kernel::Kernel;
use super::kernel::parameter::{IN_F32, IN_F64, IN_I32, IN_U8, IN_U32, OUT_F32, OUT_U8, U32};
use super::program::Program;
use super::{Buffer, CudaError, Device, Operand};
use crate::Size;
use crate::network_input::{Levels, ResizedWindow};
use crate::resample::{Method, Window};
use tiles::Resize;
pub(super) use tiles::whole;

pub(super) const BILINEAR: Kernel = Kernel {
    name: "bilinear",
    program: Program::Bilinear,
    threads: 256,
    loops: [false, true, true],
    parameters: &[IN_F32, IN_U32, IN_F32, IN_U32, IN_F32, OUT_F32, U32, U32, U32, U32, U32],
};

pub(super) const RESIZE_RGB8: Kernel = Kernel {
    name: "resize_rgb8",
    program: Program::Resize,
    threads: 256,
    loops: [false, true, true],
    parameters: &[
        IN_U8, IN_U32, IN_I32, IN_U32, IN_I32, OUT_U8, U32, U32, U32, U32, U32, U32, U32, U32,
    ],
};

pub(super) const RESIZE_PLANES: Kernel = Kernel {
    name: "resize_planes",
    program: Program::Resize,
    threads: 256,
    loops: [false, true, true],
    parameters: &[
        IN_F32, IN_U32, IN_F64, IN_U32, IN_F64, OUT_F32, U32, U32, U32, U32, U32, U32, U32, U32,
    ],
};

pub(super) const NETWORK_INPUT: Kernel = Kernel {
    name: "network_input",
    program: Program::Resize,
    threads: 256,
    loops: [false, true, true],
    parameters: &[
        IN_U8, IN_U32, IN_I32, IN_U32, IN_I32, IN_F32, OUT_F32, U32, U32, U32, U32, U32, U32, U32,
        U32,
    ],
};

impl Device {
    /// [`resize_rgb8`](crate::resample::resize_rgb8) of any number of pictures, one after the other.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where the pictures are not whole, [`CudaError::Unsupported`] where a tile
    /// of a picture that shrinks some hundredfold does not fit into a block's memory; what any call may
    /// meet.
    pub fn resize_rgb8<'a>(
        &self,
        pictures: impl Into<Operand<'a, u8>>,
        from: Size,
        to: Size,
        method: impl Into<Method>,
    ) -> Result<Buffer<u8>, CudaError> {
        self.resize_rgb8_window(pictures, from, to, method, Window { left: 0, top: 0, size: to })
    }

    /// [`resize_rgb8_window`](crate::resample::resize_rgb8_window) of any number of pictures.
    ///
    /// # Errors
    /// As [`resize_rgb8`](Self::resize_rgb8).
    pub fn resize_rgb8_window<'a>(
        &self,
        pictures: impl Into<Operand<'a, u8>>,
        from: Size,
        to: Size,
        method: impl Into<Method>,
        window: Window,
    ) -> Result<Buffer<u8>, CudaError> {
        let (pictures, method) = (pictures.into(), method.into());
        let resized = ResizedWindow { to, method, window };
        let resize = Resize::of_pictures("resize_rgb8", pictures.len(), from, &resized)?;
        self.resized(resize, &RESIZE_RGB8, pictures, None)
    }

    /// [`resize_plane`](crate::resample::resize_plane) of any number of planes, one after the other.
    ///
    /// # Errors
    /// As [`resize_rgb8`](Self::resize_rgb8).
    pub fn resize_plane<'a>(
        &self,
        planes: impl Into<Operand<'a, f32>>,
        from: Size,
        to: Size,
        method: impl Into<Method>,
    ) -> Result<Buffer<f32>, CudaError> {
        let planes = planes.into();
        let resize = Resize::of_planes("resize_plane", planes.len(), [from, to], method.into())?;
        self.resized(resize, &RESIZE_PLANES, planes, None)
    }

    /// [`network_input`](crate::network_input::network_input): resize, crop, round and normalise in one
    /// pass.
    ///
    /// # Errors
    /// As [`resize_rgb8`](Self::resize_rgb8).
    pub fn network_input<'a>(
        &self,
        pictures: impl Into<Operand<'a, u8>>,
        from: Size,
        resized: &ResizedWindow,
        levels: &Levels,
    ) -> Result<Buffer<f32>, CudaError> {
        let pictures = pictures.into();
        let resize = Resize::of_pictures("network_input", pictures.len(), from, resized)?;
        self.resized(resize, &NETWORK_INPUT, pictures, Some(levels.table()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, floats, on_every_device};
    use super::*;
    use crate::network_input::network_input;
    use crate::resample::{self, Filter, Passes};

    /// Larger, smaller, unchanged sides, one pixel, more than one tile, pictures that are tall.
    const SIZES: [[(usize, usize); 2]; 9] = [
        [(40, 30), (67, 71)],
        [(75, 61), (40, 33)],
        [(33, 20), (33, 45)],
        [(20, 33), (45, 33)],
        [(5, 5), (5, 5)],
        [(1, 1), (3, 2)],
        [(90, 70), (3, 2)],
        [(3, 320), (2, 37)],
        [(300, 3), (37, 2)],
    ];

    pub(super) fn sizes() -> impl Iterator<Item = (Size, Size)> {
        SIZES.into_iter().map(|[from, to]| (Size::new(from.0, from.1), Size::new(to.0, to.1)))
    }

    #[test]
    fn bytes_are_resized_to_the_bits_of_the_twin() {
        let filters = [Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
        on_every_device(|device| {
            for (number, (from, to)) in sizes().enumerate() {
                let pictures = bytes(2 * 3 * from.area(), number as u64);
                for passes in [Passes::Pillow12, Passes::Pillow13] {
                    let method = Method { filter: filters[number % 4], passes };
                    let found = device.resize_rgb8(&pictures, from, to, method).unwrap();
                    let each = pictures.chunks_exact(3 * from.area());
                    let expected: Vec<u8> =
                        each.flat_map(|p| resample::resize_rgb8(p, from, to, method)).collect();
                    assert!(found.to_vec().unwrap() == expected, "{from:?} {to:?} {method:?}");
                }
            }
        });
    }

    #[test]
    fn a_window_is_that_of_the_twin() {
        let (from, to) = (Size::new(70, 50), Size::new(45, 60));
        let window = Window { left: 7, top: 11, size: Size::new(36, 100) };
        on_every_device(|device| {
            let picture = bytes(3 * from.area(), 5);
            let method = Filter::Bicubic;
            let found = device.resize_rgb8_window(&picture, from, to, method, window).unwrap();
            let expected = resample::resize_rgb8_window(&picture, from, to, method, window);
            assert_eq!(found.to_vec().unwrap(), expected);
        });
    }

    #[test]
    fn planes_are_resized_to_the_bits_of_the_twin() {
        on_every_device(|device| {
            for (number, (from, to)) in sizes().enumerate() {
                let mut planes = floats(3 * from.area(), number as u64);
                // A copied side keeps the sign of zero, a filtered one does not.
                planes[0] = -0.0;
                for passes in [Passes::Pillow12, Passes::Pillow13] {
                    let method = Method { filter: Filter::Bicubic, passes };
                    let found = device.resize_plane(&planes, from, to, method).unwrap();
                    let each = planes.chunks_exact(from.area());
                    let expected: Vec<f32> =
                        each.flat_map(|p| resample::resize_plane(p, from, to, method)).collect();
                    let bits = |values: &[f32]| -> Vec<u32> {
                        values.iter().map(|value| value.to_bits()).collect()
                    };
                    assert!(bits(&found.to_vec().unwrap()) == bits(&expected), "{from:?} {to:?}");
                }
            }
        });
    }

    #[test]
    fn no_pixels_give_none_and_half_a_picture_is_refused() {
        on_every_device(|device| {
            let (from, to) = (Size::new(4, 4), Size::new(2, 2));
            let nothing = device.resize_rgb8(&[][..], from, to, Filter::Box).unwrap();
            assert!(nothing.to_vec().unwrap().is_empty());
            let flat = device.bilinear_tf1(&[0.0; 16][..], from, Size::new(0, 2)).unwrap();
            assert!(flat.is_empty());
            let half = device.resize_plane(&[0.0; 17][..], from, to, Filter::Box);
            assert!(matches!(half, Err(CudaError::Lengths { .. })), "{half:?}");
        });
    }

    #[test]
    fn a_resize_whose_tiles_do_not_fit_is_refused_with_a_reason() {
        on_every_device(|device| {
            let (from, to) = (Size::new(30, 2_000), Size::new(15, 1));
            let picture = vec![0; 3 * from.area()];
            let found = device.resize_rgb8(&picture, from, to, Filter::Bicubic);
            let Err(CudaError::Unsupported { reason, .. }) = found else { panic!("{found:?}") };
            assert!(reason.contains("30x2000"), "{reason}");
        });
    }

    #[test]
    fn pictures_become_the_numbers_of_the_twin() {
        let levels = Levels::normalised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let cases = [
            (Size::new(90, 64), Size::new(90, 64), (13, 0, 64, 64)),
            (Size::new(75, 100), Size::new(48, 64), (0, 8, 48, 48)),
            (Size::new(3, 310), Size::new(33, 150), (0, 50, 33, 33)),
        ];
        on_every_device(|device| {
            for (from, to, (left, top, width, height)) in cases {
                let window = Window { left, top, size: Size::new(width, height) };
                let method = Method { filter: Filter::Bicubic, passes: Passes::Pillow12 };
                let resized = ResizedWindow { to, method, window };
                let pictures = bytes(3 * 3 * from.area(), 9);
                let found = device.network_input(&pictures, from, &resized, &levels).unwrap();
                let expected = network_input(&pictures, from, &resized, &levels);
                assert!(found.to_vec().unwrap() == expected, "{from:?}");
            }
            let nothing = ResizedWindow {
                to: Size::new(0, 3),
                method: Filter::Box.into(),
                window: Window { left: 0, top: 0, size: Size::new(1, 1) },
            };
            let found = device.network_input(&[1; 12][..], Size::new(2, 2), &nothing, &levels);
            assert!(found.unwrap().is_empty());
        });
    }
}
