/// A metric's or a suite's name without its version: `psnr` of `psnr@1`.
#[must_use]
pub fn unversioned(id: &str) -> &str {
    id.split_once('@').map_or(id, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_version_is_itself() {
        assert_eq!(["psnr@1", "psnr", "@1"].map(unversioned), ["psnr", "psnr", ""]);
    }
}
