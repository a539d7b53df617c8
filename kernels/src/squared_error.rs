//! Sums of squared differences.

/// Exact sum of squared differences of two equally long byte slices.
///
/// Fits a `u64` for any slice below 2^47 bytes. Excess bytes of the longer slice are not counted.
#[must_use]
pub fn squared_error_u8(left: &[u8], right: &[u8]) -> u64 {
    // 2^15 squares of at most 255^2 fit a u32; the inner loop stays in 32 bits and vectorises.
    const BLOCK: usize = 1 << 15;
    pulp::Arch::new().dispatch(|| {
        left.chunks(BLOCK)
            .zip(right.chunks(BLOCK))
            .map(|(left, right)| {
                let squares = left.iter().zip(right).map(|(&l, &r)| {
                    let difference = i32::from(l) - i32::from(r);
                    (difference * difference) as u32
                });
                u64::from(squares.sum::<u32>())
            })
            .sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_differences_do_not_overflow() {
        let n = 100_000;
        assert_eq!(squared_error_u8(&vec![0; n], &vec![255; n]), n as u64 * 255 * 255);
    }

    #[test]
    fn the_sum_is_that_of_the_definition() {
        let left: Vec<u8> = (0..70_001_u32).map(|i| (i * 7 % 251) as u8).collect();
        let right: Vec<u8> = (0..70_001_u32).map(|i| (i * 13 % 241) as u8).collect();
        let expected: u64 =
            left.iter().zip(&right).map(|(&l, &r)| u64::from(l.abs_diff(r)).pow(2)).sum();
        assert_eq!(squared_error_u8(&left, &right), expected);
    }
}
