//! Vectors of maps by their direction: what LPIPS compares.

use candle_core::Tensor;

use crate::directions;
use crate::nn::maps::{Values, in_f32};
use crate::nn::{Maps, NnError};

const LAYER: &str = "comparison of directions";

/// The same maps with the vector of each position divided by `|v| + epsilon`.
///
/// # Errors
/// [`NnError::Valueless`] for maps without values, [`NnError::Tensor`] when the tensor library fails.
pub fn unit_vectors(mut maps: Maps, epsilon: f32) -> Result<Maps, NnError> {
    let channels = maps.shape().channels;
    match maps.values() {
        Values::Device(tensor) => {
            let unit = in_f32(tensor, |maps| {
                let length = (maps.sqr()?.sum_keepdim(1)?.sqrt()? + f64::from(epsilon))?;
                Ok(maps.broadcast_div(&length)?)
            });
            return Maps::on_device(&unit?);
        }
        Values::None(_) => return Err(NnError::Valueless),
        Values::Host(_) => {}
    }
    if let Some(rows) = maps.host_rows_mut() {
        directions::normalise(rows, channels, epsilon);
    }
    Ok(maps)
}

/// The squared differences of two images of maps, weighted by channel and summed over them: a value for
/// each position, on the host.
///
/// # Errors
/// [`NnError::Shape`] when the images differ in size, there is no such image, or the weights are not one for
/// each channel; [`NnError::Devices`] when one of the two is on the host.
pub fn weighted_differences(
    weights: &[f32],
    (a, first): (&Maps, usize),
    (b, second): (&Maps, usize),
) -> Result<Vec<f32>, NnError> {
    let (shape, other) = (a.shape(), b.shape());
    let alike =
        (shape.height, shape.width, shape.channels) == (other.height, other.width, other.channels);
    if !alike || weights.len() != shape.channels || first >= shape.images || second >= other.images
    {
        let expected = format!("images of {} channels and one size", weights.len());
        let found = format!("image {first} of {shape} and {second} of {other}");
        return Err(NnError::Shape { layer: LAYER, expected, found });
    }
    let Values::Device(tensor) = a.values() else {
        let length = shape.image_len();
        let (a, b) = (&a.host(LAYER)?[first * length..], &b.host(LAYER)?[second * length..]);
        return Ok(directions::weighted_differences(weights, &a[..length], &b[..length]));
    };
    let differences =
        (tensor.narrow(0, first, 1)? - b.device_like(LAYER, tensor)?.narrow(0, second, 1)?)?;
    let weights = Tensor::from_slice(weights, (1, weights.len(), 1, 1), tensor.device())?;
    let sums = in_f32(&differences, |x| Ok(x.sqr()?.broadcast_mul(&weights)?.sum_keepdim(1)?))?;
    Ok(sums.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{MapShape, testing};

    #[test]
    fn a_device_compares_as_the_host_does() {
        let shape = MapShape { images: 3, height: 4, width: 5, channels: 19 };
        let maps = |seed| Maps::from_rows(shape, testing::values(shape.len(), seed)).unwrap();
        let weights: Vec<f32> = testing::values(19, 3).into_iter().map(f32::abs).collect();
        let run = |convert: fn(&Maps) -> Maps| {
            let [a, b] = [1, 2].map(|seed| unit_vectors(convert(&maps(seed)), 1e-10).unwrap());
            let found = weighted_differences(&weights, (&a, 1), (&b, 2)).unwrap();
            (a.to_rows().unwrap(), found)
        };
        let host = run(Maps::clone);
        let device = run(|maps| Maps::on_device(&maps.to_tensor().unwrap()).unwrap());
        let exact = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        // Sums of 19 products, in another order.
        testing::assert_near(&device.0, &exact(&host.0), 1e-6);
        testing::assert_near(&device.1, &exact(&host.1), 1e-5);
        let length = shape.image_len();
        let unit = |seed, image: usize| {
            let maps = unit_vectors(maps(seed), 1e-10).unwrap().to_rows().unwrap();
            maps[image * length..][..length].to_vec()
        };
        let plain = directions::weighted_differences(&weights, &unit(1, 1), &unit(2, 2));
        testing::assert_same_bits(&host.1, &plain);
    }

    #[test]
    fn images_that_do_not_fit_are_refused() {
        let maps = |channels| {
            let shape = MapShape { images: 1, height: 2, width: 2, channels };
            Maps::from_rows(shape, vec![1.0; shape.len()]).unwrap()
        };
        let (three, four) = (maps(3), maps(4));
        let refused = |weights: &[f32], b: &Maps, second| {
            let found = weighted_differences(weights, (&three, 0), (b, second));
            assert!(matches!(found, Err(NnError::Shape { .. })), "{found:?}");
        };
        refused(&[1.0; 3], &four, 0);
        refused(&[1.0; 4], &three, 0);
        refused(&[1.0; 3], &three, 1);
        let device = Maps::on_device(&three.to_tensor().unwrap()).unwrap();
        let found = weighted_differences(&[1.0; 3], (&three, 0), (&device, 0));
        assert!(matches!(found, Err(NnError::Devices { .. })), "{found:?}");
    }
}
