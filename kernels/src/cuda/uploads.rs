//! Copies to a device beside what it computes.

use std::sync::Arc;

use cudarc::driver::{CudaStream, PinnedHostSlice};
use pulp::bytemuck::cast_slice;

use super::buffer::{Memory, Place};
use super::{Buffer, CudaError, Device, Element, unchecked};

/// Copies that wait at a time, besides the one that is being made.
const SLOTS: usize = 2;

/// A way to a device of its own: copies run on a stream beside the one that computes, out of memory that the
/// system does not move, so that the next block arrives while the last is worked on.
///
/// A [`Buffer`] may be used at once: what computes with it waits for its copy, on the device and not here. A
/// call returns when its values are in that memory, and waits only where both slots still have copies to make.
#[derive(Debug)]
pub struct Uploads {
    device: Device,
    /// `None` for a device that copies when it is told.
    lane: Option<Lane>,
}

#[derive(Debug)]
struct Lane {
    copies: Arc<CudaStream>,
    slots: [Option<PinnedHostSlice<u8>>; SLOTS],
    next: usize,
}

impl Device {
    /// A way to it.
    ///
    /// # Errors
    /// [`CudaError::DeviceLost`] and what else the driver says.
    pub fn uploads(&self) -> Result<Uploads, CudaError> {
        let lane = match self.stream() {
            None => None,
            Some(stream) => {
                let failed = |error: cudarc::driver::DriverError| {
                    CudaError::of(error.0, self.ordinal(), "making a stream", 0)
                };
                let copies = stream.context().new_stream().map_err(failed)?;
                Some(Lane { copies, slots: [None, None], next: 0 })
            }
        };
        Ok(Uploads { device: self.clone(), lane })
    }
}

impl Uploads {
    /// The values, on the device.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`], [`CudaError::DeviceLost`].
    pub fn send<T: Element>(&mut self, values: &[T]) -> Result<Buffer<T>, CudaError> {
        self.gather(&[values])
    }

    /// The values of all parts, one part after the other, on the device.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn gather<T: Element>(&mut self, parts: &[&[T]]) -> Result<Buffer<T>, CudaError> {
        let length = size_of::<T>() * parts.iter().map(|part| part.len()).sum::<usize>();
        let Some(lane) = self.lane.as_mut().filter(|_| length > 0) else {
            return self.device.upload(&parts.concat());
        };
        let ordinal = self.device.ordinal();
        let failed = |error: cudarc::driver::DriverError| {
            CudaError::of(error.0, ordinal, "copying to the device", length)
        };
        let slot = &mut lane.slots[lane.next];
        lane.next = (lane.next + 1) % SLOTS;
        // The copy that a slot was last used for ends before its memory is written, or given back.
        if slot.as_ref().is_none_or(|memory| memory.len() != length) {
            *slot = None;
        }
        let memory = match slot {
            Some(memory) => memory,
            None => slot.insert(unchecked::pinned(lane.copies.context(), length).map_err(failed)?),
        };
        let mut rest = memory.as_mut_slice().map_err(failed)?;
        for part in parts {
            let bytes: &[u8] = cast_slice(part);
            let (place, behind) = rest.split_at_mut(bytes.len());
            place.copy_from_slice(bytes);
            rest = behind;
        }
        let mut there = unchecked::allocate(&lane.copies, length).map_err(failed)?;
        lane.copies.memcpy_htod(memory, &mut there).map_err(failed)?;
        if let Some(computing) = self.device.stream() {
            computing.join(&lane.copies).map_err(failed)?;
        }
        Ok(Buffer::new(Memory::new(T::SCALAR, length, Place::Gpu(there))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{floats, on_every_device};
    use crate::Size;
    use crate::resample::bilinear_tf1;

    #[test]
    fn what_is_sent_arrives_in_order_whatever_its_length() {
        on_every_device(|device| {
            let mut uploads = device.uploads().unwrap();
            let lengths = [1000, 1000, 1000, 3, 0, 1000, 64, 64];
            let sent: Vec<Vec<f32>> =
                lengths.iter().zip(0..).map(|(&length, seed)| floats(length, seed)).collect();
            let there: Vec<_> = sent.iter().map(|values| uploads.send(values).unwrap()).collect();
            for (there, sent) in there.iter().zip(&sent) {
                assert_eq!(there.to_vec().unwrap(), *sent);
            }
            // A kernel that is called at once finds all of it.
            let (from, to) = (Size::new(40, 25), Size::new(80, 50));
            for plane in &sent[..3] {
                let there = uploads.send(plane).unwrap();
                let found = device.bilinear_tf1(&there, from, to).unwrap();
                assert_eq!(found.to_vec().unwrap(), bilinear_tf1(plane, from, to));
            }
        });
    }
}
