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
