use std::io::{Cursor, SeekFrom};

use prismbench_core::Sample;

use super::*;
use crate::{DataSpec, open};

const NAMES: [&str; 5] = ["b/two.png", "a/one.png", "c/Ünï 日本.png", "x", "c/five 😀.png"];
const PICTURE: [usize; 3] = [3, 4, 3];
const LATENT: [usize; 3] = [2, 3, 2];

fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/arrays"));
    fs::read(folder.join(name)).unwrap()
}

/// Picture `index` of `tests/oracle/arrays.py`, by its formula.
fn picture(index: usize) -> Vec<u8> {
    (index * 36..(index + 1) * 36).map(|i| ((i * i + 7 * i) % 251) as u8).collect()
}

/// Latent `index` of `tests/oracle/arrays.py`, by its formula.
fn latent(index: usize) -> Vec<f32> {
    let mut values: Vec<f32> =
        (index * 12..(index + 1) * 12).map(|i| (i as f32 - 7.0) / 8.0).collect();
    if index + 1 == NAMES.len() {
        values.truncate(8);
        values.extend([-0.0, f32::from_bits(1), f32::MIN, 1.0 / 3.0]);
    }
    values
}

fn files_in(folder: &tempfile::TempDir) -> usize {
    fs::read_dir(folder.path()).unwrap().count()
}

fn save<T: Element>(path: &Path, shape: &[usize], item: fn(usize) -> Vec<T>) -> PathBuf {
    let mut writer = ArrayWriter::create(path).unwrap();
    for (index, name) in NAMES.iter().enumerate() {
        writer.push(name, shape, &item(index)).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn files_are_byte_for_byte_those_of_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let saved = save(&path("reconstructions.npz"), &PICTURE, picture);
    assert_eq!(saved, path("reconstructions.npz"));
    assert_eq!(fs::read(saved).unwrap(), golden("reconstructions.npz"));
    let saved = save(&path("latents.npz"), &LATENT, latent);
    assert_eq!(fs::read(saved).unwrap(), golden("latents.npz"));
    let mut writer = ArrayWriter::create(&path("scalars.npz")).unwrap();
    for i in 0..12 {
        writer.push(&i.to_string(), &[], &[i as f32]).unwrap();
    }
    assert_eq!(fs::read(writer.finish().unwrap()).unwrap(), golden("scalars.npz"));
    assert_eq!(files_in(&folder), 3);
}

#[test]
fn saved_reconstructions_are_a_data_set_with_the_same_pixels_and_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder.path().join("a.npz"), &PICTURE, picture);
    let set = open(&DataSpec::Path(path)).unwrap();
    let samples: Vec<Sample> = set
        .samples(0..set.len())
        .unwrap()
        .map(|pending| pending.unwrap().load().unwrap())
        .collect();
    assert_eq!(samples.len(), NAMES.len());
    for (index, sample) in samples.iter().enumerate() {
        assert_eq!(sample.id, NAMES[index]);
        assert_eq!((sample.image.height(), sample.image.width()), (PICTURE[0], PICTURE[1]));
        assert_eq!(sample.image.pixels(), picture(index));
    }
}

/// A file that keeps nothing of long writes.
#[derive(Default)]
struct Ends {
    at: u64,
    pieces: std::collections::BTreeMap<u64, Vec<u8>>,
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() < 1 << 20 {
            self.pieces.insert(self.at, bytes.to_owned());
        }
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Ends {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { panic!("{to:?}") };
        self.at = at;
        Ok(at)
    }
}

#[test]
fn beyond_32_bits_the_sizes_checksum_and_directory_are_those_of_numpy() {
    // Five items of a GiB; the golden file has the headers and the directory only.
    let (mut archive, mut items) = (Archive::new(Ends::default()), None);
    let zeros = vec![0; 1 << 20];
    for _ in 0..5 << 10 {
        append(&mut archive, &mut items, "|u1", &[1 << 30], &zeros).unwrap();
    }
    let ids = ["a", "b", "c", "d", "e"].map(str::to_owned);
    let ends = complete(archive, items.unwrap(), "|u1", (&ids, None)).unwrap();
    // The bytes that were blank at first are replaced at their place.
    assert_eq!(ends.at - (5 << 30), golden("large-ends.bin").len() as u64);
    let file: Vec<u8> = ends.pieces.into_values().flatten().collect();
    assert_eq!(file, golden("large-ends.bin"));
}

#[test]
fn an_item_that_does_not_fit_is_refused_by_name_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut writer = ArrayWriter::<u8>::create(&path).unwrap();
    let mut refused = |id: &str, shape: &[usize], values: &[u8]| {
        let error = writer.push(id, shape, values).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        error
    };
    let error = refused("x", &PICTURE, &[0; 35]);
    assert!(error.starts_with("`x` of shape [3, 4, 3] came with 35 values"), "{error}");
    let error = refused("x", &[usize::MAX, 2], &[0; 35]);
    assert!(error.starts_with("`x` of shape [18446744073709551615, 2] came with 35"), "{error}");
    let error = refused("", &[1], &[0]);
    assert!(error.starts_with("\"\" cannot be an id"), "{error}");
    let error = refused("a\0b", &[1], &[0]);
    assert!(error.starts_with("\"a\\0b\" cannot be an id"), "{error}");
    let error = refused("x", &[1; 32], &[0]);
    assert!(error.starts_with("`x` has 32 axes, too many"), "{error}");
    for (index, name) in NAMES.iter().enumerate() {
        writer.push(name, &PICTURE, &picture(index)).unwrap();
        for shape in [&[4, 3, 3][..], &[36], &[3, 4, 3, 1]] {
            let error = writer.push("y", shape, &[0; 36]).unwrap_err().to_string();
            let expected = format!("`y` has shape {shape:?} and the items before it in `");
            assert!(error.starts_with(&expected) && error.contains("have [3, 4, 3]"), "{error}");
        }
    }
    writer.finish().unwrap();
    assert_eq!(fs::read(path).unwrap(), golden("reconstructions.npz"));
}

#[test]
fn an_existing_file_is_kept_whether_it_was_there_at_first_or_came_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut writer = ArrayWriter::create(&path).unwrap();
    writer.push("x", &[1], &[7_u8]).unwrap();
    fs::write(&path, "precious").unwrap();
    for error in [writer.finish().unwrap_err(), ArrayWriter::<f32>::create(&path).unwrap_err()] {
        assert!(matches!(error, ArrayError::Exists { .. }), "{error:?}");
        let expected = format!("`{}` exists and is never overwritten", path.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(files_in(&folder), 1);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let error = ArrayWriter::<u8>::create(&folder.path().join("no/a.npz")).unwrap_err();
    assert!(matches!(error, ArrayError::NoFolder { .. }), "{error:?}");
    assert_eq!(files_in(&folder), 0);
}

#[test]
fn nothing_is_left_of_a_writer_that_is_dropped_or_has_no_items() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut writer = ArrayWriter::create(&path).unwrap();
    writer.push("x", &[2], &[1.0_f32, 2.0]).unwrap();
    assert_eq!(files_in(&folder), 1);
    assert!(!path.exists());
    drop(writer);
    assert_eq!(files_in(&folder), 0);
    let error = ArrayWriter::<f32>::create(&path).unwrap().finish().unwrap_err();
    assert!(matches!(error, ArrayError::Empty { .. }), "{error:?}");
    assert_eq!(files_in(&folder), 0);
}

/// A disk with room for so many bytes.
struct Disk(Cursor<Vec<u8>>, usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.1 - self.0.position() as usize {
            0 => Err(io::ErrorKind::StorageFull.into()),
            free => self.0.write(&bytes[..bytes.len().min(free)]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_disk_that_fills_up_at_any_byte_is_told_as_a_full_disk() {
    let ids = NAMES.map(str::to_owned);
    let save = |room: usize| -> io::Result<Vec<u8>> {
        let (mut archive, mut items) = (Archive::new(Disk(Cursor::new(Vec::new()), room)), None);
        for index in 0..NAMES.len() {
            append(&mut archive, &mut items, "|u1", &PICTURE, &picture(index))?;
        }
        let disk = complete(archive, items.unwrap(), "|u1", (&ids, None))?;
        Ok(disk.0.into_inner())
    };
    let whole = golden("reconstructions.npz");
    assert_eq!(save(whole.len()).unwrap(), whole);
    for room in 0..whole.len() {
        let cause = save(room).unwrap_err();
        let error = ArrayError::io(Path::new("runs/latents.npz"), cause).to_string();
        let expected =
            "no space left for `runs/latents.npz`: free some, or save elsewhere with --out";
        assert_eq!(error, expected, "{room}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_the_file_is_given_up_at_once_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    // Every write to this device fails as on a full disk.
    let writer = || {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let temporary = beside(&path).unwrap().into_temp_path();
        ArrayWriter::<u8>::into_file(&path, NamedTempFile::from_parts(full, temporary))
    };
    // What fits into the buffer is found out when it leaves it.
    let mut small = writer();
    small.push("x", &[1], &[7]).unwrap();
    let error = small.finish().unwrap_err();
    assert!(matches!(error, ArrayError::Full { .. }), "{error:?}");
    let mut large = writer();
    let error = large.push("x", &[2 * BUFFER], &vec![7; 2 * BUFFER]).unwrap_err();
    assert_eq!(error.kind(), Some(io::ErrorKind::StorageFull), "{error:?}");
    // Its space is free before the writer is dropped, and it never becomes a file with a gap.
    assert_eq!(files_in(&folder), 0);
    for shape in [[1], [2 * BUFFER]] {
        let error = large.push("y", &shape, &vec![7; shape[0]]).unwrap_err();
        assert!(matches!(error, ArrayError::GivenUp { .. }), "{error:?}");
    }
    assert!(matches!(large.finish().unwrap_err(), ArrayError::GivenUp { .. }));
    assert_eq!(files_in(&folder), 0);
}

#[cfg(unix)]
#[test]
fn the_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let saved = save(&folder.path().join("a.npz"), &PICTURE, picture);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    assert_eq!(mode(&saved), mode(&plain));
}

#[test]
fn classes_are_one_for_each_item_and_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let save = |labels: &[u32], name: &str| {
        let mut writer = ArrayWriter::create(&folder.path().join(name))?;
        for (index, name) in NAMES.iter().enumerate() {
            writer.push(name, &PICTURE, &picture(index))?;
        }
        writer.finish_labelled(labels)
    };
    let labels: Vec<u32> = (0..NAMES.len() as u32).map(|index| 3_000_000_000 + index).collect();
    let path = save(&labels, "a.npz").unwrap();
    let set = prismbench_data::open(&path.display().to_string().parse().unwrap()).unwrap();
    let found = set.samples(0..set.len()).unwrap();
    let found: Vec<_> = found.map(|sample| sample.unwrap().load().unwrap().label).collect();
    assert_eq!(found, labels.iter().copied().map(Some).collect::<Vec<_>>());
    let error = save(&labels[1..], "b.npz").unwrap_err();
    assert!(matches!(error, ArrayError::Labels { .. }), "{error}");
    assert!(!folder.path().join("b.npz").exists());
}
