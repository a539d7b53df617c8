//! A kernel with its inputs, defined once for host and device.

use crate::measured::Bound;

/// A call on the host and, with the feature `cuda` and a device, the same there.
pub(crate) struct Case<'a> {
    pub(crate) name: &'static str,
    /// What a call cannot do without.
    pub(crate) bound: Bound,
    pub(crate) on_host: Box<dyn Fn() + Sync + 'a>,
    #[cfg(feature = "cuda")]
    pub(crate) on_device: Option<Box<dyn Fn() + 'a>>,
}

/// The device, where there is one.
#[cfg(feature = "cuda")]
pub(crate) type Gpu<'a> = Option<&'a prismbench_kernels::cuda::Device>;
/// Nothing: this build knows no device.
#[cfg(not(feature = "cuda"))]
pub(crate) type Gpu<'a> = std::marker::PhantomData<&'a ()>;

/// What a call gives goes when it is over.
#[cfg(feature = "cuda")]
pub(crate) fn boxed<'a, T>(run: impl Fn() -> T + 'a) -> Box<dyn Fn() + 'a> {
    Box::new(move || drop(run()))
}

/// A case: `|device| ...` sends its inputs there and gives the call. It is compiled with the feature `cuda` alone.
macro_rules! case {
    ($name:expr, $bound:expr, $on_host:expr, $gpu:expr, |$device:ident| $on_device:expr $(,)?) => {{
        #[cfg(not(feature = "cuda"))]
        let _ = $gpu;
        $crate::cases::Case {
            name: $name,
            bound: $bound,
            #[cfg(feature = "cuda")]
            on_device: $gpu.map(|$device| $crate::cases::boxed($on_device)),
            on_host: Box::new($on_host),
        }
    }};
}

pub(crate) use case;
