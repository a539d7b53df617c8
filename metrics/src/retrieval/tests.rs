use prismbench_core::Stream;

use super::*;
use crate::FeatureMatrix;

/// Directions whose cosines are exact in f32 and often equal: four of 24 coordinates are 1 or -1.
fn exact(rows: usize, seed: u64) -> FeatureMatrix {
    let mut stream = Stream::new("test", seed, 0);
    let mut values = vec![0.0; rows * 24];
    for row in values.chunks_exact_mut(24) {
        while row.iter().filter(|&&value: &&f32| value.abs() > 0.5).count() < 4 {
            row[stream.below(24) as usize] = if stream.below(2) == 0 { 1.0 } else { -1.0 };
        }
    }
    FeatureMatrix::new(24, values).unwrap()
}

fn rows(features: &FeatureMatrix) -> Vec<Vec<f32>> {
    let mut all = vec![0.0; features.rows() * features.columns()];
    features.read(0, &mut all).unwrap();
    all.chunks(features.columns()).map(<[f32]>::to_vec).collect()
}

/// The definition, query by query.
fn plain(
    queries: &FeatureMatrix,
    items: &FeatureMatrix,
    own: impl Fn(usize, usize) -> bool,
) -> Vec<Option<u64>> {
    let (queries, items) = (rows(queries), rows(items));
    let rank = |(query, of_query): (usize, &Vec<f32>)| {
        let cosine = |item: &Vec<f32>| item.iter().zip(of_query).map(|(a, b)| a * b).sum::<f32>();
        let cosines: Vec<f32> = items.iter().map(cosine).collect();
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by(|&a, &b| cosines[b].total_cmp(&cosines[a]));
        order.iter().position(|&item| own(query, item)).map(|place| place as u64)
    };
    queries.iter().enumerate().map(rank).collect()
}

#[test]
fn ranks_are_those_of_a_stable_sort_also_across_blocks() {
    // More than one block of texts; the last image has no caption.
    let (texts, images) = (exact(2100, 1), exact(60, 2));
    let image_of: Vec<usize> = (0..2100).map(|text| text * 7 % 59).collect();
    let found = retrieve(&texts, &images, &Groups::of_captions(60, &image_of).unwrap()).unwrap();
    let expected = plain(&texts, &images, |text, image| image_of[text] == image);
    assert_eq!(found.ranks(Direction::TextToImage), expected);
    let expected = plain(&images, &texts, |image, text| image_of[text] == image);
    assert_eq!(found.ranks(Direction::ImageToText), expected);
    assert_eq!(expected[59], None);
    let recall = found.recall(Direction::ImageToText, 10).unwrap();
    assert_eq!((recall.queries, recall.left_out), (59, 1));
}

#[test]
fn a_class_has_many_images_and_one_is_enough() {
    let (texts, images) = (exact(9, 3), exact(1500, 4));
    // Class 8 has no image, class 0 most.
    let labels: Vec<u32> =
        (0..1500).map(|image| if image % 3 == 0 { 0 } else { image % 8 }).collect();
    let found = retrieve(&texts, &images, &Groups::of_classes(9, &labels).unwrap()).unwrap();
    let expected = plain(&texts, &images, |text, image| labels[image] as usize == text);
    assert_eq!(found.ranks(Direction::TextToImage), expected);
    let recall = found.recall(Direction::TextToImage, 5).unwrap();
    assert_eq!((recall.queries, recall.left_out), (8, 1));
    let hits = expected.iter().flatten().filter(|&&rank| rank < 5).count() as u64;
    assert!(recall.hits == hits && hits > 0 && hits < 8, "{recall:?}");
}

#[test]
fn embeddings_that_are_all_alike_find_no_more_than_chance() {
    let texts = FeatureMatrix::new(2, [0.6, 0.8].repeat(200)).unwrap();
    let images = FeatureMatrix::new(2, [3.0, 4.0].repeat(100)).unwrap();
    let image_of: Vec<usize> = (0..200).map(|text| text / 2).collect();
    let found = retrieve(&texts, &images, &Groups::of_captions(100, &image_of).unwrap()).unwrap();
    for direction in [Direction::TextToImage, Direction::ImageToText] {
        let recall = found.recall(direction, 10).unwrap();
        assert!(recall.value <= 0.1, "{direction:?}: {recall:?}");
    }
}

#[test]
fn captions_of_one_image_widen_the_interval_and_single_ones_do_not() {
    let images = exact(200, 5);
    let noise = exact(200, 6);
    // Of every third image the captions are right, of the others about something else.
    let mut values = Vec::new();
    for (image, (right, wrong)) in rows(&images).iter().zip(rows(&noise)).enumerate() {
        let caption = if image % 3 == 0 { right.clone() } else { wrong };
        (0..5).for_each(|_| values.extend_from_slice(&caption));
    }
    let five = FeatureMatrix::new(24, values.clone()).unwrap();
    let one = FeatureMatrix::new(24, values.chunks(120).flat_map(|c| &c[..24]).copied().collect());
    let of = |texts: &FeatureMatrix, each: usize| {
        let image_of: Vec<usize> = (0..texts.rows()).map(|text| text / each).collect();
        let groups = Groups::of_captions(200, &image_of).unwrap();
        retrieve(texts, &images, &groups).unwrap().recall(Direction::TextToImage, 5).unwrap()
    };
    let (of_five, of_one) = (of(&five, 5), of(&one.unwrap(), 1));
    assert_eq!((of_five.hits, of_five.queries), (5 * of_one.hits, 1000));
    let width = |recall: Recall| recall.interval.high - recall.interval.low;
    assert!((width(of_five) - width(of_one)).abs() < 1e-9, "{of_five:?} {of_one:?}");
    let plain = crate::wilson(of_one.hits, 200, 0.95).unwrap();
    assert!((plain.high - plain.low - width(of_one)).abs() < 1e-12, "{plain:?} {of_one:?}");
}

#[test]
fn a_gallery_that_cannot_miss_has_no_recall() {
    let (texts, images) = (exact(9, 7), exact(9, 8));
    let groups = Groups::of_captions(9, &[0, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let found = retrieve(&texts, &images, &groups).unwrap();
    let error = found.recall(Direction::TextToImage, 10).unwrap_err().to_string();
    assert_eq!(
        error,
        "compute recall of 9 samples: at least 10 are needed; every query would hit; measure more \
         samples"
    );
    let apart = Groups::of_classes(9, &[]).unwrap();
    assert!(matches!(retrieve(&texts, &images, &apart), Err(MetricError::Shape { found: 9, .. })));
}

#[test]
fn embeddings_without_direction_or_number_are_named() {
    let images = FeatureMatrix::new(2, vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    let names = ["a", "b"].map(str::to_owned).to_vec();
    let texts = FeatureMatrix::named(2, vec![1.0, 0.0, 0.0, 0.0], names).unwrap();
    let groups = Groups::of_captions(2, &[0, 1]).unwrap();
    let error = retrieve(&texts, &images, &groups).unwrap_err();
    assert_eq!(error.to_string(), "normalise the features of sample `b`: they are all zero");
    let other = FeatureMatrix::new(1, vec![1.0, 2.0]).unwrap();
    assert!(matches!(retrieve(&other, &images, &groups), Err(MetricError::Columns { .. })));
}

#[test]
fn how_much_is_in_memory_moves_no_rank() {
    // Several blocks of each set; captions, then classes, some of them without a picture.
    let (texts, images) = (exact(2500, 9), exact(2300, 10));
    let image_of: Vec<usize> = (0..2500).map(|text| text * 7 % 2300).collect();
    let labels: Vec<u32> = (0..2300).map(|image| image % 40).collect();
    let classes = Groups::of_classes(2500, &labels).unwrap();
    for groups in [Groups::of_captions(2300, &image_of).unwrap(), classes] {
        let ranks = |bytes| ranking::ranks((&texts, &images), &groups, bytes).unwrap();
        let expected = ranks(ranking::IN_MEMORY);
        // Less than one block, and two of the three.
        for bytes in [0, 10_000, 2 * 1008 * 24 * 4] {
            assert_eq!(ranks(bytes), expected, "{bytes}");
        }
    }
}
