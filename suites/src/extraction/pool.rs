//! From the tokens of a picture to one row.

use candle_core::Tensor;
use prismbench_core::{Pooling, TokenizerError};
use prismbench_metrics::FeatureRows;
use rayon::prelude::*;

use super::tokens::{Tokens, unsupported};

/// Parts of a grid along each side.
const PARTS: usize = 4;

/// One row for each picture of a batch; `id` is the tokenizer's.
pub(crate) fn pool(
    id: &str,
    tokens: &Tokens,
    pooling: Pooling,
) -> Result<FeatureRows, TokenizerError> {
    let class = || tokens.class.as_ref().ok_or_else(|| unsupported(id, "class token"));
    let rows = match pooling {
        Pooling::Mean => of_patches(tokens, mean)?,
        Pooling::Cls => of_vector(class()?)?,
        Pooling::ClsMean => {
            let (class, means) = (of_vector(class()?)?, of_patches(tokens, mean)?);
            class.into_iter().zip(means).map(|(class, mean)| [class, mean].concat()).collect()
        }
        Pooling::Flatten => of_patches(tokens, |tokens, _| tokens.to_vec())?,
        Pooling::Spatial4x4 => {
            let grid = tokens.grid.ok_or_else(|| unsupported(id, "grid of tokens"))?;
            of_patches(tokens, |tokens, width| parts(tokens, width, grid))?
        }
        Pooling::Own => {
            let own = tokens.own.as_ref();
            of_vector(own.ok_or_else(|| unsupported(id, "summary of its own"))?)?
        }
    };
    let width = rows.first().map_or(0, Vec::len);
    let count = rows.len();
    FeatureRows::new(width, rows.concat()).map_err(|_| {
        let expected = "features of at least one number, as many for each picture".to_owned();
        TokenizerError::Shape { expected, found: format!("{count} rows, {width} in the first") }
    })
}

/// Rows of a tensor `[N, D]`.
fn of_vector(vectors: &Tensor) -> Result<Vec<Vec<f32>>, TokenizerError> {
    Ok(vectors.to_vec2::<f32>()?)
}

/// What `of` makes of the tokens of each picture and their width.
fn of_patches(
    tokens: &Tokens,
    of: impl Fn(&[f32], usize) -> Vec<f32> + Sync,
) -> Result<Vec<Vec<f32>>, TokenizerError> {
    let (_, count, width) = tokens.patches.dims3()?;
    let values = tokens.patches.flatten_all()?.to_vec1::<f32>()?;
    let pictures = values.par_chunks_exact((count * width).max(1));
    Ok(pictures.map(|tokens| of(tokens, width)).collect())
}

/// The mean token, summed in f64 from the first on.
fn mean(tokens: &[f32], width: usize) -> Vec<f32> {
    mean_of(tokens.chunks_exact(width.max(1)), width)
}

fn mean_of<'a>(tokens: impl Iterator<Item = &'a [f32]>, width: usize) -> Vec<f32> {
    let (mut sums, mut count) = (vec![0.0_f64; width], 0.0);
    for token in tokens {
        count += 1.0;
        sums.iter_mut().zip(token).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

/// The mean tokens of the parts of a grid.
fn parts(tokens: &[f32], width: usize, (rows, columns): (usize, usize)) -> Vec<f32> {
    let range =
        |part: usize, cells: usize| part * cells / PARTS..((part + 1) * cells).div_ceil(PARTS);
    let mut pooled = Vec::with_capacity(PARTS * PARTS * width);
    for down in 0..PARTS {
        for across in 0..PARTS {
            let cells = range(down, rows)
                .flat_map(|row| range(across, columns).map(move |column| row * columns + column));
            let cells = cells.map(|cell| &tokens[cell * width..][..width]);
            pooled.extend(mean_of(cells, width));
        }
    }
    pooled
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Two pictures of 3 x 5 tokens of 2 numbers: the token's number, and minus that.
    fn tokens() -> Tokens {
        let values: Vec<f32> = (0..30).flat_map(|at| [at as f32, -(at as f32)]).collect();
        let patches = Tensor::from_vec(values, (2, 15, 2), &Device::Cpu).unwrap();
        let class = Tensor::new(&[[0.5_f32, 1.5], [2.5, 3.5]], &Device::Cpu).unwrap();
        let own = Tensor::new(&[[1.0_f32], [2.0]], &Device::Cpu).unwrap();
        Tokens { patches, grid: Some((3, 5)), class: Some(class), own: Some(own) }
    }

    fn pooled(pooling: Pooling) -> Vec<Vec<f32>> {
        let rows = pool("x", &tokens(), pooling).unwrap();
        rows.rows().map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn rows_are_what_their_pooling_says() {
        assert_eq!(pooled(Pooling::Mean), [[7.0, -7.0], [22.0, -22.0]]);
        assert_eq!(pooled(Pooling::Cls), [[0.5, 1.5], [2.5, 3.5]]);
        assert_eq!(pooled(Pooling::ClsMean), [[0.5, 1.5, 7.0, -7.0], [2.5, 3.5, 22.0, -22.0]]);
        assert_eq!(pooled(Pooling::Own), [[1.0], [2.0]]);
        let flat = pooled(Pooling::Flatten);
        assert_eq!((flat[1].len(), &flat[1][..4]), (30, &[15.0, -15.0, 16.0, -16.0][..]));
    }

    #[test]
    fn parts_are_those_of_pytorch() {
        // torch.nn.functional.adaptive_avg_pool2d(torch.arange(15.0).reshape(1, 1, 3, 5), 4)
        let expected =
            [0.5, 1.5, 2.5, 3.5, 3.0, 4.0, 5.0, 6.0, 8.0, 9.0, 10.0, 11.0, 10.5, 11.5, 12.5, 13.5];
        let found = &pooled(Pooling::Spatial4x4)[0];
        assert_eq!(found.len(), 32);
        for (pair, expected) in found.as_chunks::<2>().0.iter().zip(expected) {
            assert_eq!(pair.map(f32::to_bits), [expected, -expected].map(f32::to_bits));
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let bare = Tokens { grid: None, class: None, own: None, ..tokens() };
        for (pooling, lacking) in [
            (Pooling::Cls, "class token"),
            (Pooling::ClsMean, "class token"),
            (Pooling::Own, "summary of its own"),
            (Pooling::Spatial4x4, "grid of tokens"),
        ] {
            let error = pool("x", &bare, pooling).unwrap_err();
            assert_eq!(error.to_string(), format!("`x` has no {lacking}"));
        }
    }
}
