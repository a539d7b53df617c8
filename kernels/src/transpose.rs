/// Rows and columns that are exchanged in registers.
const SIDE: usize = 8;

/// `to[column][row] = from[row][column]`, where rows are `strides` apart.
///
/// By blocks, because values that are written one by one to distant places take several times as
/// long as the arithmetic of a short sequence.
#[inline(always)]
pub(crate) fn transpose(
    from: &[f32],
    to: &mut [f32],
    strides: (usize, usize),
    (rows, columns): (usize, usize),
) {
    for row in (0..rows).step_by(SIDE) {
        for column in (0..columns).step_by(SIDE) {
            let source = &from[row * strides.0 + column..];
            let target = &mut to[column * strides.1 + row..];
            let whole = row + SIDE <= rows && column + SIDE <= columns;
            if whole && source.len() >= (SIDE - 1) * strides.0 + SIDE {
                block(source, target, strides);
            } else {
                let (rows, columns) = ((rows - row).min(SIDE), (columns - column).min(SIDE));
                for row in 0..rows {
                    for column in 0..columns {
                        target[column * strides.1 + row] = source[row * strides.0 + column];
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn block(from: &[f32], to: &mut [f32], strides: (usize, usize)) {
    let mut turned = [[0.0; SIDE]; SIDE];
    for row in 0..SIDE {
        let values = &from[row * strides.0..][..SIDE];
        for column in 0..SIDE {
            turned[column][row] = values[column];
        }
    }
    for (column, values) in turned.iter().enumerate() {
        to[column * strides.1..][..SIDE].copy_from_slice(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_exchanged() {
        for (rows, columns) in [(1, 1), (8, 8), (16, 24), (13, 9), (3, 40)] {
            let from: Vec<f32> = (0..rows * (columns + 2)).map(|i| i as f32).collect();
            let mut to = vec![-1.0; columns * (rows + 3)];
            transpose(&from, &mut to, (columns + 2, rows + 3), (rows, columns));
            for (at, &value) in to.iter().enumerate() {
                let (column, row) = (at / (rows + 3), at % (rows + 3));
                let expected = if row < rows { from[row * (columns + 2) + column] } else { -1.0 };
                assert_eq!(value.to_bits(), f32::to_bits(expected), "{rows} x {columns}: {at}");
            }
        }
    }
}
