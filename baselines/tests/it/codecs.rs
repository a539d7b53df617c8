use std::fs;

use candle_core::{Device, Tensor};
use prismbench_core::{ImageBatch, Latents, Quantiser, Reconstruction};

use crate::golden::path;
use crate::{
    encode, largest_difference, mean_squared, pictures, planes, ready, round_trip, tensor,
};

fn constant(value: f32) -> ImageBatch {
    ImageBatch::new(Tensor::full(value, (1, 3, 32, 32), &Device::Cpu).unwrap()).unwrap()
}

fn latent(reference: &str, images: &ImageBatch) -> Tensor {
    tensor(encode(ready(reference, &[]).as_ref(), images))
}

fn error(reference: &str, images: &ImageBatch) -> f64 {
    mean_squared(&planes(images), &planes(&round_trip(ready(reference, &[]).as_ref(), images)))
}

fn stream(quality: u8, images: &ImageBatch) -> Vec<u8> {
    match encode(ready(&format!("jpeg:{quality}"), &[]).as_ref(), images) {
        Latents::BitStreams(mut streams) => streams.remove(0),
        other => panic!("expected a bit stream, not {}", other.kind()),
    }
}

#[test]
fn identity_gives_the_picture_back() {
    let images = pictures::batch(17, 5, 0, 2);
    assert_eq!(planes(&round_trip(ready("identity", &[]).as_ref(), &images)), planes(&images));
}

#[test]
fn the_resampled_latent_holds_the_means_of_the_squares() {
    let images = pictures::batch(32, 16, 0, 1);
    let pixels = planes(&images);
    let found = latent("resample:f8", &images).flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(found.len(), 3 * 2 * 4);
    for (i, &found) in found.iter().enumerate() {
        let (channel, y, x) = (i / 8, (i / 4) % 2, i % 4);
        let square = (0..64).map(|p| {
            let (row, column) = (8 * y + p / 8, 8 * x + p % 8);
            f64::from(pixels[(16 * channel + row) * 32 + column])
        });
        let mean = square.sum::<f64>() / 64.0;
        // The means of the rows are stored in f32 between the passes.
        assert!((f64::from(found) - mean).abs() < 1e-7);
    }
    assert!(error("resample:f8", &images) < error("resample:f16", &images));
}

#[test]
fn resampling_keeps_constants_and_leaves_the_overshoot_unclamped() {
    let flat = planes(&round_trip(ready("resample:f8", &[]).as_ref(), &constant(0.25)));
    assert!(flat.iter().all(|value| (value - 0.25).abs() < 1e-6));

    let edge: Vec<f32> = (0..3 * 32 * 32).map(|i| if i % 32 < 16 { 0.0 } else { 1.0 }).collect();
    let edge = Tensor::from_vec(edge, (1, 3, 32, 32), &Device::Cpu).unwrap();
    let edge = ImageBatch::new(edge).unwrap();
    let values = planes(&round_trip(ready("resample:f8", &[]).as_ref(), &edge));
    assert!(values.iter().any(|&value| value > 1.01) && values.iter().any(|&value| value < -0.01));
}

#[test]
fn all_64_coefficients_give_the_picture_back_and_fewer_lose_what_they_drop() {
    let images = pictures::batch(48, 32, 0, 2);
    let pixels = planes(&images);
    let back = planes(&round_trip(ready("dct:64", &[]).as_ref(), &images));
    // Coefficients up to 8 are rounded to f32, and 64 of them meet in a pixel.
    assert!(largest_difference(&back, &pixels) < 1e-6);

    let all = latent("dct:64", &images);
    for kept in [1, 16, 63] {
        let nested = all.narrow(1, 0, 3 * kept).unwrap().flatten_all().unwrap();
        let own = latent(&format!("dct:{kept}"), &images).flatten_all().unwrap();
        assert_eq!(nested.to_vec1::<f32>().unwrap(), own.to_vec1::<f32>().unwrap());
        // Parseval: the error is the energy of the coefficients left out.
        let dropped = all.narrow(1, 3 * kept, 3 * (64 - kept)).unwrap().flatten_all().unwrap();
        let squares = dropped.to_vec1::<f32>().unwrap().into_iter().map(|c| f64::from(c).powi(2));
        let energy = squares.sum::<f64>() / pixels.len() as f64;
        let error = error(&format!("dct:{kept}"), &images);
        assert!((error / energy - 1.0).abs() < 1e-5, "{kept}: {error} {energy}");
    }
}

#[test]
fn jpeg_trades_size_for_error() {
    let images = pictures::batch(64, 48, 0, 1);
    let rates: Vec<(usize, f64)> = [5, 25, 50, 75, 95, 100]
        .iter()
        .map(|&quality| {
            (stream(quality, &images).len(), error(&format!("jpeg:{quality}"), &images))
        })
        .collect();
    assert!(rates.is_sorted_by(|a, b| a.0 < b.0 && a.1 > b.1), "{rates:?}");
    // 40 dB.
    assert!(rates[5].1 < 1e-4, "{rates:?}");
}

#[test]
fn jpeg_streams_keep_the_chroma_at_full_resolution() {
    let stream = stream(75, &pictures::batch(64, 48, 0, 1));
    let frame = stream.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    // Marker, length, precision, two sides, three components of (id, sampling, table).
    let sampling: Vec<u8> = (0..3).map(|component| stream[frame + 11 + 3 * component]).collect();
    assert_eq!((stream[frame + 9], sampling), (3, vec![0x11, 0x11, 0x11]));
}

#[test]
fn pillow_decodes_the_jpeg_stream_to_the_same_picture() {
    let images = pictures::batch(64, 48, 0, 1);
    let golden = fs::read(path("baselines/jpeg_75.jpg")).unwrap();
    assert!(stream(75, &images) == golden, "the encoder's stream changed: every number moves");
    let decoded = round_trip(ready("jpeg:75", &[]).as_ref(), &images);
    let Reconstruction::U8(ours) = decoded.quantise(Quantiser::Round).unwrap().remove(0) else {
        panic!("expected bytes");
    };
    let pillow = fs::read(path("baselines/jpeg_75.rgb")).unwrap();
    assert_eq!(ours.pixels().len(), pillow.len());
    // Two integer inverse transforms and two colour conversions, each within half a level or so.
    let largest = ours.pixels().iter().zip(&pillow).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(largest <= Some(2), "{largest:?}");
}

#[test]
#[ignore = "writes the golden stream; then run tests/oracle/jpeg.py"]
fn the_golden_stream_is_written() {
    fs::write(path("baselines/jpeg_75.jpg"), stream(75, &pictures::batch(64, 48, 0, 1))).unwrap();
}

#[test]
fn pixels_out_of_range_are_clamped_before_jpeg() {
    for (value, expected) in [(3.0, 1.0), (-2.0, 0.0)] {
        let back = planes(&round_trip(ready("jpeg:100", &[]).as_ref(), &constant(value)));
        assert!(back.iter().all(|back| (back - expected).abs() < 0.01), "{value}");
    }
}
