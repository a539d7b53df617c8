/// MAE's fixed embeddings of positions for a grid of `side x side` patches, behind a row of zeros
/// for the class token: `(side^2 + 1) x width` values.
///
/// Half of a row is of the column, half of the row, each sines then cosines of the place times
/// `10000^(-k / (width / 4))`. In f64, rounded once. Source: RAE src/stage1/decoders/utils.py,
/// `get_2d_sincos_pos_embed`, which is MAE's.
///
/// For the grid of 32, what diffusers computes is something else: it scales places as though there
/// were 16. Its files do not hold the table, so it is always made here.
pub(super) fn positions(width: usize, side: usize) -> Vec<f32> {
    let quarter = width / 4;
    let rate = |k: usize| 1.0 / libm::pow(10_000.0, k as f64 / quarter as f64);
    let rates: Vec<f64> = (0..quarter).map(rate).collect();
    let mut table = vec![0.0; width];
    for patch in 0..side * side {
        for place in [patch % side, patch / side] {
            let angles = rates.iter().map(|rate| place as f64 * rate);
            table.extend(angles.clone().map(|angle| libm::sin(angle) as f32));
            table.extend(angles.map(|angle| libm::cos(angle) as f32));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_first_and_the_class_token_has_zeros() {
        let (width, side) = (8, 3);
        let table = positions(width, side);
        assert_eq!(table.len(), width * (side * side + 1));
        assert!(table[..width].iter().all(|&value| value == 0.0));
        // Patch 5 is in row 1 and column 2; rates are 1 and 1 / 100.
        let row = &table[width * 6..][..width];
        let expected = [2.0, 0.02, 2.0, 0.02, 1.0, 0.01, 1.0, 0.01].map(f64::from);
        for (index, (value, angle)) in row.iter().zip(expected).enumerate() {
            let angle: f64 = angle;
            let expected = if index % 4 < 2 { libm::sin(angle) } else { libm::cos(angle) };
            assert!((f64::from(*value) - expected).abs() < 1e-7, "{index}: {value}");
        }
    }
}
