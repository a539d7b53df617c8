//! Frequency bands of planes of any size: UAE's two transforms of a latent grid (arXiv 2512.19693).
//!
//! In f64 between f32 planes: the planes are small, and a band that is taken apart and put together
//! again should be what it was.

mod cosine;
mod parts;
mod rings;
mod zigzag;

pub use cosine::CosineTransform;
pub use parts::even_parts;
pub use rings::Rings;
pub use zigzag::zigzag;

/// Rows of `columns` values become columns.
fn transposed<T: Copy>(rows: &[T], columns: usize) -> Vec<T> {
    let count = rows.len() / columns.max(1);
    (0..columns)
        .flat_map(|column| (0..count).map(move |row| rows[row * columns + column]))
        .collect()
}

/// A plane without symmetry, of multiples of 0.02 in `[-1, 1]`.
#[cfg(test)]
fn plane(size: crate::Size) -> Vec<f32> {
    (0..size.area()).map(|i| ((i * i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect()
}
