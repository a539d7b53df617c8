//! Resizes by filters of any length, tile by tile.

use crate::Size;
use crate::cuda::buffer::Memory;
use crate::cuda::kernel::{Argument, Grid, Kernel, narrow};
use crate::cuda::tables::{Axis, Tiling};
use crate::cuda::{Buffer, CudaError, Device, Element, Operand};
use crate::network_input::ResizedWindow;
use crate::resample::Method;
use crate::resample::access::{Fixed, Plan, Taps, taps};

/// Bits of `passes` in `resize.cu`.
const DOWN_FIRST: u32 = 1;
const COPIES_ACROSS: u32 = 2;
const COPIES_DOWN: u32 = 4;

/// How many of these there are, each of so many values.
pub(in crate::cuda) fn whole(
    name: &'static str,
    values: usize,
    each: usize,
) -> Result<usize, CudaError> {
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
    /// Values of a pixel.
    channels: usize,
    passes: u32,
}

impl Resize<i32> {
    /// Of 8-bit pictures, `3 from.area()` bytes each; `None` where there is nothing to make.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] for part of a picture.
    pub(super) fn of_pictures(
        name: &'static str,
        bytes: usize,
        from: Size,
        resized: &ResizedWindow,
    ) -> Result<Option<Self>, CudaError> {
        let images = whole(name, bytes, 3 * from.area())?;
        let ResizedWindow { to, method, window } = *resized;
        let Some(plan) = Plan::new(from, to, method, window).filter(|_| images > 0) else {
            return Ok(None);
        };
        let axis = |taps: &[Fixed]| {
            Axis::new(name, taps.iter().map(|taps| (taps.first, taps.weights.as_slice())))
        };
        let axes = (axis(&plan.across)?, axis(&plan.down)?);
        let passes = if plan.vertical_first { DOWN_FIRST } else { 0 };
        Ok(Some(Self { name, axes, from, images, channels: 3, passes }))
    }
}

impl Resize<f64> {
    /// Of planes of f32, by weights in f64; `None` where there is nothing to make.
    ///
    /// # Errors
    /// As [`of_pictures`](Resize::of_pictures).
    pub(super) fn of_planes(
        name: &'static str,
        values: usize,
        [from, to]: [Size; 2],
        method: Method,
    ) -> Result<Option<Self>, CudaError> {
        let images = whole(name, values, from.area())?;
        if images == 0 || to.area() == 0 {
            return Ok(None);
        }
        let axis = |from: usize, to: usize| {
            // A side that does not change is copied, whatever the filter.
            let copied = |first| Taps { first, weights: vec![1.0] };
            let taps = match from == to {
                true => (0..to).map(copied).collect(),
                false => taps(from, to, method.filter, 0..to),
            };
            Axis::new(name, taps.iter().map(|Taps { first, weights }| (*first, weights.as_slice())))
        };
        let copies = |is_same: bool, bit: u32| if is_same { bit } else { 0 };
        let axes = (axis(from.width, to.width)?, axis(from.height, to.height)?);
        let passes = copies(method.passes.vertical_first(from, to), DOWN_FIRST)
            | copies(from.width == to.width, COPIES_ACROSS)
            | copies(from.height == to.height, COPIES_DOWN);
        Ok(Some(Self { name, axes, from, images, channels: 1, passes }))
    }
}

impl Device {
    /// What a kernel makes of pictures or planes, with `levels` beside where it takes them.
    pub(super) fn resized<W: Element, S: Element, T: Element>(
        &self,
        resize: Option<Resize<W>>,
        kernel: &Kernel,
        source: Operand<'_, S>,
        levels: Option<&[f32]>,
    ) -> Result<Buffer<T>, CudaError> {
        let Some(resize) = resize else { return self.unset(0) };
        let (across, down) = &resize.axes;
        let pixels = resize.images * across.len() * down.len();
        let mut out = self.unset(resize.channels * pixels)?;
        let source = source.on(self)?;
        let levels = levels.map(|levels| self.upload(levels)).transpose()?;
        resize.launch(self, kernel, (source.memory(), levels.as_ref()), out.memory_mut())?;
        Ok(out)
    }
}

impl<W: Element> Resize<W> {
    fn launch(
        &self,
        device: &Device,
        kernel: &Kernel,
        (source, levels): (&Memory, Option<&Buffer<f32>>),
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
