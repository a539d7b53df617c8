//! The orthonormal 8x8 discrete cosine transform of JPEG, in f64.

/// Side of a block.
pub const SIDE: usize = 8;

/// Numbers of a block.
pub const AREA: usize = SIDE * SIDE;

/// Raster index (`8 * row + column`) of each coefficient in zigzag order, lowest frequency first.
///
/// The order of ITU-T T.81, figure A.6: the second coefficient is the first horizontal frequency.
/// UAE's zigzag (arXiv 2512.19693) is the transpose of it.
pub const ZIGZAG: [usize; AREA] = zigzag();

/// `BASIS[k][n]`: cosine `k` of the orthonormal DCT-II at sample `n`.
const BASIS: [[f64; SIDE]; SIDE] = basis();

/// Coefficients of a block: `F = M X M^T` with `M[k][n] = c_k cos(pi (2n + 1) k / 16)`,
/// `c_0 = sqrt(1/8)` and `c_k = 1/2` otherwise.
///
/// Orthonormal: the sum of squares is kept, and a block of ones has the one coefficient 8. JPEG's
/// own transform (ITU-T T.81, A.3.3) has the same scale.
#[must_use]
pub fn forward(block: &[f64; AREA]) -> [f64; AREA] {
    // Each pass transforms the rows and transposes; after two passes the block is upright again.
    rows_forward(&rows_forward(block))
}

/// The block that has these coefficients: the transpose of [`forward`], and so its inverse.
#[must_use]
pub fn inverse(coefficients: &[f64; AREA]) -> [f64; AREA] {
    rows_inverse(&rows_inverse(coefficients))
}

/// `out[k][row] = sum_n BASIS[k][n] in[row][n]`.
fn rows_forward(block: &[f64; AREA]) -> [f64; AREA] {
    let mut out = [0.0; AREA];
    for (k, cosine) in BASIS.iter().enumerate() {
        for (row, samples) in block.chunks_exact(SIDE).enumerate() {
            out[SIDE * k + row] = cosine.iter().zip(samples).map(|(c, x)| c * x).sum();
        }
    }
    out
}

/// `out[n][row] = sum_k BASIS[k][n] in[row][k]`.
fn rows_inverse(coefficients: &[f64; AREA]) -> [f64; AREA] {
    let mut out = [0.0; AREA];
    for (row, samples) in coefficients.chunks_exact(SIDE).enumerate() {
        let mut line = [0.0; SIDE];
        for (cosine, x) in BASIS.iter().zip(samples) {
            for (sum, c) in line.iter_mut().zip(cosine) {
                *sum += c * x;
            }
        }
        for (n, value) in line.into_iter().enumerate() {
            out[SIDE * n + row] = value;
        }
    }
    out
}

const fn basis() -> [[f64; SIDE]; SIDE] {
    // cos(pi k / 16) / 2 for k = 0..=8, as literals: `cos` is no constant function, and the bits
    // must not depend on the machine's library.
    const HALF_COSINES: [f64; 9] = [
        0.5,
        0.490_392_640_201_615_2,
        0.461_939_766_255_643_37,
        0.415_734_806_151_272_6,
        0.353_553_390_593_273_8,
        0.277_785_116_509_801_14,
        0.191_341_716_182_544_92,
        0.097_545_161_008_064_13,
        0.0,
    ];
    let mut table = [[0.0; SIDE]; SIDE];
    let mut k = 0;
    while k < SIDE {
        let mut n = 0;
        while n < SIDE {
            // The angle is a multiple of pi/16; fold it into the first quarter of the circle.
            let turn = ((2 * n + 1) * k) % 32;
            let half = if turn > 16 { 32 - turn } else { turn };
            table[k][n] = match (k, half) {
                (0, _) => HALF_COSINES[4],
                (_, 0..=8) => HALF_COSINES[half],
                _ => -HALF_COSINES[16 - half],
            };
            n += 1;
        }
        k += 1;
    }
    table
}

const fn zigzag() -> [usize; AREA] {
    let mut order = [0; AREA];
    let (mut row, mut column) = (0, 0);
    let mut i = 0;
    while i < AREA {
        order[i] = SIDE * row + column;
        // Even diagonals run up and to the right, odd ones down and to the left.
        match ((row + column) % 2, row, column) {
            (0, _, 7) | (1, 0..7, 0) => row += 1,
            (0, 0, _) | (1, 7, _) => column += 1,
            (0, _, _) => {
                row -= 1;
                column += 1;
            }
            _ => {
                row += 1;
                column -= 1;
            }
        }
        i += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks and their transforms by `scipy.fft.dctn(norm="ortho")`: `tests/oracle/dct.py`.
    const GOLDEN: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/baselines/dct.f64"));

    fn golden() -> Vec<([f64; AREA], [f64; AREA])> {
        let numbers: Vec<f64> = GOLDEN
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        numbers
            .chunks_exact(2 * AREA)
            .map(|pair| (pair[..AREA].try_into().unwrap(), pair[AREA..].try_into().unwrap()))
            .collect()
    }

    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn coefficients_are_those_of_scipy() {
        let pairs = golden();
        assert_eq!(pairs.len(), 4);
        for (block, coefficients) in pairs {
            // Inputs up to 255: 64 products of that size leave 1e-13 of rounding.
            assert!(largest_difference(&forward(&block), &coefficients) < 1e-12);
            assert!(largest_difference(&inverse(&coefficients), &block) < 1e-12);
        }
    }

    #[test]
    fn the_cosines_are_those_of_the_definition() {
        for (k, row) in BASIS.iter().enumerate() {
            for (n, &found) in row.iter().enumerate() {
                let scale = if k == 0 { libm::sqrt(0.125) } else { 0.5 };
                let angle = std::f64::consts::PI * ((2 * n + 1) * k) as f64 / 16.0;
                assert!((found - scale * libm::cos(angle)).abs() < 1e-15, "{k} {n}");
            }
        }
    }

    #[test]
    fn the_zigzag_is_the_one_of_the_jpeg_standard() {
        // ITU-T T.81, figure A.6: position in the scan of each coefficient, row by row.
        const FIGURE: [usize; AREA] = [
            0, 1, 5, 6, 14, 15, 27, 28, 2, 4, 7, 13, 16, 26, 29, 42, 3, 8, 12, 17, 25, 30, 41, 43,
            9, 11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38, 46, 51,
            55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63,
        ];
        for (raster, &position) in FIGURE.iter().enumerate() {
            assert_eq!(ZIGZAG[position], raster);
        }
    }
}
