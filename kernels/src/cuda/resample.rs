use super::buffer::Memory;
use super::kernel::parameter::{IN_F32, IN_F64, IN_I32, IN_U8, IN_U32, OUT_F32, OUT_U8, U32};
use super::kernel::{Argument, Grid, Kernel, narrow};
use super::program::Program;
use super::tables::{Axis, Tiling};
use super::{Buffer, CudaError, Device, Element, Operand};
use crate::Size;
use crate::resample::access::{Between, Plan, Taps, half_pixel, positions, taps, tf1};
use crate::resample::{Method, Window};

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

/// Bits of `passes` in `resize.cu`.
const DOWN_FIRST: u32 = 1;
const COPIES_ACROSS: u32 = 2;
const COPIES_DOWN: u32 = 4;

impl Device {
    /// [`bilinear_tf1`](crate::resample::bilinear_tf1) of any number of planes, one after the other.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where the planes are not whole; what any call may meet.
    pub fn bilinear_tf1<'a>(
        &self,
        planes: impl Into<Operand<'a, f32>>,
        from: Size,
        to: Size,
    ) -> Result<Buffer<f32>, CudaError> {
        self.bilinear("bilinear_tf1", planes.into(), [from, to], tf1)
    }

    /// [`bilinear_half_pixel`](crate::resample::bilinear_half_pixel) of any number of planes.
    ///
    /// # Errors
    /// As [`bilinear_tf1`](Self::bilinear_tf1).
    pub fn bilinear_half_pixel<'a>(
        &self,
        planes: impl Into<Operand<'a, f32>>,
        from: Size,
        to: Size,
    ) -> Result<Buffer<f32>, CudaError> {
        self.bilinear("bilinear_half_pixel", planes.into(), [from, to], half_pixel)
    }

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
        const NAME: &str = "resize_rgb8";
        let pictures = pictures.into();
        let images = whole(NAME, pictures.len(), 3 * from.area())?;
        let Some(plan) = Plan::new(from, to, method.into(), window).filter(|_| images > 0) else {
            return self.unset(0);
        };
        let resize = Resize::rgb8(NAME, &plan, from, images)?;
        let mut out = self.unset(3 * resize.outputs())?;
        let pictures = pictures.on(self)?;
        resize.launch(self, &RESIZE_RGB8, pictures.memory(), None, out.memory_mut())?;
        Ok(out)
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
        const NAME: &str = "resize_plane";
        let (planes, method) = (planes.into(), method.into());
        let images = whole(NAME, planes.len(), from.area())?;
        if images == 0 || to.area() == 0 {
            return self.unset(0);
        }
        let axis = |from: usize, to: usize| {
            // A side that does not change is copied, whatever the filter.
            let copied = |first| Taps { first, weights: vec![1.0] };
            let taps = match from == to {
                true => (0..to).map(copied).collect(),
                false => taps(from, to, method.filter, 0..to),
            };
            Axis::new(NAME, taps.iter().map(|Taps { first, weights }| (*first, weights.as_slice())))
        };
        let copies = |is_same: bool, bit: u32| if is_same { bit } else { 0 };
        let resize = Resize {
            name: NAME,
            axes: (axis(from.width, to.width)?, axis(from.height, to.height)?),
            from,
            images,
            passes: copies(method.passes.vertical_first(from, to), DOWN_FIRST)
                | copies(from.width == to.width, COPIES_ACROSS)
                | copies(from.height == to.height, COPIES_DOWN),
        };
        let mut out = self.unset(resize.outputs())?;
        let planes = planes.on(self)?;
        resize.launch(self, &RESIZE_PLANES, planes.memory(), None, out.memory_mut())?;
        Ok(out)
    }

    fn bilinear(
        &self,
        name: &'static str,
        planes: Operand<'_, f32>,
        [from, to]: [Size; 2],
        position: fn(usize, f32) -> f32,
    ) -> Result<Buffer<f32>, CudaError> {
        let count = whole(name, planes.len(), from.area())?;
        let mut out = self.unset(count * to.area())?;
        if out.is_empty() {
            return Ok(out);
        }
        let number = |number| narrow(name, number).map(Argument::U32);
        // Inputs are numbered in 32 bits.
        narrow(name, from.width.max(from.height))?;
        let table = |from, to| -> Result<_, CudaError> {
            let all = positions(from, to, position);
            let inputs = |at: &Between| [at.lower as u32, at.upper as u32];
            let inputs: Vec<u32> = all.iter().flat_map(inputs).collect();
            let parts: Vec<f32> = all.iter().map(|at| at.fraction).collect();
            Ok((self.upload(&inputs)?, self.upload(&parts)?))
        };
        let (columns, rows) = (table(from.width, to.width)?, table(from.height, to.height)?);
        let planes = planes.on(self)?;
        let grid = Grid::new([to.width.div_ceil(32), to.height.div_ceil(32), count], 0);
        self.launch(
            &BILINEAR,
            grid,
            &mut [
                Argument::Input(planes.memory()),
                Argument::Input(columns.0.memory()),
                Argument::Input(columns.1.memory()),
                Argument::Input(rows.0.memory()),
                Argument::Input(rows.1.memory()),
                Argument::Output(out.memory_mut()),
                number(count)?,
                number(from.width)?,
                number(from.height)?,
                number(to.width)?,
                number(to.height)?,
            ],
        )?;
        Ok(out)
    }
}

/// How many of these there are, each of so many values.
pub(super) fn whole(name: &'static str, values: usize, each: usize) -> Result<usize, CudaError> {
    match values.checked_div(each) {
        None => Ok(0),
        Some(count) if count * each == values => Ok(count),
        Some(_) => Err(CudaError::Lengths {
            operation: name,
            expected: format!("whole pictures or planes of {each} values"),
            found: format!("{values} values"),
        }),
    }
}

/// A resize by one of the kernels in `resize.cu`.
pub(super) struct Resize<W> {
    name: &'static str,
    axes: (Axis<W>, Axis<W>),
    from: Size,
    images: usize,
    passes: u32,
}

impl Resize<i32> {
    pub(super) fn rgb8(
        name: &'static str,
        plan: &Plan,
        from: Size,
        images: usize,
    ) -> Result<Self, CudaError> {
        let axis = |taps: &[crate::resample::access::Fixed]| {
            Axis::new(name, taps.iter().map(|taps| (taps.first, taps.weights.as_slice())))
        };
        let axes = (axis(&plan.across)?, axis(&plan.down)?);
        let passes = if plan.vertical_first { DOWN_FIRST } else { 0 };
        Ok(Self { name, axes, from, images, passes })
    }
}

impl<W: Element> Resize<W> {
    /// Pixels of all results.
    pub(super) fn outputs(&self) -> usize {
        self.images * self.axes.0.len() * self.axes.1.len()
    }

    /// Runs a kernel, which takes `levels` beside where there are some.
    pub(super) fn launch(
        &self,
        device: &Device,
        kernel: &Kernel,
        source: &Memory,
        levels: Option<&Buffer<f32>>,
        out: &mut Memory,
    ) -> Result<(), CudaError> {
        let (across, down) = &self.axes;
        let beside = levels.map_or(0, |levels| levels.len() * size_of::<f32>());
        let down_first = self.passes & DOWN_FIRST != 0;
        let room = device.most_shared().saturating_sub(beside);
        let tiling = Tiling::new((across, down), down_first, room);
        let tiling = tiling.ok_or_else(|| CudaError::Unsupported {
            operation: self.name,
            reason: format!(
                "a resize from {}x{} of which no tile fits into a block's memory",
                self.from.width, self.from.height
            ),
        })?;
        let number = |number| narrow(self.name, number).map(Argument::U32);
        let (across_tables, down_tables) = (across.upload(device)?, down.upload(device)?);
        let mut arguments = vec![
            Argument::Input(source),
            Argument::Input(across_tables.0.memory()),
            Argument::Input(across_tables.1.memory()),
            Argument::Input(down_tables.0.memory()),
            Argument::Input(down_tables.1.memory()),
        ];
        arguments.extend(levels.map(|levels| Argument::Input(levels.memory())));
        arguments.extend([
            Argument::Output(out),
            number(self.images)?,
            number(self.from.width)?,
            number(self.from.height)?,
            number(across.len())?,
            number(down.len())?,
            number(tiling.tile_rows)?,
            number(tiling.stage_rows)?,
            Argument::U32(self.passes),
        ]);
        let blocks = tiling.blocks(across.len(), down.len(), self.images);
        device.launch(kernel, Grid::new(blocks, beside + tiling.shared), &mut arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, floats, on_every_device};
    use super::*;
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

    fn sizes() -> impl Iterator<Item = (Size, Size)> {
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
    fn both_bilinear_resizes_have_the_bits_of_their_twins() {
        on_every_device(|device| {
            for (number, (from, to)) in sizes().enumerate() {
                let planes = floats(2 * from.area(), number as u64);
                let each = || planes.chunks_exact(from.area());
                let found = device.bilinear_tf1(&planes, from, to).unwrap();
                let expected: Vec<f32> =
                    each().flat_map(|p| resample::bilinear_tf1(p, from, to)).collect();
                assert_eq!(found.to_vec().unwrap(), expected, "{from:?} {to:?}");
                let found = device.bilinear_half_pixel(&planes, from, to).unwrap();
                let expected: Vec<f32> =
                    each().flat_map(|p| resample::bilinear_half_pixel(p, from, to)).collect();
                assert_eq!(found.to_vec().unwrap(), expected, "{from:?} {to:?}");
            }
        });
    }

    #[test]
    fn what_an_earlier_call_left_on_the_device_is_taken_from_there() {
        let (from, between, to) = (Size::new(20, 20), Size::new(31, 9), Size::new(8, 8));
        on_every_device(|device| {
            let plane = floats(from.area(), 3);
            let first = device.bilinear_tf1(&plane, from, between).unwrap();
            let second = device.bilinear_half_pixel(&first, between, to).unwrap();
            let expected = resample::bilinear_tf1(&plane, from, between);
            let expected = resample::bilinear_half_pixel(&expected, between, to);
            assert_eq!(second.to_vec().unwrap(), expected);
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
}
