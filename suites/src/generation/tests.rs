mod passes;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use prismbench_core::Protocol;
use prismbench_data::npy::Header;
use prismbench_metrics::{Moments, RandomFilters};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::moments_file::{Taken, write};
use super::reference::unlike;
use super::*;
use crate::NetworkKind;
use crate::feature_file::Origin;

const POOLED: usize = 2048;
const SPATIAL: usize = 2023;

fn diagonal(columns: usize) -> Moments {
    let mean = (0..columns).map(|column| column as f64 * 0.25 - 7.0).collect();
    let variance =
        |at: usize| if at.is_multiple_of(columns + 1) { 0.5 + at as f64 * 1e-6 } else { 0.0 };
    let covariance = (0..columns * columns).map(variance).collect();
    Moments::from_parts(Some(5000), mean, covariance).unwrap()
}

fn origin(protocol: &Protocol) -> Origin {
    let network = RandomFilters::new(&candle_core::Device::Cpu).unwrap();
    Origin::new(&network, protocol)
}

fn npz(path: &Path, arrays: &[(&str, &[u64], Vec<f64>)]) {
    let mut zip = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, shape, values) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(&Header::encode("<f8", shape)).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn refusal(path: &Path) -> String {
    let error = MomentsFile::open(path).unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

fn taken(pooled: &Moments, protocol: &Protocol) -> Taken {
    let spatial = Some(diagonal(SPATIAL));
    let (kind, origin) = (NetworkKind::Inception, origin(protocol));
    Taken { kind, pooled: pooled.clone(), spatial, origin }
}

#[test]
fn moments_come_back_with_their_origin_and_differences_are_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ref.npz");
    let protocol = Protocol::preset("default").unwrap();
    let dinov2 = Taken {
        kind: NetworkKind::Dinov2,
        pooled: diagonal(1024),
        spatial: None,
        origin: origin(&protocol),
    };
    let more = [("n", "5000".to_owned()), ("dataset", "döner/val".to_owned())];
    let both = [taken(&diagonal(POOLED), &protocol), dinov2];
    write(&path, &both, &more).unwrap();
    let file = MomentsFile::open(&path).unwrap();
    assert!(!file.has_pictures());
    let set = |kind| file.set(kind).unwrap();
    assert_eq!(set(NetworkKind::Inception).pooled(), &diagonal(POOLED));
    assert_eq!(set(NetworkKind::Inception).spatial(), Some(&diagonal(SPATIAL)));
    assert_eq!(set(NetworkKind::Dinov2).pooled(), &diagonal(1024));
    assert!(file.set(NetworkKind::Clip).is_none());
    let network = RandomFilters::new(&candle_core::Device::Cpu).unwrap();
    let other = protocol.with("size", "512").unwrap();
    for kind in [NetworkKind::Inception, NetworkKind::Dinov2] {
        assert_eq!(unlike(set(kind), &network, &protocol), None);
        let difference = unlike(set(kind), &network, &other).unwrap();
        let Unlike { field, found, expected } = &difference;
        assert_eq!((&**field, &**found, &**expected), ("size", "256", "512"));
    }
    let again = write(&path, &both, &more).unwrap_err();
    assert!(matches!(again, MomentsFileError::Exists { .. }), "{again}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_reference_is_recognised_by_its_means_whoever_has_packed_it() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
    let protocol = Protocol::preset("default").unwrap();
    let pooled = diagonal(POOLED);
    write(&ours, &[taken(&pooled, &protocol)], &[]).unwrap();
    let (mean, covariance) = (pooled.mean().to_vec(), pooled.covariance().to_vec());
    npz(&theirs, &[("mu", &[2048], mean), ("sigma", &[2048, 2048], covariance)]);
    let [ours, theirs] = [ours, theirs].map(|path| MomentsFile::open(&path).unwrap());
    let [ours, theirs] = [&ours, &theirs].map(|file| file.set(NetworkKind::Inception).unwrap());
    assert_eq!(ours.fingerprint(), theirs.fingerprint());
    assert_eq!(theirs.pooled().samples(), None, "nobody has said how many");
    assert!(theirs.spatial().is_none() && !theirs.tells_its_origin());
    let network = RandomFilters::new(&candle_core::Device::Cpu).unwrap();
    assert_eq!(unlike(theirs, &network, &protocol), None, "what is not said does not differ");
}

#[test]
fn what_is_no_reference_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let square = |side: usize| vec![0.0; side * side];
    npz(&path("none.npz"), &[("arr_0", &[1], vec![1.0])]);
    assert!(refusal(&path("none.npz")).contains("(it has: arr_0); `prismbench stats"));
    npz(&path("clip.npz"), &[("mu", &[512], vec![0.0; 512]), ("sigma", &[512, 512], square(512))]);
    assert!(
        refusal(&path("clip.npz"))
            .contains("shape [512]; [2048] is that of the features of Inception")
    );
    let mut skewed = square(POOLED);
    skewed.iter_mut().step_by(POOLED + 1).for_each(|variance| *variance = 1.0);
    skewed[5] = 0.5;
    npz(&path("skew.npz"), &[("mu", &[2048], vec![0.0; POOLED]), ("sigma", &[2048, 2048], skewed)]);
    assert!(refusal(&path("skew.npz")).contains("entries (5, 0) and (0, 5) differ"));
    let mut short = square(1024);
    short.pop();
    npz(
        &path("dinov2.npz"),
        &[("mu_dinov2", &[1024], vec![0.0; 1024]), ("sigma_dinov2", &[1023, 1025], short)],
    );
    assert!(
        refusal(&path("dinov2.npz")).contains("[1024, 1024] is that of the features of DINOv2")
    );
    fs::write(path("torn.npz"), b"PK\x03\x04").unwrap();
    assert!(refusal(&path("torn.npz")).contains("no usable .npz"));
    assert!(refusal(&path("absent.npz")).contains("there is nothing at"));
}
