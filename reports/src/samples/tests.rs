use super::*;
use crate::export;

fn table(tokenizer: &str, metrics: &[(&str, [f64; 3])]) -> SampleColumns {
    SampleColumns {
        tokenizer: tokenizer.to_owned(),
        dataset: "kodak".to_owned(),
        protocol: "default".to_owned(),
        protocol_sha256: "1a2b3c4d".repeat(8),
        indices: vec![0, 7, u64::MAX],
        ids: vec!["a.png".to_owned(), "b,\"c\".png".to_owned(), "\u{e9}/1.png".to_owned()],
        labels: vec![None, Some(0), Some(u32::MAX)],
        sizes: Vec::new(),
        metrics: metrics.iter().map(|(name, v)| ((*name).to_owned(), v.to_vec())).collect(),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn samples_come_back_as_they_were_and_no_other_file_is_left() {
    let mut tables = [
        table("identity", &[("psnr@1", [f64::INFINITY, 40.0, 0.1 + 0.2])]),
        table("jpeg:75", &[("psnr@1", [31.0, 32.0, 33.0]), ("bpp@1", [1.0, 0.5, 0.25])]),
    ];
    tables[1].sizes = vec![Some((640, 480)), None, Some((1, u32::MAX))];
    let folder = folder();
    let path = folder.path().join("samples.parquet");
    write_samples(&path, &tables).unwrap();
    assert_eq!(read_samples(&path).unwrap(), tables);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_run_without_samples_still_has_a_readable_file() {
    let folder = folder();
    let path = folder.path().join("samples.parquet");
    write_samples(&path, &[]).unwrap();
    assert_eq!(read_samples(&path).unwrap(), []);
}

#[test]
fn an_existing_file_is_kept() {
    let folder = folder();
    let path = folder.path().join("samples.parquet");
    std::fs::write(&path, "precious").unwrap();
    let error = write_samples(&path, &[table("a", &[])]).unwrap_err();
    assert!(matches!(error, ReportError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn columns_that_contradict_each_other_are_refused_by_name() {
    let refused = |table: SampleColumns| {
        let folder = folder();
        let path = folder.path().join("samples.parquet");
        write_samples(&path, &[table]).unwrap_err().to_string()
    };
    let mut short = table("a", &[("psnr@1", [1.0; 3])]);
    short.metrics[0].1.pop();
    assert!(refused(short).ends_with("2 `psnr@1` for 3 samples"));
    let mut short = table("a", &[]);
    short.ids.pop();
    assert!(refused(short).ends_with("2 `ids` for 3 samples"));
    let mut short = table("a", &[]);
    short.sizes = vec![None; 2];
    assert!(refused(short).ends_with("2 `sizes` for 3 samples"));
    let nan = table("a", &[("psnr@1", [1.0, f64::NAN, 1.0])]);
    assert!(refused(nan).ends_with("`psnr@1` of `b,\"c\".png` is NaN"));
    for name in ["psnr@1", "label", "width"] {
        let twice = table("a", &[("psnr@1", [1.0; 3]), (name, [1.0; 3])]);
        assert!(refused(twice).ends_with(&format!("a second column `{name}`")));
    }
}

#[test]
fn files_of_before_there_were_sizes_are_read() {
    let tables = [table("a", &[("psnr@1", [1.0, 2.0, 3.0])])];
    let mut frame = writer::stacked(&tables, &metrics_of(&tables)).unwrap();
    for name in SIZE {
        frame = frame.drop(name).unwrap();
    }
    let folder = folder();
    let path = folder.path().join("samples.parquet");
    std::fs::write(&path, export::parquet(&mut frame).unwrap()).unwrap();
    assert_eq!(read_samples(&path).unwrap(), tables);
}

#[test]
fn another_file_is_no_table_of_samples() {
    let folder = folder();
    let path = folder.path().join("samples.parquet");
    let error = read_samples(&path).unwrap_err();
    assert!(matches!(error, ReportError::Missing { .. }), "{error}");
    std::fs::write(&path, "not parquet").unwrap();
    let error = read_samples(&path).unwrap_err();
    assert!(matches!(error, ReportError::NotSamples { .. }), "{error}");
    let mut records = crate::frame(&crate::fixtures::everything()).unwrap();
    std::fs::write(&path, export::parquet(&mut records).unwrap()).unwrap();
    let error = read_samples(&path).unwrap_err().to_string();
    assert!(error.ends_with("column 0 is not `tokenizer` of type str"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let (path, plain) = (folder.path().join("samples.parquet"), folder.path().join("plain"));
    write_samples(&path, &[]).unwrap();
    std::fs::write(&plain, "").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn samples_that_come_in_pieces_are_written_as_those_that_come_at_once() {
    let rows = 2 * SAMPLES_AT_ONCE + 77;
    let whole = |tokenizer: &str, metric: &str, rows: usize| SampleColumns {
        indices: (0..rows as u64).collect(),
        ids: (0..rows).map(|row| format!("{row}.png")).collect(),
        labels: (0..rows).map(|row| (row % 3 > 0).then_some(row as u32)).collect(),
        sizes: (0..rows).map(|row| Some((row as u32, 7))).collect(),
        metrics: vec![(metric.to_owned(), (0..rows).map(|row| row as f64 / 7.0).collect())],
        ..table(tokenizer, &[])
    };
    let tables = [
        whole("identity", "psnr@1", 100),
        whole("jpeg:75", "bpp@1", rows),
        whole("dct:4", "psnr@1", SAMPLES_AT_ONCE),
    ];
    let stream = |table: &SampleColumns, length: usize| {
        let (mut rest, mut pieces) = (Some(table.clone()), Vec::new());
        while let Some(mut piece) = rest.take() {
            rest = (piece.ids.len() > length).then(|| piece.split_off(length));
            pieces.push(Ok(piece));
        }
        let metrics = table.metrics.iter().map(|(name, _)| name.clone()).collect();
        SampleStream { metrics, pieces: Box::new(pieces.into_iter()) }
    };
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    write_samples(&path("whole"), &tables).unwrap();
    let bytes = std::fs::read(path("whole")).unwrap();
    assert_eq!(read_samples(&path("whole")).unwrap(), tables);
    for length in [5_000, SAMPLES_AT_ONCE, 3 * SAMPLES_AT_ONCE] {
        let streams = tables.iter().map(|table| stream(table, length)).collect();
        extend_samples(&path("pieces"), None, |_| true, streams).unwrap();
        assert!(std::fs::read(path("pieces")).unwrap() == bytes, "pieces of {length}");
        std::fs::remove_file(path("pieces")).unwrap();
    }
    // Table by table behind a file that is there, one of whose tables is not wanted any more.
    let mut other = tables[1].clone();
    other.protocol_sha256 = "ff".repeat(32);
    write_samples(&path("0"), &[tables[0].clone(), other.clone()]).unwrap();
    let keep = |table: &SampleColumns| table.protocol_sha256 != other.protocol_sha256;
    for (number, table) in tables.iter().enumerate().skip(1) {
        let [earlier, next] = [number - 1, number].map(|number| path(&number.to_string()));
        extend_samples(&next, Some(&earlier), keep, vec![stream(table, 999)]).unwrap();
    }
    assert!(std::fs::read(path("2")).unwrap() == bytes);
}

#[test]
fn values_that_cannot_be_read_leave_no_file() {
    let folder = folder();
    let path = folder.path().join("samples.parquet");
    let pieces = [Ok(table("a", &[])), Err(io::Error::other("the disk is gone"))];
    let stream = SampleStream { metrics: Vec::new(), pieces: Box::new(pieces.into_iter()) };
    let error = extend_samples(&path, None, |_| true, vec![stream]).unwrap_err();
    assert!(matches!(error, ReportError::Write { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
