use prismbench_kernels::dots::{Part, Vectors, add_products};

/// Sums over pairs of an image row and a target, from which everything about a linear fit follows.
///
/// Image rows are taken about a point near their mean, so that no digits cancel.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    point: Vec<f64>,
    count: f64,
    /// `sum x` and `sum y`.
    first: (Vec<f64>, Vec<f64>),
    /// `sum x x'`; only the diagonal and what is to its right.
    images: Vec<f64>,
    /// `sum x y'`.
    between: Vec<f64>,
    /// `sum |y|^2`.
    targets: f64,
}

/// Second moments about a given point, image columns in given units: all elements.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) images: Vec<f64>,
    pub(super) between: Vec<f64>,
    targets: f64,
}

impl Sums {
    pub(super) fn about(point: Vec<f64>, text_columns: usize) -> Self {
        let columns = point.len();
        Self {
            point,
            count: 0.0,
            first: (vec![0.0; columns], vec![0.0; text_columns]),
            images: vec![0.0; columns * columns],
            between: vec![0.0; columns * text_columns],
            targets: 0.0,
        }
    }

    /// Adds image rows, one after the other in `rows`, and the target of each.
    pub(super) fn add_rows(&mut self, rows: &[f32], targets: &[Vec<f64>]) {
        if targets.is_empty() {
            return;
        }
        self.count += targets.len() as f64;
        let (sum_x, sum_y) = &mut self.first;
        for row in rows.chunks_exact(sum_x.len()) {
            for ((sum, &value), point) in sum_x.iter_mut().zip(row).zip(&self.point) {
                *sum += f64::from(value) - point;
            }
        }
        for target in targets {
            sum_y.iter_mut().zip(target).for_each(|(sum, value)| *sum += value);
            self.targets += target.iter().map(|value| value * value).sum::<f64>();
        }
        let images = Vectors::of_columns(rows, &self.point);
        let turned: Vec<f64> = (0..sum_y.len())
            .flat_map(|column| targets.iter().map(move |target| target[column]))
            .collect();
        let turned = Vectors::of_rows(&turned, targets.len());
        add_products(&images, &images, Part::Upper, &mut self.images);
        add_products(&images, &turned, Part::Whole, &mut self.between);
    }

    /// Adds the sums over other pairs, taken about the same point.
    pub(super) fn add(&mut self, other: &Self) {
        let add = |all: &mut Vec<f64>, more: &[f64]| {
            all.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        };
        self.count += other.count;
        self.targets += other.targets;
        add(&mut self.first.0, &other.first.0);
        add(&mut self.first.1, &other.first.1);
        add(&mut self.images, &other.images);
        add(&mut self.between, &other.between);
    }

    pub(super) fn images(&self) -> f64 {
        self.count
    }

    pub(super) fn text_columns(&self) -> usize {
        self.first.1.len()
    }

    pub(super) fn image_mean(&self) -> Vec<f64> {
        let sums = self.first.0.iter().zip(&self.point);
        sums.map(|(sum, point)| point + sum / self.count).collect()
    }

    pub(super) fn text_mean(&self) -> Vec<f64> {
        self.first.1.iter().map(|sum| sum / self.count).collect()
    }

    /// For each image column 1 over its standard deviation (divisor n); 0 for one that is constant
    /// as far as f32 tells.
    pub(super) fn inverse_deviations(&self) -> Vec<f64> {
        let squares = self.images.iter().step_by(self.point.len() + 1);
        let columns = squares.zip(&self.first.0).zip(self.image_mean());
        let inverse = |((square, sum), mean): ((&f64, &f64), f64)| {
            let variance = square / self.count - (sum / self.count).powi(2);
            let constant = variance <= (f64::from(f32::EPSILON) * mean).powi(2);
            if constant { 0.0 } else { 1.0 / variance.sqrt() }
        };
        columns.map(inverse).collect()
    }

    /// Second moments about the image row `x` and the target `y`, each image column times its
    /// `scale`.
    pub(super) fn about_point(&self, x: &[f64], y: &[f64], scale: &[f64]) -> About {
        let (side, width) = (x.len(), y.len());
        let x: Vec<f64> = x.iter().zip(&self.point).map(|(x, point)| x - point).collect();
        let (sum_x, sum_y) = &self.first;
        let mut images = vec![0.0; side * side];
        for i in 0..side {
            for j in i..side {
                let moved = self.images[i * side + j] - sum_x[i] * x[j] - x[i] * sum_x[j]
                    + self.count * x[i] * x[j];
                images[i * side + j] = moved * scale[i] * scale[j];
                images[j * side + i] = images[i * side + j];
            }
        }
        let mut between = vec![0.0; side * width];
        for (i, line) in between.chunks_exact_mut(width.max(1)).enumerate() {
            for (j, value) in line.iter_mut().enumerate() {
                let moved = self.between[i * width + j] - sum_x[i] * y[j] - x[i] * sum_y[j]
                    + self.count * x[i] * y[j];
                *value = moved * scale[i];
            }
        }
        let moved = |(sum, y): (&f64, &f64)| self.count * y * y - 2.0 * sum * y;
        let targets = self.targets + sum_y.iter().zip(y).map(moved).sum::<f64>();
        About { images, between, targets }
    }
}

impl About {
    /// `sum |y - W'x|^2` for weights `image columns x text columns`, by rows.
    pub(super) fn squared_error(&self, weights: &[f64]) -> f64 {
        let side = self.images.len().isqrt();
        let width = weights.len().checked_div(side).unwrap_or(0);
        if width == 0 {
            return self.targets;
        }
        let turned: Vec<f64> =
            (0..weights.len()).map(|at| weights[at % side * width + at / side]).collect();
        let mut mapped = vec![0.0; weights.len()];
        let (images, turned) =
            (Vectors::of_rows(&self.images, side), Vectors::of_rows(&turned, side));
        add_products(&images, &turned, Part::Whole, &mut mapped);
        let terms = weights.iter().zip(mapped.iter().zip(&self.between));
        self.targets + terms.map(|(w, (mapped, between))| w * (mapped - 2.0 * between)).sum::<f64>()
    }
}
