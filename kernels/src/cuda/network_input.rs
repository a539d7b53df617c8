use super::kernel::Kernel;
use super::kernel::parameter::{IN_F32, IN_I32, IN_U8, IN_U32, OUT_F32, U32};
use super::program::Program;
use super::resample::{Resize, whole};
use super::{Buffer, CudaError, Device, Operand};
use crate::Size;
use crate::network_input::{Levels, ResizedWindow};
use crate::resample::access::Plan;

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
        const NAME: &str = "network_input";
        let pictures = pictures.into();
        let images = whole(NAME, pictures.len(), 3 * from.area())?;
        let ResizedWindow { to, method, window } = *resized;
        let Some(plan) = Plan::new(from, to, method, window).filter(|_| images > 0) else {
            return self.unset(0);
        };
        let resize = Resize::rgb8(NAME, &plan, from, images)?;
        let mut out = self.unset(3 * resize.outputs())?;
        let (pictures, levels) = (pictures.on(self)?, self.upload(levels.table())?);
        let out_memory = out.memory_mut();
        resize.launch(self, &NETWORK_INPUT, pictures.memory(), Some(&levels), out_memory)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, on_every_device};
    use super::*;
    use crate::network_input::network_input;
    use crate::resample::{Filter, Method, Passes, Window};

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
