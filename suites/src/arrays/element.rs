/// A number that a saved array may hold: `u8` for pictures, `f32` for latents.
pub trait Element: sealed::Sealed {}

impl Element for u8 {}
impl Element for f32 {}

mod sealed {
    pub trait Sealed: Copy {
        /// numpy's type string.
        const DESCR: &'static str;

        /// Appends the values as they lie in a file, lowest byte first.
        fn append(values: &[Self], bytes: &mut Vec<u8>);
    }

    impl Sealed for u8 {
        const DESCR: &'static str = "|u1";

        fn append(values: &[Self], bytes: &mut Vec<u8>) {
            bytes.extend_from_slice(values);
        }
    }

    impl Sealed for f32 {
        const DESCR: &'static str = "<f4";

        fn append(values: &[Self], bytes: &mut Vec<u8>) {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
}
