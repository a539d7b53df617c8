//! A joint space for encoders without a text tower: a linear map from image features to text features.

mod aligned;
mod sums;

use prismbench_core::Stream;
use prismbench_kernels::dots::Vectors;
use rayon::prelude::*;

use crate::features::slice;
use crate::moments::mean;
use crate::symmetric::solve_definite;
use crate::{Features, MetricError, check_finite};
pub use aligned::Aligned;
use sums::{About, Sums};

/// Penalties that are tried, as shares of the number of images; from large to small, so that of
/// equally good ones the larger is kept.
const PENALTIES: [f64; 9] = [1e2, 1e1, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/// Most columns of image features: two sums of 8,192 x 8,192 products in f64 are 1 GB.
const MOST_COLUMNS: usize = 8192;

/// Rows that are read at a time.
const BLOCK: usize = 256;

/// Of every so many images one is held out while the penalty is chosen.
const FOLD: usize = 10;

/// Ridge regression from image features to text features.
///
/// Texts are scaled to length 1; an image's target is the mean of its texts, so that each image
/// counts once however many captions it has. Image columns are centred and scaled to a standard
/// deviation of 1 over the images (a column that is constant has no weight), targets are centred.
/// `W` minimises `sum |y - W'z|^2 + p n |W|^2` over n images, by its normal equations in f64. The
/// penalty p, of 1e-6 to 1e2 in steps of 10, is the one with the least squared error on one image of
/// every ten, drawn by a fixed stream, after a fit on the other nine; then all are fitted.
///
/// In the joint space an image is `W'z` and a text its unit vector less the mean target: both without
/// the part that all have in common, which would make every cosine large.
#[derive(Clone, Debug)]
pub struct Alignment {
    image_mean: Vec<f64>,
    /// One vector for each text column: its weights of the image columns.
    weights: Vectors,
    text_mean: Vec<f64>,
    penalty: f64,
}

impl Alignment {
    /// Fits on the images of a train split and their texts: text number t is about image number
    /// `image_of[t]`. Images without texts are left out.
    ///
    /// # Errors
    /// [`MetricError::Shape`] unless each text has an image, [`MetricError::TooFewSamples`] for fewer
    /// than 20 images with texts, [`MetricError::TooWide`] for more than 8,192 image columns,
    /// [`MetricError::NotFinite`], [`MetricError::Read`], [`MetricError::NoConvergence`] where
    /// rounding leaves the normal equations without a solution.
    pub fn fit(
        images: &dyn Features,
        texts: &dyn Features,
        image_of: &[usize],
    ) -> Result<Self, MetricError> {
        let columns = images.columns();
        if columns > MOST_COLUMNS {
            return Err(MetricError::TooWide { columns, most: MOST_COLUMNS });
        }
        let texts_of = texts_of(images.rows(), texts.rows(), image_of)?;
        let with_texts = texts_of.iter().filter(|texts| !texts.is_empty()).count();
        if with_texts < 2 * FOLD {
            let (metric, needed) = ("an alignment", 2 * FOLD);
            let remedy = "fit on more images that have captions";
            return Err(MetricError::TooFewSamples { metric, found: with_texts, needed, remedy });
        }
        let [mut kept, held] = sums((images, texts), &texts_of)?;
        let chosen = Equations::new(&kept).choose(&held)?;
        kept.add(&held);
        let equations = Equations::new(&kept);
        let solution = equations.solve(chosen)?;
        Ok(Self {
            weights: equations.weights(&solution, kept.text_columns()),
            image_mean: kept.image_mean(),
            text_mean: kept.text_mean(),
            penalty: chosen,
        })
    }

    /// The penalty that was chosen, as a share of the number of images.
    #[must_use]
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// Images in the joint space, centred and not scaled; made when they are read.
    ///
    /// # Errors
    /// [`MetricError::Columns`] for features of another space.
    pub fn images<'a>(&'a self, images: &'a dyn Features) -> Result<Aligned<'a>, MetricError> {
        Aligned::images(self, images)
    }

    /// Texts in the joint space, centred; made when they are read. One whose features are all zero, such as
    /// one without a known word, is at the origin before it is centred.
    ///
    /// # Errors
    /// As [`images`](Self::images).
    pub fn texts<'a>(&'a self, texts: &'a dyn Features) -> Result<Aligned<'a>, MetricError> {
        Aligned::texts(self, texts)
    }
}

/// A row scaled to length 1; zeros stay zeros.
fn unit(row: &[f32]) -> impl Iterator<Item = f64> {
    let square: f64 = row.iter().map(|&value| f64::from(value).powi(2)).sum();
    let length = if square > 0.0 { square.sqrt() } else { 1.0 };
    row.iter().map(move |&value| f64::from(value) / length)
}

/// The numbers of the texts of each image.
fn texts_of(
    images: usize,
    texts: usize,
    image_of: &[usize],
) -> Result<Vec<Vec<usize>>, MetricError> {
    if image_of.len() != texts {
        let expected = format!("an image for each of {texts} texts");
        return Err(MetricError::Shape { expected, found: image_of.len() });
    }
    let mut texts_of = vec![Vec::new(); images];
    for (text, &image) in image_of.iter().enumerate() {
        match texts_of.get_mut(image) {
            Some(texts) => texts.push(text),
            None => {
                let expected = format!("the number of an image, below {images}, for each text");
                return Err(MetricError::Shape { expected, found: image });
            }
        }
    }
    Ok(texts_of)
}

/// Sums over the images that are kept and those that are held out, one of every ten with texts.
fn sums(
    (images, texts): (&dyn Features, &dyn Features),
    texts_of: &[Vec<usize>],
) -> Result<[Sums; 2], MetricError> {
    let point = mean(images)?;
    let mut sums = [(); 2].map(|()| Sums::about(point.clone(), texts.columns()));
    let with_texts: Vec<usize> =
        (0..texts_of.len()).filter(|&image| !texts_of[image].is_empty()).collect();
    let mut split = [Vec::new(), Vec::new()];
    for (fold, ten) in with_texts.chunks(FOLD).enumerate() {
        let held = Stream::new("alignment", 0, fold as u64).below(FOLD as u64) as usize;
        for (place, &image) in ten.iter().enumerate() {
            split[usize::from(place == held)].push(image);
        }
    }
    for (sums, chosen) in sums.iter_mut().zip(&split) {
        for block in chosen.chunks(BLOCK) {
            let mut rows = vec![0.0; block.len() * images.columns()];
            images.gather(block, &mut rows).map_err(MetricError::read)?;
            check_finite(&rows, images.columns(), |row| images.name(block[row]))?;
            let targets: Vec<Vec<f64>> = block
                .par_iter()
                .map(|&image| target(texts, &texts_of[image]))
                .collect::<Result<_, _>>()?;
            sums.add_rows(&rows, &targets);
        }
    }
    Ok(sums)
}

/// The mean of some texts, each scaled to length 1.
fn target(texts: &dyn Features, rows: &[usize]) -> Result<Vec<f64>, MetricError> {
    let mut target = vec![0.0; texts.columns()];
    for &row in rows {
        let text = slice(texts, row, 1)?;
        check_finite(&text, text.len(), |_| texts.name(row))?;
        target.iter_mut().zip(unit(&text)).for_each(|(sum, value)| *sum += value);
    }
    target.iter_mut().for_each(|value| *value /= rows.len() as f64);
    Ok(target)
}

/// The normal equations of some images, in units of the columns' standard deviations.
struct Equations {
    images: f64,
    centre: (Vec<f64>, Vec<f64>),
    /// What a column is multiplied by.
    scale: Vec<f64>,
    about: About,
}

impl Equations {
    fn new(sums: &Sums) -> Self {
        let centre = (sums.image_mean(), sums.text_mean());
        let scale = sums.inverse_deviations();
        let about = sums.about_point(&centre.0, &centre.1, &scale);
        Self { images: sums.images(), centre, scale, about }
    }

    /// The penalty with the least squared error on images that are not part of the equations.
    fn choose(&self, held: &Sums) -> Result<f64, MetricError> {
        let about = held.about_point(&self.centre.0, &self.centre.1, &self.scale);
        let mut best = (PENALTIES[0], f64::INFINITY);
        for penalty in PENALTIES {
            let error = about.squared_error(&self.solve(penalty)?);
            if error < best.1 {
                best = (penalty, error);
            }
        }
        Ok(best.0)
    }

    /// `image columns x text columns`, by rows; weights of the scaled columns.
    fn solve(&self, penalty: f64) -> Result<Vec<f64>, MetricError> {
        let side = self.scale.len();
        let mut matrix = self.about.images.clone();
        matrix.iter_mut().step_by(side + 1).for_each(|value| *value += penalty * self.images);
        solve_definite(&matrix, side, &self.about.between)
            .ok_or(MetricError::NoConvergence { side })
    }

    /// For each text column the weights of the image columns as they are.
    fn weights(&self, solution: &[f64], width: usize) -> Vectors {
        let side = self.scale.len();
        let weight = |at: usize| solution[at % side * width + at / side] * self.scale[at % side];
        let weights: Vec<f64> = (0..side * width).map(weight).collect();
        Vectors::of_rows(&weights, side)
    }
}

#[cfg(test)]
mod tests;
