//! Numbers that a configuration states, and what is wrong with them.

/// No size of a network that exists is above this; products of such sizes do not overflow.
const LARGEST: usize = 1 << 16;

/// Every size is at least 1 and no more than any network's.
pub(super) fn check(sizes: &[(&str, usize)]) -> Result<(), String> {
    match sizes.iter().find(|(_, size)| !(1..=LARGEST).contains(size)) {
        Some((name, size)) => Err(format!("`{name}` is {size}, expected 1 to {LARGEST}")),
        None => Ok(()),
    }
}

/// How often `part`, not 0, goes into `whole`.
pub(super) fn quotient(
    (large, whole): (&str, usize),
    (small, part): (&str, usize),
) -> Result<usize, String> {
    match whole % part {
        0 => Ok(whole / part),
        _ => Err(format!("`{large}` {whole} is no multiple of `{small}` {part}")),
    }
}

/// Channels within an MLP, rounded down as OpenCLIP does.
pub(super) fn hidden(width: usize, (name, ratio): (&str, f64)) -> Result<usize, String> {
    let hidden = width as f64 * ratio;
    if (1.0..=LARGEST as f64).contains(&hidden) {
        Ok(hidden as usize)
    } else {
        Err(format!("`{name}` is {ratio}, too small or too large"))
    }
}

/// What a norm adds to the variance.
pub(super) fn epsilon((name, epsilon): (&str, f64)) -> Result<f64, String> {
    if epsilon > 0.0 && epsilon < 1.0 {
        Ok(epsilon)
    } else {
        Err(format!("`{name}` is {epsilon}, expected 0 to 1"))
    }
}
