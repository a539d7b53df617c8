//! Training checkpoints as `torch.save` writes them in its older format: several dictionaries of
//! tensors and a number in one dictionary.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::DType;
use safetensors::View;

use crate::planned::Planned;

/// The pickle of PyTorch's magic number, of version 1001 and of no facts about the machine.
const BEFORE: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\
    \x80\x02M\xe9\x03.\x80\x02}.";

/// Writes `{NAME: {TENSOR: ..}, .., "epoch": 17}`, all tensors in f16.
pub(crate) fn write(path: &Path, dictionaries: &[(&str, &[Planned])]) {
    let mut pickle = b"\x80\x02}(".to_vec();
    let mut keys = b"\x80\x02](".to_vec();
    let mut count = 0;
    for (name, tensors) in dictionaries {
        text(&mut pickle, name);
        pickle.extend(b"}(");
        for planned in *tensors {
            text(&mut pickle, &planned.name);
            tensor(&mut pickle, count, &planned.shape);
            text(&mut keys, &count.to_string());
            count += 1;
        }
        pickle.push(b'u');
    }
    text(&mut pickle, "epoch");
    pickle.extend(b"K\x11u.");
    keys.extend(b"e.");
    let mut file = BufWriter::new(File::create(path).unwrap());
    for part in [BEFORE, &pickle, &keys] {
        file.write_all(part).unwrap();
    }
    for planned in dictionaries.iter().flat_map(|(_, tensors)| *tensors) {
        let length = planned.shape.iter().product::<usize>() as i64;
        file.write_all(&length.to_le_bytes()).unwrap();
        let tensor = planned.tensor().to_dtype(DType::F16).unwrap();
        file.write_all(&tensor.data()).unwrap();
    }
    file.flush().unwrap();
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn int(pickle: &mut Vec<u8>, value: usize) {
    pickle.push(b'J');
    pickle.extend((value as i32).to_le_bytes());
}

/// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
fn tensor(pickle: &mut Vec<u8>, key: usize, shape: &[usize]) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(b"ctorch\nHalfStorage\n");
    text(pickle, &key.to_string());
    text(pickle, "cpu");
    int(pickle, shape.iter().product());
    pickle.extend(b"NtQ");
    int(pickle, 0);
    let strides = (1..=shape.len()).map(|axis| shape[axis..].iter().product());
    for tuple in [shape.to_vec(), strides.collect()] {
        pickle.push(b'(');
        tuple.into_iter().for_each(|value| int(pickle, value));
        pickle.push(b't');
    }
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}
