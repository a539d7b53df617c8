use proptest::prelude::*;

use super::*;

fn written(frame: &Outgoing<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = AtomicU64::new(0);
    frame.write(&mut bytes, &count).unwrap();
    assert_eq!(count.into_inner(), bytes.len() as u64);
    bytes
}

fn read(bytes: &[u8]) -> Result<Frame, FrameError> {
    Frame::read(&mut &*bytes, 1 << 24)
}

fn example(text: &str, floats: &[f32], bytes: &[u8]) -> Vec<u8> {
    let mut frame = Outgoing::default().with("message", text);
    // The names are not in the order of the data.
    frame.arrays.push(("z".to_owned(), vec![floats.len(), 1], Slice::F32(floats)));
    frame.arrays.push(("a".to_owned(), vec![bytes.len()], Slice::U8(bytes)));
    written(&frame)
}

/// A frame with a header of our choice and as many bytes of data.
fn hostile(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (8 + (header.len() + data) as u64).to_le_bytes().to_vec();
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 7);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        text in any::<String>(),
        floats in proptest::collection::vec(any::<u32>(), 0..40_000),
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let floats: Vec<f32> = floats.into_iter().map(f32::from_bits).collect();
        let frame = read(&example(&text, &floats, &bytes)).unwrap();
        prop_assert_eq!(frame.text("message"), text);
        let Values::F32(found) = &frame.arrays["z"].values else { panic!("expected floats") };
        prop_assert!(found.iter().map(|x| x.to_bits()).eq(floats.iter().map(|x| x.to_bits())));
        prop_assert_eq!(&frame.arrays["z"].shape, &[floats.len(), 1]);
        let Values::U8(found) = &frame.arrays["a"].values else { panic!("expected bytes") };
        prop_assert_eq!(found, &bytes);
    }

    #[test]
    fn a_frame_that_is_cut_anywhere_is_an_error(share in 0.0..1.0_f64) {
        let whole = example("encode", &[1.0; 50], &[1; 50]);
        let cut = (share * whole.len() as f64) as usize;
        let error = read(&whole[..cut]).unwrap_err();
        let ended = matches!(&error, FrameError::Read(error)
            if error.kind() == io::ErrorKind::UnexpectedEof);
        prop_assert!(ended, "{}", error);
    }

    #[test]
    fn a_frame_that_is_damaged_anywhere_is_an_error_or_holds_as_many_bytes(
        at in 0_usize..400,
        byte in any::<u8>(),
    ) {
        let mut bytes = example("encode", &[1.0; 50], &[1; 50]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(frame) = read(&bytes) {
            let held: usize = frame
                .arrays
                .values()
                .map(|array| match &array.values {
                    Values::F32(values) => 4 * values.len(),
                    Values::U8(values) => values.len(),
                })
                .sum();
            prop_assert_eq!(held, 250);
        }
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read(&bytes);
        // With lengths that are believable, so that the header itself is looked at.
        let _ = read(&hostile(&String::from_utf8_lossy(&bytes), 16));
    }
}

#[test]
fn what_a_header_claims_is_not_believed() {
    let long = hostile("{}", 1 << 24);
    assert!(matches!(read(&long), Err(FrameError::Length { .. })));
    let mut header = hostile("{}", 0);
    header[8..16].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    assert!(matches!(read(&header), Err(FrameError::HeaderLength { limit: 2, .. })));
    assert!(matches!(read(&hostile("{}", 3)), Err(FrameError::Data { arrays: 0, there: 3 })));
    for (entry, data) in [
        // Shape and span differ; the product overflows; spans overlap or leave a gap.
        (r#""a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#, 8),
        (r#""a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,1]}"#, 1),
        (
            r#""a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
               "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}"#,
            3,
        ),
        (r#""a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}"#, 3),
        (r#""a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}"#, 0),
        (r#""__metadata__":{"message":1}"#, 0),
        (&"[".repeat(10_000), 0),
    ] {
        let error = read(&hostile(&format!("{{{entry}}}"), data)).unwrap_err();
        assert!(matches!(error, FrameError::Header(_)), "{entry}: {error}");
    }
    let wide = r#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#;
    let error = read(&hostile(wide, 8)).unwrap_err();
    assert_eq!(error.to_string(), "`a` is of type F64; expected F32 or U8");
}
