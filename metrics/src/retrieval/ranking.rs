//! Ranks of all queries of both directions from one pass over the pairs.

use prismbench_kernels::matrix::Packed;
use prismbench_kernels::ranks::{First, Ranks, Tile};
use rayon::prelude::*;

use super::groups::{Groups, Members};
use crate::features::{in_blocks, same_columns, slice};
use crate::spilled::Spilled;
use crate::{Features, MetricError, check_finite};

/// Texts and images of one block, of whose pairs the products are made at a time: 4 MB.
const BLOCK: usize = 1008;

/// Bytes of each set that stay in memory, and of images that the texts pass by together; the rest lies in a
/// temporary file.
pub(super) const IN_MEMORY: usize = 64 << 20;

/// Ranks of the texts among the images, and of the images among the texts. No more than some `in_memory`
/// bytes of either are in memory at once, which moves no rank.
pub(super) fn ranks(
    (texts, images): (&dyn Features, &dyn Features),
    groups: &Groups,
    in_memory: usize,
) -> Result<[Vec<Option<u64>>; 2], MetricError> {
    let columns = same_columns(texts, images)?;
    let [texts, images] = [texts, images].map(|features| directions(features, in_memory));
    let (texts, images) = (texts?, images?);
    let [of_texts, of_images] = firsts((&texts, &images), groups)?;
    let (mut of_texts, mut of_images) = (Ranks::new(of_texts), Ranks::new(of_images));
    let mut memory = Vec::new();
    let together = (in_memory / (BLOCK * columns * size_of::<f32>())).max(1) * BLOCK;
    for first in (0..images.rows()).step_by(together) {
        let mut across = Vec::new();
        for left in (first..images.rows().min(first + together)).step_by(BLOCK) {
            let count = BLOCK.min(images.rows() - left);
            across.push((Packed::new(&slice(&images, left, count)?, columns), left));
        }
        in_blocks(&texts, BLOCK, |top, down| {
            for (packed, left) in &across {
                let tile = Tile::new((down, top), (packed, *left), &mut memory);
                of_texts.add_rows(&tile);
                of_images.add_columns(&tile);
            }
            Ok(())
        })?;
    }
    Ok([of_texts.before(), of_images.before()])
}

/// All rows, scaled to length 1.
fn directions(features: &dyn Features, in_memory: usize) -> Result<Spilled, MetricError> {
    let (rows, columns) = (features.rows(), features.columns());
    if rows == 0 || columns == 0 {
        let remedy = "there is nothing to look for";
        return Err(MetricError::TooFewSamples { metric: "recall", found: 0, needed: 1, remedy });
    }
    let mut all = Spilled::beyond(in_memory, columns);
    in_blocks(features, BLOCK, |first, block| {
        check_finite(block, columns, |row| features.name(first + row))?;
        let mut block = block.to_vec();
        let scaled = block.par_chunks_exact_mut(columns).enumerate();
        scaled.try_for_each(|(row, values)| {
            let square: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
            if square <= 0.0 {
                return Err(MetricError::NoDirection { sample: features.name(first + row) });
            }
            let length = square.sqrt();
            values.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
            Ok(())
        })?;
        all.push(&block).map_err(MetricError::read)
    })?;
    Ok(all)
}

/// For each text the first of its images, and for each image the first of its texts: the products of
/// a group are those of all pairs to the last bit, whatever they are computed beside.
fn firsts(
    (texts, images): (&Spilled, &Spilled),
    groups: &Groups,
) -> Result<[Vec<Option<First>>; 2], MetricError> {
    let members = groups.members();
    let within = |members| within((texts, images), members);
    let found: Vec<_> = members.par_iter().map(within).collect::<Result<_, MetricError>>()?;
    let mut of_texts = vec![None; texts.rows()];
    let mut of_images = vec![None; images.rows()];
    for (members, [texts, images]) in members.iter().zip(found) {
        members.texts.iter().zip(texts).for_each(|(&row, first)| of_texts[row] = first);
        members.images.iter().zip(images).for_each(|(&row, first)| of_images[row] = first);
    }
    Ok([of_texts, of_images])
}

/// The same for the members of one group, in their order.
fn within(
    (texts, images): (&Spilled, &Spilled),
    members: &Members,
) -> Result<[Vec<Option<First>>; 2], MetricError> {
    let columns = images.columns();
    let gather = |all: &Spilled, rows: &[usize]| {
        let mut values = vec![0.0; rows.len() * columns];
        all.gather(rows, &mut values).map_err(MetricError::read)?;
        Ok::<_, MetricError>(values)
    };
    let mut of_texts = vec![None; members.texts.len()];
    let mut of_images = vec![None; members.images.len()];
    let mut memory = Vec::new();
    for (left, across) in members.images.chunks(BLOCK).enumerate() {
        let packed = Packed::new(&gather(images, across)?, columns);
        for (top, down) in members.texts.chunks(BLOCK).enumerate() {
            let (top, left) = (top * BLOCK, left * BLOCK);
            let texts = gather(texts, down)?;
            let tile = Tile::new((&texts, top), (&packed, left), &mut memory);
            for (line, (&text, of_text)) in tile.lines().zip(down.iter().zip(&mut of_texts[top..]))
            {
                let pairs = line.iter().zip(across).zip(&mut of_images[left..]);
                for ((&product, &image), of_image) in pairs {
                    keep(of_text, First { product, item: image });
                    keep(of_image, First { product, item: text });
                }
            }
        }
    }
    Ok([of_texts, of_images])
}

fn keep(best: &mut Option<First>, other: First) {
    *best = Some(best.map_or(other, |best| best.min(other)));
}
