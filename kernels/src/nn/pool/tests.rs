use candle_core::{Device, Tensor};
use proptest::prelude::*;

use super::*;
use crate::nn::{Padding, testing};

fn any_pool() -> impl Strategy<Value = Pool> {
    let pair = |range: std::ops::RangeInclusive<usize>| (range.clone(), range);
    (
        pair(1..=4),
        pair(1..=3),
        pair(1..=2),
        prop::array::uniform4(0_usize..=1),
        0..3_usize,
        any::<bool>(),
    )
        .prop_map(|(kernel, stride, dilation, [top, bottom, left, right], kind, ceil)| {
            let padding = Padding { top, bottom, left, right };
            let kind = [Kind::Max, Kind::Average, Kind::AverageOfMap][kind];
            Pool { window: Window { kernel, stride, dilation, padding }, kind, ceil }
        })
}

/// The definition, one value at a time; `None` where torch has no value or refuses.
fn plain(pool: &Pool, shape: MapShape, values: &[f32]) -> Option<(usize, usize, Vec<f64>)> {
    let Window { kernel, stride, dilation, padding } = pool.window;
    let outputs =
        |extent: usize, kernel: usize, stride: usize, dilation: usize, pads: [usize; 2]| {
            let padded = (extent + pads[0] + pads[1]) as f64;
            let steps = (padded - ((kernel - 1) * dilation + 1) as f64) / stride as f64;
            let count = if pool.ceil { steps.ceil() } else { steps.floor() } as isize + 1;
            let late = (count - 1) * stride as isize >= (extent + pads[0]) as isize;
            (steps >= 0.0).then_some((count - isize::from(pool.ceil && late)) as usize)
        };
    let pads = ([padding.top, padding.bottom], [padding.left, padding.right]);
    let height = outputs(shape.height, kernel.0, stride.0, dilation.0, pads.0)?;
    let width = outputs(shape.width, kernel.1, stride.1, dilation.1, pads.1)?;
    let mut out = vec![];
    for image in 0..shape.images {
        for index in 0..height * width * shape.channels {
            let channel = index % shape.channels;
            let (row, column) = (index / shape.channels / width, index / shape.channels % width);
            let (mut seen, mut padded) = (vec![], 0);
            for tap in 0..kernel.0 * kernel.1 {
                let y = (row * stride.0 + tap / kernel.1 * dilation.0) as isize;
                let x = (column * stride.1 + tap % kernel.1 * dilation.1) as isize;
                let (y, x) = (y - padding.top as isize, x - padding.left as isize);
                let (h, w) = (shape.height as isize, shape.width as isize);
                padded +=
                    usize::from(y < h + padding.bottom as isize && x < w + padding.right as isize);
                if (0..h).contains(&y) && (0..w).contains(&x) {
                    let at =
                        image * shape.image_len() + (y * w + x) as usize * shape.channels + channel;
                    seen.push(f64::from(values[at]));
                }
            }
            let sum: f64 = seen.iter().sum();
            out.push(match pool.kind {
                _ if seen.is_empty() => return None,
                Kind::Max => seen.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                Kind::Average => sum / padded as f64,
                Kind::AverageOfMap => sum / seen.len() as f64,
            });
        }
    }
    Some((height, width, out))
}

proptest! {
    #[test]
    fn pooling_is_its_definition(pool in any_pool(), shape in testing::any_shape(9, 70), seed: u64) {
        let values = testing::values(shape.len(), seed);
        let maps = Maps::from_rows(shape, values.clone()).unwrap();
        let Some((height, width, expected)) = plain(&pool, shape, &values) else {
            let refused = matches!(pool.forward(&maps), Err(NnError::TooSmall { .. }));
            prop_assert!(refused);
            return Ok(());
        };
        let out_shape = MapShape { height, width, ..shape };
        // Sums of at most 16 values of magnitude 4 at most.
        let tolerance = if pool.kind == Kind::Max { 0.0 } else { 4e-6 };
        let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
        for maps in [maps, device] {
            let out = pool.forward(&maps).unwrap();
            prop_assert_eq!(out.shape(), out_shape);
            testing::assert_near(&out.to_rows().unwrap(), &expected, tolerance);
        }
    }

    #[test]
    fn pooling_has_the_same_bits_on_every_instruction_set(
        pool in any_pool(),
        shape in testing::any_shape(9, 70),
        seed: u64,
    ) {
        let values = testing::values(shape.len(), seed);
        let maps = Maps::from_rows(shape, values.clone()).unwrap();
        let Ok(out) = pool.forward(&maps) else { return Ok(()) };
        let side = |kernel, stride, dilation| taps::Side { kernel, stride, dilation };
        let Window { kernel, stride, dilation, padding: p } = pool.window;
        let rows = side(kernel.0, stride.0, dilation.0)
            .taps(shape.height, (p.top, p.bottom), pool.ceil).unwrap();
        let columns = side(kernel.1, stride.1, dilation.1)
            .taps(shape.width, (p.left, p.right), pool.ceil).unwrap();
        let row = out.shape().width * shape.channels;
        testing::on_every_instruction_set(|arch| {
            let mut found = vec![0.0; out.shape().len()];
            for (line, out) in found.chunks_exact_mut(row).enumerate() {
                let image = &values[line / rows.len() * shape.image_len()..][..shape.image_len()];
                let rows = &rows[line % rows.len()];
                let job = Rows { pool: &pool, shape, image, rows, columns: &columns, out };
                arch.run(job);
            }
            testing::assert_same_bits(&found, &out.to_rows().unwrap());
        });
    }

    #[test]
    fn the_global_average_is_the_mean_of_each_channel(
        shape in testing::any_shape(9, 40),
        seed: u64,
    ) {
        let values = testing::values(shape.len(), seed);
        let maps = Maps::from_rows(shape, values.clone()).unwrap();
        let area = shape.height * shape.width;
        let mean = |index: usize| {
            let (image, channel) = (index / shape.channels, index % shape.channels);
            let image = &values[image * shape.image_len()..][..shape.image_len()];
            image.iter().skip(channel).step_by(shape.channels).map(|&x| f64::from(x)).sum::<f64>()
                / area as f64
        };
        let expected: Vec<f64> = (0..shape.images * shape.channels).map(mean).collect();
        let out = global_average(&maps).unwrap();
        prop_assert_eq!(out.shape(), MapShape { height: 1, width: 1, ..shape });
        // One rounding of values below 4.
        testing::assert_near(&out.to_rows().unwrap(), &expected, 2.4e-7);
        let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
        testing::assert_near(&global_average(&device).unwrap().to_rows().unwrap(), &expected, 4e-6);
    }
}

#[test]
fn the_last_window_of_ceil_mode_starts_on_the_map_or_before_it() {
    let extents = |extent: usize, kernel: usize, stride: usize, padding: usize| {
        let window = Window::new(kernel, 1).stride(stride, 1).padding(padding, 0);
        let column: Vec<f32> = (1..=extent).map(|x| x as f32).collect();
        let shape = MapShape { images: 1, height: extent, width: 1, channels: 1 };
        let maps = Maps::from_rows(shape, column).unwrap();
        Pool::average(window).ceil().forward(&maps).unwrap().to_rows().unwrap()
    };
    // As torch.nn.functional.avg_pool1d(..., ceil_mode=True): a window that starts on the last row
    // counts one row; one that would start beyond it is dropped; padding below counts.
    assert_eq!(extents(5, 2, 2, 0), [1.5, 3.5, 5.0]);
    assert_eq!(extents(5, 3, 3, 1), [1.0, 4.0]);
    assert_eq!(extents(6, 3, 3, 1), [1.0, 4.0, 3.0]);
    assert_eq!(extents(4, 1, 3, 0), [1.0, 4.0]);
    assert_eq!(extents(5, 1, 3, 0), [1.0, 4.0]);
}

#[test]
fn a_value_that_is_not_a_number_comes_out_of_every_window_that_sees_it() {
    let shape = MapShape { images: 1, height: 3, width: 3, channels: 20 };
    for spoilt in 0..9 {
        let mut values = testing::values(shape.len(), 5);
        values[spoilt * 20 + 18] = f32::NAN;
        let maps = Maps::from_rows(shape, values).unwrap();
        let out = Pool::max(Window::new(3, 3)).forward(&maps).unwrap().to_rows().unwrap();
        let nan: Vec<usize> = (0..20).filter(|&channel| out[channel].is_nan()).collect();
        assert_eq!(nan, [18]);
    }
}

#[test]
fn maps_without_a_place_for_the_window_are_refused() {
    let maps = |height, width| {
        let shape = MapShape { images: 1, height, width, channels: 2 };
        Maps::from_rows(shape, vec![1.0; shape.len()]).unwrap()
    };
    let refused =
        |pool: Pool, maps: &Maps| matches!(pool.forward(maps), Err(NnError::TooSmall { .. }));
    assert!(refused(Pool::max(Window::new(3, 3)), &maps(2, 5)));
    assert!(refused(Pool::max(Window::new(3, 3)).ceil(), &maps(5, 2)));
    assert!(refused(Pool::max(Window::new(2, 2).padding(2, 0)), &maps(4, 4)));
    assert!(refused(Pool::average(Window::new(0, 2)), &maps(4, 4)));
    assert!(refused(Pool::average(Window::new(1, 1)), &maps(0, 4)));
    assert!(global_average(&maps(0, 4)).is_err());
    let none = MapShape { images: 0, height: 4, width: 4, channels: 3 };
    let none = Maps::from_rows(none, vec![]).unwrap();
    assert!(Pool::max(Window::new(2, 2)).forward(&none).unwrap().shape().is_empty());
    let tensor = Tensor::zeros((1, 2, 2, 5), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(refused(Pool::max(Window::new(3, 3)), &Maps::on_device(&tensor).unwrap()));
}
