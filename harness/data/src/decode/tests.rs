use std::io::Read as _;
use std::path::PathBuf;

use super::*;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/decode")).join(name)
}

/// What Pillow reads and we do not.
const STRICTER: [&str; 4] =
    ["gif-no-palette.gif", "jpeg-ycck-440.jpg", "jpeg-ycck-odd.jpg", "png-no-end.png"];

/// A file of the golden set, and the picture that Pillow makes of it.
struct Golden {
    name: String,
    bytes: Vec<u8>,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

fn decodable() -> Vec<Golden> {
    let packed = std::fs::File::open(golden("expected.zlib")).unwrap();
    let mut pixels = Vec::new();
    flate2::read::ZlibDecoder::new(packed).read_to_end(&mut pixels).unwrap();
    let table = std::fs::read_to_string(golden("expected.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [width, height, offset] = [1, 2, 3].map(|i| cells[i].parse::<usize>().unwrap());
        Golden {
            name: cells[0].to_owned(),
            bytes: std::fs::read(golden(cells[0])).unwrap(),
            width,
            height,
            pixels: pixels[offset..offset + 3 * width * height].to_vec(),
        }
    });
    rows.collect()
}

/// Largest difference in levels and the number of bytes that differ.
fn distance(found: &[u8], expected: &[u8]) -> (u8, usize) {
    let levels = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    (levels.clone().max().unwrap_or(0), levels.filter(|&level| level > 0).count())
}

#[test]
fn every_mode_and_format_gives_the_bytes_of_pillow() {
    let mut problems = Vec::new();
    for file in decodable().iter().filter(|file| !STRICTER.contains(&file.name.as_str())) {
        let (levels, share) = match file.name.as_str() {
            // JPEG inside TIFF is decoded by zune-jpeg, whose arithmetic is not libjpeg's.
            "tiff-rgb-jpeg.tif" => (1, 0.01),
            // The black of this one is upsampled with other rounding.
            "jpeg-ycck-420.jpg" => (1, 0.05),
            _ => (0, 0.0),
        };
        match decode(&file.bytes) {
            Ok(image) if (image.width(), image.height()) != (file.width, file.height) => {
                problems.push(format!("{}: {}x{}", file.name, image.width(), image.height()));
            }
            Ok(image) => {
                let (worst, wrong) = distance(image.pixels(), &file.pixels);
                if worst > levels || wrong as f64 > share * file.pixels.len() as f64 {
                    problems.push(format!("{}: {worst} levels, {wrong} bytes", file.name));
                }
            }
            Err(error) => problems.push(format!("{}: {error:?}", file.name)),
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn what_pillow_refuses_is_refused() {
    let table = std::fs::read_to_string(golden("refused.tsv")).unwrap();
    let names: Vec<&str> =
        table.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    assert!(names.len() > 10);
    for name in names.into_iter().chain(STRICTER) {
        let bytes = std::fs::read(golden(name)).unwrap();
        assert!(decode(&bytes).is_err(), "{name} was accepted");
    }
}

#[test]
fn a_picture_that_is_cut_anywhere_is_an_error_or_still_whole() {
    let mut wrong = Vec::new();
    let mut refused = 0;
    for file in decodable() {
        let whole = decode(&file.bytes).ok();
        for len in 0..file.bytes.len() {
            match decode(&file.bytes[..len]) {
                Err(_) => refused += 1,
                found if found.as_ref().ok() == whole.as_ref() => {}
                Ok(image) => {
                    let (levels, bytes) = distance(image.pixels(), &file.pixels);
                    let missing = file.bytes.len() - len;
                    wrong.push(format!("{}: {missing} cut, {bytes} by {levels}", file.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
    assert!(refused > 50_000, "{refused} cuts were refused");
}

#[test]
fn a_header_that_claims_a_huge_picture_is_refused() {
    let bytes = |name: &str| std::fs::read(golden(name)).unwrap();
    let mut png = bytes("png-rgb8.png");
    png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let mut jpeg = bytes("jpeg-420.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
    let mut gif = bytes("gif-palette.gif");
    gif[6..10].copy_from_slice(&[0xFF; 4]);
    let mut bmp = bytes("bmp-rgb.bmp");
    bmp[18..26].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
    for huge in [png, jpeg, gif, bmp] {
        let error = decode(&huge).unwrap_err();
        let head = String::from_utf8_lossy(&huge[..4]).into_owned();
        assert!(!matches!(error, DecodeError::UnknownFormat), "{head:?}: {error:?}");
    }
}
