//! Golden files in safetensors, made by the scripts in `tests/oracle/`.

use std::fs;

use candle_core::{Device, Tensor};
use prismbench_core::ImageBatch;
use safetensors::SafeTensors;

pub(crate) struct Golden(Vec<u8>);

pub(crate) fn path(name: &str) -> String {
    format!("{}/../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        Self(fs::read(path(name)).unwrap())
    }

    pub(crate) fn shape(&self, tensor: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(tensor).unwrap().shape().to_vec()
    }

    pub(crate) fn u8(&self, tensor: &str) -> Vec<u8> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(tensor).unwrap().data().to_vec()
    }

    pub(crate) fn f32(&self, tensor: &str) -> Vec<f32> {
        let bytes = self.u8(tensor);
        bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    pub(crate) fn f64(&self, tensor: &str) -> Vec<f64> {
        let bytes = self.u8(tensor);
        bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    /// Levels of shape `[3, H, W]` or `[N, 3, H, W]` as a batch.
    pub(crate) fn images(&self, tensor: &str) -> ImageBatch {
        let mut shape = self.shape(tensor);
        if shape.len() == 3 {
            shape.insert(0, 1);
        }
        let pixels: Vec<f32> = self.u8(tensor).iter().map(|&u| f32::from(u) / 255.0).collect();
        ImageBatch::new(Tensor::from_vec(pixels, shape, &Device::Cpu).unwrap()).unwrap()
    }
}
