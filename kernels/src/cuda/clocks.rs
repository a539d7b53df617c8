//! How fast a GPU runs at the moment, by NVIDIA's management library.

#[cfg(feature = "candle-cuda")]
use cudarc::driver::CudaContext;
#[cfg(feature = "candle-cuda")]
use nvml_wrapper::Nvml;
#[cfg(feature = "candle-cuda")]
use nvml_wrapper::enum_wrappers::device::Clock;

#[cfg(feature = "candle-cuda")]
use crate::accelerator::Clocks;

/// The clocks of a context's device; `None` where the library is not there or does not tell, as of a part of a
/// GPU.
///
/// The library counts devices in another order than CUDA: they are found by their identity.
#[cfg(feature = "candle-cuda")]
pub(crate) fn clocks_of(context: &CudaContext) -> Option<Clocks> {
    let identity = identity(context.uuid().ok()?.bytes.map(|byte| byte as u8));
    let library = Nvml::init().ok()?;
    let device = library.device_by_uuid(identity).ok()?;
    Some(Clocks {
        multiprocessors: device.clock_info(Clock::SM).ok()?,
        most_multiprocessors: device.max_clock_info(Clock::SM).ok()?,
        memory: device.clock_info(Clock::Memory).ok()?,
    })
}

/// As `nvidia-smi -L` writes it.
#[cfg_attr(not(feature = "candle-cuda"), cfg(test))]
fn identity(bytes: [u8; 16]) -> String {
    let mut text = "GPU".to_owned();
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 0 | 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_written_as_the_library_reads_them() {
        let bytes = std::array::from_fn(|place| 0x10 * place as u8 + 1);
        assert_eq!(identity(bytes), "GPU-01112131-4151-6171-8191-a1b1c1d1e1f1");
    }
}
