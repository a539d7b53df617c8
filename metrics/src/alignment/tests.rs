use prismbench_core::Stream;

use super::*;
use crate::{Direction, FeatureMatrix, Groups, retrieve};

/// Images of `columns` numbers in arbitrary units, and texts that are a linear map of them, noise
/// apart: two texts an image.
fn pair(images: usize, columns: usize, noise: f64) -> (FeatureMatrix, FeatureMatrix, Vec<usize>) {
    let mut stream = Stream::new("test", 1, 0);
    let map: Vec<f64> = (0..columns * 6).map(|_| stream.normal()).collect();
    let (mut x, mut y, mut image_of) = (Vec::new(), Vec::new(), Vec::new());
    for image in 0..images {
        let row: Vec<f64> = (0..columns).map(|_| stream.normal()).collect();
        for _ in 0..2 {
            for column in 0..6 {
                let mapped: f64 = (0..columns).map(|k| row[k] * map[k * 6 + column]).sum();
                y.push((mapped + 3.0 + noise * stream.normal()) as f32);
            }
            image_of.push(image);
        }
        let units =
            row.iter().enumerate().map(|(k, v)| (v * 10_f64.powi(k as i32 % 5) + 7.0) as f32);
        x.extend(units);
    }
    (FeatureMatrix::new(columns, x).unwrap(), FeatureMatrix::new(6, y).unwrap(), image_of)
}

fn rows(features: &dyn Features) -> Vec<f32> {
    slice(features, 0, features.rows()).unwrap()
}

fn some(features: &FeatureMatrix, rows: impl Iterator<Item = usize>) -> FeatureMatrix {
    let values = rows.flat_map(|row| slice(features, row, 1).unwrap()).collect();
    FeatureMatrix::new(features.columns(), values).unwrap()
}

#[test]
fn what_is_linear_is_found_again_on_images_that_were_not_fitted() {
    let (images, texts, image_of) = pair(400, 9, 0.05);
    let train = (some(&images, 0..300), some(&texts, 0..600));
    let alignment = Alignment::fit(&train.0, &train.1, &image_of[..600]).unwrap();
    let test = (some(&images, 300..400), some(&texts, 600..800));
    let (x, y) = (alignment.images(&test.0).unwrap(), alignment.texts(&test.1).unwrap());
    let of_test: Vec<usize> = (0..200).map(|text| text / 2).collect();
    let found = retrieve(&y, &x, &Groups::of_captions(100, &of_test).unwrap()).unwrap();
    let recall = found.recall(Direction::TextToImage, 5).unwrap();
    // Scaling texts to length 1 bends the map a little; chance is 0.05.
    assert!(recall.value > 0.9, "{recall:?}");
}

#[test]
fn units_and_offsets_of_the_image_columns_do_not_matter() {
    let (images, texts, image_of) = pair(60, 5, 0.3);
    let other: Vec<f32> = rows(&images)
        .iter()
        .enumerate()
        .map(|(at, v)| v * [0.5, 4.0, 2.0, 0.25, 8.0][at % 5])
        .collect();
    let other = FeatureMatrix::new(5, other).unwrap();
    let of = |images: &FeatureMatrix| {
        let alignment = Alignment::fit(images, &texts, &image_of).unwrap();
        (rows(&alignment.images(images).unwrap()), alignment.penalty())
    };
    let ((a, first), (b, second)) = (of(&images), of(&other));
    assert!((first - second).abs() < 1e-15 && first < 10.0);
    let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Powers of two but for the standard deviations' last digits.
    assert!(off < 1e-6, "{off}");
}

#[test]
fn a_constant_column_has_no_weight() {
    let (images, texts, image_of) = pair(60, 3, 0.3);
    let wider: Vec<f32> = rows(&images).chunks(3).flat_map(|row| [&[0.1], row].concat()).collect();
    let wider = FeatureMatrix::new(4, wider).unwrap();
    let narrow = Alignment::fit(&images, &texts, &image_of).unwrap();
    let wide = Alignment::fit(&wider, &texts, &image_of).unwrap();
    let off = rows(&narrow.images(&images).unwrap())
        .iter()
        .zip(rows(&wide.images(&wider).unwrap()))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(off < 1e-6, "{off}");
}

#[test]
fn noise_is_penalised_more_than_signal() {
    let penalty = |noise: f64| {
        let (images, texts, image_of) = pair(80, 30, noise);
        Alignment::fit(&images, &texts, &image_of).unwrap().penalty()
    };
    assert!(penalty(100.0) > 10.0 * penalty(0.01), "{} {}", penalty(100.0), penalty(0.01));
}

#[test]
fn threads_do_not_move_a_bit() {
    let (images, texts, image_of) = pair(300, 40, 0.5);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let alignment = Alignment::fit(&images, &texts, &image_of).unwrap();
            rows(&alignment.images(&images).unwrap())
        })
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn images_without_texts_and_texts_without_words_are_no_obstacle() {
    let (images, texts, image_of) = pair(60, 4, 0.3);
    let alignment = Alignment::fit(&images, &texts, &image_of).unwrap();
    // The first ten images lose their texts.
    let fewer = Alignment::fit(&images, &some(&texts, 20..120), &image_of[20..]).unwrap();
    assert_ne!(rows(&fewer.images(&images).unwrap()), rows(&alignment.images(&images).unwrap()));
    let alone = Alignment::fit(&some(&images, 10..60), &some(&texts, 20..120), &image_of[..100]);
    let expected = rows(&alone.unwrap().images(&images).unwrap());
    let off = rows(&fewer.images(&images).unwrap())
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    // The point that sums are taken about is another.
    assert!(off < 1e-6, "{off}");
    let nothing = FeatureMatrix::new(6, vec![0.0; 6]).unwrap();
    let centred = rows(&alignment.texts(&nothing).unwrap());
    assert!(centred.iter().all(|value| value.is_finite()) && centred[0] < 0.0);
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let (images, texts, image_of) = pair(19, 4, 0.3);
    let error = Alignment::fit(&images, &texts, &image_of).unwrap_err().to_string();
    assert_eq!(
        error,
        "compute an alignment of 19 samples: at least 20 are needed; fit on more images that have \
         captions"
    );
    assert!(Alignment::fit(&images, &texts, &image_of[1..]).is_err());
    let far: Vec<usize> = image_of.iter().map(|image| image + 1).collect();
    assert!(matches!(Alignment::fit(&images, &texts, &far), Err(MetricError::Shape { .. })));
    let wide = FeatureMatrix::new(8193, vec![0.0; 8193]).unwrap();
    let error = Alignment::fit(&wide, &texts, &image_of).unwrap_err().to_string();
    assert!(error.contains("8193 columns") && error.contains("pooling"), "{error}");
    let (images, texts, image_of) = pair(30, 4, 0.3);
    let alignment = Alignment::fit(&images, &texts, &image_of).unwrap();
    assert!(matches!(alignment.images(&texts), Err(MetricError::Columns { first: 4, second: 6 })));
    assert!(alignment.texts(&images).is_err());
}

#[test]
fn features_are_aligned_alike_however_they_are_read() {
    let (images, texts, image_of) = pair(700, 7, 0.2);
    let alignment = Alignment::fit(&images, &texts, &image_of).unwrap();
    let each = [alignment.images(&images).unwrap(), alignment.texts(&texts).unwrap()];
    for aligned in each {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let whole = bits(rows(&aligned));
        let singly = (0..aligned.rows()).flat_map(|row| slice(&aligned, row, 1).unwrap());
        assert_eq!(bits(singly.collect()), whole);
        assert!(aligned.read(0, &mut [0.0; 5]).is_err());
        assert!(aligned.read(aligned.rows(), &mut [0.0; 6]).is_err());
    }
}
